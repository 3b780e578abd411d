"""Conditional writes of the record, as `controller.hold` makes them: on the epoch and the op id that were seen last.

Op ids are not numbered here: all that matters of them is whether what a controller knows still stands (`current`). A
write that lost its answer is settled by reading the record, so only one that lands later is told apart.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from bluegreen.core.record import Record
from tests.explore.pieces import LetGo
from tests.explore.values import NOW, Design, Kept, State, keep


def may_write(state: State, n: int, design: Design) -> bool:
    return state.crew[n].current or not design.fenced


def written(state: State, n: int, record: Record, *, whole: bool = False) -> State:
    """The record as it shall stand; epoch, owner and goal stay those of `n`, unless it is the `whole` record. Whoever
    knew the record before does not know it now, and what was still on its way can land no more."""
    me = state.crew[n]
    if not whole:
        record = _under(me.hold, record)
    crew = tuple(c._replace(current=False) if c.alive else c for c in state.crew)
    state = state._replace(record=keep(record), crew=crew, late_record=None)
    return state.with_controller(n, me._replace(hold=keep(record), current=True, age=0.0))


@cache
def _under(hold: Kept[Record], record: Record) -> Record:
    mine = hold.value
    return replace(
        record, epoch=mine.epoch, owner=mine.owner, goal=mine.goal, beat_at=NOW, live_by=""
    )  # for words only


def rewritten(state: State, n: int, design: Design) -> State:
    """A fence or a beat: the record once more."""
    return written(state, n, _known(state, n, design))


def let_go(state: State, n: int, piece: LetGo, design: Design) -> State:
    record = _known(state, n, design)
    goal = piece.again.value or (record.goal if piece.keep_goal else None)
    return written(state, n, replace(record, owner=None, goal=goal), whole=True)


def _known(state: State, n: int, design: Design) -> Record:
    me = state.crew[n]
    known: Record = state.record.value if design.settles and me.current else me.hold.value
    return known
