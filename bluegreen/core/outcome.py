"""How a run ended: the exit code, one sentence, and the next command. Exit 0 only after AWS, read again, shows the goal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Result = Literal[
    "deployed",
    "unchanged",
    "rolled-back",
    "aborted",
    "healed",
    "cleaned",
    "acknowledged",
    "recovered",
    "undone",
    "refused",
    "held",
    "superseded",
    "needs-human",
]

EXIT_CODES: dict[Result, int] = {
    "deployed": 0,
    "unchanged": 0,
    "rolled-back": 0,
    "aborted": 0,
    "healed": 0,
    "cleaned": 0,
    "acknowledged": 0,
    "recovered": 0,
    "undone": 3,
    "held": 4,
    "refused": 5,
    "superseded": 6,
    "needs-human": 7,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """`sentence` says what is so now; `next` is a command, or empty when there is nothing to do."""

    result: Result
    sentence: str
    why: str = ""
    next: str = ""

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.result]
