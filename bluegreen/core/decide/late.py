"""What a run does whose write to the load balancer landed after another run had taken over: it was paused in between."""

from __future__ import annotations

from bluegreen.core.goal import Goal
from bluegreen.core.observation import Binding
from bluegreen.core.record import Record
from bluegreen.core.step import PutBack, SetWeights
from bluegreen.core.traffic import all_to


def mend(mine: Goal, now: Binding, record: Record) -> SetWeights | PutBack | None:
    """The step that gives the binding to whom `record`, of the run that took over, wants. None while that run is a deploy
    before its promotion, which sees to its weights itself, or when the binding was forwarding to nobody we know."""
    goal, live = record.goal, record.live
    if goal and goal.kind == "deploy" and (live is None or live.deployment != goal.deployment):
        return None
    wanted = goal.fleet if goal and goal.kind in ("rollback", "abort") else live
    number = [ref.arn for ref in mine.bindings].index(now.ref.arn)
    why = f"{now.ref.name} as the run wants it that took over while this one was paused"
    if wanted is None:
        before = mine.before[number]
        return PutBack(now.ref, before.action, why) if before.weights is None else None
    return SetWeights(now.ref, all_to(now, wanted.groups[number]), why, shift=True)
