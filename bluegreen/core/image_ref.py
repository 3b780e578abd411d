"""PURE: image references as Docker reads them, host/repo:tag@sha256:…, and what an image is pinned to.

Grammar and defaults: github.com/distribution/reference (no host means docker.io, one word means library/).
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from bluegreen.errors import UsageError

_WORD = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_WORD}(?:/{_WORD})*")
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]{{1,5}})?")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_ECR = re.compile(r"\d{12}\.dkr\.ecr\.([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com(?:\.cn)?")
_LONGEST_NAME = 255
_HIGHEST_PORT = 65_535


class ImageRef(NamedTuple):
    """`host` carries the port if there is one. One of `tag` and `digest` may be empty; the digest wins over the tag."""

    host: str
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        return f"{self.host}/{self.repository}"

    @property
    def version(self) -> str:
        """What a registry is asked for: the digest if there is one, else the tag."""
        return self.digest or self.tag

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.name}{tag}" + (f"@{self.digest}" if self.digest else "")


class PinnedImage(NamedTuple):
    """`reference` (host/repo@sha256:…) is the manifest of one platform; `size_bytes` is what a full pull transfers."""

    reference: str
    source: str
    architecture: str
    size_bytes: int


def parse(text: str) -> ImageRef:
    """Raises UsageError that names the part at fault. Without tag and digest the tag is latest, as in Docker."""
    rest, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise _wrong(text, "the digest must be sha256: and 64 hex digits")
    host, repository, tag = _split(rest)
    if not _HOST.fullmatch(host) or _port(host) > _HIGHEST_PORT:
        raise _wrong(text, f"{host!r} is not a registry host")
    if not repository or not _REPOSITORY.fullmatch(repository):
        raise _wrong(text, f"{repository!r} is not a repository: lower-case letters, digits, and . _ - / between them")
    if len(host) + 1 + len(repository) > _LONGEST_NAME:
        raise _wrong(text, f"host and repository are longer than {_LONGEST_NAME} characters")
    if tag is not None and not _TAG.fullmatch(tag):
        raise _wrong(text, f"{tag!r} is not a tag: up to 128 letters, digits, _ . - and no . or - first")
    return ImageRef(host, repository, tag if tag is not None else "" if digest else "latest", digest)


def is_loopback(host: str) -> bool:
    """Whether `host` (with or without a port) is this machine by its very name: localhost, 127.0.0.0/8, [::1]."""
    name = host if host.endswith("]") else re.sub(r":\d+$", "", host)
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def ecr_region(host: str) -> str:
    """The region of a private registry of ECR; "" for any other host."""
    match = _ECR.fullmatch(host)
    return match[1] if match else ""


def _split(rest: str) -> tuple[str, str, str | None]:
    """Host, repository and tag of what stands before the @, with Docker's defaults for the host."""
    first, slash, path = rest.partition("/")
    if slash and (first == "localhost" or first != first.lower() or any(mark in first for mark in ".:[")):
        host = first
    else:
        host, path = "docker.io", rest
    path, colon, tag = path.partition(":")
    if host in ("docker.io", "index.docker.io"):
        host, path = "docker.io", path if "/" in path else f"library/{path}"
    return host, path, tag if colon else None


def _port(host: str) -> int:
    name, _, port = host.rpartition(":")
    return int(port) if name and port.isdecimal() else 0


def _wrong(text: str, why: str) -> UsageError:
    return UsageError(
        f"{text!r} is not an image reference",
        why=why,
        next="write it as host/repository:tag or host/repository@sha256:…",
    )
