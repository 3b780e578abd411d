"""Rollback while the ledger is down or gone: by tags and the load balancer alone, told in the tags and in a note on this machine.
Nothing is fenced here: a deployer without the ledger cannot pass its own fence, but for one call in flight.

A ledger that only throttles is waited for: for a moment before the traffic moves by tags, and then while the weights are
watched. When it answers in time the record is written, and the rollback ends like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from bluegreen.controller.by_tags import look, lost_ledger, nothing_here, passing
from bluegreen.controller.commands import rollback as by_ledger
from bluegreen.controller.entries import tell_unread
from bluegreen.controller.notes import Book, settle, write_down
from bluegreen.controller.patient import PatientRecords
from bluegreen.controller.perform import PASSING
from bluegreen.controller.world import World
from bluegreen.core.degraded import Already, NoWay, WayBack, way_back
from bluegreen.core.fleet import is_older
from bluegreen.core.note import Note, account_of
from bluegreen.core.outcome import Outcome
from bluegreen.core.record import Owner
from bluegreen.core.times import WATCH_S
from bluegreen.errors import BluegreenError, CloudError, NeedsHuman, NotFound, Refused, Unreadable

PATIENCE_S = 3.0  # for a ledger that throttles, before the traffic moves without it
TRY_S = 60.0
POLL_S = 0.5
TRIES = 10
Seen = TypeVar("Seen")


def rollback_anyway(
    world: World, stack: str, owner: Owner, book: Book, to: str = "", *, unsafe: bool = False
) -> Outcome:
    """By the ledger if it can be used, else without it."""
    patient = replace(world, records=PatientRecords(world.records, world.clock, PATIENCE_S))
    try:
        written = write_down(patient, stack, owner, book)
        if written is not None and not to:
            return written
        outcome = by_ledger(patient, stack, owner, to, unsafe=unsafe)
    except BluegreenError as error:
        lost = error if lost_ledger(error) else _record_lost(world, stack, error)
        if lost is None:
            raise
        return rollback(world, stack, owner, lost, book, to, unsafe=unsafe)
    return outcome


def _record_lost(world: World, stack: str, error: BluegreenError) -> BluegreenError | None:
    """What is wrong with the ledger, when a rollback was refused because there is no record. None: nothing is. Raises Refused
    when there is nothing of the stack at all."""
    if not isinstance(error, Refused):
        return None
    try:
        if world.records.read(stack) is not None:
            return None
    except BluegreenError as unread:
        return unread if lost_ledger(unread) else None
    if not world.traffic.owned(stack):
        raise nothing_here(stack, world.here) from error
    return NotFound(f"the ledger has no record of {stack}, but there are fleets of it")


def rollback(
    world: World, stack: str, owner: Owner, lost: BluegreenError, book: Book, to: str = "", *, unsafe: bool = False
) -> Outcome:
    """Traffic back to the fleet that was live last, or to `to`. `lost` is what is wrong with the ledger."""
    owned = _patiently(world, lambda: world.traffic.owned(stack))
    if not owned:
        if isinstance(lost, NotFound):
            raise nothing_here(stack, world.here) from lost
        raise lost
    world.watcher.note(f"DEGRADED: {lost.what}; going by tags and the load balancer")
    if isinstance(lost, Unreadable) and lost.why:
        world.watcher.note(f"{lost.where}: {lost.why}")
    tell_unread(world, stack, owned)
    found = _patiently(world, lambda: way_back(look(world.traffic, owned), to, unsafe=unsafe))
    if isinstance(found, NoWay):
        what = f"{stack} cannot be rolled back without the ledger: {found.why}."
        return Outcome("refused", what, why=lost.what, next=found.next and f"bluegreen rollback {stack} {found.next}")
    if isinstance(found, Already):
        return _already(world, stack, owner, found, lost)
    return _move(world, stack, owner, found, lost, book, unsafe=unsafe)


def _already(world: World, stack: str, owner: Owner, found: Already, lost: BluegreenError) -> Outcome:
    if found.untold:
        _mark(world, found.untold, owner)
    further = f" To go to {found.further}: bluegreen rollback {stack} --to {found.further}." if found.further else ""
    return Outcome(
        "unchanged",
        f"DEGRADED: {found.target.label} serves; {found.why}. Nothing was changed.{further}",
        why=lost.what,
        next=_afterwards(stack, "", lost),
    )


def _move(
    world: World, stack: str, owner: Owner, found: WayBack, lost: BluegreenError, book: Book, *, unsafe: bool
) -> Outcome:
    _patiently(world, lambda: _set(world, found))
    _mark(world, found, owner)
    world.watcher.note(book.write(_note(world, stack, found, lost)))
    world.watcher.note(f"traffic is back on {found.target.label}; watching for {WATCH_S:.0f} s")
    until = world.clock.ticks() + WATCH_S
    hope = passing(lost)
    while world.clock.ticks() < until:
        world.clock.sleep(POLL_S)
        _patiently(world, lambda: _set(world, found))
        if hope:
            outcome, hope = _with_ledger(world, stack, owner, found, until)
            if outcome:
                for kept in book.notes(stack):
                    book.forget(kept.file)
                return outcome
    option = f"--unsafe-to {found.target.deployment}" if unsafe else ""
    if not unsafe and not is_older(found.target.deployment, found.left):
        option = f"--to {found.target.deployment}"
    return Outcome(
        "rolled-back",
        f"DEGRADED: {found.target.label} serves, by tags and the load balancer alone.",
        why=lost.what,
        next=_afterwards(stack, option, lost),
    )


def _with_ledger(world: World, stack: str, owner: Owner, found: WayBack, until: float) -> tuple[Outcome | None, bool]:
    """The traffic is where it should be: once the ledger answers, the record says so too. And whether to try again."""
    try:
        record = world.records.read(stack)
        if record is None:
            return None, False
        records = PatientRecords(world.records, world.clock, max(0.0, until - world.clock.ticks()))
        calm = replace(world, records=records)
        outcome = settle(calm, record, owner, found.target.deployment, found.target.groups)
    except BluegreenError as error:
        again = passing(error)
        if not again:
            world.watcher.note(f"the record could not be written: {error.what}")
        return None, again
    return (outcome, False) if outcome.exit_code == 0 else (None, False)


def _afterwards(stack: str, option: str, lost: BluegreenError) -> str:
    """What settles it, once the ledger is there."""
    if isinstance(lost, Unreadable) and lost.newer:
        return lost.next
    if isinstance(lost, NotFound | Unreadable):
        return f"bluegreen recover {stack}"
    return f"bluegreen rollback {stack} {option}".rstrip() + ", when the ledger answers again: it writes the record"


def _mark(world: World, found: WayBack, owner: Owner) -> None:
    """Traffic does not hang on it: without the tags, other machines are not told of this rollback."""
    step = found.mark(world.clock.now(), str(owner))
    try:
        world.watcher.step(step)
        _patiently(world, lambda: world.traffic.perform(step))
    except CloudError as error:
        world.watcher.note(
            f"the tags could not be written, so other machines will not know of this rollback: {error.what}"
        )


def _note(world: World, stack: str, found: WayBack, lost: BluegreenError) -> Note:
    here, groups = world.here, tuple(found.target.groups)
    return Note(
        stack,
        account_of(groups[0]),
        here.endpoint,
        here.region,
        here.table,
        found.target.deployment,
        groups,
        world.clock.now(),
        lost.what,
    )


def _set(world: World, found: WayBack) -> None:
    """Writes what differs, and looks again: a write that another one follows at once is tried again."""
    refs = tuple(ref for ref, _ in found.wanted)
    for _ in range(TRIES):
        steps = found.steps(world.traffic.bindings(refs))
        if not steps:
            return
        for step in steps:
            world.watcher.step(step)
            world.traffic.perform(step)
    raise NeedsHuman(f"somebody else keeps changing {', '.join(ref.name for ref in refs)}")


def _patiently(world: World, act: Callable[[], Seen]) -> Seen:
    """`act`, again and again while AWS has passing troubles, for at most TRY_S."""
    until = world.clock.ticks() + TRY_S
    while True:
        try:
            return act()
        except PASSING as error:
            if world.clock.ticks() >= until:
                raise
            world.watcher.note(f"again in a moment: {error.what}")
            world.clock.sleep(POLL_S)
