"""The way back, in terms of real health: which fleet a rollback could go to, and which acts and sentences are untrue to it.

Counted anew; nothing of the rules, the guard or the judge of readiness is used. `well` counts what would serve: healthy
targets, and those that are well and not checked, as no rule names their group or has not for long.
"""

from __future__ import annotations

import re

from bluegreen.core.fleet import Fleet, is_older
from bluegreen.core.outcome import Outcome
from bluegreen.core.record import Record
from bluegreen.core.step import DeleteGroup, Deregister, SetWeights, Step, Terminate, Write
from tests.explore.cloud import deployment_of, healthy
from tests.explore.values import Controller, State

PLAIN_ROLLBACK = re.compile(r"bluegreen rollback shop(?! --)")


def well(state: State, fleet: Fleet | None) -> int:
    """Instances of the fleet that would serve: of its target group that has the fewest."""
    groups = dict(state.groups)
    counts = [
        sum(s in ("healthy", "unused", "initial") for _, s in groups.get(arn, ()))
        for arn in (fleet.groups if fleet else ())
    ]
    return min(counts, default=0)


def checked(state: State, fleet: Fleet) -> int:
    """Instances that the load balancer has found healthy."""
    return min((healthy(state, arn) for arn in fleet.groups), default=0)


def serving(state: State) -> int:
    return sum(healthy(state, arn) for arn, weight in state.by_weight().items() if weight)


def ready(state: State, fleet: Fleet | None, instead: int) -> bool:
    """Whether the fleet could take the traffic from so many healthy instances."""
    return fleet is not None and well(state, fleet) >= max(1, min(instead, fleet.count or 1))


def taken_away(step: Step, before: State) -> str:
    """I3, I5: an act takes away the fleet that a rollback would have needed."""
    record: Record = before.record.value
    if record.live is None:
        return ""
    kept = {arn for fleet in (record.live, record.standby) if fleet for arn in fleet.groups}
    best = max(well(before, record.live), well(before, record.standby))
    for arn in _losing(step, before) - kept:
        here = healthy(before, arn)
        if here > best:
            return f"I5: {arn} has {here} healthy, live and standby have {best} at most, and it is taken away"
        able = deployment_of(arn) in before.stood and here >= max(1, min(serving(before), _count(before, arn)))
        if able and not ready(before, record.standby, serving(before)):
            return f"I3: {arn} could take the traffic, the standby could not, and it is taken away"
    return ""


def _losing(step: Step, before: State) -> set[str]:
    """The groups whose healthy targets leave the action, or leave the group, by the step."""
    groups = dict(before.groups)
    match step:
        case SetWeights(weights=weights):
            return before.by_weight().keys() - dict(weights).keys()
        case Deregister(group=arn, instances=ids):
            return {arn} if any(i in ids and s == "healthy" for i, s in groups.get(arn, ())) else set()
        case DeleteGroup(group=arn):
            return {arn}
        case Terminate(instances=ids):
            return {arn for arn, targets in before.groups if any(i in ids and s == "healthy" for i, s in targets)}
        case _:
            return set()


def _count(state: State, arn: str) -> int:
    return next((f.count for f in state.record.value.fleets if arn in f.groups), 0) or 1


def promotes_badly(step: Write, before: State, me: Controller) -> str:
    """I3: at its promotion a fleet is whole, and what is kept beside it is what a rollback could best go to."""
    new = step.promote
    if new is None or me.goal.value.kind != "deploy":
        return ""
    whole = checked(before, new)
    if whole < new.count:
        return f"I3: {new.deployment} is promoted with {whole} of {new.count} healthy"
    old: Record = before.record.value
    kept, instead = step.record.standby, serving(before)
    older = (me.goal.value.live, old.live, old.standby)
    able = [f.deployment for f in older if f and checked(before, f) >= max(1, min(instead, f.count or 1))]
    if able and not ready(before, kept, instead):
        return f"I3: {able[0]} could take the traffic, and {kept.deployment if kept else 'none'} is kept as standby"
    return ""


def second_rollback(step: Step, before: State, me: Controller) -> str:
    """A plain rollback of a stack that is rolled back already moves nothing."""
    goal = me.goal.value
    if me.command != "rollback" or goal.kind != "rollback" or goal.undo or not isinstance(step, SetWeights):
        return ""
    if not (goal.live and goal.fleet and is_older(goal.live.deployment, goal.fleet.deployment)):
        return ""
    live = goal.live.groups[0]
    if not before.by_weight().get(live) or dict(step.weights).get(live):
        return ""
    return f"I9: a second plain rollback takes the traffic from {live}"


def says_wrongly(state: State, me: Controller, outcome: Outcome) -> str:
    """I9: a fleet "stands by", or a plain rollback is named as next, and that rollback would be refused."""
    if me.blind:
        return ""
    record: Record = state.record.value
    fleets = (*record.fleets, *(f for f in (me.goal.value.live, me.goal.value.standby) if f))
    for fleet in fleets:
        if f"{fleet.label} stands by" in outcome.sentence and not ready(state, fleet, serving(state)):
            return f"I9: it says that {fleet.deployment} stands by, which has {well(state, fleet)} of {fleet.count} healthy"
    if PLAIN_ROLLBACK.search(outcome.next) and not _may_roll_back(state, me):
        return f"I9: it ends as {outcome.result}, its next is a rollback, and there is no fleet that could take the traffic"
    return ""


def _may_roll_back(state: State, me: Controller) -> bool:
    """Whether a plain rollback would find a fleet that could take the traffic. One that stops a deployment asks for less."""
    record: Record = state.record.value
    goal = me.goal.value
    if goal.kind == "deploy" and (record.live is None or record.live.deployment != goal.deployment):
        return goal.live is None or well(state, goal.live) >= min(1, serving(state))
    return ready(state, record.standby, serving(state))
