"""How the real code sees a state: ports that only read, and the real `observe` and `decide` asked through them.

The record is shown without its goal and owner: a look needs neither, and states that differ in them only are one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from bluegreen.controller.observe import observe, parts_of
from bluegreen.controller.world import World
from bluegreen.core import decide as core
from bluegreen.core.decision import Decision
from bluegreen.core.event import Event
from bluegreen.core.fleet import BindingRef
from bluegreen.core.goal import Goal
from bluegreen.core.guard import forbidden
from bluegreen.core.observation import ALL_PARTS, Binding, Group, Instance, Observation, Part
from bluegreen.core.record import Record
from bluegreen.core.step import Step
from tests.explore.values import NOW, Controller, Kept, Seen, State, group, instance, keep, observation, progress


class Eyes:
    """Fleets, Traffic, Records and Clock of one state; whatever would change it is missing."""

    state: State

    def now(self) -> float:
        return NOW

    def look(self, stack: str) -> tuple[Instance, ...]:
        return tuple(instance(item) for item in self.state.instances if isinstance(item[2], str))

    def bindings(self, refs: Sequence[BindingRef]) -> tuple[Binding, ...]:
        return tuple(Binding(ref, self.state.weights, "[]") for ref in refs)

    def groups(self, arns: Sequence[str]) -> dict[str, Group | None]:
        there = dict(self.state.groups)
        return {arn: group(arn, there[arn]) if arn in there else None for arn in arns}

    def read(self, stack: str) -> Record:
        record: Record = self.state.record.value
        return record

    def events(self, deployment: str) -> tuple[Event, ...]:
        return self.state.journal(deployment).value


EYES: Any = Eyes()
WORLD = World(EYES, EYES, EYES, EYES, EYES)


def world(state: State) -> World:
    """The ports, looking at this state until the next call."""
    EYES.state = state
    return WORLD


def looked(state: State, me: Controller) -> Seen:
    """What a controller sees that looks at the parts in `me.look`, all at one moment."""
    now = state._replace(record=bare(state.record))
    kept = ALL_PARTS - me.look
    return _looked(
        me.goal,
        me.events,
        me.seen if kept else None,
        me.look,
        me.epoch,
        now.record,
        now.weights if "traffic" in me.look else None,
        now.groups if "health" in me.look else (),
        now.instances if "instances" in me.look else (),
    )


@cache
def _looked(
    goal: Kept[Goal],
    events: Kept[tuple[Event, ...]],
    seen: Seen | None,
    look: frozenset[Part],
    epoch: int,
    record: Kept[Record],
    weights: Any,
    groups: Any,
    instances: Any,
) -> Seen:
    before = Observation(NOW, epoch, record.value) if seen is None else observation(seen, epoch)
    state = State(record, weights, groups, instances, (), (), 0)
    after = observe(world(state), goal.value, progress(events), before, look)
    return Seen(
        keep(after.record),
        after.bindings[0].weights,
        tuple(sorted((arn, None if g is None else _targets(g)) for arn, g in after.groups.items())),
        tuple((i.id, i.deployment, i.state) for i in after.instances),
    )


def _targets(found: Group) -> tuple[tuple[str, str], ...]:
    return tuple((t.id, t.state) for t in found.targets)


@cache
def bare(record: Kept[Record]) -> Kept[Record]:
    return keep(replace(record.value, goal=None, owner=None, beat_at=0.0))


@cache
def decided(goal: Kept[Goal], seen: Seen, events: Kept[tuple[Event, ...]], epoch: int) -> Decision:
    return core.decide(goal.value, observation(seen, epoch), progress(events))


@cache
def refused_by_guard(step: Step, seen: Seen, epoch: int) -> str | None:
    return forbidden(step, observation(seen, epoch))


def all_parts(goal: Kept[Goal]) -> frozenset[Part]:
    return parts_of(goal.value)


def forget() -> None:
    """Before and after a planted mistake: what the rules answered is not to be remembered."""
    for function in (_looked, decided, refused_by_guard):
        function.cache_clear()
