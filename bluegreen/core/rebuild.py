"""The record of a stack, rebuilt from the tags of its target groups and the load balancer. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bluegreen.core.goal import RolledBack
from bluegreen.core.note import account_of
from bluegreen.core.readiness import ready
from bluegreen.core.record import Record
from bluegreen.core.tagged import Picture, Tagged


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """`record` as it should stand; `found` are sentences for the person who decides, `rest` the fleets it does not keep."""

    record: Record
    found: tuple[str, ...]
    rest: tuple[Tagged, ...] = ()


@dataclass(frozen=True, slots=True)
class Unclear:
    """Why the tags and the balancer do not say what the record should be, and the command that makes it clear ("": none)."""

    why: str
    next: str = ""


def rebuild(stack: str, region: str, seen: Picture, epoch: int, at: float) -> Rebuilt | Unclear:
    """`epoch` is the highest that anything else than the tags names."""
    live = seen.sole
    if trouble := _trouble(stack, seen, live):
        return trouble
    assert live is not None
    standby = _standby(seen, live)
    rest = tuple(fleet for fleet in seen.fleets if fleet not in (live, standby))
    record = Record(
        stack,
        max(seen.highest, epoch) + 1,
        live=replace(live.fleet(), once_live=True),
        standby=standby.fleet() if standby else None,
        doomed=tuple(fleet.fleet() for fleet in rest if fleet.live_since and fleet.attached),
        bindings=tuple(binding.ref for binding in seen.bindings),
        account=account_of(live.groups[0]),
        region=region,
        rolled_back=_mark(live, standby, at),
        live_since=live.moved.at if live.moved else 0.0,
        live_by=live.moved.by if live.moved else "",
    )
    return Rebuilt(record, tuple(_sentences(record, live, standby, rest)), rest)


def _trouble(stack: str, seen: Picture, live: Tagged | None) -> Unclear | None:
    if seen.gone or not seen.bindings:
        names = ", ".join(seen.gone) or "no rule or listener"
        return Unclear(f"of the rules and listeners that the tags name, these do not exist: {names}")
    if seen.strangers:
        return Unclear("a target group without the stack's tags has traffic: " + ", ".join(seen.strangers))
    if live is None:
        shares = ", ".join(f"{fleet.label} {fleet.weight}" for fleet in seen.fleets) or "none"
        return Unclear(f"no one fleet has all the traffic; weights: {shares}", f"bluegreen rollback {stack}")
    return None


def _standby(seen: Picture, live: Tagged) -> Tagged | None:
    """Of the others that once were live: the one that a rollback could really go to; then the healthier, then the newer."""
    others = [f for f in seen.fleets if f != live and f.live_since and f.attached and f.size]
    return max(
        others, key=lambda f: (ready(f.healthy, live.healthy, f.size), f.healthy, f.live_since, f.epoch), default=None
    )


def _mark(live: Tagged, standby: Tagged | None, at: float) -> RolledBack | None:
    """What is newer than the live fleet and was live was rolled back: it is not deployed again until somebody says so."""
    if standby is None or standby.epoch < live.epoch:
        return None
    moved = live.moved
    return RolledBack(standby.release, standby.label, moved.at if moved else at, moved.by if moved else "")


def _sentences(record: Record, live: Tagged, standby: Tagged | None, rest: tuple[Tagged, ...]) -> list[str]:
    where = ", ".join(binding.name for binding in record.bindings)
    lines = [
        f"live: {live.label}, {live.healthy}/{live.size} healthy, with all the traffic of {where}",
        f"standby: {standby.label}, {standby.healthy}/{standby.size} healthy"
        if standby
        else "standby: none; no other fleet is attached that was live before",
    ]
    lines += [f"not kept: {fleet.label}, {fleet.healthy}/{fleet.size} healthy" for fleet in rest]
    if record.rolled_back:
        lines.append(f"rolled back: {record.rolled_back.fleet} is newer than what is live")
    return [*lines, f"epoch: {record.epoch}; instances that were lost before now are not known to be missing"]
