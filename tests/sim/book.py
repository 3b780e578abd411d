"""What one machine keeps of rollbacks that it made without the ledger, as bluegreen.local.book does in files."""

from __future__ import annotations


class SimBook:
    """The Book port of one machine."""

    def __init__(self) -> None:
        self.notes: dict[str, str] = {}

    def write(self, stack: str, at: float, to: str, why: str) -> str:
        self.notes[stack] = to
        return "kept"

    def read(self, stack: str) -> str | None:
        return self.notes.get(stack)

    def forget(self, stack: str) -> None:
        self.notes.pop(stack, None)
