"""The certificate authorities that registry.ca and logging.ca name: files beside the stack file, read here and nowhere else."""

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


def read_ca(found: Mapping[str, Any], of: str, root: yaml.Node, mistakes: Mistakes, folder: Path) -> str:
    """The certificates in the file that `of` (registry, logging) names, one after the other, and nothing else of it; ""
    without the key."""
    name = found.get(of, {}).get("ca")

    def wrong(message: str) -> None:
        mark = find(root, (of, "ca")).start_mark
        mistakes.add(mark.line + 1, mark.column + 1, f"{of}.ca", message)

    if name is None:
        return ""
    try:
        text = (folder / name).read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not PEM text"
        wrong(f"{folder / name} cannot be read: {why}")
        return ""
    if "PRIVATE KEY" in text:
        wrong(f"{name} holds a private key: only the certificate belongs here")
    certificates = CERTIFICATE.findall(text)
    if not certificates or len(text) > LIMIT:
        wrong(f"{name} must hold PEM certificates, and at most {LIMIT:,} characters")
    return "".join(f"{one}\n" for one in certificates)
