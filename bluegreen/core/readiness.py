"""The one judgement whether a fleet could take the traffic. Rollback, status, promotion and the way back without the ledger
all ask here, so that none promises what another refuses."""

from __future__ import annotations


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
