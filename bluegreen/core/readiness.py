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


def to_command(stack: str, live: Fleet, target: Fleet) -> str:
    """The command that sends the traffic of `live` to the fleet named."""
    unsafe = live.rollback_unsafe and is_older(target.deployment, live.deployment)
    return f"bluegreen rollback {stack} --{'unsafe-' if unsafe else ''}to {target.deployment}"


def way_on(stack: str, live: Fleet, standby: Fleet, mark: RolledBack | None, healthy: Callable[[Fleet], int]) -> str:
    """The command that sends the traffic of `live` to `standby`, or that makes the standby able to take it."""
    if not ready(healthy(standby), healthy(live), standby.count):
        return f"bluegreen heal {stack}"
    named = no_plain_rollback(live, standby, mark, healthy)
    return to_command(stack, live, standby) if named else f"bluegreen rollback {stack}"


def stop_command(stack: str, new: Fleet, old: Fleet | None, serving: int, back: int) -> str:
    """The command that stops the deployment of `new`, which has the traffic and `serving` healthy instances, in favour of
    `old` with `back` healthy ones; "" when it would be refused."""
    if not may_return(back, serving):
        return ""
    if old is not None and new.rollback_unsafe:
        return f"bluegreen rollback {stack} --unsafe-to {old.deployment}"
    return f"bluegreen rollback {stack}"
