"""A world on a table: ports whose answers are set by hand, for tables of the controller. No engine, no time that passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bluegreen.cli.progress import Quiet
from bluegreen.controller.world import World
from bluegreen.core import event as ev
from bluegreen.core.fleet import OwnedGroup
from bluegreen.core.observation import Binding, Group, Instance
from bluegreen.core.record import Record
from bluegreen.errors import LineTaken
from bluegreen.ports import Journal
from tests.core.decide.words import NOW, RUNNING, forwarding, whole


class Clock:
    def __init__(self) -> None:
        self.at = NOW
        self.slept: list[float] = []
        self.on_sleep: Callable[[], object] = lambda: None

    def now(self) -> float:
        return self.at

    def ticks(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        if seconds:
            self.slept.append(seconds)
        self.at += seconds
        self.on_sleep()


class Notes(Quiet):
    def __init__(self) -> None:
        super().__init__(0.0)
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


class Ledger:
    """Journals by deployment. `damaged` has sentences for entries that cannot be read, `errors` what the next calls raise."""

    def __init__(self, **journals: tuple[ev.Event, ...]) -> None:
        self.journals = {name.replace("_", "-"): list(events) for name, events in journals.items()}
        self.damaged: dict[str, tuple[str, ...]] = {}
        self.errors: list[Exception] = []
        self.record: Record | None = None

    def read(self, stack: str) -> Record | None:
        return self.record

    def journal(self, deployment: str) -> Journal:
        events = tuple(self.journals.get(deployment, ()))
        return Journal(deployment, events, self.damaged.get(deployment, ()), len(events))

    def append(self, deployment: str, number: int, event: ev.Event) -> None:
        if self.errors:
            raise self.errors.pop(0)
        lines = self.journals.setdefault(deployment, [])
        if number < len(lines):
            raise LineTaken("taken")
        lines.append(event)


class Balancer:
    def __init__(self) -> None:
        self.seen: dict[str, Binding] = {"rule-1": forwarding(tg_live=100, tg_standby=0)}
        self.health: dict[str, Group | None] = {**whole("tg-live", "tg-standby", "tg-new")}
        self.tagged: tuple[OwnedGroup, ...] = ()
        self.steps: list[Any] = []
        self.errors: list[Exception] = []

    def bindings(self, refs: Any) -> tuple[Binding, ...]:
        return tuple(self.seen[ref.arn] for ref in refs)

    def owned(self, stack: str) -> tuple[OwnedGroup, ...]:
        return self.tagged

    def groups(self, arns: Any) -> dict[str, Group | None]:
        return {arn: self.health.get(arn) for arn in arns}

    def perform(self, step: Any) -> str:
        self.steps.append(step)
        if self.errors:
            raise self.errors.pop(0)
        return "tg-made"


class Machines:
    def __init__(self) -> None:
        self.seen: tuple[Instance, ...] = RUNNING
        self.launched: list[Any] = []
        self.ended: list[Any] = []
        self.errors: list[Exception] = []

    def look(self, stack: str) -> tuple[Instance, ...]:
        return self.seen

    def launch(self, step: Any, spec: Any, user_data: bytes) -> tuple[str, ...]:
        self.launched.append((step, user_data))
        if self.errors:
            raise self.errors.pop(0)
        return ("i-1", "i-2")

    def terminate(self, step: Any) -> None:
        self.ended.append(step)


class Holding:
    """The hold of a stack, as a run uses it. `errors` are what its next checks raise."""

    def __init__(self, record: Record, clock: Clock) -> None:
        self.record = record
        self.clock = clock
        self.age_s = 0.0
        self.fences: list[float | None] = []
        self.errors: list[Exception] = []
        self.left: list[tuple[bool, Any]] = []
        self.written: list[Record] = []
        self.letting_go: Exception | None = None

    def fence(self, fresh_s: float | None = None) -> None:
        self.fences.append(fresh_s)
        if self.errors:
            raise self.errors.pop(0)

    def settle(self) -> None:
        if self.errors:
            raise self.errors.pop(0)

    def beat(self) -> None: ...

    def write(self, record: Record) -> None:
        self.written.append(record)
        self.record = record

    def let_go(self, *, keep_goal: bool, again: Any = None) -> None:
        if self.letting_go:
            raise self.letting_go
        self.left.append((keep_goal, again))


class Table:
    """All of it together, with handles."""

    def __init__(self, record: Record, **journals: tuple[ev.Event, ...]) -> None:
        self.clock, self.notes, self.ledger = Clock(), Notes(), Ledger(**journals)
        self.balancer, self.machines = Balancer(), Machines()
        self.ledger.record = record
        self.hold: Any = Holding(record, self.clock)
        ports: Any = (self.machines, self.balancer, self.ledger, self.clock, self.notes)
        self.world = World(*ports)
