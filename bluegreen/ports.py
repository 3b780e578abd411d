"""The seams to the world: what the controller needs of AWS, the clock and the person who watches. Read beside write.

Adapters raise `errors.CloudError` and its kinds; nothing else of theirs gets through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bluegreen.core.decision import Wait
from bluegreen.core.event import Event
from bluegreen.core.fleet import BindingRef, OwnedGroup
from bluegreen.core.goal import LaunchSpec
from bluegreen.core.image_ref import PinnedImage
from bluegreen.core.observation import Binding, Group, Instance
from bluegreen.core.record import Record
from bluegreen.core.stack import Traffic as TrafficSpec
from bluegreen.core.step import Launch, Step, Terminate, TrafficStep


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since 1970 UTC."""

    def ticks(self) -> float:
        """Seconds that only grow, a sleeping machine's included: ages are measured with these."""

    def sleep(self, seconds: float) -> None:
        """Sleep, or raise `errors.Interrupted` as soon as the user asked to stop; checks that with 0 seconds too."""


class Fleets(Protocol):
    """EC2."""

    def look(self, stack: str) -> tuple[Instance, ...]:
        """All instances with the stack's tag, the recently terminated ones included."""

    def launch(self, step: Launch, spec: LaunchSpec, user_data: bytes) -> tuple[str, ...]:
        """The ids launched. The same token gives the same ids. Raises NoCapacity when another type may do."""

    def terminate(self, step: Terminate) -> None: ...

    def console(self, instance: str) -> str:
        """What the instance wrote to its console, or ""."""


@dataclass(frozen=True, slots=True)
class Here:
    """Where a command works. The account is not in it: a rollback does not wait for STS, and every ARN names it."""

    region: str = ""
    endpoint: str = ""  # "" is AWS itself
    table: str = ""


@dataclass(frozen=True, slots=True)
class Journal:
    """What stands in the ledger of one deployment: `events` in order, a sentence for each entry that cannot be read, and the
    number of the next entry."""

    deployment: str
    events: tuple[Event, ...] = ()
    unreadable: tuple[str, ...] = ()
    next_number: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """A binding as it was found: where it is, what it does now, the VPC of its load balancer, and the stacks whose tag
    its target groups carry."""

    binding: Binding
    vpc: str
    stacks: frozenset[str] = frozenset()


class Traffic(Protocol):
    """The load balancer."""

    def find(self, spec: TrafficSpec) -> Place:
        """The binding that the stack file means. Raises Refused when there is none, or when it cannot be used."""

    def find_again(self, ref: BindingRef, groups: Sequence[str]) -> BindingRef | None:
        """Where a rule or listener is now that is gone from where it was: the one on the same load balancer and port with
        exactly its conditions, and nobody else's. For a reference of an older bluegreen, which has no port: the one that
        forwards to one of `groups`. None when there is none; raises NotFound when the load balancer is gone too."""

    def bindings(self, refs: Sequence[BindingRef]) -> tuple[Binding, ...]: ...

    def groups(self, arns: Sequence[str]) -> dict[str, Group | None]: ...

    def owned(self, stack: str) -> tuple[OwnedGroup, ...]:
        """Every target group that carries the stack's tag."""

    def stacks(self) -> tuple[str, ...]:
        """The stacks that any target group of this region carries the tag of."""

    def perform(self, step: TrafficStep) -> str:
        """Do it; the answer is the ARN of the group that a MakeGroup made or found, else ""."""


class Records(Protocol):
    """The ledger: one record a stack, and its journal."""

    def read(self, stack: str) -> Record | None: ...

    def write(self, record: Record, epoch: int, op_id: str) -> None:
        """Put the record if what stands still has this epoch and op id (0, "": if there is none). Raises Superseded
        when not, and OutcomeUnknown when it may have been written and cannot be read back."""

    def append(self, deployment: str, number: int, event: Event) -> None:
        """Line `number`, from 0. The same line twice is one; raises LineTaken when another stands there."""

    def events(self, deployment: str) -> tuple[Event, ...]:
        """Raises Unreadable when one of them cannot be read."""

    def journal(self, deployment: str) -> Journal:
        """The same, with what cannot be read named and left out."""

    def last_epoch(self, stack: str) -> int:
        """The highest epoch that has a journal, or 0. Needs no readable entry."""


class Agents(Protocol):
    """The agents on the hosts (cloudinit/agent.py)."""

    def status(self, address: str) -> str:
        """The /status of the agent at this address, JSON as it came. Raises Unreachable when nothing of the VPC can be
        reached from here, as it is outside of it, and CloudError when the agent does not answer."""


class Images(Protocol):
    def digest(self, reference: str, architecture: str) -> PinnedImage: ...


class Watcher(Protocol):
    """Whoever shows the run to a person. Must not raise."""

    def step(self, step: Step) -> None: ...

    def wait(self, wait: Wait) -> None: ...

    def event(self, event: Event) -> None: ...

    def note(self, text: str) -> None: ...
