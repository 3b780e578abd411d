"""What was seen, and when. Buckets and counts are methods here, so that `decide` reads like its table of rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Literal, NamedTuple

from bluegreen.core.fleet import BindingRef, Weights
from bluegreen.core.record import Record

Part = Literal["record", "traffic", "health", "instances"]
ALL_PARTS: frozenset[Part] = frozenset({"record", "traffic", "health", "instances"})

GONE_STATES = frozenset({"shutting-down", "terminated"})


@dataclass(frozen=True, slots=True)
class Target:
    """A registered target: `state` and `reason` in ELB's words (DescribeTargetHealth)."""

    id: str
    state: str
    reason: str = ""


@dataclass(frozen=True)
class Group:
    """A target group and its targets; `stack` is the value of its bluegreen:stack tag, "" when it is not ours."""

    arn: str
    targets: tuple[Target, ...]

    @cached_property
    def healthy(self) -> int:
        return self.count("healthy")

    def count(self, *states: str) -> int:
        return sum(target.state in states for target in self.targets)

    @cached_property
    def ids(self) -> frozenset[str]:
        """Instances that are registered and not on their way out."""
        return frozenset(target.id for target in self.targets if target.state != "draining")


@dataclass(frozen=True)
class Binding:
    """`weights` is None when the action does not forward; `action` is the raw action as JSON; `exists` False when the
    rule or listener is gone; `beside` says what stands beside the weights and would be lost when they are written."""

    ref: BindingRef
    weights: Weights | None
    action: str
    exists: bool = True
    beside: str = ""

    @cached_property
    def by_group(self) -> dict[str, int]:
        return dict(self.weights or ())


@dataclass(frozen=True, slots=True)
class Instance:
    """`state` and `reason` in EC2's words; `deployment` is the tag that says whose it is, and `heal` the one of the heal that
    launched it, "" when its deployment did; `address` in its VPC."""

    id: str
    deployment: str
    subnet: str
    state: str
    reason: str = ""
    heal: str = ""
    address: str = ""

    @property
    def gone(self) -> bool:
        return self.state in GONE_STATES


def fewest_healthy(groups: Mapping[str, Group | None], arns: Iterable[str]) -> int:
    """Of the group that has the fewest: a fleet is as healthy as its worst binding. A group that is gone has none."""
    return min((group.healthy if (group := groups.get(arn)) else 0 for arn in arns), default=0)


class Observation(NamedTuple):
    """One look at the world. `epoch` is the one that this controller holds; `record.epoch` the one that stands. A tuple,
    for there is a new one at every turn, and `_replace` keeps what was not looked at."""

    at: float
    epoch: int
    record: Record
    bindings: tuple[Binding, ...] = ()
    groups: Mapping[str, Group | None] = MappingProxyType({})  # None: looked for, and not there
    instances: tuple[Instance, ...] = ()
    consoles: Mapping[str, str] = MappingProxyType({})  # of those that were asked, as they were then
    consoles_at: float = 0.0

    def of(self, deployment: str) -> tuple[Instance, ...]:
        """Instances of a deployment that are not gone."""
        return tuple(i for i in self.instances if i.deployment == deployment and not i.gone)

    def group(self, arn: str) -> Group:
        """The group as seen; an unknown or vanished one has no targets."""
        return self.groups.get(arn) or Group(arn, ())

    def attached(self, arn: str) -> bool:
        return any(arn in binding.by_group for binding in self.bindings)

    def weight(self, arn: str) -> int:
        return max((binding.by_group.get(arn, 0) for binding in self.bindings), default=0)

    @property
    def capacity(self) -> int:
        """Healthy targets that receive traffic, on the binding that has fewest."""
        weighted = ([arn for arn, weight in binding.by_group.items() if weight] for binding in self.bindings)
        return min((sum(self.group(arn).healthy for arn in arns) for arns in weighted), default=0)

    def healthy(self, groups: tuple[str, ...]) -> int:
        return fewest_healthy(self.groups, groups)
