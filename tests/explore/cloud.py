"""A tiny AWS: one action with weights, target groups, instances. It refuses what AWS refuses, and moves on by itself
only while somebody waits for it. Instances are pending, running or terminated, or a number: launched, and not shown for so
many seconds at most;
targets are initial, healthy, unhealthy, unused (well, in a group that no rule names) or draining.
"""

from __future__ import annotations

from collections.abc import Iterator

from bluegreen.core.fleet import Fleet, Weights
from bluegreen.core.step import (
    DeleteGroup,
    Deregister,
    Launch,
    MakeGroup,
    Mark,
    PutBack,
    Register,
    SetWeights,
    Step,
    Terminate,
    Write,
)
from bluegreen.core.tags import DEPLOYMENT
from tests.explore.values import State, Targets, passing, rule_ref

BOOT_S = 10.0  # no instance runs sooner, so that no call from before its launch is still on its way
UNSEEN = 100  # seconds after which a launched instance is shown for certain


class No(Exception):
    """AWS refuses: the thing is not there, or not ready. All of these are passing errors to the controller."""


def arn_of(name: str) -> str:
    return f"tg-{name}"


def deployment_of(arn: str) -> str:
    """Whose target group it is: "shop-3" of "tg-3" and of "tg-shop-blue-3"."""
    return f"shop-{arn.rpartition('-')[2]}"


def is_ours(arn: str) -> bool:
    return arn[-1].isdigit()


def instance_ids(step: Launch) -> tuple[str, ...]:
    """The same token gives the same ids."""
    return tuple(f"i-{dict(step.tags)[DEPLOYMENT]}-{step.subnet[-1]}{n}" for n in range(step.count))


def performed(state: State, step: Step) -> State:
    """The state after the call has taken effect. Raises No."""
    match step:
        case MakeGroup(spec=spec):
            arn = arn_of(spec.name)
            return state if arn in dict(state.groups) else _with_groups(state, {**dict(state.groups), arn: ()})
        case SetWeights() | PutBack() if state.rule % 2 or step.binding.arn != rule_ref(state.rule).arn:
            raise No("there is no such rule")
        case SetWeights(weights=weights):
            if not {arn for arn, _ in weights} <= dict(state.groups).keys():
                raise No("a group of the action does not exist")
            return forwarding(state, weights)._replace(foreign=False)
        case PutBack():
            return forwarding(state, None)._replace(foreign=False)
        case Register():
            return _registered(state, step)
        case Deregister():
            targets = _targets(state, step.group)
            left = tuple((i, "draining" if i in step.instances else s) for i, s in targets)
            return _with_groups(state, {**dict(state.groups), step.group: left})
        case DeleteGroup(group=arn):
            if arn in state.by_weight():
                raise No("the group is in use")
            return _with_groups(state, {name: t for name, t in state.groups if name != arn})
        case Launch():
            known = {name for name, _, _ in state.instances}
            new = [(i, dict(step.tags)[DEPLOYMENT], "pending") for i in instance_ids(step) if i not in known]
            return state._replace(instances=tuple(sorted((*state.instances, *new))))
        case Terminate():
            return _terminated(state, step.instances)
        case Mark():
            return state  # nothing here depends on tags
        case Write():
            raise AssertionError("the record is no part of the cloud")


def hidden(after: State, step: Launch) -> State:
    """After a launch: no look shows its instances yet."""
    ids = instance_ids(step)
    return after._replace(
        instances=tuple((i, d, UNSEEN if i in ids and s == "pending" else s) for i, d, s in after.instances)
    )


def moves(state: State) -> Iterator[tuple[str, State]]:
    """What AWS may do next by itself: boot, find healthy, finish draining."""
    running = {name for name, _, s in state.instances if s == "running"}
    for name, _, booting in state.instances:
        if isinstance(booting, int):
            yield f"AWS: {name} is shown", _with_instance(state, name, "pending")
        if booting == "pending" and (after := passing(state, BOOT_S)):
            yield f"AWS: {name} runs after {BOOT_S:.0f} s", _with_instance(after, name, "running")
    for arn, targets in state.groups:
        for name, now in targets:
            if now == "initial" and name in running and arn in state.by_weight():
                yield f"AWS: {name} gets healthy", _with_target(state, arn, name, "healthy")
            if now == "draining":
                yield f"AWS: {name} has drained", _with_target(state, arn, name, None)


def losses(state: State) -> Iterator[tuple[str, State]]:
    """Misfortunes that nobody of ours caused."""
    for arn, targets in state.groups:
        for name, now in targets:
            if now == "healthy":
                yield f"{name} gets unhealthy", _with_target(state, arn, name, "unhealthy")
    for name, _, booting in state.instances:
        if booting == "pending":
            yield f"{name} dies while it boots", _terminated(state, (name,))


def ills(state: State) -> Iterator[tuple[str, State]]:
    """What may happen to the instances of any fleet at any time: sick, well again, dead."""
    for arn, targets in state.groups:
        for name, now in targets:
            if now in ("healthy", "unused"):
                yield f"{name} gets sick", _with_target(state, arn, name, "unhealthy")
            if now == "unhealthy":
                well = "healthy" if arn in state.by_weight() else "unused"
                yield f"{name} recovers", _with_target(state, arn, name, well)
    for name, _, now in state.instances:
        if now == "running":
            yield f"{name} dies", _terminated(state, (name,))


def edits(state: State) -> Iterator[tuple[str, State]]:
    """Somebody deletes the rule, and makes it again with the same conditions: for the live group, or for none yet. And the
    target group of a fleet that is kept, where no rule names it."""
    record = state.record.value
    for fleet in (record.live, record.standby):
        for arn in fleet.groups if fleet else ():
            if arn in dict(state.groups) and arn not in state.by_weight():
                left = {name: targets for name, targets in state.groups if name != arn}
                yield f"somebody deletes the target group {arn}", _with_groups(state, left)
    if not state.rule % 2:
        yield "somebody deletes the rule", forwarding(state, None)._replace(rule=state.rule + 1)
        return
    anew = state._replace(rule=state.rule + 1)
    live = record.live
    if live and set(live.groups) <= dict(state.groups).keys():
        yield f"somebody makes the rule anew, for {live.groups[0]}", forwarding(anew, ((live.groups[0], 1),))
    yield "somebody makes the rule anew, for no group", anew


def forwarding(state: State, weights: Weights | None) -> State:
    """The action has these weights. Only a group that a rule names is health-checked."""
    was, named = state.by_weight().keys(), dict(weights or ()).keys()
    state = state._replace(weights=weights)
    if was == named:
        return state
    groups = {arn: _checked(targets, arn in was, arn in named) for arn, targets in state.groups}
    return _with_groups(state, groups)


def _checked(targets: Targets, was: bool, named: bool) -> Targets:
    if was == named:
        return targets
    old, new = ("healthy", "unused") if was else ("unused", "initial")
    return tuple((name, new if now == old else now) for name, now in targets)


def made_whole(state: State, fleet: Fleet) -> State:
    """What a heal leads to: as many as agreed, all of them well. They have the names of those that were launched first."""
    names = [f"i-{fleet.deployment}-a{n}" for n in range(fleet.count)]
    others = [item for item in state.instances if item[1] != fleet.deployment]
    mine = [(name, fleet.deployment, "running") for name in names]
    state = state._replace(instances=tuple(sorted((*others, *mine))))
    whole = {arn: tuple((name, "healthy") for name in names) for arn in fleet.groups}
    return _with_groups(state, {**dict(state.groups), **whole})


def healthy(state: State, arn: str) -> int:
    return sum(s == "healthy" for _, s in dict(state.groups).get(arn, ()))


def _registered(state: State, step: Register) -> State:
    targets = dict(_targets(state, step.group))
    running = {name for name, _, s in state.instances if s == "running"}
    if not set(step.instances) <= running:
        raise No("an instance does not run")
    for name in step.instances:
        if targets.get(name, "draining") == "draining":
            targets[name] = "initial"
    return _with_groups(state, {**dict(state.groups), step.group: tuple(sorted(targets.items()))})


def _targets(state: State, arn: str) -> Targets:
    groups = dict(state.groups)
    if arn not in groups:
        raise No("the group does not exist")
    return groups[arn]


def _terminated(state: State, ids: tuple[str, ...]) -> State:
    instances = tuple((i, d, "terminated" if i in ids else s) for i, d, s in state.instances)
    groups = {arn: tuple((i, s) for i, s in targets if i not in ids) for arn, targets in state.groups}
    return _with_groups(state._replace(instances=instances), groups)


def _with_groups(state: State, groups: dict[str, Targets]) -> State:
    return state._replace(groups=tuple(sorted(groups.items())))


def _with_instance(state: State, name: str, now: str) -> State:
    return state._replace(instances=tuple((i, d, now if i == name else s) for i, d, s in state.instances))


def _with_target(state: State, arn: str, name: str, now: str | None) -> State:
    targets = tuple((i, now if i == name else s) for i, s in dict(state.groups)[arn] if i != name or now)
    return _with_groups(state, {**dict(state.groups), arn: tuple((i, s) for i, s in targets if s)})
