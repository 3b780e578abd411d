"""The rules that watch a fleet from the switch to its promotion."""

from __future__ import annotations

from bluegreen.core import event as ev
from bluegreen.core.decide.case import LOOK, Case
from bluegreen.core.decision import Decision, Fail, Finish, Wait
from bluegreen.core.outcome import Outcome
from bluegreen.core.times import RECOVER_S, VISIBILITY_S


def bake(case: Case) -> Decision | None:
    """The bake is not over: watch the new fleet, and put the old one back when it has more healthy instances: where
    that is declared unsafe, ask for a human."""
    if case.promoted:
        return None
    until = case.shifted_at + case.goal.bake_s
    new, old = case.seen.healthy(case.groups), _old(case)
    unsure = any(case.seen.group(arn).count("unavailable") for arn in case.groups)
    if new < case.count and old > new and not unsure:
        when = "while baking" if case.goal.bake_s else "after the switch"
        return _back(case, f"{new} of {case.count} instances healthy {when}, and {old} of the old fleet are")
    if case.seen.at >= until:
        return None
    return Wait(until, f"baking, {new}/{case.count} healthy", LOOK)


def whole(case: Case) -> Decision | None:
    """The bake is over, and not every instance of the new fleet is healthy: give it two minutes. Then put the old fleet back,
    unless that one could serve less: then leave all as it is and ask for a human. Never promote."""
    new, old = case.seen.healthy(case.groups), _old(case)
    if case.promoted or new >= case.count:
        return None
    resumed = case.done.last(ev.Resumed)
    until = max(case.shifted_at + case.goal.bake_s, resumed.at if resumed else 0.0) + RECOVER_S
    words = f"{new} of {case.count} instances healthy"
    if case.seen.at < until:
        return Wait(until, f"{words}; the fleet is promoted only when all are", LOOK)
    if old >= new:
        return _back(case, f"{words} at the end of the bake, and {old} of the old fleet are")
    stack, kept = case.goal.stack, case.goal.live
    beside = f"; {kept.label} has {old} healthy and keeps running" if kept else ""
    return Finish(
        Outcome(
            "needs-human",
            f"{case.fleet.label} has the traffic, but only {words}: it is not promoted{beside}.",
            why="A fleet that is not whole is not promoted, and going back would leave less capacity.",
            next=f"bluegreen heal {stack}, then bluegreen resume {stack}",
        )
    )


def _old(case: Case) -> int:
    """Healthy instances of the fleet that had the traffic before."""
    return case.seen.healthy(case.goal.live.groups) if case.goal.live else 0


def _back(case: Case, words: str) -> Fail | Finish:
    safe = case.goal.live is None or not case.fleet.rollback_unsafe
    return Fail(words) if safe else _no_safe_way(case, words)


def _no_safe_way(case: Case, words: str) -> Finish:
    """What the stack file declares unsafe is not done by itself."""
    back, stack = case.goal.live, case.goal.stack
    assert back is not None
    return Finish(
        Outcome(
            "needs-human",
            f"{words}. {case.fleet.label} has the traffic and is declared `rollback: unsafe`: both fleets keep running.",
            why=f"{back.label} may not work with what this release leaves behind, such as a database's new schema.",
            next=f"bluegreen rollback {stack} --unsafe-to {back.deployment}, or bluegreen resume {stack} when it is well again",
        )
    )


def unknown(case: Case) -> Decision | None:
    """AWS does not tell the new fleet's health: that is no success. Wait two minutes, then leave all as it is and ask a human."""
    blind = max(case.seen.group(arn).count("unavailable") for arn in case.groups)
    if case.promoted or not blind:
        return None
    until = case.shifted_at + case.goal.bake_s + VISIBILITY_S
    until = max(until, resumed.at + VISIBILITY_S if (resumed := case.done.last(ev.Resumed)) else 0.0)
    if case.seen.at < until:
        return Wait(until, f"AWS does not tell the health of {blind} targets", LOOK)
    return Finish(
        Outcome(
            "needs-human",
            f"{case.fleet.label} has the traffic, and AWS does not tell the health of {blind} of its targets. "
            "Both fleets keep running.",
            next=f"bluegreen resume {case.goal.stack} when AWS tells it again, or bluegreen rollback {case.goal.stack}",
        )
    )
