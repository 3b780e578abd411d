"""The certificate authority that registry.ca names: a file beside the stack file, read here and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from bluegreen.stackfile.check import find
from bluegreen.stackfile.mistake import Mistakes

CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\s[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
LIMIT = 6_000  # it goes to the instances in their user data


def read_ca(found: Mapping[str, Any], root: yaml.Node, mistakes: Mistakes, folder: Path) -> str:
    """The certificates in the file, one after the other, and nothing else of it; "" without the key."""
    name = found["registry"].get("ca")
    if name is None:
        return ""
    try:
        text = (folder / name).read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not PEM text"
        _wrong(f"{folder / name} cannot be read: {why}", root, mistakes)
        return ""
    if "PRIVATE KEY" in text:
        _wrong(f"{name} holds a private key: only the certificate belongs here", root, mistakes)
    certificates = CERTIFICATE.findall(text)
    if not certificates or len(text) > LIMIT:
        _wrong(f"{name} must hold PEM certificates, and at most {LIMIT:,} characters", root, mistakes)
    return "".join(f"{one}\n" for one in certificates)


def _wrong(message: str, root: yaml.Node, mistakes: Mistakes) -> None:
    mark = find(root, ("registry", "ca")).start_mark
    mistakes.add(mark.line + 1, mark.column + 1, "registry.ca", message)
