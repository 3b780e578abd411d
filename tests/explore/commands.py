"""How a command begins: it reads, makes its goal by the real `controller.commands` (`desk`), and takes the next epoch by
one conditional write. Between the two, anybody else may act. And the outside writer, who asks nobody.

A heal is one move: what the real one would see to first is whole, and again until it finds nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from bluegreen.core import event as ev
from bluegreen.core.fleet import weights_of
from bluegreen.core.goal import Goal
from bluegreen.core.outcome import Outcome
from bluegreen.core.record import Owner, Record
from bluegreen.errors import BluegreenError
from tests.explore.cloud import forwarding, made_whole
from tests.explore.desk import Bug, ask
from tests.explore.eyes import all_parts
from tests.explore.pieces import LetGo, Line
from tests.explore.values import NOW, Controller, Move, Shape, State, keep, passing, started

AT_ONCE = ("rollback", "rollback --to standby", "rollback --to live")  # the others wait for whoever holds the stack
HEALS = 4


def calls(state: State, command: str, shape: Shape) -> Iterator[Move]:
    """The command is called: it reads the record and the journal, and makes its goal."""
    n = len(state.crew)
    what = f"{command} ({n + 1}) is called"
    if command not in AT_ONCE and state.record.value.owner is not None:
        lapsed = passing(state, state.record.value.lease_s, lease=True)
        if lapsed is None:
            return
        state = lapsed
        what += ", sees the record stand still for a lease"
    state = state._replace(crew=(*state.crew, Controller(command, "take")))
    yield _heal(state, n, what, shape) if command == "heal" else _read(state, n, what, shape)


def _read(state: State, n: int, what: str, shape: Shape) -> Move:
    command = state.crew[n].command
    answer = ask(state, command, shape.size, shape.bake_s)
    if isinstance(answer, Bug):
        return Move(f"{what}, and ends with 1", _nothing(state, n, "bug"), f"a bug in {command}: {answer.what}")
    if isinstance(answer, BluegreenError):
        return Move(f"{what}, and is refused: {answer.what}", _nothing(state, n, "refused"))
    if isinstance(answer, Outcome):
        return Move(f"{what}, and has nothing to do: {answer.sentence}", _nothing(state, n, "nothing"))
    if answer.epoch == state.record.value.epoch:
        noted = _noted(state, answer)
        return Move(f"{what}, and only notes something in the record", _nothing(noted, n, "noted"))
    me = Controller(command, "take", keep(answer.goal), state.record, todo=keep((answer,)))
    return Move(what, state.with_controller(n, me))


def _noted(state: State, record: Record) -> State:
    """A write under the epoch that stands: a rollback is acknowledged, or a rule was found again."""
    crew = tuple(c._replace(current=False) if c.alive else c for c in state.crew)
    record = replace(record, beat_at=state.record.value.beat_at)
    return state._replace(record=keep(record), crew=crew, late_record=None)


def _heal(state: State, n: int, what: str, shape: Shape) -> Move:
    """Nobody acts in between; what is healed is as it was launched, and serves."""
    healed: list[str] = []
    for _ in range(HEALS):
        answer = ask(state, "heal", shape.size, shape.bake_s)
        if not isinstance(answer, Record):
            said = answer.sentence if isinstance(answer, Outcome) else f"is refused: {answer.what}"
            broken = f"a bug in heal: {answer.what}" if isinstance(answer, Bug) else ""
            names = f"makes {', '.join(healed)} whole and " if healed else ""
            return Move(f"{what}, {names}ends: {said}", _nothing(state, n, "healed" if healed else "refused"), broken)
        if answer.epoch == state.record.value.epoch:
            state = _noted(state, answer)
            continue
        goal: Any = answer.goal
        healed.append(goal.fleet.deployment)
        crew = tuple(c._replace(current=False, blind=c.blind | {"health"}) if c.alive else c for c in state.crew)
        over = replace(answer, owner=None, goal=goal.stopped)
        lines = keep((started(answer.epoch, answer, replace(goal, stopped=None)), ev.Finished(NOW, "healed", "")))
        state = made_whole(state, goal.fleet)._replace(record=keep(over), crew=crew, late_record=None)
        state = state.with_journal(goal.deployment, lines)
    raise AssertionError(f"heal finds no end: {healed}")


def take(state: State, n: int, shape: Shape) -> Move:
    """The next epoch, if the record still is as it was read."""
    me = state.crew[n]
    if not me.current:
        if me.command in AT_ONCE:
            return _read(state, n, "finds the record changed, reads it again", shape)
        return Move("finds that somebody was faster", _nothing(state, n, "held"))
    (record,) = me.todo.value
    return Move(f"takes the stack with epoch {record.epoch}", holding(state, n, record))


def holding(state: State, n: int, record: Record) -> State:
    """Controller `n` has just taken the stack, and is about to write the first line of its run."""
    command = state.crew[n].command
    goal: Any = record.goal
    record = replace(record, owner=Owner(command, str(n)), beat_at=NOW)
    crew = tuple(c._replace(current=False) if c.alive else c for c in state.crew)
    state = state._replace(record=keep(record), crew=crew, late_record=None)
    events = state.journal(goal.deployment)
    me = Controller(
        command,
        "do",
        keep(goal),
        keep(record),
        events=events,
        todo=keep(tuple(Line(line, "open") for line in _first_lines(command, events.value, record))),
        changed=all_parts(keep(goal)),
    )
    if command == "abort" and goal.kind != "abort":  # where the rule is gone, an abort only lets the goal go
        end = (Line(ev.Finished(NOW, "aborted", ""), "end"), LetGo(False))
        me = me._replace(todo=keep(end), result="needs-human")
    return state.with_controller(n, me)


def _first_lines(command: str, events: tuple[ev.Event, ...], record: Record) -> tuple[Any, ...]:
    goal: Any = record.goal
    assert record.owner is not None
    begun = any(isinstance(event, ev.Started) for event in events)
    first = () if begun else (started(record.epoch, record, goal),)
    return (*first, ev.Resumed(NOW, record.epoch, record.owner)) if command == "resume" else first


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
            after = unseen(forwarding(state, new), "traffic")._replace(outside=state.outside - 1)
            yield Move(f"somebody else sets {weights}", after._replace(foreign=True, meddled=True))


def unseen(state: State, *parts: Any) -> State:
    """Whoever is at work has not seen what somebody else has just changed; nor has who sent a call that may still land."""
    crew = tuple(c._replace(blind=c.blind | set(parts)) if c.alive else c for c in state.crew)
    return state._replace(crew=crew, late=tuple(call._replace(blind=True) for call in state.late))


def first_of(record: Record, goal: Goal) -> Record:
    """The record by which a run began that is under way at the beginning of a world."""
    return replace(record, epoch=record.epoch + 1, goal=goal)
