"""Looking at the world: the record, the actions, the groups of every fleet we know, the instances. Changes nothing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

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
    """`seen` with the parts in `look` seen anew. The epoch held stays as it is."""
    new: dict[str, Any] = {}
    if "record" in look:
        new["record"] = world.records.read(goal.stack)
        if new["record"] is None:
            raise NeedsHuman(f"the record of {goal.stack} has vanished from the ledger")
    if "traffic" in look:
        new["bindings"] = world.traffic.bindings(goal.bindings)
    if "health" in look:
        known = _groups(goal, done, new.get("record", seen.record), new.get("bindings", seen.bindings))
        new["groups"] = world.traffic.groups(sorted(known))
    if "instances" in look:
        new["instances"] = world.fleets.look(goal.stack)
    return replace(seen, at=world.clock.now(), **new)


def _groups(goal: Goal, done: Progress, record: Record, bindings: Collection[Binding]) -> set[str]:
    attached = {arn for binding in bindings for arn in binding.by_group}
    kept = {arn for fleet in record.fleets for arn in fleet.groups}
    named = {arn for fleet in (goal.fleet, goal.live, goal.undo, *goal.left) if fleet for arn in fleet.groups}
    return attached | kept | named | set(done.groups.values())
