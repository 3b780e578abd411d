"""The pure movers of weights. Each answers the whole action: weights are absolute and nothing is left to be merged."""

from __future__ import annotations

from collections.abc import Iterable

from bluegreen.core.fleet import FULL, Weights, weights_of
from bluegreen.core.observation import Binding

MAX_GROUPS = 5  # per action: ALB quotas


def all_to(binding: Binding, group: str, also: Iterable[str] = ()) -> Weights:
    """Everything to `group`; every other group that is attached now, and those of `also`, at 0."""
    return weights_of({**dict.fromkeys(binding.by_group, 0), **dict.fromkeys(also, 0), group: FULL})


def attach(binding: Binding, *groups: str) -> Weights:
    """The groups join the action, at weight 0 if they are new to it; nothing else moves."""
    return weights_of({**dict.fromkeys(groups, 0), **binding.by_group})


def without(binding: Binding, groups: Iterable[str]) -> Weights:
    """`groups` leave the action; nothing else moves."""
    leaving = set(groups)
    return weights_of({arn: weight for arn, weight in binding.by_group.items() if arn not in leaving})


def live_group(weights: Weights) -> str | None:
    """The one group that has all the weight, or None when none has or several share."""
    weighted = [arn for arn, weight in weights if weight]
    return weighted[0] if len(weighted) == 1 else None


def words(weights: Weights | None, names: dict[str, str]) -> str:
    """For messages: "blue shop-7 100, green shop-5 0"; `names` are the known groups' labels."""
    if weights is None:
        return "no forward action"
    return ", ".join(f"{names.get(arn, arn.rpartition(':')[2])} {weight}" for arn, weight in weights) or "no groups"
