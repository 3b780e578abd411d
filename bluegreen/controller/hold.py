"""Holding a stack: the epoch that is ours, the record as we last wrote it, and the beat that shows we are alive.

Whoever has the highest epoch may change AWS. Before each change `fence` shows by a conditional write that it still is
ours. A lease only tells others when to stop waiting; it protects nothing.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import replace

from bluegreen.core.goal import Goal
from bluegreen.core.record import Owner, Record
from bluegreen.core.times import BEAT_S, FRESH_S
from bluegreen.errors import CloudError, Held, OutcomeUnknown, Superseded
from bluegreen.ports import Clock, Records


def new_id() -> str:
    return secrets.token_hex(8)


class Hold:
    """Made by `take`; from then on every write of the record goes through it, under its epoch. One thread may follow the
    goal while another beats."""

    def __init__(self, records: Records, clock: Clock, record: Record, ids: Callable[[], str] = new_id) -> None:
        self.records = records
        self.clock = clock
        self.record = record
        self.ids = ids
        self._lock = threading.RLock()
        self._lost: Superseded | None = None
        self._sent = {record.op_id}  # of every write of ours; one that was given up may still land
        self._unsettled = False  # the last one had no answer
        self._acked = (clock.ticks(), clock.now())

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
            records.write(mine, seen.epoch, seen.op_id)
        except Superseded as error:
            raise Held(
                f"somebody else has just taken {stack}", why=error.why, next=f"bluegreen status {stack}"
            ) from error
        return cls(records, clock, mine, ids)

    @property
    def age_s(self) -> float:
        """Since our last conditional write was sent, by the clock that says more: one of them may have stood still."""
        ticks, now = self._acked
        return max(self.clock.ticks() - ticks, self.clock.now() - now)

    def write(self, record: Record) -> None:
        """The record as it shall stand; owner, goal and epoch stay ours. Raises Superseded when we no longer hold it."""
        with self._lock:
            self._put(lambda mine: replace(record, epoch=mine.epoch, owner=mine.owner, goal=mine.goal))

    def fence(self, fresh_s: float = FRESH_S) -> None:
        """Before each change of AWS: a conditional write that is at most `fresh_s` old. Raises Superseded."""
        with self._lock:
            if self._lost or self._unsettled or self.age_s > fresh_s or not fresh_s:
                self._put(lambda mine: mine)

    def settle(self) -> None:
        """After a write of the record without an answer: either it is found to stand, or it cannot land any more."""
        with self._lock:
            if self._unsettled:
                self._put(lambda mine: mine)

    def beat(self) -> None:
        """Show that we are alive, when the last write is some seconds old."""
        with self._lock:
            if self.age_s >= BEAT_S:
                self._put(lambda mine: mine)

    def let_go(self, *, keep_goal: bool, again: Goal | None = None) -> None:
        """Nobody holds the stack any more; `keep_goal` leaves the operation in force for `resume` or `abort`, or `again`
        in its place. A heal that is over leaves the deployment in force that it came between."""
        with self._lock:
            self._put(lambda mine: replace(mine, owner=None, goal=again or _in_force(mine.goal, keep=keep_goal)))

    def _put(self, change: Callable[[Record], Record]) -> None:
        """The record, changed. When a late write of our own is met, the change is made anew on what that one left.
        Raises Superseded when somebody else has written."""
        if self._lost:
            raise self._lost
        for _ in range(3):
            sent = (self.clock.ticks(), self.clock.now())
            mine = replace(change(self.record), op_id=self.ids(), rvn=self.ids(), beat_at=sent[1])
            self._sent.add(mine.op_id)
            self._unsettled = True
            try:
                self.records.write(mine, self.record.epoch, self.record.op_id)
            except Superseded as error:
                now = self.records.read(mine.stack)
                if now is None or now.epoch != mine.epoch or now.op_id not in self._sent:
                    self._lost = error
                    raise
                self.record = now
            else:
                self.record, self._acked, self._unsettled = mine, sent, False
                return
        raise OutcomeUnknown(f"the record of {self.record.stack} could not be written", action="dynamodb:PutItem")


def _in_force(goal: Goal | None, *, keep: bool) -> Goal | None:
    if keep or goal is None:
        return goal
    return goal.stopped if goal.kind == "heal" else None


class Waiter:
    """Somebody else's hold, watched from outside. Ages are measured on our own clock, by what we saw change."""

    def __init__(self, records: Records, clock: Clock, record: Record) -> None:
        self.records = records
        self.clock = clock
        self.record = record
        self.newest: Record | None = record  # as the last look found it
        self.since = clock.ticks()

    def look(self) -> bool:
        """Whether the holder is alive: True, or False when it let go or its record stood still for a lease."""
        self.newest = now = self.records.read(self.record.stack)
        if now is None or now.owner is None or now.goal is None:
            return False
        if now.rvn != self.record.rvn:
            self.record, self.since = now, self.clock.ticks()
        return self.clock.ticks() - self.since < self.record.lease_s


def refuse_if_held(
    records: Records,
    clock: Clock,
    record: Record | None,
    phase: Callable[[Record], str],
    wait_s: float = 0.0,
    note: Callable[[str], None] = lambda text: None,
    hasty: bool = False,
) -> Record | None:
    """The record as it was when the stack was found free. Raises Held when somebody follows a goal on it and is still alive
    after `wait_s` seconds. Alive is whose record changes within a lease; the record of a dead controller stands still, and
    after a lease we may go on. With `hasty`, a record written some seconds ago is a living one's too: then the answer comes
    at once."""
    if record is None or record.owner is None or record.goal is None:
        return record
    waiter = Waiter(records, clock, record)
    until = clock.ticks() + wait_s
    note(f"{record.stack} is held by {record.owner}: watching whether it is alive")
    changes = record.rvn
    while waiter.look():
        alive = waiter.record.rvn != changes or (hasty and 0 <= clock.now() - waiter.record.beat_at < BEAT_S)
        if alive and clock.ticks() >= until:
            raise _held(waiter.record, clock, phase)
        clock.sleep(1.0)
    return waiter.newest


def _held(record: Record, clock: Clock, phase: Callable[[Record], str]) -> Held:
    assert record.goal is not None
    age = clock.now() - record.goal.started_at
    try:
        where = phase(record)
    except CloudError as error:
        where = f"unknown phase ({error.what})"
    return Held(
        f"{record.stack} is held: {record.goal.kind} {record.goal.deployment}, {where}, for {age:.0f} s",
        where=str(record.owner),
        why=f"It was alive {max(0.0, clock.now() - record.beat_at):.0f} s ago.",
        next=f"wait for it (--wait-lock 10m, or bluegreen status {record.stack}), "
        f"or stop it: bluegreen rollback {record.stack}",
    )
