"""The way back without the ledger, by the tags and the load balancer alone. Pure.

A fleet that never became live is no way back, however healthy it is. A second plain rollback changes nothing: whatever is newer
than the fleet that serves was rolled back, or has not had the traffic yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bluegreen.core.fleet import BindingRef, Moved, Weights, is_older
from bluegreen.core.observation import Binding
from bluegreen.core.readiness import ready, required
from bluegreen.core.step import Mark, SetWeights
from bluegreen.core.tagged import Picture, Tagged
from bluegreen.core.tags import moved_tags
from bluegreen.core.traffic import all_to


@dataclass(frozen=True, slots=True)
class WayBack:
    """`target` is the fleet to go to; `wanted` are the weights of each binding; `left` is the deployment that is left."""

    target: Tagged
    wanted: tuple[tuple[BindingRef, Weights], ...]
    left: str
    number: int

    def steps(self, bindings: Sequence[Binding]) -> tuple[SetWeights, ...]:
        """What is still to be written, given the bindings as they are now."""
        now = {binding.ref.arn: binding.weights for binding in bindings}
        return tuple(
            SetWeights(ref, weights, f"{ref.name} back to {self.target.label}", shift=True, minimum=1)
            for ref, weights in self.wanted
            if now.get(ref.arn) != weights
        )

    def mark(self, at: float, by: str) -> Mark:
        """The tags that tell everybody what was done."""
        tags = moved_tags(Moved(self.number, at, self.left, by))
        groups = tuple(sorted(self.target.groups))
        return Mark(self.target.deployment, groups, tags, f"tag {self.target.label} as live, by a rollback")


@dataclass(frozen=True, slots=True)
class Already:
    """Nothing is to be moved: `target` has all the traffic. `why` says so; `further` is the fleet that a person may mean
    instead. `untold`: the tags do not tell yet that the traffic was moved to it."""

    target: Tagged
    why: str
    further: str = ""
    untold: WayBack | None = None


@dataclass(frozen=True, slots=True)
class NoWay:
    """Why there is none, and which option may help."""

    why: str
    next: str = ""


def way_back(seen: Picture, to: str = "", *, unsafe: bool = False) -> WayBack | Already | NoWay:
    """To `to`, or to the fleet that was live before the newest one; from one that declares it unsafe only if that is wanted."""
    if trouble := _unusable(seen, to):
        return trouble
    sole = seen.sole
    if sole and (to == sole.deployment or (not to and sole.live_since and seen.newer(sole))):
        return _already(seen, sole, to)
    left = seen.serving[-1] if seen.serving else None
    target = _named(seen, to) if to else _last_live(seen.older(left) if left else seen.fleets)
    if target is None or not target.attached:
        known = ", ".join(fleet.label for fleet in seen.fleets) or "none"
        missing = f"{to} is not attached" if to else "no fleet is attached that was live before"
        return NoWay(f"{missing}; attached: {known}")
    declared = [f for f in seen.serving if f.rollback_unsafe and is_older(target.deployment, f.deployment)]
    if declared and not unsafe:
        what = f"{declared[0].label} is marked `rollback: unsafe`"
        return NoWay(
            f"{what}, and {target.label} may not work with what it leaves behind", f"--unsafe-to {target.deployment}"
        )
    now = max((fleet.healthy for fleet in seen.serving if fleet != target), default=0)
    if not target.weight and not ready(target.healthy, now, target.size):
        need = required(now, target.size)
        return NoWay(
            f"{target.label} has {target.healthy} healthy of {target.size}, and {need} would be needed: "
            f"{now} are healthy on what serves now"
        )
    return _way(seen, target, left.deployment if left and left != target else "")


def _unusable(seen: Picture, to: str) -> NoWay | None:
    if not seen.bindings:
        return NoWay(
            f"none of the rules and listeners that the tags name exists: {', '.join(seen.gone)}"
            if seen.gone
            else "the tags name no rule or listener"
        )
    if seen.gone:
        return NoWay(f"{', '.join(seen.gone)} does not exist any more")
    if seen.strangers and not to:
        live = _last_live(seen.fleets)
        names = ", ".join(arn.rpartition("targetgroup/")[2].partition("/")[0] for arn in seen.strangers)
        return NoWay(
            f"the traffic goes to {names}, and its tags name no fleet of this stack",
            f"--to {live.deployment}" if live else "",
        )
    return None


def _already(seen: Picture, sole: Tagged, to: str) -> Already:
    newer = seen.newer(sole)
    left = _last_live(newer)
    if left is None:
        if newer and not to:
            further = _last_live(seen.older(sole))
            why = f"{newer[-1].label} has no traffic and never was live; without the ledger it cannot be stopped"
            return Already(sole, why, further.deployment if further else "")
        return Already(sole, "it has the traffic already")
    said = f", by {sole.moved.by}" if sole.moved else ""
    untold = _way(seen, sole, left.deployment) if left.live_since > sole.live_since else None
    return Already(sole, f"it was rolled back from {left.label} before{said}", left.deployment, untold)


def _way(seen: Picture, target: Tagged, left: str) -> WayBack:
    wanted = tuple((b.ref, all_to(b, arn)) for b, arn in zip(seen.bindings, target.groups, strict=True))
    return WayBack(target, wanted, left, seen.highest + 1)


def _named(seen: Picture, to: str) -> Tagged | None:
    return next((fleet for fleet in seen.fleets if fleet.deployment == to), None)


def _last_live(fleets: Sequence[Tagged]) -> Tagged | None:
    found = [fleet for fleet in fleets if fleet.live_since and fleet.attached]
    return max(found, key=lambda fleet: fleet.live_since, default=None)
