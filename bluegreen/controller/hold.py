"""Holding a stack: the epoch that is ours, the record as we last wrote it, and the beat that shows we are alive."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace

from bluegreen.core.goal import Goal
from bluegreen.core.record import Owner, Record
from bluegreen.errors import Held, Superseded
from bluegreen.ports import Clock, Records

BEAT_S = 5.0


def new_id() -> str:
    return uuid.uuid4().hex[:16]


class Hold:
    """Made by `take`; from then on every write of the record goes through it, under its epoch."""

    def __init__(self, records: Records, clock: Clock, record: Record, ids: Callable[[], str] = new_id) -> None:
        self.records = records
        self.clock = clock
        self.record = record
        self.ids = ids

    @classmethod
    def take(
        cls,
        records: Records,
        clock: Clock,
        now: Record | None,
        stack: str,
        owner: Owner,
        goal: Callable[[int], Goal],
        ids: Callable[[], str] = new_id,
    ) -> Hold:
        """Epoch + 1 with our goal, in one conditional write. Raises Held when somebody was faster."""
        seen = now or Record(stack, 0)
        mine = replace(
            seen,
            epoch=seen.epoch + 1,
            op_id=ids(),
            rvn=ids(),
            beat_at=clock.now(),
            owner=owner,
            goal=goal(seen.epoch + 1),
        )
        try:
            records.write(mine, seen.epoch)
        except Superseded as error:
            raise Held(
                f"somebody else has just taken {stack}", why=error.why, next=f"bluegreen status {stack}"
            ) from error
        return cls(records, clock, mine, ids)

    def write(self, record: Record) -> None:
        """The record as it shall stand; owner, goal and epoch stay ours. Raises Superseded when we no longer hold it."""
        mine = replace(
            record,
            epoch=self.record.epoch,
            owner=self.record.owner,
            goal=self.record.goal,
            op_id=self.ids(),
            rvn=self.ids(),
            beat_at=self.clock.now(),
        )
        self.records.write(mine, self.record.epoch)
        self.record = mine

    def confirm(self) -> None:
        """Right before traffic moves: one conditional write, so that a controller that was taken over stops here."""
        self.write(self.record)

    def beat(self) -> None:
        """Show that we are alive, when the last write is some seconds old."""
        if self.clock.now() - self.record.beat_at >= BEAT_S:
            self.write(self.record)

    def let_go(self, *, keep_goal: bool) -> None:
        """Nobody holds the stack any more; `keep_goal` leaves the operation in force for `resume` or `abort`."""
        free = replace(self.record, owner=None, goal=self.record.goal if keep_goal else None, op_id=self.ids())
        self.records.write(free, self.record.epoch)
        self.record = free


def refuse_if_held(records: Records, clock: Clock, record: Record | None) -> None:
    """Raises Held when somebody follows a goal on this stack and is alive: the record changes while we watch it for one
    lease. A record that stands still for that long is a dead controller's."""
    if record is None or record.owner is None or record.goal is None:
        return
    until = clock.now() + record.lease_s
    if clock.now() - record.beat_at > record.lease_s:
        until = clock.now() + 2 * BEAT_S
    while clock.now() < until:
        now = records.read(record.stack)
        if now is None or now.owner is None:
            return
        if now.rvn != record.rvn or (clock.now() - now.beat_at < BEAT_S and now.epoch == record.epoch):
            raise _held(now, clock)
        clock.sleep(1.0)


def _held(record: Record, clock: Clock) -> Held:
    assert record.goal is not None
    age = clock.now() - record.goal.started_at
    return Held(
        f"{record.stack} is held: {record.goal.kind} {record.goal.deployment}, for {age:.0f} s",
        where=str(record.owner),
        why=f"It was alive {clock.now() - record.beat_at:.0f} s ago.",
        next=f"wait for it (bluegreen status {record.stack}), or stop it: bluegreen rollback {record.stack}",
    )
