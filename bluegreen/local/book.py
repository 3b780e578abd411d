"""Notes on this machine: rollbacks that were made without the ledger, one small file each, until the record has them.

A note names account, endpoint, region, table, stack, deployment and target groups, and its file name the first five: what is
noted of one AWS is never read for another.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from bluegreen.core.note import Kept, Note
from bluegreen.core.plain import from_plain, to_plain
from bluegreen.ports import Here

WRONG = (OSError, ValueError, KeyError, TypeError, RecursionError)


def folder() -> Path:
    """$BLUEGREEN_STATE_DIR, or where the XDG rules put state."""
    given = os.environ.get("BLUEGREEN_STATE_DIR")
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(given) if given else Path(base) / "bluegreen"


class LocalBook:
    """The notes of one endpoint, region and table."""

    def __init__(self, here: Here | None = None) -> None:
        self.here = here or Here()

    def write(self, note: Note) -> str:
        """Where it was kept, or why it could not be: a rollback does not wait for a disk."""
        try:
            path = folder() / f"{_safe(note.stack)}@{_safe(note.account)}-{self._tail()}"
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            partial = path.with_suffix(".part")
            partial.write_text(json.dumps(to_plain(note)), "utf-8")
            partial.replace(path)
        except (OSError, RuntimeError) as error:
            return f"no note of this rollback could be kept on this machine: {error}"
        return f"a note of it is kept in {path} until the record has it"

    def notes(self, stack: str) -> tuple[Kept, ...]:
        """What is kept of the stack, the newest first, and files that were meant to be such a note."""
        found: list[Kept] = []
        with contextlib.suppress(OSError, RuntimeError):
            for path in sorted(folder().glob(f"{glob.escape(_safe(stack))}@*-{glob.escape(self._tail())}")):
                found.append(self._read(path, stack))
            older = folder() / f"{self.here.region}-{self.here.table}-{stack}.json".replace("/", "_")
            if older.is_file():
                found.append(
                    Kept(str(older), None, "an older bluegreen wrote it, and it does not say of which AWS it is")
                )
        return tuple(sorted(found, key=lambda kept: -(kept.note.at if kept.note else 0.0)))

    def forget(self, file: str) -> None:
        with contextlib.suppress(OSError):
            Path(file).unlink()

    def _read(self, path: Path, stack: str) -> Kept:
        try:
            note = from_plain(Note, json.loads(path.read_text("utf-8")))
            told = (note.stack, note.endpoint, note.region, note.table)
            if told != (stack, self.here.endpoint, self.here.region, self.here.table):
                raise ValueError("it is of another stack, endpoint, region or table than its name says")
        except WRONG as error:
            return Kept(str(path), None, f"it cannot be read ({error})")
        return Kept(str(path), note)

    def _tail(self) -> str:
        digest = hashlib.sha256(self.here.endpoint.encode()).hexdigest()[:8]
        return _safe(f"{self.here.region}-{self.here.table}-{digest}.json")


def forget_endpoint(endpoint: str) -> None:
    """Of a sandbox that has ended: its notes say nothing about the next one at that address."""
    for path in _all():
        try:
            of = json.loads(path.read_text("utf-8"))["endpoint"]
        except WRONG:
            continue
        if of == endpoint:
            with contextlib.suppress(OSError):
                path.unlink()


def _all() -> Iterator[Path]:
    with contextlib.suppress(OSError, RuntimeError):
        yield from folder().glob("*@*.json")


def _safe(text: str) -> str:
    return text.replace("/", "_")
