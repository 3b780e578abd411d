"""What "done" means and what "as before" means, fixed before the first change and kept in the record.

A goal is never edited: `resume` follows the same one, and a rollback replaces it under a higher epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bluegreen.core.chain import Lineage
from bluegreen.core.fleet import BindingRef, Fleet, Weights
from bluegreen.core.release import Place

GoalKind = Literal["deploy", "rollback", "abort", "heal", "gc"]


@dataclass(frozen=True, slots=True)
class GroupSpec:
    """One target group to make: the name it will have, and the health check as ELB takes it (seconds). Without
    `check_port` the checks go where the traffic goes."""

    name: str
    vpc: str
    port: int
    path: str
    interval_s: int
    timeout_s: int
    healthy: int
    unhealthy: int
    matcher: str
    drain_s: int
    check_port: int | None = None


@dataclass(frozen=True, slots=True)
class LaunchSpec:
    """What every instance of the fleet is launched with; the user data itself stands beside the goal, by its hash."""

    ami: str
    instance_types: tuple[str, ...]
    security_groups: tuple[str, ...]
    instance_profile: str | None
    disk_gib: int
    throughput_mibps: int | None
    user_data_sha256: str
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Before:
    """One binding as it was: `weights` when it forwarded, and always `action`, the raw action as JSON, to put it back."""

    binding: BindingRef
    weights: Weights | None
    action: str

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(arn for arn, _ in self.weights or ())


@dataclass(frozen=True, slots=True)
class RolledBack:
    """A release that a rollback took the traffic from; `fleet` is the label of the fleet that ran it, `at` when, `by` whom.
    `acknowledged`: `resume` has said that it may be deployed again."""

    release: str
    fleet: str
    at: float
    by: str = ""
    acknowledged: bool = False


@dataclass(frozen=True, slots=True)
class Goal:
    """For a deploy: `fleet` is to be live, launched by `launch` into `groups`. For a rollback or an abort: `fleet` is to
    be live again (None: the bindings as in `before`), and `undo` is the fleet of the deployment that is stopped. Its
    instances `undo_launched`, and any whose launch was never answered, may appear until `undo_until`; `stopped` is its own
    goal, in force again when it cannot be undone. A rollback that took over a run watches the weights for `watch_s` after
    it set them; `rolled_back` is what the record says of it afterwards. For gc, `left` are the fleets to end. For a heal:
    `fleet` is the live or the standby fleet, `launch` what is missing of it, `stay` its instances that are not touched and
    `lost` those that are to be taken out; for gc `lost` are what heals launched and no target group has. `reason` says
    which heal a rollback stopped. `lineage` tells what the
    images of a deploy were made from.
    """

    kind: GoalKind
    stack: str
    deployment: str
    started_at: float
    fleet: Fleet | None
    live: Fleet | None
    standby: Fleet | None
    before: tuple[Before, ...]
    groups: tuple[GroupSpec, ...] = ()
    launch: LaunchSpec | None = None
    boot_timeout_s: int = 300
    bake_s: int = 0
    undo: Fleet | None = None
    undo_launched: tuple[str, ...] = ()
    undo_until: float = 0.0
    watch_s: int = 0
    left: tuple[Fleet, ...] = ()
    stay: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    reason: str = ""
    rolled_back: RolledBack | None = None
    stopped: Goal | None = None
    lineage: Lineage | None = None

    @property
    def bindings(self) -> tuple[BindingRef, ...]:
        return tuple(before.binding for before in self.before)

    @property
    def undoable(self) -> bool:
        """Whether a failure is journaled and then undone; the others can only be finished."""
        return self.kind in ("deploy", "heal")

    @property
    def wanted(self) -> int:
        """How many instances are to be launched."""
        return sum(place.count for place in self.launch.places) if self.launch else 0

    @property
    def drain_s(self) -> int:
        return max((group.drain_s for group in self.groups), default=60)
