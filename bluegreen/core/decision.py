"""What `decide` answers. A closed union: whoever obeys it must treat every case."""

from __future__ import annotations

from dataclasses import dataclass

from bluegreen.core.event import Event
from bluegreen.core.goal import Goal
from bluegreen.core.observation import Part
from bluegreen.core.outcome import Outcome
from bluegreen.core.step import Step


@dataclass(frozen=True, slots=True)
class Act:
    """Independent steps: they may be performed in any order or side by side."""

    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again at `look` soon, and decide anew; `until` is when the rule that waits gives up (seconds since 1970).
    `ask` are instances whose console is worth a call before that."""

    until: float
    why: str
    look: frozenset[Part]
    ask: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """Write this to the journal and go on."""

    event: Event


@dataclass(frozen=True, slots=True)
class Fail:
    """The deployment cannot succeed: journal it, then undo. `suspects` are instances that may tell why."""

    reason: str
    suspects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finish:
    """`over`: nothing of the operation is left to be finished, even if a human is needed. `again` is the operation that is
    in force after this one: what it took over and could not undo."""

    outcome: Outcome
    over: bool = False
    again: Goal | None = None


Decision = Act | Wait | Note | Fail | Finish
