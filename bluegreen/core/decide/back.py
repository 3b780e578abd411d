"""The rule that ends a rollback or an abort: what is so now, and how to go on."""

from __future__ import annotations

from bluegreen.core.decide.case import Case
from bluegreen.core.decide.retire import spared
from bluegreen.core.decision import Decision, Finish
from bluegreen.core.fleet import Fleet, is_older
from bluegreen.core.observation import Binding
from bluegreen.core.outcome import Outcome
from bluegreen.core.readiness import ready, to_command


def back(case: Case) -> Decision | None:
    """What was just observed shows the goal. Exit 0."""
    goal = case.goal
    serving = _serves(case, goal.fleet) if goal.fleet else "nothing is live, as before"
    if goal.undo and goal.fleet and any(now.exists and not _has_weight(now, goal.fleet) for _, now in case.pairs):
        serving = "the traffic stays where somebody else has put it"
    if goal.undo and spared(case, goal.undo):
        return Finish(_stopped_and_kept(case, goal.undo, serving), over=True)
    if goal.undo:
        further = _further(case)
        return Finish(
            Outcome(
                "aborted" if goal.kind == "abort" else "rolled-back",
                f"{goal.undo.deployment} was stopped and undone; {serving}.{further}",
            )
        )
    stopped = f" {goal.reason}." if goal.reason else ""
    return Finish(Outcome("rolled-back", f"{serving}{_left(case)}.{stopped}", next=f"bluegreen status {goal.stack}"))


def _further(case: Case) -> str:
    """How to go to the fleet before the one that serves, if that could take the traffic."""
    fleet, standby = case.goal.fleet, case.goal.standby
    if fleet is None or standby is None:
        return ""
    if not ready(case.seen.healthy(standby.groups), case.seen.healthy(fleet.groups), standby.count):
        return ""
    return f" To go one further back: {to_command(case.goal.stack, fleet, standby)}"


def _has_weight(now: Binding, fleet: Fleet) -> bool:
    return any(now.by_group.get(arn) for arn in fleet.groups)


def _serves(case: Case, fleet: Fleet) -> str:
    healthy = case.seen.healthy(fleet.groups)
    return f"{fleet.label} serves" if healthy else f"{fleet.label} has the traffic, and nothing of it is healthy"


def _left(case: Case) -> str:
    """What became of the fleet that had the traffic, and how to go forward to it again."""
    left = case.goal.standby
    if left is None:
        return ""
    healthy = case.seen.healthy(left.groups)
    serving = case.seen.healthy(case.goal.fleet.groups) if case.goal.fleet else 0
    if not ready(healthy, serving, left.count):
        return f"; {left.label} is kept, with {healthy} of {left.count or '?'} instances healthy"
    if case.goal.fleet and is_older(left.deployment, case.goal.fleet.deployment):
        return f"; {left.label} stands by"
    return (
        f"; {left.label} is kept: bluegreen rollback {case.goal.stack} --to {left.deployment} goes forward to it again"
    )


def _stopped_and_kept(case: Case, fleet: Fleet, serving: str) -> Outcome:
    """The traffic went back, and what was stopped is the healthiest fleet there is."""
    count = case.seen.healthy(fleet.groups)
    return Outcome(
        "needs-human" if case.goal.kind == "abort" else "rolled-back",
        f"{fleet.deployment} was stopped; {serving}. Its fleet keeps running: {count} healthy instances, more than the live "
        "fleet and the standby have.",
        why="The healthiest fleet of a stack is never terminated.",
        next=f"bluegreen heal {case.goal.stack}, then bluegreen gc {case.goal.stack}",
    )
