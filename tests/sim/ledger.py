"""The Records port on the simulator: one record a stack, changed by conditional writes, and the journals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bluegreen.core.event import Event
from bluegreen.core.fleet import split_deployment
from bluegreen.core.record import Record
from bluegreen.core.sound import wrong
from bluegreen.errors import CloudError, LineTaken, NotFound, OutcomeUnknown, Superseded, Throttled, Unreadable
from bluegreen.ports import Journal

if TYPE_CHECKING:
    from tests.sim.aws import Hand

CONDITION_FAILED = "ConditionalCheckFailedException"


class Ledger:
    """The table. `taken_at`: when its record's epoch last rose. `until`: till then every call is throttled. `there`: whether
    the table exists. `torn`: stacks whose record cannot be read, and lines (journal, number) that cannot."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.journal: dict[tuple[str, int], dict[int, Event]] = {}
        self.taken_at = 0.0
        self.until = 0.0
        self.there = True
        self.torn: set[object] = set()

    @property
    def ill(self) -> bool:
        return bool(self.until or self.torn or not self.there)

    def answer(self, operation: str, now: float) -> None:
        """Raises what DynamoDB would answer instead."""
        if now < self.until:
            raise Throttled(
                f"AWS refused {operation}: ThrottlingException: Rate exceeded",
                action=f"dynamodb:{operation}",
                code="ThrottlingException",
            )
        if not self.there:
            raise NotFound(
                "there is no DynamoDB table bluegreen in eu-west-1",
                action=f"dynamodb:{operation}",
                code="ResourceNotFoundException",
            )

    def make(self) -> None:
        """As a deploy does before its first write: the table, if there is none."""
        if not self.there:
            self.there = True
            self.records, self.journal, self.torn = {}, {}, set()


class SimRecords:
    """The Records port of one process."""

    def __init__(self, hand: Hand) -> None:
        self.hand = hand
        self.ledger = hand.sim.ledger

    def read(self, stack: str) -> Record | None:
        return self.hand.call("GetItem", stack, self._get, stack)

    def _get(self, stack: str) -> Record | None:
        if self.ledger.ill:
            self.ledger.answer("GetItem", self.hand.sim.account.time)
            if stack in self.ledger.torn:
                raise Unreadable(f"the record of {stack} cannot be read")
        found = self.ledger.records.get(stack)
        if found is not None and self.hand.sim.edited and (why := wrong(found, stack)):
            raise Unreadable(f"the record of {stack} cannot be read", why=why)
        return found

    def write(self, record: Record, epoch: int, op_id: str) -> None:
        try:
            self.hand.call("PutItem", record, self._put, record, epoch, op_id)
        except OutcomeUnknown:
            self._settle(record, epoch, op_id)
        except CloudError as error:
            if error.code != CONDITION_FAILED:
                raise
            self._settle(record, epoch, op_id)

    def _put(self, record: Record, epoch: int, op_id: str) -> None:
        if self.ledger.ill:
            self.ledger.answer("PutItem", self.hand.sim.account.time)
        now = self.ledger.records.get(record.stack)
        if now is None or any(one is not other for one, other in zip(_content(record), _content(now), strict=True)):
            assert (why := wrong(record, record.stack)) == "", (
                f"the controller writes a record that it would refuse: {why}"
            )
        if not (now is None if not epoch else now is not None and (now.epoch, now.op_id) == (epoch, op_id)):
            raise CloudError(f"AWS refused PutItem: {CONDITION_FAILED}", action="PutItem", code=CONDITION_FAILED)
        if now is None or now.epoch < record.epoch:
            self.ledger.taken_at = self.hand.sim.account.time
        self.ledger.records[record.stack] = record
        self.ledger.torn.discard(record.stack)
        goal = record.goal if record.owner else None  # what is left in force when a heal ends is not its own
        self.hand.epoch, self.hand.goal = record.epoch, goal or self.hand.goal

    def _settle(self, record: Record, epoch: int, op_id: str) -> None:
        """As the DynamoDB adapter settles it."""
        now = self.read(record.stack)
        if now is not None and now.op_id == record.op_id:
            return
        if now is not None and (now.epoch, now.op_id) != (epoch, op_id):
            raise Superseded(f"{record.stack} was taken over while this run held it", why=f"Epoch {now.epoch} stands.")
        raise OutcomeUnknown(f"the record of {record.stack} could not be written", action="PutItem")

    def append(self, deployment: str, number: int, event: Event) -> None:
        journal = split_deployment(deployment)
        try:
            self.hand.call("PutItem", event, self._append, journal, number, event)
        except OutcomeUnknown:
            stands = self.hand.call("GetItem", number, lambda: self.ledger.journal.get(journal, {}).get(number))
            if stands is None:
                raise
            if stands != event:
                raise LineTaken(f"line {number} of {deployment} is written already") from None
        except CloudError as error:
            if error.code == CONDITION_FAILED:
                raise LineTaken(f"line {number} of {deployment} is written already") from error
            raise

    def _append(self, journal: tuple[str, int], number: int, event: Event) -> None:
        if self.ledger.ill:
            self.ledger.answer("PutItem", self.hand.sim.account.time)
        lines = self.ledger.journal.setdefault(journal, {})
        if lines.setdefault(number, event) != event:
            raise CloudError(f"AWS refused PutItem: {CONDITION_FAILED}", action="PutItem", code=CONDITION_FAILED)

    def events(self, deployment: str) -> tuple[Event, ...]:
        found = self.journal(deployment)
        if found.unreadable:
            raise Unreadable(f"the journal of {deployment} cannot be read", why=found.unreadable[0])
        return found.events

    def journal(self, deployment: str) -> Journal:
        return self.hand.call("Query", deployment, self._query, deployment)

    def last_epoch(self, stack: str) -> int:
        return self.hand.call("Query", stack, lambda: max((e for s, e in self.ledger.journal if s == stack), default=0))

    def _query(self, deployment: str) -> Journal:
        journal = split_deployment(deployment)
        lines = self.ledger.journal.get(journal, {})
        torn: set[int] = set()
        if self.ledger.ill:
            self.ledger.answer("Query", self.hand.sim.account.time)
            torn = {number for number in lines if (journal, number) in self.ledger.torn}
        events = tuple(lines[number] for number in sorted(lines) if number not in torn)
        unreadable = tuple(f"entry {number} of {deployment} is not JSON" for number in sorted(torn))
        return Journal(deployment, events, unreadable, max(lines, default=-1) + 1)


class SimShelf:
    """Where `recover` puts a record that is no good."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def make(self) -> None:
        self.ledger.make()

    def broken_epoch(self, stack: str) -> int:
        record = self.ledger.records.get(stack)
        return record.epoch if record else 0

    def set_aside(self, stack: str, at: float) -> str:
        self.ledger.torn.discard(stack)
        return f"record#broken#{at:.0f}" if self.ledger.records.pop(stack, None) else ""


def _content(record: Record) -> tuple[object, ...]:
    """What a write that only shows that its run is alive leaves as it is."""
    return (record.live, record.standby, record.doomed, record.bindings, record.goal, record.rolled_back)
