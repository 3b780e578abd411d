"""The rule that tells what somebody else did to the load balancer from what a deploy wrote itself."""

from __future__ import annotations

from bluegreen.core.decide.case import Case
from bluegreen.core.decide.standby import way_back_now
from bluegreen.core.decision import Decision, Fail, Finish
from bluegreen.core.fleet import FULL, Weights, weights_of
from bluegreen.core.goal import Before
from bluegreen.core.observation import Binding
from bluegreen.core.outcome import Outcome
from bluegreen.core.traffic import words


def foreign_hand(case: Case) -> Decision | None:
    """The weights are none that we wrote: before the switch undo, after it leave all as it is and ask for a human."""
    if case.done.failed:
        return None
    strange = [now for before, now in case.pairs if not _known(case, before, now)]
    if not strange and len(case.pairs) == len(case.goal.before):
        return None
    there = {now.ref.arn for _, now in case.pairs}
    missing = [before for before in case.goal.before if before.binding.arn not in there]
    what = "; ".join([as_seen(case, now) for now in strange] + [f"{before.binding.name} is gone" for before in missing])
    if not case.shifting:
        return Fail(f"somebody else changed the load balancer: {what}")
    gone = missing or any(not now.exists for now in strange)
    return Finish(
        Outcome(
            "needs-human",
            f"somebody else changed the load balancer after the switch: {what}. Both fleets keep running.",
            why="bluegreen does not write over weights that it did not set.",
            next=f"bluegreen status {case.goal.stack}{'' if gone else _stop(case)}",
        )
    )


def _stop(case: Case) -> str:
    command = way_back_now(case)
    return f"; then {command}" if command else ""


def _known(case: Case, before: Before, now: Binding) -> bool:
    """Whether the action is as we found it, or as we set out to write it, but for target groups that were deleted. Whatever its
    ARN was then: it may have been made anew since, and each binding has groups of its own."""
    if not now.exists or now.beside:
        return False
    ours = [weights for _, weights in case.done.written]
    if case.shifting:
        ours.append(_wanted(case, before))
    if now.weights is not None and (now.weights in ours or any(now.weights == _left_of(case, each) for each in ours)):
        return True
    if case.shifting and case.done.failed is None:
        return False
    return now.weights == before.weights or now.weights == _left_of(case, before.weights)


def _left_of(case: Case, weights: Weights | None) -> Weights | None:
    """Without the target groups that do not exist any more."""
    return weights and tuple((arn, weight) for arn, weight in weights if case.seen.groups.get(arn, True) is not None)


def _wanted(case: Case, before: Before) -> Weights:
    """All to the new fleet, the groups from before at 0."""
    new = case.groups[case.goal.before.index(before)]
    return weights_of({**dict.fromkeys(before.groups, 0), new: FULL})


def same(before: Before, now: Binding) -> bool:
    """Whether who had weight before the deployment has it now."""
    had = {arn for arn, weight in before.weights or () if weight}
    return now.exists and had == {arn for arn, weight in now.weights or () if weight}


def as_seen(case: Case, now: Binding) -> str:
    if not now.exists:
        return f"{now.ref.name} is gone"
    beside = f" and {now.beside}" if now.beside else ""
    return f"{now.ref.name} has {words(now.weights, names(case))}{beside}"


def names(case: Case) -> dict[str, str]:
    fleets = [f for f in (case.fleet, *case.seen.record.fleets) if f]
    return {arn: fleet.label for fleet in fleets for arn in fleet.groups}
