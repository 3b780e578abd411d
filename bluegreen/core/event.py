"""What happened, as the journal keeps it. Every event has `at`, seconds since 1970 UTC.

Written before it is acted on: Started, Launching, Shifting, Draining, Failed. Any other line that is lost costs at most one
repeated call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bluegreen.core.fleet import Weights
from bluegreen.core.goal import Goal
from bluegreen.core.plain import from_plain, to_plain
from bluegreen.core.record import Owner


@dataclass(frozen=True, slots=True)
class Started:
    at: float
    epoch: int
    owner: Owner
    goal: Goal
    user_data: str = ""  # base64, as rendered: a resumed deployment launches with the same bytes


@dataclass(frozen=True, slots=True)
class Resumed:
    at: float
    epoch: int
    owner: Owner


@dataclass(frozen=True, slots=True)
class GroupMade:
    at: float
    binding: int
    arn: str


@dataclass(frozen=True, slots=True)
class Launching:
    at: float
    subnet: str
    batch: int
    attempt: int
    instance_type: str
    token: str


@dataclass(frozen=True, slots=True)
class Launched:
    at: float
    token: str
    instances: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LaunchRefused:
    """`capacity`: another instance type may do; otherwise the deployment ends here, but for a token that is used up."""

    at: float
    token: str
    code: str
    message: str
    capacity: bool


@dataclass(frozen=True, slots=True)
class Registered:
    at: float
    group: str
    instances: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Healthy:
    """All targets of the new fleet are healthy: the end of the boot phase."""

    at: float


@dataclass(frozen=True, slots=True)
class Flapped:
    """Targets of the new fleet had been healthy and are not any more, before the switch."""

    at: float
    instances: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Detached:
    """Somebody else took the new fleet's group out of the action, before the switch."""

    at: float
    binding: str


@dataclass(frozen=True, slots=True)
class Shifting:
    at: float
    binding: str
    weights: Weights


@dataclass(frozen=True, slots=True)
class Shifted:
    at: float
    binding: str
    weights: Weights


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A call had no answer: it may take effect a while later. `of` is the binding's ARN, the token of a launch or the name
    of a target group."""

    at: float
    of: str


@dataclass(frozen=True, slots=True)
class Failed:
    """Written before the undo begins: from here on the deployment only goes back."""

    at: float
    reason: str
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was learnt of an instance of a failed fleet before it is ended. `cause` is one line, `told` when the instance
    said it itself; `console` and `agent` are cut, and `missing` says what could not be had."""

    at: float
    instance: str
    cause: str
    told: bool = False
    ec2: str = ""
    health: str = ""
    console: str = ""
    agent: str = ""
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Booted:
    """The boot of one instance, as its console told it: (phase, began, seconds), in seconds since its machine started.
    `missing` says why there are no phases."""

    at: float
    instance: str
    phases: tuple[tuple[str, float, float], ...] = ()
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Draining:
    """Written before the targets of a fleet are deregistered: the drain's deadline counts from here."""

    at: float
    deployment: str


@dataclass(frozen=True, slots=True)
class Marked:
    """The tags of the fleet that becomes live tell so; `error` says why they do not."""

    at: float
    deployment: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Promoted:
    at: float


@dataclass(frozen=True, slots=True)
class Retired:
    at: float
    deployment: str


@dataclass(frozen=True, slots=True)
class Interrupted:
    at: float


@dataclass(frozen=True, slots=True)
class Finished:
    at: float
    result: str
    sentence: str


Event = (
    Started
    | Resumed
    | GroupMade
    | Launching
    | Launched
    | LaunchRefused
    | Registered
    | Healthy
    | Flapped
    | Detached
    | Shifting
    | Shifted
    | Unanswered
    | Failed
    | Evidence
    | Booted
    | Draining
    | Marked
    | Promoted
    | Retired
    | Interrupted
    | Finished
)

KINDS: dict[str, type] = {kind.__name__: kind for kind in Event.__args__}


def event_to_plain(event: Event) -> dict[str, Any]:
    return {"kind": type(event).__name__, **to_plain(event)}


def event_from_plain(data: dict[str, Any]) -> Event | None:
    """None for a kind that this version does not know."""
    kind = KINDS.get(data.get("kind", ""))
    return from_plain(kind, data) if kind else None
