"""What every rule is given: the goal, what was seen, what the journal tells. Questions that several rules ask live here."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from bluegreen.core import event as ev
from bluegreen.core.decision import Act, Decision
from bluegreen.core.fleet import Fleet, split_deployment
from bluegreen.core.goal import Before, Goal
from bluegreen.core.observation import Binding, Observation, Part
from bluegreen.core.outcome import Outcome
from bluegreen.core.progress import Progress
from bluegreen.core.step import Mark
from bluegreen.core.tags import LIVE_SINCE, UNSAFE

LOOK: frozenset[Part] = frozenset({"health", "traffic", "record"})  # at what may change while a rule waits


class Case:
    """Made anew for each decision, so what most rules ask is worked out once, here.

    `groups`: of the fleet that a deploy launches, as far as they are made; for a heal, of the one that is healed. `count`: how
    many instances it is to have.
    `promoted`: whether the record names the new fleet as live. `shifting`: whether we ever set out to give it weight; from
    there on only the bake judges it. `pairs`: each binding as it was and as it is seen now.
    """

    def __init__(self, goal: Goal, seen: Observation, done: Progress) -> None:
        live, now = seen.record.live, {binding.ref.arn: binding for binding in seen.bindings}
        pairs = [(before, now[before.binding.arn]) for before in goal.before if before.binding.arn in now]
        self.goal = goal
        self.seen = seen
        self.done = done
        self.groups = done.made or (goal.fleet.groups if goal.fleet else ())
        self.promoted = live is not None and live.deployment == goal.deployment
        self.count = goal.fleet.count if goal.fleet else 0
        self.shifting = not done.weighted_at.keys().isdisjoint(self.groups)
        self.pairs: tuple[tuple[Before, Binding], ...] = tuple(pairs)

    @cached_property
    def fleet(self) -> Fleet:
        """The fleet that a deploy launches, with the groups made so far."""
        assert self.goal.fleet is not None
        return self.done.named(self.goal.fleet)

    @property
    def shifted_at(self) -> float:
        """When we last set out to give the new fleet weight; now, while it has no group."""
        return max((self.done.gave_weight(arn) or 0.0 for arn in self.groups), default=self.seen.at)

    def mark(self, fleet: Fleet, *, unsafe: bool = False) -> Decision | None:
        """The step that tags `fleet` as live from this epoch on, and as `unsafe` to go back from, unless the journal has it."""
        told = any(isinstance(e, ev.Marked) and e.deployment == fleet.deployment for e in self.done.events)
        if told or not fleet.ours:
            return None
        since = str(split_deployment(self.goal.deployment)[1])
        tags = ((LIVE_SINCE, since), *(((UNSAFE, "unsafe"),) if unsafe else ()))
        return Act((Mark(fleet.deployment, fleet.groups, tags, f"tag {fleet.label} as live"),))


Rule = Callable[[Case], Decision | None]


def superseded(case: Case) -> Outcome:
    stack = case.goal.stack
    return Outcome(
        "superseded",
        f"{case.goal.deployment} was taken over: epoch {case.seen.record.epoch} stands, this run held {case.seen.epoch}.",
        why="A rollback, resume or abort was started elsewhere; this run changed nothing after it.",
        next=f"bluegreen status {stack}",
    )
