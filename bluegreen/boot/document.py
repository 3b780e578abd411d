"""PURE: a stack as the machine reads it, /etc/bluegreen/boot.json. What no machine could take is refused here.

The document holds references (ssm:/path) where the machine needs secrets, and images by digest only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from bluegreen.core.plain import to_plain
from bluegreen.core.stack import Service, Stack
from bluegreen.errors import BluegreenError, UsageError

SCHEMA = 1
REFERENCE = "ssm:/"

_PINNED = re.compile(r"[^\s@]+/[^\s@]+@sha256:[0-9a-f]{64}")
_SSM = re.compile(r"ssm:/[A-Za-z0-9_./-]+")  # SSM API reference, PutParameter Name
_CONTAINER_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")  # moby daemon/names: two characters or more
_VARIABLE = re.compile(r"[^\s=#\x00-\x1f\x7f][^\s=\x00-\x1f\x7f]*")
_STEERING = re.compile(r"DOCKER_.*|LD_.*|GO[A-Z]+|GLIBC_TUNABLES|PATH|HOME|TMPDIR|OTEL_.*")  # as cloudinit/services.py


def boot_document(stack: Stack, images: Mapping[str, str]) -> dict[str, Any]:
    """boot.json of `stack`, with `images` (service → host/repo@sha256:…) in the place of its tags."""
    login = stack.registry.login
    if login is not None and not _SSM.fullmatch(login.password):
        raise _wrong(stack, "registry.auth.password", "is not a reference such as ssm:/shop/registry", "put it there")
    document = {
        "schema": SCHEMA,
        "stack": stack.name,
        "region": stack.region,
        "registry": {"host": stack.registry.host, "login": to_plain(login), "ca": stack.registry.ca},
        "services": [_service(stack, service, images) for service in stack.services],
    }
    for place, text in strings(document):
        if any(char == "\0" or "\ud800" <= char <= "\udfff" for char in text):
            raise _wrong(stack, place, "holds a NUL or half a character, which no program can be given", "take it out")
    return document


def strings(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Every string in `value` with its place ("services.web.environment.KEY"), the keys included."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for key, item in value.items():
            inside = f"{place}.{key}" if place else str(key)
            yield f"{inside} (its name)", key
            yield from strings(item, inside)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            name = item.get("name", number) if isinstance(item, dict) else number
            yield from strings(item, f"{place}.{name}")


def _service(stack: Stack, service: Service, images: Mapping[str, str]) -> dict[str, Any]:
    place = f"services.{service.name}"
    if not _CONTAINER_NAME.fullmatch(service.name):
        raise _wrong(stack, place, "cannot name a container", "two or more letters, digits or _ . -, a letter first")
    image = images.get(service.name, "")
    if not _PINNED.fullmatch(image):
        raise BluegreenError(f"{place} has no pinned image", where=stack.source, why=f"got {image!r}")
    for name, value in service.environment:
        _check_variable(stack, f"{place}.environment.{name}", name, value)
    plain: dict[str, Any] = to_plain(service)
    return {**plain, "image": image, "environment": dict(service.environment)}


def _check_variable(stack: Stack, place: str, name: str, value: str) -> None:
    if not _VARIABLE.fullmatch(name):
        raise _wrong(stack, place, "cannot name a variable", "no spaces, no =, and no # at the beginning")
    if value.startswith(REFERENCE) and not _SSM.fullmatch(value):
        raise _wrong(stack, place, "is no proper reference to a secret", "ssm:/ and letters, digits or _ . - /")
    if _STEERING.fullmatch(name) and ("\n" in value or "\r" in value):
        raise _wrong(stack, place, "holds a line break, and its name steers docker itself", "another name, or one line")


def _wrong(stack: Stack, place: str, what: str, instead: str) -> UsageError:
    return UsageError(f"{place} {what}", where=stack.source, next=instead)
