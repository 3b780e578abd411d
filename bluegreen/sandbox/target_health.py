"""The health of one target, as ELB counts it. Pure: what a check does to a registration, and what ELB says of one.

A new target needs one passed check to be healthy; one that was unhealthy needs HealthyThreshold in a row. Either
becomes unhealthy after UnhealthyThreshold failures in a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bluegreen.sandbox.model import TargetState

WORDS = {
    "Elb.InitialHealthChecking": "Initial health checks in progress",
    "Target.NotInUse": "Target group is not configured to receive traffic from the load balancer",
    "Target.NotRegistered": "Target is not registered to the target group",
    "Target.DeregistrationInProgress": "Target deregistration is in progress",
    "Target.FailedHealthChecks": "Health checks failed",
    "Target.Timeout": "Request timed out",
}


@dataclass(slots=True)
class Registration:
    """`leaves_at`: when a draining target is gone, None while it stays. `next_probe`: see targets.Probe."""

    target_id: str
    port: int
    health: Literal["initial", "healthy", "unhealthy"] = "initial"
    passes: int = 0
    failures: int = 0
    reason: str = ""
    leaves_at: float | None = None
    next_probe: float | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What ELB says of a target. `reason` and `words` are empty for a healthy one."""

    state: TargetState
    reason: str = ""
    words: str = ""


def count(target: Registration, passed: bool, reason: str, healthy: int, unhealthy: int) -> None:
    """One check. `healthy` and `unhealthy` are the group's thresholds."""
    target.passes = target.passes + 1 if passed else 0
    target.failures = 0 if passed else target.failures + 1
    if passed and (target.health == "initial" or target.passes >= healthy):
        target.health = "healthy"
    elif not passed:
        target.reason = reason
        if target.failures >= unhealthy:
            target.health = "unhealthy"


def start_over(target: Registration) -> None:
    """As if it had just been registered: its group came into use, or out of it, or it came back."""
    target.health, target.passes, target.failures, target.reason = "initial", 0, 0, ""
    target.leaves_at = target.next_probe = None


def said(target: Registration, *, in_use: bool, instance_state: str | None) -> Said:
    """`instance_state` is None for a target that is no instance."""
    if target.leaves_at is not None:
        return _because("draining", "Target.DeregistrationInProgress")
    if instance_state in ("stopping", "stopped"):
        return Said("unused", "Target.InvalidState", "Target is in the stopped state")
    if not in_use:
        return _because("unused", "Target.NotInUse")
    if target.health == "healthy":
        return Said("healthy")
    if target.health == "initial":
        return _because("initial", "Elb.InitialHealthChecking")
    code, _, words = (target.reason or "Target.FailedHealthChecks").partition(":")
    return Said("unhealthy", code, words.strip() or WORDS.get(code, WORDS["Target.FailedHealthChecks"]))


def not_registered() -> Said:
    return _because("unused", "Target.NotRegistered")


def _because(state: TargetState, code: str) -> Said:
    return Said(state, code, WORDS[code])
