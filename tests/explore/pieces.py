"""A step cut into the pieces between which a controller may die, stall or be overtaken, as `controller.perform` does them."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from bluegreen.core import event as ev
from bluegreen.core.observation import Part
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
from tests.explore.cloud import arn_of, instance_ids
from tests.explore.values import NOW, Controller, Kept, keep, progress

FENCE = "fence"  # the conditional write before a call, left out when the last one is fresh
FENCE_NOW = "fence now"  # and never left out
BACK = "back"  # a setback: look at all again


class Line(NamedTuple):
    """A line of the journal. The context says what an error does: "act" and "note" look again, "open" ends the command
    before its run, "end" is passed over."""

    event: ev.Event
    context: Literal["act", "note", "open", "end"]


class Send(NamedTuple):
    """The call itself."""

    step: Step


class Paused(NamedTuple):
    """After a call that moves traffic: has this process stood still meanwhile?"""

    step: Step
    well: bool = True


class Mend(NamedTuple):
    """The weights put back that a late write of ours has changed."""

    step: SetWeights | PutBack


class Store(NamedTuple):
    step: Write


class LetGo(NamedTuple):
    """`again`: the goal that is in force after ours."""

    keep_goal: bool
    again: Kept[Any] = keep(None)


def pieces(step: Step, me: Controller) -> tuple[Any, ...]:
    fence = FENCE_NOW if me.goal.value.kind == "deploy" else FENCE
    match step:
        case MakeGroup(spec=spec, binding=binding):
            return (FENCE, Send(step), Line(ev.GroupMade(NOW, binding, arn_of(spec.name)), "act"))
        case Launch():
            asked = ev.Launching(NOW, step.subnet, step.batch, step.attempt, step.instance_type, step.token)
            first = () if step.token in progress(me.events).attempts else (Line(asked, "act"),)
            return (*first, FENCE, Send(step), Line(ev.Launched(NOW, step.token, instance_ids(step)), "act"))
        case SetWeights(binding=ref, weights=weights):
            before = (Line(ev.Shifting(NOW, ref.arn, weights), "act"), fence, Send(step), Paused(step))
            return (*before, Line(ev.Shifted(NOW, ref.arn, weights), "act")) if step.shift else before
        case PutBack():
            return (fence, Send(step), Paused(step))
        case Register():
            return (FENCE, Send(step), Line(ev.Registered(NOW, step.group, step.instances), "act"))
        case Mark(deployment=deployment):
            return (FENCE, Send(step), Line(ev.Marked(NOW, deployment), "act"))
        case Terminate() | Deregister() | DeleteGroup():
            return (FENCE, Send(step))
        case Write():
            return (Store(step), *_told(step, me))


def _told(step: Write, me: Controller) -> tuple[Line, ...]:
    promoted = (Line(ev.Promoted(NOW), "act"),) if step.promote is not None else ()
    left = {fleet.deployment for fleet in step.record.doomed}
    gone = sorted({fleet.deployment for fleet in me.hold.value.doomed} - left)
    return (*promoted, *(Line(ev.Retired(NOW, deployment), "act") for deployment in gone))


def changes(step: Step) -> frozenset[Part]:
    """What is to be looked at after the step."""
    match step:
        case SetWeights() | PutBack():
            return frozenset({"traffic", "health"})
        case Launch():
            return frozenset({"instances"})
        case Terminate():
            return frozenset({"instances", "health"})
        case Write():
            return frozenset({"record", "health"})
        case Mark():
            return frozenset()
        case MakeGroup() | Register() | Deregister() | DeleteGroup():
            return frozenset({"health"})
