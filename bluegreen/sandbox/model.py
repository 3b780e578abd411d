"""What the parts of the sandbox say to each other: plain values and three small protocols.

engine (moto + behaviour) ──Routes──▶ balancer, health checker      engine ──Hosts──▶ the instances' machines
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

TargetState = Literal["initial", "healthy", "unhealthy", "unused", "draining", "unavailable"]


@dataclass(frozen=True, slots=True)
class Target:
    """One registered target: `address` is where it really answers on this machine, None while it has none. `checked` is
    where the health checks go, if the group has a port of its own for them."""

    id: str
    port: int
    state: TargetState
    address: tuple[str, int] | None
    checked: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """A target group as the health checker needs it; `in_use` is whether a rule or default action names it."""

    arn: str
    path: str
    interval_s: float
    timeout_s: float
    healthy: int
    unhealthy: int
    matcher: str  # "200" or "200-299,301"
    in_use: bool
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Forward:
    """Weighted forward: (target group ARN, weight 0..999)."""

    weights: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class FixedResponse:
    status: int
    content_type: str = "text/plain"
    body: str = ""


@dataclass(frozen=True, slots=True)
class ListenerRule:
    """`conditions` are all to hold: (field, name, accepted values) with field host-header, path-pattern or http-header.
    The default action is the rule without conditions, last."""

    arn: str
    conditions: tuple[tuple[str, str, tuple[str, ...]], ...]
    action: Forward | FixedResponse


@dataclass(frozen=True, slots=True)
class Listener:
    """`rules` stand in the order in which ALB tries them: by priority, the default last."""

    arn: str
    load_balancer: str
    port: int
    rules: tuple[ListenerRule, ...]


class Routes(Protocol):
    """The data plane's view of the engine. Safe to call from any thread; each answer is one consistent picture."""

    def listeners(self) -> tuple[Listener, ...]: ...

    def groups(self) -> tuple[Group, ...]: ...

    def report_check(self, group_arn: str, target_id: str, port: int, passed: bool, reason: str) -> None:
        """The outcome of one HTTP check: `reason` as ELB words it ("Target.Timeout", "Target.ResponseCodeMismatch")."""


@dataclass(frozen=True, slots=True)
class Boot:
    """An instance that has just become running: user data as given to RunInstances (decoded from base64). `address` is
    its private one; `role` is empty without an instance profile."""

    instance_id: str
    region: str
    user_data: bytes
    tags: tuple[tuple[str, str], ...]
    account: str = ""
    image_id: str = ""
    instance_type: str = ""
    zone: str = ""
    address: str = ""
    role: str = ""
    tags_in_metadata: bool = False


class Hosts(Protocol):
    """The machines behind the instances. No call blocks for longer than a few milliseconds; slow work goes on behind."""

    def start(self, boot: Boot) -> None: ...

    def stop(self, instance_id: str) -> None:
        """Its disk stays, for the next start."""

    def end(self, instance_id: str) -> None:
        """Nothing of it stays but the console."""

    def console(self, instance_id: str) -> str: ...

    def address(self, instance_id: str, port: int) -> tuple[str, int]:
        """Where on this machine the instance's port answers (or will): on Linux its own 127.x.y.z and the same port."""
