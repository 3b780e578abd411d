"""Fleets, colours and bindings as the record keeps them: all that a rollback needs, and nothing that AWS can tell."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

FULL = 100  # the weight of a group that has all the traffic; standby and new fleets have 0


class Colour(StrEnum):
    BLUE = "blue"
    GREEN = "green"

    @property
    def other(self) -> Colour:
        return Colour.GREEN if self is Colour.BLUE else Colour.BLUE


@dataclass(frozen=True, slots=True)
class Fleet:
    """The instances launched for one deployment. `groups` holds a target group ARN per binding, in their order.

    An adopted fleet (`ours` False) is what was found live at the first deployment: traffic can go back to it, but
    nothing of it is ever deregistered, terminated or deleted. `rollback_unsafe`: its stack file said so; what was live
    before it may not work with what it leaves behind. `once_live`: it was promoted, so it is a way back.
    """

    deployment: str
    colour: Colour
    release: str
    version: str
    count: int
    groups: tuple[str, ...]
    ours: bool = True
    rollback_unsafe: bool = False
    once_live: bool = False

    @property
    def label(self) -> str:
        """How messages name it: "blue shop-7 (1.4.2)"."""
        return label_of(self.colour, self.deployment, self.version)


def label_of(colour: Colour, deployment: str, version: str) -> str:
    return f"{colour} {deployment} ({version})" if version else f"{colour} {deployment}"


@dataclass(frozen=True, slots=True)
class Moved:
    """A rollback without the ledger, as the tags of the fleet that got the traffic tell it: when, from which deployment, and
    by whom. `number` is the live-since that it wrote: once that tag says something else, this is past."""

    number: int
    at: float
    left: str
    by: str


@dataclass(frozen=True, slots=True)
class OwnedGroup:
    """A target group as its tags tell: what is known of a fleet when the ledger is not. `binding` and `live_since` are
    "" and 0 when there is no such tag, `deployment` is "" when that tag is not an id of this stack. `unread` has a sentence
    for each tag that cannot be read; it counts as missing."""

    arn: str
    deployment: str
    colour: Colour
    release: str
    version: str
    binding: str = ""
    live_since: int = 0
    rollback_unsafe: bool = False
    moved: Moved | None = None
    unread: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return label_of(self.colour, self.deployment, self.version)


@dataclass(frozen=True, slots=True)
class BindingRef:
    """Where the weights stand. `arn` is the rule's, or the listener's when `default` (its default action). `port` is the
    listener's; `host` and `path` are the rule's conditions. With them it is found again when somebody made it anew; 0 and ""
    when an older bluegreen wrote it."""

    load_balancer: str
    listener: str
    arn: str
    default: bool
    name: str  # for messages: "shop-alb:443 host shop.example.com"
    port: int = 0
    host: str = ""
    path: str = ""


Weights = tuple[tuple[str, int], ...]  # (target group ARN, weight), sorted by ARN


def weights_of(pairs: dict[str, int]) -> Weights:
    return tuple(sorted(pairs.items()))


def group_name(stack: str, colour: Colour, epoch: int, binding: int) -> str:
    """At most 32 letters, digits and hyphens (CreateTargetGroup, Name); unique by stack, epoch and binding."""
    tail = f"-{colour}-{epoch}" + (f"-{binding}" if binding else "")
    room = 32 - len(tail)
    if len(stack) > room:
        digest = hashlib.sha256(stack.encode()).hexdigest()[:5]
        stack = f"{stack[: room - 6].rstrip('-')}-{digest}"
    return stack + tail


def is_older(deployment: str, other: str) -> bool:
    """By their epochs. What is no deployment id is older than nothing, and nothing is older than it."""
    try:
        return split_deployment(deployment)[1] < split_deployment(other)[1]
    except ValueError:
        return False


def deployment_id(stack: str, epoch: int) -> str:
    return f"{stack}-{epoch}"


def split_deployment(deployment: str) -> tuple[str, int]:
    """("shop", 7) of "shop-7". Raises ValueError when it is no deployment id."""
    stack, _, number = deployment.rpartition("-")
    if not stack or not number.isdigit():
        raise ValueError(f"{deployment} is not a deployment id: it looks like shop-7")
    return stack, int(number)
