"""PURE: a stack as the machine reads it, /etc/bluegreen/boot.json. What no machine could take is refused here.

The document holds references (core/secret_ref.py) where the machine needs secrets, and images by digest only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from bluegreen.core import secret_ref
from bluegreen.core.plain import to_plain
from bluegreen.core.stack import AGENT_PORT, Service, Stack
from bluegreen.errors import BluegreenError, UsageError

SCHEMA = 2

_PINNED = re.compile(r"[^\s@]+/[^\s@]+@sha256:[0-9a-f]{64}")
_CONTAINER_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")  # moby daemon/names: two characters or more
_VARIABLE = re.compile(r"[^\s=#\x00-\x1f\x7f][^\s=\x00-\x1f\x7f]*")


def boot_document(stack: Stack, images: Mapping[str, str]) -> dict[str, Any]:
    """boot.json of `stack`, with `images` (service → host/repo@sha256:…) in the place of its tags."""
    login = stack.registry.login
    if login is not None and not secret_ref.is_one(login.password):
        raise _wrong(stack, "registry.auth.password", "is not a reference such as ssm:/shop/registry", "put it there")
    document = {
        "schema": SCHEMA,
        "stack": stack.name,
        "region": stack.region,
        "docker": stack.fleet.docker,
        "registry": {
            "host": stack.registry.host,
            "login": {"ecr": True} if stack.registry.ecr else to_plain(login),
            "ca": stack.registry.ca,
        },
        "logging": _logging(stack),
        "agent": {"port": AGENT_PORT},
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
    ulimits = {limit.name: [limit.soft, limit.hard] for limit in service.ulimits}
    return {**plain, "image": image, "environment": dict(service.environment), "ulimits": ulimits}


def _logging(stack: Stack) -> dict[str, Any] | None:
    if stack.logging is None:
        return None
    return {"driver": stack.logging.driver, "options": dict(stack.logging.options), "ca": stack.logging.ca}


def _check_variable(stack: Stack, place: str, name: str, value: str) -> None:
    if not _VARIABLE.fullmatch(name):
        raise _wrong(stack, place, "cannot name a variable", "no spaces, no =, and no # at the beginning")
    if secret_ref.means_one(value) and not secret_ref.is_one(value):
        raise _wrong(stack, place, "is no proper reference to a secret", secret_ref.SHAPES)


def _wrong(stack: Stack, place: str, what: str, instead: str) -> UsageError:
    return UsageError(f"{place} {what}", where=stack.source, next=instead)
