"""The notes that a machine keeps of rollbacks without the ledger, in memory."""

from __future__ import annotations

from bluegreen.core.note import Kept, Note


class SimBook:
    """The Book port of one machine."""

    def __init__(self) -> None:
        self.kept: dict[str, Note] = {}

    def write(self, note: Note) -> str:
        self.kept[note.stack] = note
        return "kept"

    def notes(self, stack: str) -> tuple[Kept, ...]:
        return tuple(Kept(name, note) for name, note in self.kept.items() if name == stack)

    def forget(self, file: str) -> None:
        self.kept.pop(file, None)
