"""The user data of a fleet: one cloud-config that holds the boot programs and boot.json, within EC2's limit.

The same stack and images give the same bytes. Values never reach the template: it sees boot.json as base64 only.
"""

from __future__ import annotations

import base64
import bz2
import gzip
import hashlib
import io
import json
import re
import zlib
from collections.abc import Mapping
from typing import Any

from bluegreen.boot import templates
from bluegreen.boot.document import boot_document, strings
from bluegreen.boot.shrink import shrink
from bluegreen.core.stack import Stack
from bluegreen.errors import UsageError

__all__ = ["boot_document", "fingerprint", "images", "render"]

LIMIT = 16_384  # EC2 user guide, "Run commands at launch": 16 KB in raw form, before it is base64-encoded
DOCUMENT = "/etc/bluegreen/boot.json"
LARGEST = 4
_HELD = re.compile(rf"path: {re.escape(DOCUMENT)}\n.*\n\s+encoding: (\S+)\n\s+content: (\S+)\n")


def render(stack: Stack, images: Mapping[str, str]) -> bytes:
    """User data for RunInstances, before its base64: gzip, which cloud-init unpacks."""
    document = boot_document(stack, images)
    programs = "\0".join(part for name in templates.MODULES for part in (name, shrink(templates.text(name))))
    packed = _gzip(_cloud_config(bz2.compress(programs.encode()), _gzip(_json(document))))
    if len(packed) <= LIMIT:
        return packed
    raise _too_large(stack, document, len(packed))


def images(user_data: bytes) -> tuple[str, ...]:
    """The images, by their digests, that `render` put in. Raises ValueError when it is no user data of ours."""
    try:
        text = gzip.decompress(user_data) if user_data.startswith(b"\x1f\x8b") else user_data
        held = _HELD.search(text.decode())
        if held is None:
            raise ValueError(f"there is no {DOCUMENT} in it")
        content = base64.b64decode(held[2])
        document = json.loads(gzip.decompress(content) if held[1].startswith("gz") else content)
        return tuple(str(service["image"]) for service in document["services"])
    except (OSError, EOFError, zlib.error, LookupError, TypeError) as error:
        raise ValueError(f"it is damaged: {type(error).__name__}") from error


def fingerprint(stack: Stack, images: Mapping[str, str]) -> str:
    """sha256 over the text before any packing: equal on every machine, whatever zlib and Python it has."""
    names = (templates.TEMPLATE, templates.UNPACK, *templates.MODULES)
    everything = {"programs": {name: templates.text(name) for name in names}, "document": boot_document(stack, images)}
    return hashlib.sha256(_json(everything)).hexdigest()


def _cloud_config(programs: bytes, document: bytes) -> bytes:
    from jinja2 import Environment, StrictUndefined

    # S701 is about HTML. Only our own files and base64 get here.
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)  # noqa: S701
    text = environment.from_string(templates.text(templates.TEMPLATE)).render(
        unpack=templates.text(templates.UNPACK),
        programs=base64.b64encode(programs).decode(),
        document=base64.b64encode(document).decode(),
    )
    return text.encode()


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _gzip(data: bytes) -> bytes:
    """gzip without a time or a name in its header."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=buffer, mtime=0) as file:
        file.write(data)
    return buffer.getvalue()


def _too_large(stack: Stack, document: Mapping[str, Any], size: int) -> UsageError:
    sizes = sorted(((len(text.encode()), place) for place, text in strings(document)), reverse=True)
    largest = ", ".join(f"{place} {length:,} bytes" for length, place in sizes[:LARGEST])
    return UsageError(
        f"the user data is {size:,} bytes after compression, and EC2 takes {LIMIT:,}",
        where=stack.source,
        why=f"the largest values are {largest}",
        next="move large values into the image, or into parameters that the application reads (ssm:/…)",
    )
