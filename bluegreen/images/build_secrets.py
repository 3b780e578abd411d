"""The values of a build's secrets: from the environment or a file, read when the build begins, and kept in memory only."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from bluegreen.core.chain import BuildSecret
from bluegreen.errors import UsageError
from bluegreen.images.chain import Planned

LARGEST = 60_000  # bytes: an answer that goes out at once
SHORTEST_LINE = 6  # of a secret of several lines: shorter ones, masked, would make a log unreadable


def read(chain: Iterable[Planned], folder: Path) -> dict[str, dict[str, bytes]]:
    """Image → id → value, for the images that have to be built. `folder` is the stack file's. Raises UsageError for what is
    missing, empty, too large, open to others, or an input of the image too."""
    return {
        planned.name: {secret.name: _read(planned, secret, folder) for secret in planned.image.secrets}
        for planned in chain
        if not planned.digest
    }


def _read(planned: Planned, secret: BuildSecret, folder: Path) -> bytes:
    value = (
        _of_environment(planned.name, secret) if secret.environment else _of_file(planned, secret, folder / secret.file)
    )
    if not 0 < len(value) <= LARGEST:
        why = f"it has {len(value):,} bytes; 1 to {LARGEST:,} are allowed"
        raise UsageError(f"image {planned.name}: the secret {secret.name} cannot be used", why=why)
    return value


def _of_environment(image: str, secret: BuildSecret) -> bytes:
    if secret.environment not in os.environ:
        raise UsageError(
            f"image {image}: the secret {secret.name} is not there",
            why=f"the variable {secret.environment} is not set",
            next=f"set it for this command alone, from where secrets are kept: a line with {secret.environment}=… stays in a "
            "shell's history",
        )
    return os.environb[os.fsencode(secret.environment)]


def _of_file(planned: Planned, secret: BuildSecret, path: Path) -> bytes:
    image = planned.name
    try:
        if any(
            path.samefile(planned.context.folder / entry.path) for entry in planned.context.entries if entry.is_file
        ):
            raise UsageError(f"image {image}: the secret {secret.name} is one of its inputs too", where=str(path))
        if path.stat().st_mode & stat.S_IRWXO:
            raise UsageError(
                f"image {image}: the secret {secret.name} is open to everybody on this machine",
                where=str(path),
                next=f"chmod o= {path.name}",
            )
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except OSError as error:
        raise UsageError(
            f"image {image}: the secret {secret.name} cannot be read", where=str(path), why=error.strerror or str(error)
        ) from None


def mask(line: str, secrets: Mapping[str, bytes]) -> str:
    """A line of a build's log, with what it shows of the secrets covered: whole values, and lines of longer ones."""
    for value in secrets.values():
        text = value.decode("utf-8", "replace").strip()
        parts = [part for part in text.splitlines() if len(part) >= SHORTEST_LINE]
        for part in (text, *parts):
            line = line.replace(part, "***") if part else line
    return line
