"""Steps: what is to be done, as values. Arguments are absolute, so doing a step twice is doing it once.

Each carries `why`, the words for the person who watches. Nothing here knows how a step is performed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from bluegreen.core.fleet import BindingRef, Fleet, Weights
from bluegreen.core.goal import GroupSpec
from bluegreen.core.record import Record

MAX_BATCH = 100  # "five requests of 100, not one of 500": EC2 RunInstances, API text


@dataclass(frozen=True, slots=True)
class MakeGroup:
    spec: GroupSpec
    binding: int
    tags: tuple[tuple[str, str], ...]
    why: str


@dataclass(frozen=True, slots=True)
class SetWeights:
    """The whole action: a group that is not in `weights` leaves it. `shift` marks a step that moves traffic, and
    `minimum` how many healthy targets must be behind weight after it; None: as many as before."""

    binding: BindingRef
    weights: Weights
    why: str
    shift: bool = False
    minimum: int | None = None


@dataclass(frozen=True, slots=True)
class PutBack:
    """The action as it was before the first deployment, when that did not forward."""

    binding: BindingRef
    action: str
    why: str


@dataclass(frozen=True, slots=True)
class Launch:
    """One RunInstances call; `token` is its ClientToken, `attempt` counts tries that AWS refused."""

    subnet: str
    batch: int
    attempt: int
    instance_type: str
    count: int
    token: str
    tags: tuple[tuple[str, str], ...]
    why: str


@dataclass(frozen=True, slots=True)
class Register:
    group: str
    port: int
    instances: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Deregister:
    group: str
    instances: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Terminate:
    deployment: str
    instances: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class DeleteGroup:
    group: str
    why: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Tags that tell, without the ledger, which fleet became live when."""

    deployment: str
    groups: tuple[str, ...]
    tags: tuple[tuple[str, str], ...]
    why: str


@dataclass(frozen=True, slots=True)
class Write:
    """The record as it shall stand, under the epoch that this controller holds. `promote` marks the point of no return."""

    record: Record
    why: str
    promote: Fleet | None = None


Step = MakeGroup | SetWeights | PutBack | Launch | Register | Deregister | Terminate | DeleteGroup | Mark | Write
TrafficStep = MakeGroup | SetWeights | PutBack | Register | Deregister | DeleteGroup | Mark
FleetStep = Launch | Terminate


def client_token(stack: str, deployment: str, subnet: str, instance_type: str, batch: int, attempt: int) -> str:
    """At most 64 ASCII characters (RunInstances, ClientToken). The subnet is in it: idempotency is per zone."""
    scope = "/".join((stack, deployment, subnet, instance_type, str(batch), str(attempt)))
    return "bluegreen-" + hashlib.sha256(scope.encode()).hexdigest()[:40]
