"""Rollback while the ledger is down or gone: by tags and the load balancer alone, and a note on this machine of what was
done. Nothing is fenced here: a deployer without the ledger cannot pass its own fence, but for one call in flight."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from bluegreen.controller.commands import rollback as by_ledger
from bluegreen.controller.perform import PASSING
from bluegreen.controller.world import World
from bluegreen.core.degraded import NoWay, WayBack, bindings_of, way_back
from bluegreen.core.fleet import OwnedGroup
from bluegreen.core.outcome import Outcome
from bluegreen.core.record import Owner
from bluegreen.core.times import WATCH_S
from bluegreen.errors import BluegreenError, CloudError, NeedsHuman, NotFound, Refused, Unreadable

TRY_S = 60.0
POLL_S = 0.5
TRIES = 10
Seen = TypeVar("Seen")


class Book(Protocol):
    """The local journal of degraded rollbacks. Writing it may fail; a rollback does not wait for it."""

    def write(self, stack: str, at: float, to: str, why: str) -> str:
        """Keep it; the answer is where, or why it could not be kept."""

    def read(self, stack: str) -> str | None:
        """The deployment that got the traffic in a degraded rollback that the ledger does not know yet."""

    def forget(self, stack: str) -> None: ...


def lost_ledger(error: BluegreenError) -> bool:
    """Whether the error says that the ledger cannot be used: the table is missing, DynamoDB does not answer, or the record
    cannot be read."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, Unreadable):
            return True
        if isinstance(seen, CloudError) and seen.action.startswith("dynamodb:"):
            return True
        seen = seen.__cause__
    return False


def rollback_anyway(
    world: World, stack: str, owner: Owner, book: Book, to: str = "", *, unsafe: bool = False
) -> Outcome:
    """By the ledger if it can be used, else without it."""
    try:
        outcome = by_ledger(world, stack, owner, to, unsafe=unsafe)
    except BluegreenError as error:
        if lost_ledger(error):
            return rollback(world, stack, error, book, to, unsafe=unsafe)
        if isinstance(error, Refused) and world.records.read(stack) is None and world.traffic.owned(stack):
            gone = NotFound(f"the ledger has no record of {stack}, but there are fleets of it")
            return rollback(world, stack, gone, book, to, unsafe=unsafe)
        raise
    if outcome.exit_code == 0:
        book.forget(stack)
    return outcome


def reconcile(world: World, stack: str, owner: Owner, book: Book) -> None:
    """Writes down in the ledger, by the way of a normal rollback, what was done without it from this machine. When the
    weights are as that rollback left them, no traffic moves."""
    to = book.read(stack)
    record = world.records.read(stack) if to else None
    if to is None or record is None:
        return
    world.watcher.note(f"{stack} was rolled back to {to} without the ledger: writing it down")
    unfinished = record.goal is not None and record.goal.live is not None and record.goal.live.deployment == to
    outcome = by_ledger(world, stack, owner, "" if unfinished else to, unsafe=True)
    world.watcher.note(outcome.sentence)
    if outcome.exit_code == 0:
        book.forget(stack)


def rollback(
    world: World, stack: str, lost: BluegreenError, book: Book, to: str = "", *, unsafe: bool = False
) -> Outcome:
    """Traffic back to the fleet that was live last, or to `to`. `lost` is what is wrong with the ledger."""
    world.watcher.note(f"DEGRADED: {lost.what}; going by tags and the load balancer")
    owned = _patiently(world, lambda: world.traffic.owned(stack))
    found = _patiently(world, lambda: _look(world, owned, to, unsafe=unsafe))
    if isinstance(found, NoWay):
        what = f"{stack} cannot be rolled back without the ledger: {found.why}."
        return Outcome("refused", what, why=lost.what, next=found.next and f"bluegreen rollback {stack} {found.next}")
    kept = book.write(stack, world.clock.now(), found.fleet, lost.what)
    world.watcher.note(kept)
    _patiently(world, lambda: _set(world, found))
    world.watcher.note(f"traffic is back on {found.label}; watching for {WATCH_S:.0f} s")
    until = world.clock.ticks() + WATCH_S
    while world.clock.ticks() < until:
        world.clock.sleep(POLL_S)
        _patiently(world, lambda: _set(world, found))
    return Outcome(
        "rolled-back",
        f"DEGRADED: {found.label} serves, by tags and the load balancer alone.",
        why=lost.what,
        next=f"when the ledger is back, the next command on {stack} from this machine writes it down: "
        f"bluegreen rollback {stack} --{'unsafe-' if unsafe else ''}to {found.fleet}",
    )


def _look(world: World, owned: tuple[OwnedGroup, ...], to: str, *, unsafe: bool) -> WayBack | NoWay:
    bindings = world.traffic.bindings(bindings_of(owned))
    attached = sorted({arn for binding in bindings for arn in binding.by_group})
    return way_back(owned, bindings, world.traffic.groups(attached), to, unsafe=unsafe)


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
