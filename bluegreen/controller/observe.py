"""Looking at the world: the record, the actions, the groups of every fleet we know, the instances. Changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from bluegreen.controller.world import World
from bluegreen.core.goal import Goal
from bluegreen.core.observation import ALL_PARTS, Binding, Observation, Part
from bluegreen.core.progress import Progress
from bluegreen.core.record import Record
from bluegreen.errors import NeedsHuman


def parts_of(goal: Goal) -> frozenset[Part]:
    """A plain rollback never looks at EC2: it needs no instance, and EC2 may be what is down."""
    return ALL_PARTS if goal.kind in ("deploy", "heal", "gc") or goal.undo else ALL_PARTS - {"instances"}


def observe(world: World, goal: Goal, done: Progress, seen: Observation, look: Collection[Part]) -> Observation:
    """`seen` with the parts in `look` seen anew. The epoch held and the consoles stay as they are."""
    record = _record(world, goal) if "record" in look else seen.record
    bindings = world.traffic.bindings(goal.bindings) if "traffic" in look else seen.bindings
    groups = world.traffic.groups(_known(goal, done, record, bindings)) if "health" in look else seen.groups
    instances = world.fleets.look(goal.stack) if "instances" in look else seen.instances
    return seen._replace(at=world.clock.now(), record=record, bindings=bindings, groups=groups, instances=instances)


def _record(world: World, goal: Goal) -> Record:
    record = world.records.read(goal.stack)
    if record is None:
        raise NeedsHuman(f"the record of {goal.stack} has vanished from the ledger")
    return record


def _known(goal: Goal, done: Progress, record: Record, bindings: Iterable[Binding]) -> list[str]:
    fleets = (*record.fleets, goal.fleet, goal.live, goal.undo, *goal.left)
    attached = (binding.by_group for binding in bindings)
    return sorted(set(done.made).union(*attached, *(fleet.groups for fleet in fleets if fleet)))
