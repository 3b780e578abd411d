"""A mistake in a stack file: where, which key, what is wrong. All mistakes of a file are told at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bluegreen.errors import StackFileError


class Mistake(NamedTuple):
    """`line` and `column` count from 1; `key` is the path to the value: services.web.ports[0]."""

    file: str
    line: int
    column: int
    key: str
    message: str

    def __str__(self) -> str:
        key = f"{self.key}: " if self.key else ""
        return f"{self.file}:{self.line}:{self.column}: {key}{self.message}"


class Mistakes:
    """Collects while the file is read; `raise_any` at the end."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.found: list[Mistake] = []

    def add(self, line: int, column: int, key: str, message: str) -> None:
        self.found.append(Mistake(self.file, line, column, key, message))

    def raise_any(self) -> None:
        if self.found:
            raise error(self.found)


class StackFileMistakes(StackFileError):
    """`mistakes` in file order."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(sorted(set(mistakes)))
        count = len(self.mistakes)
        head = f"{self.mistakes[0].file}: {count} mistakes\n" if count > 1 else ""
        super().__init__(
            head + "\n".join(str(mistake) for mistake in self.mistakes),
            next=f"correct the file, then bluegreen check {self.mistakes[0].file}",
        )

    def details(self) -> dict[str, object]:
        return {"mistakes": [mistake._asdict() for mistake in self.mistakes]}


def error(mistakes: Sequence[Mistake]) -> StackFileMistakes:
    return StackFileMistakes(mistakes)
