"""PURE: user data to boot.json, as cloud-init reads it: gunzip, `#cloud-config`, the write_files entry, its encoding.

Whatever is wrong is one BootError whose cause is one line. Multipart and scripts are real cloud-init's; here they are
refused by name.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from dataclasses import dataclass
from typing import Any

import yaml

from bluegreen.core.plain import from_plain
from bluegreen.core.stack import Login, Service
from bluegreen.sandbox.console import BootError

DOCUMENT = "/etc/bluegreen/boot.json"
SCHEMA = 2
GZIP = b"\x1f\x8b"
LARGEST = 16 * 1024 * 1024  # after unpacking; EC2 takes 16 KB before


@dataclass(frozen=True, slots=True)
class Document:
    """boot.json. `services` stand in the order in which they start; `logging` is the driver, or ""."""

    stack: str
    region: str
    registry: str
    login: Login | None
    services: tuple[Service, ...]
    logging: str = ""


def boot_document(user_data: bytes) -> Document:
    content = _written_file(_cloud_config(user_data))
    try:
        plain = json.loads(content)
        schema = plain["schema"]
        if schema != SCHEMA:
            raise BootError(f"bad user data: {DOCUMENT} has schema {schema}, and this boot knows {SCHEMA}")
        return Document(
            stack=str(plain["stack"]),
            region=str(plain["region"]),
            registry=str(plain["registry"]["host"]),
            login=_login(plain["registry"].get("login")),
            services=_in_order([_service(item) for item in plain["services"]]),
            logging=str((plain.get("logging") or {}).get("driver", "")),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BootError(f"bad user data: {DOCUMENT}: {_one_line(error)}") from None


def _cloud_config(user_data: bytes) -> Any:
    text = _gunzip(user_data, "the user data") if user_data.startswith(GZIP) else user_data
    if not text.strip():
        raise BootError("bad user data: there is none, so nothing is started")
    first = text.splitlines()[0].strip()
    if first != b"#cloud-config":
        shown = first[:40].decode("utf-8", "replace")
        raise BootError(f"bad user data: it begins with {shown!r}, and the sandbox knows #cloud-config only")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(text, Loader=loader)  # noqa: S506 - both are safe loaders
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BootError(f"bad user data: no YAML: {_one_line(error)}") from None


def _written_file(config: Any) -> bytes:
    entries = config.get("write_files") if isinstance(config, dict) else None
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and entry.get("path") == DOCUMENT:
            return _decoded(entry.get("content", ""), str(entry.get("encoding", "text/plain")))
    raise BootError(f"bad user data: write_files has no entry with the path {DOCUMENT}")


def _decoded(content: Any, encoding: str) -> bytes:
    """cloud-init's names for encodings (cc_write_files, canonicalize_extraction)."""
    kind = encoding.lower().strip()
    data = content if isinstance(content, bytes) else str(content).encode()
    if kind in ("", "text", "text/plain"):
        return data
    if kind not in ("b64", "base64", "gz", "gzip", "gz+base64", "gzip+base64", "gz+b64", "gzip+b64"):
        raise BootError(f"bad user data: {DOCUMENT} has the encoding {encoding!r}; known are b64, gz+b64 and text")
    try:
        data = base64.b64decode(data) if kind.endswith(("b64", "base64")) else data
    except binascii.Error as error:
        raise BootError(f"bad user data: {DOCUMENT} is no base64: {error}") from None
    return _gunzip(data, DOCUMENT) if kind.startswith("gz") else data


def _gunzip(data: bytes, what: str) -> bytes:
    unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        text = unpacker.decompress(data, LARGEST)
    except zlib.error as error:
        raise BootError(f"bad user data: {what} cannot be unpacked: {error}") from None
    if not unpacker.eof:
        cause = "is cut short" if not unpacker.unconsumed_tail else f"is more than {LARGEST:,} bytes when unpacked"
        raise BootError(f"bad user data: {what} {cause}")
    return text


def _login(plain: Any) -> Login | None:
    if plain is not None and "ecr" in plain:
        raise BootError("registry.auth ecr needs hosts with an engine of their own: bluegreen sandbox up --mode docker")
    return None if plain is None else from_plain(Login, plain)


def _service(item: dict[str, Any]) -> Service:
    environment = item.get("environment") or {}
    pairs = [[name, str(value)] for name, value in environment.items()]
    limits = [{"name": name, "soft": soft, "hard": hard} for name, (soft, hard) in item.get("ulimits", {}).items()]
    return from_plain(Service, {**item, "environment": pairs, "ulimits": limits})


def _in_order(services: list[Service]) -> tuple[Service, ...]:
    """Every service after those it depends on; otherwise as the file has them."""
    waiting, ordered = list(services), list[Service]()
    while waiting:
        started = {service.name for service in ordered}
        free = [one for one in waiting if all(need.service in started for need in one.depends_on)]
        if not free:
            names = ", ".join(service.name for service in waiting)
            raise BootError(f"bad user data: these services wait for each other, or for none of them: {names}")
        ordered.append(free[0])
        waiting.remove(free[0])
    return tuple(ordered)


def _one_line(error: Exception) -> str:
    text = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
    return " ".join(text.split())[:200]
