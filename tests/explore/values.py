"""The states of the exploration: immutable, hashable, and in one form for all histories that lead to the same future.

Time stands still at NOW. When a deadline passes, every time in the state moves back instead, and no further than CAP:
whatever is older than every limit of the rules is equally old. So the ages stay few, and nothing of the rules' own
arithmetic is replaced.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any, Generic, NamedTuple, TypeVar

from bluegreen.core.event import (
    Draining,
    Event,
    Healthy,
    Launching,
    Promoted,
    Resumed,
    Shifted,
    Shifting,
    Started,
    Unanswered,
)
from bluegreen.core.fleet import BindingRef, Weights
from bluegreen.core.goal import Goal
from bluegreen.core.observation import Binding, Group, Instance, Observation, Part, Target
from bluegreen.core.progress import Progress, fold
from bluegreen.core.record import Record
from bluegreen.core.times import APPEAR_S

T = TypeVar("T")

NOW = 1_000_000.0
CAP = 400.0  # older than every limit of the rules
LIMITS: dict[type, float] = {  # the ages that a rule asks for; the time of any other event is never read
    Started: 10.0,
    Resumed: 200.0,
    Launching: 200.0,
    Healthy: 2.0,
    Shifting: 150.0,
    Shifted: 150.0,
    Draining: 65.0,
    Promoted: 120.0,
    Unanswered: APPEAR_S,
}
BEAT_OLD_S = 20.0  # whoever asks when a record was written asks whether it was just now
LATE_S = 9.0  # a call that was sent has landed by then, or never will

REF = BindingRef("shop-alb", "listener", "rule", False, "shop-alb:443")
RELEASE = "eA=="  # user data in base64; a heal launches with the bytes that the journal has

Targets = tuple[tuple[str, str], ...]  # (instance, state)


class Kept(Generic[T]):
    """One value, stored once: equal values are the same object, so that comparing states is comparing pointers."""

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value = value


_KEPT: dict[Any, Kept[Any]] = {}


def keep(value: T) -> Kept[T]:
    found = _KEPT.get(value)
    if found is None:
        found = _KEPT[value] = Kept(value)
    return found


class Seen(NamedTuple):
    """What a controller saw last, and decides upon until it looks again."""

    record: Kept[Record]
    binding: Kept[Any]  # Binding, or None: a gc of a stack that was never live has no rule
    groups: tuple[tuple[str, Targets | None], ...]
    instances: tuple[tuple[str, str, str], ...]


class Controller(NamedTuple):
    """A process that follows a goal. `at` is where it is: read, take, look, do, ended or dead."""

    command: str
    at: str
    goal: Kept[Any] = keep(None)  # Goal | None
    hold: Kept[Any] = keep(None)  # the record as we wrote it last
    current: bool = True  # whether what we know of the record still stands, so that a conditional write succeeds
    age: float = 0.0  # seconds since our last conditional write
    events: Kept[tuple[Event, ...]] = keep(())
    seen: Seen | None = None
    look: frozenset[Part] = frozenset()
    fresh: bool = True
    left: float | None = None  # a wait: seconds to its deadline
    todo: Kept[tuple[Any, ...]] = keep(())  # what is left of the step in hand
    queue: Kept[tuple[Any, ...]] = keep(())  # steps of the same decision that follow
    changed: frozenset[Part] = frozenset()
    blind: frozenset[Part] = frozenset()  # what somebody else changed since we last looked at it
    still: bool = False  # it stands still (a paused machine) while time passes
    result: str = ""

    @property
    def alive(self) -> bool:
        return self.at not in ("ended", "dead")

    @property
    def epoch(self) -> int:
        return self.hold.value.epoch if self.hold.value else 0


class Late(NamedTuple):
    """A call that was sent and whose sender gave up or died: it may land until it is LATE_S old."""

    sender: int
    step: Kept[Any]
    age: float
    blind: bool = False  # the world was changed by others since its sender looked


class Design(NamedTuple):
    """How the shell is built, where it may be built otherwise. `fenced`: a conditional write fails when the stack was
    taken over. `settles`: a line of the journal or a write of the record whose answer is lost is looked up before anything
    else is done, and what landed late is kept."""

    fenced: bool = True
    settles: bool = True


AS_BUILT = Design()


class Shape(NamedTuple):
    """Of every deployment of a world."""

    size: int = 1
    bake_s: int = 0


class Move(NamedTuple):
    """One transition: what happens, where it leads, and the promise that it breaks, if any."""

    what: str
    state: State
    broken: str = ""


class State(NamedTuple):
    record: Kept[Any]  # Record
    weights: Weights | None
    groups: tuple[tuple[str, Targets], ...]
    instances: tuple[tuple[str, str, str | int], ...]  # id, deployment, state; a number: not shown for so many seconds
    journals: tuple[tuple[str, Kept[tuple[Event, ...]]], ...]
    crew: tuple[Controller, ...]
    troubles: int
    late: tuple[Late, ...] = ()
    late_record: tuple[int, Kept[Any]] | None = None  # a conditional write that was given up
    foreign: bool = False  # the outside writer wrote the weights last
    meddled: bool = False  # the outside writer wrote ever
    outside: int = 0  # writes that the outside writer still has
    strays: frozenset[str] = frozenset()  # launched by a process that stood still before its call; left to gc
    ills: int = 0  # times that a target or an instance of any fleet may still change its health
    rule: int = 0  # odd: somebody deleted it; even: it stands, made anew half as many times
    edits: int = 0  # deletions and makings of the rule that the outside still has
    stood: frozenset[str] = frozenset()  # the deployments that were ever live

    def journal(self, deployment: str) -> Kept[tuple[Event, ...]]:
        return dict(self.journals).get(deployment, keep(()))

    def with_journal(self, deployment: str, events: Kept[tuple[Event, ...]]) -> State:
        return self._replace(journals=tuple(sorted({**dict(self.journals), deployment: events}.items(), key=_first)))

    def with_controller(self, number: int, controller: Controller) -> State:
        return self._replace(crew=(*self.crew[:number], controller, *self.crew[number + 1 :]))

    def by_weight(self) -> dict[str, int]:
        return dict(self.weights or ())


def _first(pair: tuple[str, Any]) -> str:
    return pair[0]


@cache
def progress(events: Kept[tuple[Event, ...]]) -> Progress:
    return fold(events.value)


@cache
def observation(seen: Seen, epoch: int) -> Observation:
    return Observation(
        NOW,
        epoch,
        seen.record.value,
        (seen.binding.value,) if seen.binding.value else (),
        {arn: None if targets is None else group(arn, targets) for arn, targets in seen.groups},
        tuple(instance(item) for item in seen.instances),
    )


def rule_ref(rule: int) -> BindingRef:
    """Where the rule stands, or stood before it was deleted: whoever makes it anew gets another ARN."""
    return replace(REF, arn=f"rule-{rule // 2}") if rule > 1 else REF


def binding(ref: BindingRef, rule: int, weights: Weights | None) -> Binding:
    there = not rule % 2 and ref.arn == rule_ref(rule).arn
    return Binding(ref, weights if there else None, "[]", exists=there)


def group(arn: str, targets: Targets) -> Group:
    return Group(arn, tuple(Target(*target) for target in targets))


def instance(item: tuple[str, str, str | int]) -> Instance:
    name, deployment, state = item
    return Instance(name, deployment, "subnet-a", str(state))


def passing(state: State, seconds: float, *, lease: bool = False) -> State | None:
    """The state after so many seconds, or None. Who waits looks at its deadline, no later; who is at work stands still
    meanwhile, which is a trouble. While a lease lapses, even who only waits must have stood still: it would beat."""
    crew = list(state.crew)
    troubles = state.troubles
    for n, c in enumerate(crew):
        if not c.alive or c.still:
            continue
        if c.left is not None and not lease:
            if c.left < seconds:
                return None
            continue
        troubles -= 1
        crew[n] = c._replace(still=True)
    if troubles < 0:
        return None
    return later(state._replace(crew=tuple(crew), troubles=troubles), seconds)


def later(state: State, seconds: float) -> State:
    """The state after so many seconds in which nobody did anything. Calls on their way have landed before, or never do."""
    crew = tuple(
        c._replace(
            goal=_older_goal(c.goal, seconds),
            hold=_older_record(c.hold, seconds),
            events=_older_events(c.events, seconds),
            age=min(c.age + seconds, 10.0),
            left=None if c.left is None else max(0.0, c.left - seconds),
        )
        for c in state.crew
    )
    return state._replace(
        record=_older_record(state.record, seconds),
        instances=tuple((i, d, _sooner(s, seconds)) for i, d, s in state.instances),
        journals=tuple((name, _older_events(events, seconds)) for name, events in state.journals),
        crew=crew,
        late=tuple(call._replace(age=call.age + seconds) for call in state.late if call.age + seconds <= LATE_S),
        late_record=None if seconds > LATE_S else state.late_record,
    )


def _sooner(now: str | int, seconds: float) -> str | int:
    if isinstance(now, str):
        return now
    return int(now - seconds) if now > seconds else "pending"


@cache
def _older_events(events: Kept[tuple[Event, ...]], seconds: float) -> Kept[tuple[Event, ...]]:
    return keep(tuple(replace(e, at=max(e.at - seconds, NOW - LIMITS.get(type(e), 0.0))) for e in events.value))


@cache
def _older_goal(goal: Kept[Goal | None], seconds: float) -> Kept[Goal | None]:
    if goal.value is None or not goal.value.undo_until:
        return goal
    return keep(replace(goal.value, undo_until=max(goal.value.undo_until - seconds, NOW - CAP)))


@cache
def _older_record(record: Kept[Record | None], seconds: float) -> Kept[Record | None]:
    if record.value is None:
        return record
    goal = _older_goal(keep(record.value.goal), seconds).value
    beat_at = record.value.beat_at - seconds
    return keep(replace(record.value, goal=goal, beat_at=beat_at if beat_at > NOW - BEAT_OLD_S else 0.0))


def started(epoch: int, record: Record, goal: Goal) -> Started:
    """The first line of a journal; its copy of the goal is never read, so its times do not make states differ."""
    assert record.owner is not None
    return Started(NOW, epoch, record.owner, replace(goal, undo_until=0.0), RELEASE if goal.kind == "deploy" else "")
