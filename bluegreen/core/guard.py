"""What no rule may do, whatever it decides. Knows nothing of `decide`: one question about one step in the world as seen.

I1 and I5: nothing behind weight is taken away, and no weight goes where nothing can serve. I3: what is kept stays attached, and
so does what is healthier. I12: only what is ours.
"""

from __future__ import annotations

from bluegreen.core.fleet import BindingRef, Fleet
from bluegreen.core.observation import Observation
from bluegreen.core.step import DeleteGroup, Deregister, PutBack, SetWeights, Step, Terminate
from bluegreen.core.traffic import MAX_GROUPS


def forbidden(step: Step, seen: Observation) -> str | None:
    """Why the step must not be performed, or None."""
    match step:
        case SetWeights():
            return _weights(step, seen)
        case PutBack():
            return _leaving(set(_now(step.binding, seen)), seen)
        case Deregister() if _heals(step.group, seen):
            return _taken_out(step, seen)
        case Deregister(group=group) | DeleteGroup(group=group):
            return _serving(group, seen) or _healthiest({group}, seen)
        case Terminate():
            mine = {arn for arn, group in seen.groups.items() if group and group.ids.intersection(step.instances)}
            return _terminate(step, seen) or _healthiest(mine, seen)
        case _:
            return None


def _weights(step: SetWeights, seen: Observation) -> str | None:
    if not step.weights:
        return "the action would be empty"
    if len(step.weights) > MAX_GROUPS or any(not 0 <= weight <= 999 for _, weight in step.weights):
        return f"an action holds at most {MAX_GROUPS} groups with weights 0 to 999"
    now = _now(step.binding, seen)
    goal = dict(step.weights)
    before, after = _capacity(now, seen), _capacity(goal, seen)
    for arn, weight in now.items():
        if weight and arn not in goal:
            return f"{arn} has weight {weight} and would leave the action"
    for arn, weight in goal.items():
        if weight > now.get(arn, 0) and not seen.group(arn).healthy and before:
            return f"{arn} has no healthy target and would get weight {weight}"
    needed = before if step.minimum is None else min(before, step.minimum)
    if after < needed:
        return f"healthy targets behind weight would fall from {before} to {after}, and {needed} are needed"
    return _leaving(now.keys() - goal.keys(), seen)


def _now(binding: BindingRef, seen: Observation) -> dict[str, int]:
    """The weights that the action has."""
    return next((b.by_group for b in seen.bindings if b.ref.arn == binding.arn), {})


def _leaving(groups: set[str], seen: Observation) -> str | None:
    """Out of the action is out of health checks, and so no way back any more: as much as deregistered."""
    found = (_kept(arn, seen) for arn in sorted(groups))
    return next((why for why in found if why), None) or _healthiest(groups, seen)


def _capacity(weights: dict[str, int], seen: Observation) -> int:
    return sum(seen.group(arn).healthy for arn, weight in weights.items() if weight)


def _serving(group: str, seen: Observation) -> str | None:
    if weight := seen.weight(group):
        return f"{group} has weight {weight}"
    if seen.attached(group):
        return f"{group} is still in an action"
    return _kept(group, seen)


def _kept(group: str, seen: Observation) -> str | None:
    keepers = [f for f in (seen.record.live, seen.record.standby) if f]
    owner = next((f for f in keepers if group in f.groups), None)
    return f"{group} belongs to {owner.label}, which is kept" if owner else None


def _heals(group: str, seen: Observation) -> bool:
    """Whether the operation in force is a heal of the fleet that has this group."""
    goal = seen.record.goal
    return goal is not None and goal.kind == "heal" and goal.fleet is not None and group in goal.fleet.groups


def _taken_out(step: Deregister, seen: Observation) -> str | None:
    """I1 and I3: a heal takes out what it was not told to keep, and nothing healthy while the fleet is not whole without."""
    goal = seen.record.goal
    assert goal is not None and goal.fleet is not None
    if kept := set(step.instances) & set(goal.stay):
        return f"{', '.join(sorted(kept))} of {goal.fleet.label} is to stay"
    groups = [seen.group(arn).targets for arn in goal.fleet.groups]
    able = [{t.id for t in targets if t.state in ("healthy", "unavailable")} for targets in groups]
    well = set.intersection(*able)
    rest = len(well - set(step.instances))
    left = [t for t in seen.group(step.group).targets if t.state == "healthy" and t.id not in step.instances]
    if seen.weight(step.group) and seen.group(step.group).healthy and not left:
        return f"{step.group} has weight, and nothing healthy would be left in it"
    if well & set(step.instances) and rest < goal.fleet.count:
        return f"{rest} healthy of {goal.fleet.count} would be left of {goal.fleet.label}"
    return None


def _healthiest(groups: set[str], seen: Observation) -> str | None:
    """I3, I5: of a fleet that is healthier than both that are kept, nothing is ended or detached."""
    kept = [f for f in (seen.record.live, seen.record.standby) if f]
    if not kept or any(arn in fleet.groups for fleet in kept for arn in groups):
        return None
    best = max(seen.healthy(fleet.groups) for fleet in kept)
    if any(seen.healthy(fleet.groups) >= fleet.count > 0 for fleet in kept):
        return None  # no fleet is healthier than a whole one, however large it is
    most = max((seen.group(arn).healthy for arn in groups), default=0)
    if most <= best:
        return None
    return f"it has {most} healthy instances, and neither fleet that is kept has more than {best}"


def _terminate(step: Terminate, seen: Observation) -> str | None:
    keepers = {f.deployment: f for f in (seen.record.live, seen.record.standby) if f}
    owner = {i.id: i.deployment for i in seen.instances}
    registered = {i: fleet for fleet in keepers.values() for arn in fleet.groups for i in seen.group(arn).ids}
    for instance in step.instances:
        if instance not in owner:
            return f"{instance} is not known to carry this stack's tag"
        fleet = keepers.get(owner[instance])
        if owner[instance] != step.deployment or (fleet and not _dead(instance, fleet, seen)):
            return f"{instance} belongs to {owner[instance]}, which is kept"
        if instance in registered:
            return f"{instance} is registered with {registered[instance].label}, which is kept"
    weighted = {arn for b in seen.bindings for arn, weight in b.by_group.items() if weight}
    serving = {i for arn in weighted for i in seen.group(arn).ids}
    if hit := serving.intersection(step.instances):
        return f"{', '.join(sorted(hit))} is behind weight"
    return None


def _dead(instance: str, fleet: Fleet, seen: Observation) -> bool:
    """Whether heal or gc may end an instance of a fleet that is kept: no group of the fleet has it, and each was seen."""
    goal = seen.record.goal
    replaced = goal is not None and goal.kind == "heal" and instance not in goal.stay
    left = goal is not None and goal.kind == "gc" and instance in goal.lost
    if not replaced and not left:
        return False
    groups = [seen.groups.get(arn) for arn in fleet.groups]
    return all(group is not None and instance not in group.ids for group in groups)
