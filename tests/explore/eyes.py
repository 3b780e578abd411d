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
from bluegreen.core.event import Event, Finished, Started
from bluegreen.core.fleet import BindingRef, Colour, OwnedGroup
from bluegreen.core.goal import Goal, LaunchSpec
from bluegreen.core.guard import forbidden
from bluegreen.core.observation import ALL_PARTS, Binding, Group, Instance, Observation, Part
from bluegreen.core.record import Owner, Record
from bluegreen.core.release import Place as Subnet
from bluegreen.core.step import Step
from bluegreen.errors import Refused
from bluegreen.ports import Journal, Place
from tests.explore.cloud import deployment_of, is_ours
from tests.explore.values import (
    NOW,
    RELEASE,
    Controller,
    Kept,
    Seen,
    State,
    binding,
    group,
    instance,
    keep,
    observation,
    progress,
    rule_ref,
)


class Taken(BaseException):
    """A command has asked all that it asks and writes the record: from here on the model goes on."""

    def __init__(self, record: Record) -> None:
        self.record = record


class Eyes:
    """Fleets, Traffic, Records, Clock and Watcher of one state; whatever would change it is missing."""

    state: State
    waited = 0.0

    def now(self) -> float:
        return NOW

    def ticks(self) -> float:
        """Whoever watches a record sees it stand still for a lease at once: that time is the model's to pass."""
        self.waited += 100.0
        return self.waited

    def note(self, text: str) -> None:
        """Nobody listens."""

    def look(self, stack: str) -> tuple[Instance, ...]:
        return tuple(instance(item) for item in self.state.instances if isinstance(item[2], str))

    def bindings(self, refs: Sequence[BindingRef]) -> tuple[Binding, ...]:
        return tuple(binding(ref, self.state.rule, self.state.weights) for ref in refs)

    def find(self, spec: object) -> Place:
        ref = rule_ref(self.state.rule)
        if self.state.rule % 2:
            raise Refused("no rule has exactly these conditions")
        ours = frozenset({"shop"} if any(is_ours(arn) for arn in self.state.by_weight()) else ())
        return Place(binding(ref, self.state.rule, self.state.weights), "vpc", ours)

    def find_again(self, ref: BindingRef, groups: object) -> BindingRef | None:
        return None if self.state.rule % 2 else rule_ref(self.state.rule)

    def owned(self, stack: str) -> tuple[OwnedGroup, ...]:
        names = [(arn, deployment_of(arn)) for arn, _ in self.state.groups if is_ours(arn)]
        return tuple(OwnedGroup(arn, name, Colour.BLUE, f"release of {name}", "") for arn, name in names)

    def groups(self, arns: Sequence[str]) -> dict[str, Group | None]:
        there = dict(self.state.groups)
        return {arn: group(arn, there[arn]) if arn in there else None for arn in arns}

    def read(self, stack: str) -> Record:
        record: Record = self.state.record.value
        return record

    def events(self, deployment: str) -> tuple[Event, ...]:
        return self.state.journal(deployment).value or _long_ago(deployment, self.state.record.value)

    def journal(self, deployment: str) -> Journal:
        events = self.events(deployment)
        return Journal(deployment, events, next_number=len(events))

    def write(self, record: Record, epoch: int, op_id: str) -> None:
        raise Taken(record)


def _long_ago(deployment: str, record: Record) -> tuple[Event, ...]:
    """The journal of a fleet that stood before all began."""
    fleet = next((f for f in record.fleets if f.deployment == deployment and f.ours), None)
    if fleet is None:
        return ()
    launch = LaunchSpec("ami", ("m7i.large",), (), None, 20, None, "", (Subnet("subnet-a", "a", fleet.count),))
    goal = Goal("deploy", "shop", deployment, NOW, fleet, None, None, (), (), launch)
    return (
        Started(NOW, int(deployment.rpartition("-")[2]), Owner("", ""), goal, RELEASE),
        Finished(NOW, "deployed", ""),
    )


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
        (now.weights, now.rule) if "traffic" in me.look else (None, 0),
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
    traffic: Any,
    groups: Any,
    instances: Any,
) -> Seen:
    before = Observation(NOW, epoch, record.value) if seen is None else observation(seen, epoch)
    state = State(record, traffic[0], groups, instances, (), (), 0, rule=traffic[1])
    after = observe(world(state), goal.value, progress(events), before, look)
    return Seen(
        keep(after.record),
        keep(after.bindings[0] if after.bindings else None),
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
