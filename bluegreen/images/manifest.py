"""PURE: what registries store: manifests, and indexes of them by platform. OCI image specification 1.1; Docker v2.2.

A document that could be read as both is refused (CVE-2021-41190), and so is the long dead schema 1.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
ACCEPT = ", ".join(_INDEXES + _MANIFESTS)

# What every machine of the architecture can run: OCI image index, platform variants; Docker's own preference.
_VARIANTS = {"amd64": ("", "v1"), "arm64": ("", "v8")}


class Platform(NamedTuple):
    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


class Index(NamedTuple):
    """(platform, digest) in the index's order."""

    entries: tuple[tuple[Platform, str], ...]

    def digest_for(self, architecture: str) -> str | None:
        """The manifest that any linux machine of `architecture` can run, or None."""
        by_platform = dict(reversed(self.entries))  # the first of two alike wins
        for variant in _VARIANTS.get(architecture, ("",)):
            digest = by_platform.get(Platform("linux", architecture, variant))
            if digest is not None:
                return digest
        return None

    def platforms(self) -> tuple[str, ...]:
        """For people; attestations (unknown/unknown) are none."""
        return tuple(dict.fromkeys(str(platform) for platform, _ in self.entries if platform.os != "unknown"))


class Blob(NamedTuple):
    """`size_bytes` as it is transferred: compressed."""

    digest: str
    size_bytes: int


class Manifest(NamedTuple):
    """`size_bytes` is the sum of its config and layers as they are transferred; `layers` from the lowest up."""

    config: str
    size_bytes: int
    layers: tuple[Blob, ...] = ()


def read(content_type: str, body: bytes) -> Index | Manifest:
    """Raises ValueError with the reason when `body` is neither."""
    document = _object(body)
    kind = document.get("mediaType") or content_type.partition(";")[0].strip()
    if "manifests" in document and ("layers" in document or "config" in document):
        raise ValueError("it claims to be an image and an index of images at once")
    if kind in _INDEXES:
        return Index(tuple(_entry(entry) for entry in _list(document, "manifests")))
    if kind in _MANIFESTS:
        config, *layers = (_blob(part) for part in (_field(document, "config", dict), *_list(document, "layers")))
        return Manifest(config.digest, sum(blob.size_bytes for blob in (config, *layers)), tuple(layers))
    raise ValueError(f"it is of the type {kind or 'none'}, and no image that Docker runs")


def config_platform(body: bytes) -> Platform:
    """The platform in an image's config. Raises ValueError when it does not say."""
    config = _object(body)
    return Platform(_field(config, "os", str), _field(config, "architecture", str), str(config.get("variant") or ""))


def config_labels(body: bytes) -> dict[str, str]:
    """The labels in an image's config."""
    config = _object(body).get("config")
    found = config.get("Labels") if isinstance(config, dict) else None
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def error_code(body: bytes) -> str:
    """The registry's own code ("MANIFEST_UNKNOWN"), or nothing."""
    try:
        return str(_object(body)["errors"][0]["code"])
    except (ValueError, LookupError, TypeError):
        return ""


def tags(body: bytes) -> tuple[str, ...]:
    """The tags of a tags/list answer; none if it is no such answer."""
    try:
        found: Iterable[Any] = _object(body).get("tags") or ()
    except ValueError:
        return ()
    return tuple(tag for tag in found if isinstance(tag, str))


def _entry(entry: dict[str, Any]) -> tuple[Platform, str]:
    platform = entry.get("platform")
    if not isinstance(platform, dict):
        platform = {}
    where = [str(platform.get(key) or "unknown") for key in ("os", "architecture")]
    return Platform(where[0], where[1], str(platform.get("variant") or "")), _digest(entry)


def _blob(descriptor: dict[str, Any]) -> Blob:
    return Blob(_digest(descriptor), _field(descriptor, "size", int))


def _digest(descriptor: dict[str, Any]) -> str:
    digest: str = _field(descriptor, "digest", str)
    if not digest.startswith("sha256:"):
        raise ValueError(f"it uses a digest that is not sha256: {digest[:20]}")
    return digest


def _list(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    items = _field(document, name, list)
    if not all(isinstance(item, dict) for item in items):
        raise ValueError(f"its {name} are not objects")
    return list(items)


def _field(document: dict[str, Any], name: str, kind: type) -> Any:
    value = document.get(name)
    if not isinstance(value, kind):
        raise ValueError(f"its {name} is missing or no {kind.__name__}")
    return value


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError as error:
        raise ValueError("it is not JSON") from error
    if not isinstance(document, dict):
        raise ValueError("it is not a JSON object")
    return document
