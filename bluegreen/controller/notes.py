"""The notes on this machine of rollbacks without the ledger. `rollback` and `resume` write into the record what a note says and
AWS shows; every other command only tells of it. No command moves traffic because of a note."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from bluegreen.controller.commands import rollback as by_ledger
from bluegreen.controller.patient import StillTraffic
from bluegreen.controller.world import World
from bluegreen.core.note import KEPT_S, Doubt, Kept, Note, doubt
from bluegreen.core.outcome import Outcome
from bluegreen.core.record import Owner, Record


class Book(Protocol):
    """Writing may fail; a rollback does not wait for it."""

    def write(self, note: Note) -> str:
        """Keep it; the answer is where, or why it could not be kept."""

    def notes(self, stack: str) -> tuple[Kept, ...]:
        """What is kept of the stack, the newest first."""

    def forget(self, file: str) -> None: ...


def tell(world: World, stack: str, book: Book) -> None:
    """For the commands that do nothing else with them."""
    for kept in book.notes(stack):
        if kept.note is None:
            _drop(world, book, kept, kept.wrong)
        elif world.clock.now() - kept.note.at > KEPT_S:
            _drop(world, book, kept, "it is older than a week")
        else:
            world.watcher.note(
                f"{_what(world, kept, kept.note)}. If that is still so, bluegreen rollback {stack} writes it into the record"
            )


def write_down(world: World, stack: str, owner: Owner, book: Book) -> Outcome | None:
    """What a note says and AWS shows is written into the record; None when there was nothing to write."""
    outcome = None
    for kept in book.notes(stack):
        if kept.note is None:
            _drop(world, book, kept, kept.wrong)
            continue
        record = world.records.read(stack)
        bindings = world.traffic.bindings(record.bindings) if record else ()
        if found := doubt(kept.note, record, bindings):
            _refuse(world, book, kept, kept.note, found)
            continue
        assert record is not None
        world.watcher.note(f"{_what(world, kept, kept.note)}: writing it into the record")
        outcome = settle(world, record, owner, kept.note.deployment, kept.note.groups)
        world.watcher.note(outcome.sentence)
        if outcome.exit_code == 0:
            book.forget(kept.file)
    return outcome if outcome is not None and outcome.exit_code == 0 else None


def settle(world: World, record: Record, owner: Owner, deployment: str, groups: tuple[str, ...]) -> Outcome:
    """The record says that `deployment` is live, whose `groups` have all the traffic already: a rollback that moves none."""
    unfinished = record.goal is not None and record.goal.live is not None and record.goal.live.deployment == deployment
    still = replace(world, traffic=StillTraffic(world.traffic, groups))
    return by_ledger(still, record.stack, owner, "" if unfinished else deployment, unsafe=True)


def _refuse(world: World, book: Book, kept: Kept, note: Note, found: Doubt) -> None:
    if found.void or world.clock.now() - note.at > KEPT_S:
        _drop(world, book, kept, found.why)
    else:
        world.watcher.note(f"{_what(world, kept, note)}. It is not used: {found.why}")


def _drop(world: World, book: Book, kept: Kept, why: str) -> None:
    world.watcher.note(f"the note {kept.file} is not used and is deleted: {why}")
    book.forget(kept.file)


def _what(world: World, kept: Kept, note: Note) -> str:
    minutes = max(0.0, world.clock.now() - note.at) / 60
    return (
        f"the note {kept.file} says that {note.stack} was rolled back to {note.deployment} without the ledger "
        f"{minutes:.0f} min ago"
    )
