"""Ports with a temper: a ledger that is asked again while it throttles, and a load balancer on which no traffic may move."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from bluegreen.core.event import Event
from bluegreen.core.fleet import BindingRef, OwnedGroup
from bluegreen.core.observation import Binding, Group
from bluegreen.core.record import Record
from bluegreen.core.stack import Traffic as TrafficSpec
from bluegreen.core.step import PutBack, SetWeights, TrafficStep
from bluegreen.errors import CloudError, OutcomeUnknown, Refused, Throttled, Unreachable
from bluegreen.ports import Clock, Journal, Place, Records, Traffic

PAUSE_S = 0.25
Answer = TypeVar("Answer")


class PatientRecords:
    """The Records port; a call that is throttled or gets no connection is made again until `patience_s` after the start."""

    def __init__(self, records: Records, clock: Clock, patience_s: float) -> None:
        self.inner = records
        self.clock = clock
        self.until = clock.ticks() + patience_s

    def read(self, stack: str) -> Record | None:
        return self._ask(lambda: self.inner.read(stack), OutcomeUnknown)

    def write(self, record: Record, epoch: int, op_id: str) -> None:
        self._ask(lambda: self.inner.write(record, epoch, op_id))

    def append(self, deployment: str, number: int, event: Event) -> None:
        self._ask(lambda: self.inner.append(deployment, number, event))

    def events(self, deployment: str) -> tuple[Event, ...]:
        return self._ask(lambda: self.inner.events(deployment), OutcomeUnknown)

    def journal(self, deployment: str) -> Journal:
        return self._ask(lambda: self.inner.journal(deployment), OutcomeUnknown)

    def last_epoch(self, stack: str) -> int:
        return self._ask(lambda: self.inner.last_epoch(stack), OutcomeUnknown)

    def _ask(self, call: Callable[[], Answer], *more: type[CloudError]) -> Answer:
        while True:
            try:
                return call()
            except CloudError as error:
                if not isinstance(error, (Throttled, Unreachable, *more)) or self.clock.ticks() >= self.until:
                    raise
                self.clock.sleep(PAUSE_S)


class StillTraffic:
    """The Traffic port, for writing down what is so already: it refuses a write after which other groups than `groups` would
    have weight."""

    def __init__(self, traffic: Traffic, groups: Collection[str]) -> None:
        self.inner = traffic
        self.may_serve = frozenset(groups)

    def find(self, spec: TrafficSpec) -> Place:
        return self.inner.find(spec)

    def find_again(self, ref: BindingRef, groups: Sequence[str]) -> BindingRef | None:
        return self.inner.find_again(ref, groups)

    def bindings(self, refs: Sequence[BindingRef]) -> tuple[Binding, ...]:
        return self.inner.bindings(refs)

    def groups(self, arns: Sequence[str]) -> dict[str, Group | None]:
        return self.inner.groups(arns)

    def owned(self, stack: str) -> tuple[OwnedGroup, ...]:
        return self.inner.owned(stack)

    def stacks(self) -> tuple[str, ...]:
        return self.inner.stacks()

    def perform(self, step: TrafficStep) -> str:
        moves = isinstance(step, PutBack)
        if isinstance(step, SetWeights):
            (now,) = self.inner.bindings((step.binding,))
            weighted = {arn for arn, weight in step.weights if weight}
            moves = not weighted <= self.may_serve or weighted != {a for a, weight in now.by_group.items() if weight}
        if moves:
            raise Refused(
                "somebody has moved the traffic since: the record is not written over it",
                where=step.why,
                next="bluegreen status",
            )
        return self.inner.perform(step)
