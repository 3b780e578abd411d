"""How a command begins: it reads, makes its goal by the real `controller.commands`, and takes the next epoch by one
conditional write. Between the two, anybody else may act. And the outside writer, who asks nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from bluegreen.controller import goals
from bluegreen.core import event as ev
from bluegreen.core.fleet import deployment_id, weights_of
from bluegreen.core.goal import Goal
from bluegreen.core.outcome import Outcome
from bluegreen.core.record import Owner, Record
from bluegreen.errors import Refused
from tests.explore.eyes import all_parts, world
from tests.explore.pieces import Line
from tests.explore.values import NOW, Controller, Move, State, keep, passing, started


def calls(state: State, command: str) -> Iterator[Move]:
    """The command is called: it reads the record and the journal, and makes its goal."""
    n = len(state.crew)
    what = f"{command} ({n + 1}) is called"
    if command in ("resume", "abort") and state.record.value.owner is not None:
        lapsed = passing(state, state.record.value.lease_s, lease=True)
        if lapsed is None:
            return
        state = lapsed
        what += ", sees the record stand still for a lease"
    state = state._replace(crew=(*state.crew, Controller(command, "take")))
    yield _read(state, n, what)


def _read(state: State, n: int, what: str) -> Move:
    command = state.crew[n].command
    try:
        goal = _goal(state, command)
    except Refused as error:
        return Move(f"{what}, and is refused: {error.what}", _nothing(state, n, "refused"))
    if isinstance(goal, Outcome):
        return Move(f"{what}, and has nothing to do", _nothing(state, n, "nothing"))
    me = Controller(command, "take", keep(goal), state.record)
    return Move(what, state.with_controller(n, me))


def _goal(state: State, command: str) -> Goal | Outcome:
    record: Record = state.record.value
    if command == "rollback":
        return goals.rollback_goal(world(state), record)
    if record.goal is None:
        return Outcome("unchanged", "nothing is under way")
    if command == "resume":
        return record.goal
    if goals.moved_on(record) or record.goal.kind != "deploy":
        raise Refused("past the point of no return")
    return goals.stop_goal(world(state), record, record.goal, "abort")


def take(state: State, n: int) -> Move:
    """The next epoch, if the record still is as it was read."""
    me = state.crew[n]
    if not me.current:
        if me.command == "rollback":
            return _read(state, n, "finds the record changed, reads it again")
        return Move("finds that somebody was faster", _nothing(state, n, "held"))
    epoch = me.hold.value.epoch + 1
    goal = me.goal.value
    if me.command != "resume":
        goal = replace(goal, deployment=deployment_id(goal.stack, epoch))
    return Move(f"takes the stack with epoch {epoch}", holding(state, n, goal, epoch))


def holding(state: State, n: int, goal: Goal, epoch: int) -> State:
    """Controller `n` has just taken the stack, and is about to write the first line of its run."""
    command = state.crew[n].command
    record = replace(state.record.value, epoch=epoch, owner=Owner(command, str(n)), goal=goal, beat_at=NOW)
    crew = tuple(c._replace(current=False) if c.alive else c for c in state.crew)
    state = state._replace(record=keep(record), crew=crew, late_record=None)
    events = state.journal(goal.deployment)
    line: Any = ev.Resumed(NOW, epoch, record.owner) if command == "resume" else started(epoch, record, goal)
    me = Controller(
        command,
        "do",
        keep(goal),
        keep(record),
        events=events,
        todo=keep((Line(line, "open"),)),
        changed=all_parts(keep(goal)),
    )
    return state.with_controller(n, me)


def _nothing(state: State, n: int, result: str) -> State:
    return state.with_controller(n, Controller(state.crew[n].command, "ended", result=result))


def outside(state: State, before: dict[str, int]) -> Iterator[Move]:
    """Somebody else writes the weights: as they were before, halves for live and standby, or live alone."""
    record: Record = state.record.value
    kept = [arn for fleet in (record.live, record.standby) if fleet for arn in fleet.groups]
    ways = [before, dict.fromkeys(kept, 50), dict.fromkeys(kept[:1], 1)]
    for weights in ways:
        new = weights_of(weights)
        if weights and new != state.weights and set(weights) <= dict(state.groups).keys():
            crew = tuple(c._replace(blind=c.blind | {"traffic"}) if c.alive else c for c in state.crew)
            late = tuple(call._replace(blind=True) for call in state.late)
            after = state._replace(
                weights=new, foreign=True, meddled=True, crew=crew, late=late, outside=state.outside - 1
            )._replace(troubles=state.troubles - 1)
            yield Move(f"somebody else sets {weights}", after)
