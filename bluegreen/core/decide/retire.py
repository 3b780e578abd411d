"""Ending a fleet, in the one order that loses no request: out of the action, drained, terminated, its groups deleted.

Asked again after each act, it answers what is still to do, and None when nothing of the fleet is left.
"""

from __future__ import annotations

from bluegreen.core.decide.case import LOOK, Case
from bluegreen.core.decision import Act, Decision, Note, Wait
from bluegreen.core.event import Draining
from bluegreen.core.fleet import Fleet
from bluegreen.core.goal import Before
from bluegreen.core.observation import Binding
from bluegreen.core.step import DeleteGroup, Deregister, PutBack, SetWeights, Step, Terminate
from bluegreen.core.times import APPEAR_S, DRAIN_SLACK_S
from bluegreen.core.traffic import without


def retire(case: Case, fleet: Fleet, *, drain: bool = True) -> Decision | None:
    """What is next to end `fleet`. Without `drain`, for a fleet that never had traffic, the wait is left out."""
    if steps := _leave_action(case, fleet):
        return Act(steps)
    if not fleet.ours:
        return None
    return (_drain(case, fleet) if drain else None) or _end(case, fleet)


def spared(case: Case, fleet: Fleet) -> bool:
    """Whether the fleet is healthier than both live and standby, so that nothing of ours ends or detaches it. No fleet is
    healthier than one that is whole."""
    kept = [f for f in (case.seen.record.live, case.seen.record.standby) if f]
    if not kept or any(fleet.deployment == f.deployment for f in kept):
        return False
    if any(case.seen.healthy(f.groups) >= f.count > 0 for f in kept):
        return False
    best = max(case.seen.healthy(f.groups) for f in kept)
    return any(case.seen.group(arn).healthy > best for arn in fleet.groups)


def _leave_action(case: Case, fleet: Fleet) -> tuple[Step, ...]:
    before = {b.binding.arn: b for b in case.goal.before}
    leaving = [b for b in case.seen.bindings if any(arn in b.by_group for arn in fleet.groups)]
    return tuple(_leave(binding, fleet, before.get(binding.ref.arn)) for binding in leaving)


def _leave(binding: Binding, fleet: Fleet, before: Before | None) -> Step:
    rest = without(binding, fleet.groups)
    why = f"take {fleet.label} out of the action"
    if not rest and before is not None and before.action:
        return PutBack(binding.ref, before.action, why)
    return SetWeights(binding.ref, rest, why)


def _drain(case: Case, fleet: Fleet) -> Decision | None:
    began = case.done.draining_at.get(fleet.deployment)
    groups = [case.seen.group(arn) for arn in fleet.groups]
    if any(group.ids for group in groups):
        if began is None:
            return Note(Draining(case.seen.at, fleet.deployment))
        why = f"deregister {fleet.label}"
        return Act(tuple(Deregister(g.arn, tuple(sorted(g.ids)), why) for g in groups if g.ids))
    until = (began or case.seen.at) + case.goal.drain_s + DRAIN_SLACK_S
    if any(group.count("draining") for group in groups) and case.seen.at < until:
        return Wait(until, f"{fleet.label} finishes its open requests", LOOK)
    return None


def _end(case: Case, fleet: Fleet) -> Decision | None:
    if alive := case.seen.of(fleet.deployment):
        ids = tuple(sorted(i.id for i in alive))
        return Act((Terminate(fleet.deployment, ids, f"terminate {fleet.label}"),))
    if until := _may_still_appear(case, fleet):
        why = f"instances of {fleet.label} that were asked for may still appear"
        return Wait(until, why, frozenset({"instances", "record"}))
    left = [arn for arn in fleet.groups if case.seen.groups.get(arn) is not None]
    if left:
        return Act(tuple(DeleteGroup(arn, f"delete the target group of {fleet.label}") for arn in left))
    return None


def launches_may_appear(case: Case) -> float | None:
    """Until when a launch of this run whose answer was lost, or whose instances are not visible yet, may still bring some."""
    seen = {instance.id for instance in case.seen.instances}
    tries = [a for a in case.done.attempts.values() if a.may_have_run and not seen.intersection(a.instances or ())]
    until = max((a.at + APPEAR_S for a in tries), default=0.0)
    return until if until > case.seen.at else None


def _may_still_appear(case: Case, fleet: Fleet) -> float | None:
    """The same for the fleet of this run, and for that of the run which it stops."""
    if case.goal.deployment == fleet.deployment:
        return launches_may_appear(case)
    seen = {instance.id for instance in case.seen.instances}
    if case.goal.undo != fleet or (case.goal.undo_launched and seen.issuperset(case.goal.undo_launched)):
        return None
    return case.goal.undo_until if case.goal.undo_until > case.seen.at else None
