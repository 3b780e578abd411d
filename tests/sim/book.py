"""What one machine keeps of rollbacks that it made without the ledger, as bluegreen.local.book does in files."""

from __future__ import annotations

from bluegreen.core.note import Kept, Note


class SimBook:
    """The Book port of one machine."""

    def __init__(self) -> None:
        self.kept: dict[str, Note] = {}

    def write(self, note: Note) -> str:
        file = f"{note.stack}@{note.account}"
        self.kept[file] = note
        return f"a note of it is kept in {file}"

    def notes(self, stack: str) -> tuple[Kept, ...]:
        found = [Kept(file, note) for file, note in self.kept.items() if note.stack == stack]
        return tuple(sorted(found, key=lambda kept: -(kept.note.at if kept.note else 0.0)))

    def forget(self, file: str) -> None:
        self.kept.pop(file, None)
