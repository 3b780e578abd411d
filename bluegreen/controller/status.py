"""What is so now: read from AWS, not remembered. Read-only; never calls EC2. Without the ledger, what tags and balancer tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bluegreen.controller import ready as judge
from bluegreen.controller.by_tags import Told, look, lost_ledger, told_by_tags
from bluegreen.controller.ready import Looked, Ready
from bluegreen.controller.since import since
from bluegreen.controller.world import World
from bluegreen.core.degraded import way_back
from bluegreen.core.fleet import FULL, Fleet, Weights
from bluegreen.core.note import account_of
from bluegreen.core.observation import Binding, Group
from bluegreen.core.progress import fold
from bluegreen.core.record import Record
from bluegreen.core.traffic import words
from bluegreen.errors import BluegreenError, NotFound, Unreadable
from bluegreen.ports import Here


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

    @property
    def count(self) -> int:
        return self.fleet.count or len(self.targets)


@dataclass(frozen=True, slots=True)
class BindingStatus:
    name: str
    exists: bool
    weights: Weights | None


@dataclass(frozen=True, slots=True)
class Status:
    """`serving` is the fleet that has all the traffic, `since` and `by` when and by whom it got it (0 and "" when that is not
    known). `drift` are sentences. `lost` says why the ledger is not used; then there is no `record`, and all else is from tags
    and the load balancer. `unreadable` names what was left out. `next` is the command that leads on, or ""."""

    stack: str
    at: float
    here: Here
    account: str
    record: Record | None
    fleets: tuple[FleetStatus, ...]
    bindings: tuple[BindingStatus, ...]
    ready: Ready
    serving: FleetStatus | None = None
    since: float = 0.0
    by: str = ""
    drift: tuple[str, ...] = ()
    lost: str = ""
    unreadable: tuple[str, ...] = ()
    next: str = ""

    @property
    def not_ready(self) -> str:
        return self.ready.why_not

    @property
    def well(self) -> bool:
        """Live is complete, and nothing differs from the record."""
        live = next((f for f in self.fleets if f.role == "live"), None)
        return live is not None and live.healthy >= live.fleet.count and not self.drift and not self.lost

    @property
    def to_heal(self) -> tuple[FleetStatus, ...]:
        """The fleets that `bluegreen heal` would complete now."""
        kept = tuple(f for f in self.fleets if f.role in ("live", "standby") and f.fleet.ours and f.present and f.lost)
        return kept if self.record is not None and self.record.goal is None else ()


def status(world: World, stack: str) -> Status | None:
    """None when there is nothing of the stack here: no record, and no target group with its tag."""
    try:
        record = world.records.read(stack)
        if record is not None:
            return _by_record(world, record)
        lost: BluegreenError = NotFound(f"the ledger has no record of {stack}")
    except BluegreenError as error:
        if not lost_ledger(error):
            raise
        lost = error
    return _by_tags(world, stack, lost)


def _by_record(world: World, record: Record) -> Status:
    traffic = world.traffic
    bindings = traffic.bindings(record.bindings or (record.goal.bindings if record.goal else ()))
    roles, unreadable = _roles(world, record)
    arns = {arn for _, fleet in roles for arn in fleet.groups} | {arn for b in bindings for arn in b.by_group}
    groups = traffic.groups(sorted(arns))
    fleets = tuple(_fleet(role, fleet, bindings, groups) for role, fleet in roles)
    serving = _serving(fleets, bindings)
    told = _told(world, record, bindings)
    at, by = since(world.records, record, serving.fleet if serving else None, told)
    return Status(
        stack=record.stack,
        at=world.clock.now(),
        here=world.here,
        account=record.account or next((account_of(b.ref.arn) for b in bindings), ""),
        record=record,
        fleets=fleets,
        bindings=tuple(BindingStatus(b.ref.name, b.exists, b.weights) for b in bindings),
        ready=judge.by_record(world, record, Looked(bindings, groups)),
        serving=serving,
        since=at,
        by=by,
        drift=(told.sentence + "; the record does not say so yet",) if told else _drift(record, bindings),
        unreadable=unreadable,
        next=told.next if told else "",
    )


def _by_tags(world: World, stack: str, lost: BluegreenError) -> Status | None:
    owned = world.traffic.owned(stack)
    if not owned:
        if isinstance(lost, NotFound):
            return None
        raise lost
    seen = look(world.traffic, owned)
    groups = world.traffic.groups(sorted({arn for fleet in seen.fleets for arn in fleet.groups if arn}))
    sole = seen.sole
    fleets: list[FleetStatus] = []
    for one in reversed(seen.fleets):
        role = "new" if not one.live_since else "live" if one.weight else "standby"
        fleets.append(_fleet(role, one.fleet(), seen.bindings, groups))
    serving = _serving(fleets, seen.bindings)
    moved = sole.moved if sole else None
    recover = f"bluegreen recover {stack}"
    return Status(
        stack=stack,
        at=world.clock.now(),
        here=world.here,
        account=account_of(owned[0].arn),
        record=None,
        fleets=tuple(fleets),
        bindings=tuple(BindingStatus(b.ref.name, b.exists, b.weights) for b in seen.bindings),
        ready=judge.by_tags(way_back(seen)),
        serving=serving,
        since=moved.at if moved else 0.0,
        by=moved.by if moved else "",
        drift=tuple(f"{name} does not exist any more" for name in seen.gone),
        lost=f"{lost.what}{f' ({lost.why})' if isinstance(lost, Unreadable) and lost.why else ''}",
        unreadable=tuple(sentence for group in owned for sentence in group.unread),
        next=recover if isinstance(lost, NotFound | Unreadable) and not getattr(lost, "newer", False) else lost.next,
    )


def _roles(world: World, record: Record) -> tuple[list[tuple[str, Fleet]], tuple[str, ...]]:
    """The fleets of the record, and the one that an unfinished deployment is bringing up: only its journal has that."""
    pairs = [("live", record.live), ("standby", record.standby), *(("doomed", f) for f in record.doomed)]
    goal = record.goal
    unreadable: tuple[str, ...] = ()
    if goal and goal.kind == "deploy" and goal.fleet and not _has(record, goal.fleet):
        journal = world.records.journal(goal.deployment)
        unreadable = journal.unreadable
        pairs.insert(0, ("new", fold(journal.events).named(goal.fleet)))
    if goal and goal.undo and not _has(record, goal.undo):
        pairs.append(("doomed", goal.undo))
    return [(role, fleet) for role, fleet in pairs if fleet], unreadable


def _has(record: Record, fleet: Fleet) -> bool:
    return any(known.deployment == fleet.deployment for known in record.fleets)


def _fleet(role: str, fleet: Fleet, bindings: Sequence[Binding], groups: Mapping[str, Group | None]) -> FleetStatus:
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


def _serving(fleets: Sequence[FleetStatus], bindings: Sequence[Binding]) -> FleetStatus | None:
    """The one that has all the traffic."""
    weighted = [{arn for arn, weight in b.by_group.items() if weight} for b in bindings]
    for one in fleets:
        if weighted and all(len(arns) == 1 and arns <= set(one.fleet.groups) for arns in weighted):
            return one
    return None


def _told(world: World, record: Record, bindings: Sequence[Binding]) -> Told | None:
    """A rollback without the ledger explains weights that the record does not; the tags are asked only then."""
    weighted = {arn for binding in bindings for arn, weight in binding.by_group.items() if weight}
    if record.live is None or not weighted or weighted <= set(record.live.groups) or record.goal is not None:
        return None
    try:
        return told_by_tags(record, weighted, world.traffic.owned(record.stack))
    except BluegreenError:
        return None  # the weights are told as they are


def _drift(record: Record, bindings: Sequence[Binding]) -> tuple[str, ...]:
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
