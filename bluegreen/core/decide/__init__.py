"""One question, one answer: given the goal, what was seen and what the journal tells, what is next?"""

from __future__ import annotations

from bluegreen.core.decide import deploy, heal, rollback, upkeep
from bluegreen.core.decide.case import Case
from bluegreen.core.decision import Decision
from bluegreen.core.goal import Goal
from bluegreen.core.observation import Observation
from bluegreen.core.progress import Progress


def decide(goal: Goal, seen: Observation, done: Progress) -> Decision:
    """The next decision. Pure: the same three values give the same answer."""
    case = Case(goal, seen, done)
    match goal.kind:
        case "deploy":
            return deploy.decide(case)
        case "heal":
            return heal.decide(case)
        case "gc":
            return upkeep.decide(case)
        case "rollback" | "abort":
            return rollback.decide(case)
