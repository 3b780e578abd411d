"""What is so now, read from AWS: an observation in words. Changes nothing, and calls EC2 for nothing."""

from __future__ import annotations

from dataclasses import dataclass

from bluegreen.core.fleet import FULL, Fleet, Weights, is_older
from bluegreen.core.observation import Binding, Group
from bluegreen.core.progress import fold
from bluegreen.core.record import Record
from bluegreen.core.traffic import words
from bluegreen.ports import Records, Traffic


@dataclass(frozen=True, slots=True)
class FleetStatus:
    """`weight` is the highest of its bindings; `targets` (id, state, reason) of the group that has the fewest healthy; `lost`
    is how many of the agreed instances some group does not have, or has as stopped."""

    role: str
    fleet: Fleet
    weight: int
    healthy: int
    targets: tuple[tuple[str, str, str], ...]
    present: bool
    lost: int = 0


@dataclass(frozen=True, slots=True)
class BindingStatus:
    name: str
    exists: bool
    weights: Weights | None


@dataclass(frozen=True, slots=True)
class Status:
    """`drift` and `not_ready` are sentences; `not_ready` empty means that a rollback would work now."""

    stack: str
    at: float
    record: Record
    fleets: tuple[FleetStatus, ...]
    bindings: tuple[BindingStatus, ...]
    drift: tuple[str, ...]
    not_ready: str

    @property
    def well(self) -> bool:
        """Live is complete, and nothing differs from the record."""
        live = next((f for f in self.fleets if f.role == "live"), None)
        return live is not None and live.healthy >= live.fleet.count and not self.drift

    @property
    def to_heal(self) -> tuple[FleetStatus, ...]:
        """The fleets that `bluegreen heal` would complete now."""
        kept = tuple(f for f in self.fleets if f.role in ("live", "standby") and f.fleet.ours and f.present and f.lost)
        return kept if self.record.goal is None else ()


def status(records: Records, traffic: Traffic, stack: str, at: float) -> Status | None:
    record = records.read(stack)
    if record is None:
        return None
    bindings = traffic.bindings(record.bindings or (record.goal.bindings if record.goal else ()))
    roles = _roles(record, records)
    arns = {arn for _, fleet in roles for arn in fleet.groups}
    arns |= {arn for binding in bindings for arn in binding.by_group}
    groups = traffic.groups(sorted(arns))
    fleets = tuple(_fleet(role, fleet, bindings, groups) for role, fleet in roles)
    seen = tuple(BindingStatus(b.ref.name, b.exists, b.weights) for b in bindings)
    return Status(stack, at, record, fleets, seen, _drift(record, bindings), _not_ready(fleets))


def _roles(record: Record, records: Records) -> list[tuple[str, Fleet]]:
    """The fleets of the record, and the one that an unfinished deployment is bringing up: only its journal has that."""
    pairs = [("live", record.live), ("standby", record.standby), *(("doomed", f) for f in record.doomed)]
    goal = record.goal
    if goal and goal.kind == "deploy" and goal.fleet and not _has(record, goal.fleet):
        pairs.insert(0, ("new", fold(records.events(goal.deployment)).named(goal.fleet)))
    if goal and goal.undo and not _has(record, goal.undo):
        pairs.append(("doomed", goal.undo))
    return [(role, fleet) for role, fleet in pairs if fleet]


def _has(record: Record, fleet: Fleet) -> bool:
    return any(known.deployment == fleet.deployment for known in record.fleets)


def _fleet(role: str, fleet: Fleet, bindings: tuple[Binding, ...], groups: dict[str, Group | None]) -> FleetStatus:
    seen = [groups.get(arn) or Group(arn, ()) for arn in fleet.groups]
    worst = min(seen, key=lambda g: g.healthy, default=Group("", ()))
    lost = fleet.count - min((_standing(group) for group in seen), default=0)
    weight = max((b.by_group.get(arn, 0) for b in bindings for arn in fleet.groups), default=0)
    targets = tuple((t.id, t.state, t.reason) for t in worst.targets)
    present = all(groups.get(arn) for arn in fleet.groups)
    return FleetStatus(role, fleet, weight, worst.healthy, targets, present, max(0, lost))


def _standing(group: Group) -> int:
    """Registered and not on their way out. A stopped instance stays registered: unused, with this reason."""
    return sum(t.state != "draining" and "Target.InvalidState" not in t.reason for t in group.targets)


def _drift(record: Record, bindings: tuple[Binding, ...]) -> tuple[str, ...]:
    """Where the load balancer is not as the record says; while a deployment is under way only what it cannot explain."""
    names = {arn: fleet.label for fleet in record.fleets for arn in fleet.groups}
    if record.goal and record.goal.fleet:
        names |= {arn: f"new {record.goal.fleet.label}" for b in bindings for arn in b.by_group if arn not in names}
    return tuple(sentence for b in bindings if (sentence := _binding_drift(record, b, names)))


def _binding_drift(record: Record, binding: Binding, names: dict[str, str]) -> str:
    if not binding.exists:
        return f"{binding.ref.name} is gone from the load balancer"
    if record.live is None or record.goal is not None:
        return ""
    weighted = {arn for arn, weight in binding.by_group.items() if weight}
    if weighted == {g for g in record.live.groups if g in binding.by_group} and weighted:
        missing = [g for g in (record.standby.groups if record.standby else ()) if g not in binding.by_group]
        return f"{record.standby.label} is not attached to {binding.ref.name}" if missing and record.standby else ""
    return (
        f"somebody changed the weights of {binding.ref.name}: {words(binding.weights, names)}; "
        f"the record says {record.live.label} {FULL}"
    )


def _not_ready(fleets: tuple[FleetStatus, ...]) -> str:
    """Why a rollback would not work now: the fleet it goes back to could carry less than what serves."""
    by_role = {fleet.role: fleet for fleet in fleets}
    new, live, standby = by_role.get("new"), by_role.get("live"), by_role.get("standby")
    back, serving = (live, new) if new else (standby, live)
    if new and (live is None or not new.weight):
        return ""  # it stops the deployment, and what serves stays
    if back is None:
        return "there is no standby fleet"
    if not back.present:
        return f"the target group of {back.fleet.label} is gone"
    if serving and serving.fleet.rollback_unsafe and is_older(back.fleet.deployment, serving.fleet.deployment):
        return f"{serving.fleet.label} is declared `rollback: unsafe` (--unsafe-to {back.fleet.deployment} goes back still)"
    if back.healthy >= max(1, min(serving.healthy if serving else 0, back.fleet.count or 1)):
        return ""
    return f"{back.healthy} of {back.fleet.count} instances of {back.fleet.label} are healthy"
