"""The one judgement whether a fleet could take the traffic. Rollback, status, promotion and the way back without the ledger
all ask here, so that none promises what another refuses."""

from __future__ import annotations

from collections.abc import Callable

from bluegreen.core.fleet import Fleet, is_older
from bluegreen.core.goal import RolledBack


def required(serving: int, size: int) -> int:
    """How many healthy instances a fleet of `size` needs to take the traffic over from one that has `serving` healthy ones:
    as many, or all of its own; one at least. An adopted fleet's size is not known (0): one is enough."""
    return max(1, min(serving, size or 1))


def ready(healthy: int, serving: int, size: int) -> bool:
    """Whether a fleet of `size` with so many `healthy` may take the traffic from one with `serving` healthy."""
    return healthy >= required(serving, size)


def may_return(healthy: int, serving: int) -> bool:
    """Whether the fleet from before a deployment may have its traffic back while that deployment is stopped: one healthy
    instance is enough, and none is when nothing serves now either."""
    return healthy >= min(serving, 1)


def no_plain_rollback(
    live: Fleet | None, standby: Fleet | None, mark: RolledBack | None, healthy: Callable[[Fleet], int]
) -> str:
    """Why `rollback STACK` would not send traffic to the standby, as a clause for messages; "" when it would. `healthy` says
    how many instances of a fleet are healthy in each of its groups."""
    if live is None or standby is None:
        return "there is no standby fleet"
    if is_older(live.deployment, standby.deployment):
        return f"{standby.label} was rolled back already, and {live.label} serves"
    if live.rollback_unsafe and is_older(standby.deployment, live.deployment):
        return f"{live.label} is declared `rollback: unsafe`"
    if mark is not None and mark.release == standby.release:
        return f"{standby.label} was rolled back before"
    if not ready(healthy(standby), healthy(live), standby.count):
        return f"{healthy(standby)} of {standby.count or '?'} instances of {standby.label} are healthy"
    return ""


def way_on(stack: str, live: Fleet, standby: Fleet, mark: RolledBack | None, healthy: Callable[[Fleet], int]) -> str:
    """The command that sends the traffic of `live` to `standby`, or that makes the standby able to take it."""
    if not ready(healthy(standby), healthy(live), standby.count):
        return f"bluegreen heal {stack}"
    reason = no_plain_rollback(live, standby, mark, healthy)
    if live.rollback_unsafe and is_older(standby.deployment, live.deployment):
        return f"bluegreen rollback {stack} --unsafe-to {standby.deployment}"
    return f"bluegreen rollback {stack}" + (f" --to {standby.deployment}" if reason else "")
