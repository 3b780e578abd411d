"""Writes that come too late: who is blamed for them, and how a process that stood still puts right what it did."""

from __future__ import annotations

from bluegreen.core.decide.late import mend
from bluegreen.core.observation import Binding
from bluegreen.core.step import PutBack, SetWeights, Step
from tests.explore.values import LATE_S, Controller, State


def overtaken(state: State, n: int, step: Step) -> bool:
    """A write of weights by who no longer holds the stack: the watch of who does finds it. What else such a run does in
    the moment after its last conditional write is judged, unless it stood still before the call."""
    me = state.crew[n]
    lost = me.epoch < state.record.value.epoch
    return lost and (isinstance(step, SetWeights | PutBack) or me.age > LATE_S)


def after_standing_still(before: State, after: State, n: int) -> State:
    """To the others a call that went out after a pause is like one of a stranger: nothing of ours can hinder it."""
    crew = tuple(c._replace(blind=c.blind | {"traffic", "health"}) if k != n else c for k, c in enumerate(after.crew))
    late = tuple(call._replace(blind=True) for call in after.late)
    new = {i for i, _, _ in after.instances} - {i for i, _, _ in before.instances}
    return after._replace(crew=crew, late=late, strays=after.strays | new)


def mend_of(state: State, me: Controller, step: SetWeights | PutBack) -> SetWeights | PutBack | None:
    """What a run does when it learns that it was paused and that another holds the stack: the real answer."""
    return mend(me.goal.value, Binding(step.binding, state.weights, "[]"), state.record.value)
