"""recover: the record of a stack, rebuilt from its tags and the load balancer. Changes the ledger only; no traffic moves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from bluegreen.controller.by_tags import found_again, look, nothing_here
from bluegreen.controller.entries import tell_unread
from bluegreen.controller.restored import refuse_restored
from bluegreen.controller.world import World
from bluegreen.core import event as ev
from bluegreen.core.fleet import BindingRef, Fleet, OwnedGroup
from bluegreen.core.outcome import Outcome
from bluegreen.core.rebuild import Rebuilt, Unclear, rebuild
from bluegreen.core.record import Record
from bluegreen.errors import Held, NotFound, Refused, Superseded, Unreadable


class Shelf(Protocol):
    """The place of the record itself, beyond what the Records port offers."""

    def make(self) -> None:
        """The table, if there is none."""

    def broken_epoch(self, stack: str) -> int:
        """Of a record that cannot be read: its epoch as far as the item tells it, or 0."""

    def set_aside(self, stack: str, at: float) -> str:
        """The record that cannot be read, kept under another name and taken out of the way; the answer is that name, "" when
        there was none. Raises Superseded when it has changed meanwhile."""


@dataclass(frozen=True, slots=True)
class Lost:
    """What is wrong with the record: `broken`, it cannot be read or is older than its fleets; else there is none, or not even a
    `table`."""

    what: str
    broken: bool = False
    table: bool = True


def recover(
    world: World, stack: str, shelf: Shelf, confirm: Callable[[Sequence[str]], bool] = lambda found: True
) -> Outcome:
    """`confirm` is shown what was found. Raises Refused when AWS does not tell what the record should be."""
    owned = world.traffic.owned(stack)
    lost = _lost(world, stack, owned)
    if isinstance(lost, Outcome):
        return lost
    if not owned:
        return _start_over(world, stack, shelf, lost, confirm)
    world.watcher.note(f"{lost.what}; looking at the tags of {stack} and the load balancer")
    tell_unread(world, stack, owned)
    seen = look(world.traffic, owned)
    known = [world.records.last_epoch(stack)] if lost.table else []
    known += [shelf.broken_epoch(stack)] if lost.broken else []
    rebuilt = rebuild(stack, world.here.region, seen, max(known, default=0), world.clock.now())
    if isinstance(rebuilt, Unclear):
        raise Refused(
            f"the record of {stack} cannot be rebuilt: {rebuilt.why}",
            why="A record names one live fleet, which has all the traffic.",
            next=f"{rebuilt.next}, then bluegreen recover {stack}" if rebuilt.next else f"bluegreen status {stack}",
        )
    rebuilt = replace(rebuilt, record=_placed(world, rebuilt.record))
    if lost.table:
        rebuilt = replace(rebuilt, record=_counted(world, rebuilt.record))
    if not confirm(rebuilt.found):
        return Outcome("refused", "Not confirmed: nothing was changed.")
    kept = _write(world, shelf, rebuilt.record, lost)
    return _outcome(stack, rebuilt, kept)


def _start_over(
    world: World, stack: str, shelf: Shelf, lost: Lost, confirm: Callable[[Sequence[str]], bool]
) -> Outcome:
    """There is no target group of the stack, so a record that cannot be read keeps nothing."""
    if not lost.broken:
        raise nothing_here(stack, world.here)
    if not confirm((f"there is no target group of {stack}: its record is put aside, and the stack begins anew",)):
        return Outcome("refused", "Not confirmed: nothing was changed.")
    kept = shelf.set_aside(stack, world.clock.now())
    return Outcome(
        "recovered",
        f"Nothing of {stack} is in the load balancer, so its record is put aside as item {kept}.",
        next="bluegreen deploy FILE",
    )


def _lost(world: World, stack: str, owned: Sequence[OwnedGroup]) -> Lost | Outcome:
    try:
        record = world.records.read(stack)
    except NotFound as error:
        return Lost(error.what, table=False)
    except Unreadable as error:
        if error.newer:
            raise
        return Lost(f"{error.what} ({error.why})", broken=True)
    if record is None:
        return Lost(f"the ledger has no record of {stack}")
    try:
        refuse_restored(record, owned)
    except Refused as error:
        if record.owner is None:
            return Lost(error.what, broken=True)
        raise
    live = record.live.label if record.live else "nothing"
    return Outcome("unchanged", f"the record of {stack} can be read, and {live} is live: there is nothing to recover.")


def _placed(world: World, record: Record) -> Record:
    """With the port and the conditions of each rule or listener, by which it is found when it is made anew."""
    bindings: list[BindingRef] = []
    for number, ref in enumerate(record.bindings):
        groups = [fleet.groups[number] for fleet in record.fleets]
        full = found_again(world.traffic, ref, groups)
        if full is None or full.arn != ref.arn or not full.port:
            bindings.append(ref)
            continue
        words = [f"{kind} {value}" for kind, value in (("host", full.host), ("path", full.path)) if value]
        name = f"{full.load_balancer}:{full.port} {' '.join(words) or 'default action'}"
        bindings.append(replace(full, name=name))
    return replace(record, bindings=tuple(bindings))


def _counted(world: World, record: Record) -> Record:
    """With the agreed numbers of instances, as far as the journals tell them; else as many as are registered."""

    def counted(fleet: Fleet | None) -> Fleet | None:
        if fleet is None:
            return None
        events = world.records.journal(fleet.deployment).events
        start = next((e for e in events if isinstance(e, ev.Started)), None)
        told = start.goal.fleet if start and start.goal.kind == "deploy" else None
        return replace(fleet, count=told.count) if told and told.release == fleet.release else fleet

    return replace(record, live=counted(record.live), standby=counted(record.standby))


def _write(world: World, shelf: Shelf, record: Record, lost: Lost) -> str:
    """The record as it should stand. The answer is where the broken one was put, "" when there was none."""
    shelf.make()
    try:
        kept = shelf.set_aside(record.stack, world.clock.now()) if lost.broken else ""
        world.records.write(replace(record, op_id=world.ids()), 0, "")
    except Superseded as error:
        raise Held(
            f"somebody else has just written the record of {record.stack}", next=f"bluegreen status {record.stack}"
        ) from error
    return kept


def _outcome(stack: str, rebuilt: Rebuilt, kept: str) -> Outcome:
    record = rebuilt.record
    assert record.live is not None
    standby = f"{record.standby.label} is its standby" if record.standby else "there is no standby fleet"
    aside = f" The broken record is kept as item {kept}." if kept else ""
    rest = f"bluegreen gc {stack} terminates {', '.join(f.label for f in rebuilt.rest)}" if rebuilt.rest else ""
    return Outcome(
        "recovered",
        f"The record of {stack} is rebuilt: {record.live.label} is live; {standby}.{aside}",
        next=rest or f"bluegreen status {stack}",
    )
