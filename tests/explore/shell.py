"""The shell in small: what `controller.run`, `perform`, `journal` and `hold` do between two decisions, cut into pieces
between which others may act. Each piece happens, or one of the troubles that the bounds allow befalls it.

The decisions, the guard, the fold, the look and the target of a mend are the real ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from bluegreen.core import event as ev
from bluegreen.core.decision import Act, Fail, Finish, Note, Wait
from bluegreen.core.record import Record
from bluegreen.core.step import Launch, PutBack, SetWeights, Step
from tests.explore import cloud
from tests.explore.eyes import all_parts, decided, looked, refused_by_guard
from tests.explore.hold import let_go, may_write, rewritten, written
from tests.explore.late import after_standing_still, mend_of, overtaken
from tests.explore.pieces import BACK, LetGo, Line, Mend, Paused, Send, Store, changes, pieces
from tests.explore.promises import broken_by, untrue
from tests.explore.values import LATE_S, NOW, Controller, Design, Late, Move, State, keep, passing, progress
from tests.explore.way_back import promotes_badly, says_wrongly, second_rollback

FRESH_S = 2.0
BEAT_S = 5.0
CALL_S = 1.5  # what a call adds to the age of the last conditional write: two calls go out under one


def moves(state: State, n: int, design: Design) -> Iterator[Move]:
    """What controller `n` may do next."""
    me = state.crew[n]
    if me.at == "look":
        if me.left is not None and (after := passing(state, me.left)):
            yield Move(f"has waited {me.left:.0f} s", after.with_controller(n, after.crew[n]._replace(left=None)))
        yield from _look(state, n, design)
        if state.troubles:
            line = Line(ev.Interrupted(NOW), "end")
            yield Move("is interrupted", _spend(_ending(state, n, "interrupted", (line, LetGo(True)))))
    elif me.at == "do":
        yield from _do(state, n, design)
    mends = me.at == "do" and isinstance(me.todo.value[0], Paused | Mend)
    if state.troubles and me.at in ("look", "do") and not mends:
        yield Move("dies", _spend(_ended(state, n, "", "dead")))


def _look(state: State, n: int, design: Design) -> Iterator[Move]:
    if state.crew[n].age >= BEAT_S:
        if not may_write(state, n, design):
            yield _superseded(state, n, "beats")
            return
        state = rewritten(state, n, design)
    me = state.crew[n]
    me = me._replace(seen=looked(state, me), blind=me.blind - me.look, left=None)
    decision = decided(me.goal, me.seen, me.events, me.epoch)
    fresh, me = me.fresh, me._replace(fresh=False)
    every = all_parts(me.goal)
    match decision:
        case Finish(outcome=outcome, over=over, again=again) if fresh:
            result = outcome.result
            last = LetGo(result == "needs-human" and not over, keep(again))
            lines = (Line(ev.Finished(NOW, result, ""), "end"), last)
            if result == "superseded":
                yield _superseded(state, n, "looks")
            else:
                wrong = untrue(state, me, result, outcome.sentence) or says_wrongly(state, me, outcome)
                yield Move(f"ends as {result}: {outcome.sentence}", _ending(state, n, result, lines), wrong)
        case Finish():
            yield Move("looks at all again", _to_look(state, n, me._replace(fresh=True), every))
        case Act(steps=steps):
            yield Move("decides", _next(state, n, me._replace(queue=keep(steps), todo=keep(()), changed=frozenset())))
        case Note(event=event):
            yield Move("notes", _doing(state, n, me._replace(changed=frozenset()), (Line(event, "note"),)))
        case Fail(reason=reason):
            yield Move(f"fails: {reason}", _fails(state, n, me))
        case Wait(until=until, look=look):
            left = max(0.05, until - NOW)
            yield Move("waits", _to_look(state, n, me._replace(left=left), look))


def _do(state: State, n: int, design: Design) -> Iterator[Move]:
    me = state.crew[n]
    piece, rest = me.todo.value[0], me.todo.value[1:]
    match piece:
        case Line():
            yield from _line(state, n, piece, rest, design)
        case "fence" | "fence now":
            if me.age <= FRESH_S and piece == "fence":
                yield Move("wrote the record a moment ago", _doing(state, n, me, rest))
            if may_write(state, n, design):
                after = rewritten(state, n, design)
                yield Move("shows that the stack is its own", _doing(after, n, after.crew[n], rest))
            else:
                yield _superseded(state, n, "finds that the stack is no longer its own")
        case Send(step=step):
            yield from _send(state, n, step, rest)
        case Paused(step=step, well=well):
            yield from _paused(state, n, step, rest, well, design)
        case Mend(step=step):
            mended = _landed(state, step) or state
            yield Move(f"mends: {name(step)}", _ended(mended, n, "superseded"))
        case Store(step=step):
            yield from _store(state, n, step, rest, design)
        case LetGo():
            if may_write(state, n, design):
                state = let_go(state, n, piece, design)
            yield Move("lets go", _ended(state, n, me.result))
        case _:
            raise AssertionError(piece)


def _line(state: State, n: int, line: Line, rest: tuple[Any, ...], design: Design) -> Iterator[Move]:
    me = state.crew[n]
    deployment = me.goal.value.deployment
    stands = state.journal(deployment)
    name = type(line.event).__name__
    taken = len(stands.value) != len(me.events.value)
    if taken and design.settles and may_write(state, n, design):
        state = rewritten(state, n, design)
        me = state.crew[n]._replace(events=stands)
    elif taken:
        if line.context == "end":
            yield Move(f"cannot journal {name}", _doing(state, n, me, rest))
        else:
            yield _superseded(state, n, f"finds the line of {name} taken")
        return
    mine = keep((*me.events.value, line.event))
    after = state.with_journal(deployment, mine)
    yield Move(f"journals {name}", _doing(after, n, me._replace(events=mine), rest))
    if state.troubles:
        what = f"journals {name}, and does not learn that it stands"
        match line.context:
            case "act" | "note":
                yield Move(what, _spend(_setback(after, n, me)))
            case "end":
                yield Move(what, _spend(_doing(after, n, me, rest)))
            case "open":
                yield Move(what, _spend(_ended(after, n, "error")))


def _send(state: State, n: int, step: Step, rest: tuple[Any, ...]) -> Iterator[Move]:
    called = name(step)
    me = state.crew[n]
    me = me._replace(age=min(me.age + CALL_S, 10.0)) if me.age <= FRESH_S else me
    after = _landed(state, step)
    if after and not me.current and me.age > LATE_S:
        after = after_standing_still(state, after, n)
    judged = not me.blind and not overtaken(state, n, step)
    broken = (broken_by(step, state, after) or second_rollback(step, state, me)) if after and judged else ""
    if after is None:
        yield Move(f"{called}, which AWS refuses", _failing(state, n, me, step))
    else:
        yield Move(called, _doing(after, n, me, _without_pause(rest, me)), broken)
    if not state.troubles:
        return
    if after is not None:
        yield Move(f"{called}, and the reply is lost", _spend(_failing(after, n, me, step, False)), broken)
        if isinstance(step, Launch) and after.instances != state.instances:
            unseen = _doing(cloud.hidden(after, step), n, me, rest)
            yield Move(f"{called}, and they are not to be seen yet", _spend(unseen))
        if me.age <= LATE_S:
            sent = state._replace(late=(*state.late, Late(n, keep(step), me.age, bool(me.blind))))
            yield Move(f"{called}, is not answered, and it may land later", _spend(_failing(sent, n, me, step, False)))
            yield Move(f"{called}, is not answered, and dies", _spend(_ended(sent, n, "", "dead")))
    yield Move(f"{called}, which is refused in passing", _spend(_failing(state, n, me, step)))
    if isinstance(step, Launch):
        no = Line(ev.LaunchRefused(NOW, step.token, "Limit", "no", capacity=False), "act")
        yield Move(f"{called}, which is refused for good", _spend(_doing(state, n, me, (no,))))


def _failing(state: State, n: int, me: Controller, step: Step, answered: bool = True) -> State:
    """The call did not succeed: look again. A call that had no answer is noted, when it may matter that it lands late."""
    then: tuple[Any, ...] = (BACK,)
    if isinstance(step, SetWeights | PutBack) and me.age > LATE_S:
        then = (Paused(step, False),)
    if not answered and isinstance(step, SetWeights | PutBack | Launch):
        of = step.token if isinstance(step, Launch) else step.binding.arn
        then = (Line(ev.Unanswered(NOW, of), "act"), *then)
    return _doing(state, n, me, then)


def _without_pause(rest: tuple[Any, ...], me: Controller) -> tuple[Any, ...]:
    return rest[1:] if rest and isinstance(rest[0], Paused) and me.age <= LATE_S else rest


def _paused(state: State, n: int, step: Any, rest: tuple[Any, ...], well: bool, design: Design) -> Iterator[Move]:
    me = state.crew[n]
    if may_write(state, n, design):
        after = rewritten(state, n, design)
        me = after.crew[n]
        yield Move(
            "was paused, and still holds the stack", _doing(after, n, me, rest) if well else _setback(after, n, me)
        )
        return
    mend = mend_of(state, me, step)
    if mend is None:
        yield _superseded(state, n, "was paused, and leaves the weights to who holds the stack")
        return
    yield Move("was paused, and must mend", _doing(state, n, me, (Mend(mend),)))


def _store(state: State, n: int, step: Any, rest: tuple[Any, ...], design: Design) -> Iterator[Move]:
    me = state.crew[n]
    if not may_write(state, n, design):
        yield _superseded(state, n, "may not write the record")
        return
    after = written(state, n, step.record)
    broken = "" if me.blind else promotes_badly(step, state, me)
    if step.promote is not None:
        after = after._replace(stood=after.stood | {step.promote.deployment})
    yield Move(f"writes the record: {step.why}", _doing(after, n, after.crew[n], rest), broken)
    if state.troubles:
        late = state._replace(late_record=(n, after.record))
        unsure = me._replace(age=BEAT_S) if design.settles else me
        yield Move(f"writes the record: {step.why}, and it may land later", _spend(_setback(late, n, unsure)))


def _next(state: State, n: int, me: Controller) -> State:
    """The next step of the decision, or the next look."""
    if not me.queue.value:
        return _to_look(state, n, me, me.changed & all_parts(me.goal))
    step, rest = me.queue.value[0], me.queue.value[1:]
    assert me.seen is not None
    if refused_by_guard(step, me.seen, me.epoch):
        return _fails(state, n, me)
    me = me._replace(queue=keep(rest), changed=me.changed | changes(step))
    return _doing(state, n, me, pieces(step, me))


def _fails(state: State, n: int, me: Controller) -> State:
    """The undo begins; or, where there is none, a human is asked."""
    if me.goal.value.kind != "deploy" or progress(me.events).failed:
        return _ending(state, n, "needs-human", (LetGo(True),))
    me = me._replace(queue=keep(()), changed=all_parts(me.goal))
    return _doing(state, n, me, (Line(ev.Failed(NOW, "failed"), "note"),))


def _doing(state: State, n: int, me: Controller, todo: tuple[Any, ...]) -> State:
    if todo == (BACK,):
        return _setback(state, n, me)
    if not todo:
        return _next(state, n, me._replace(todo=keep(())))
    return state.with_controller(n, me._replace(at="do", todo=keep(todo)))


def _to_look(state: State, n: int, me: Controller, look: frozenset[Any]) -> State:
    whole = look >= all_parts(me.goal)
    me = me._replace(at="look", look=look, seen=None if whole else me.seen, todo=keep(()), queue=keep(()))
    return state.with_controller(n, me._replace(changed=frozenset()))


def _setback(state: State, n: int, me: Controller) -> State:
    return _to_look(state, n, me, all_parts(me.goal))


def _ending(state: State, n: int, result: str, todo: tuple[Any, ...]) -> State:
    me = state.crew[n]._replace(at="do", todo=keep(todo), queue=keep(()), seen=None, left=None, result=result)
    return state.with_controller(n, me)


def asks_a_human(state: State, n: int) -> State:
    """AWS gave too many errors in a row; that is counted where nothing else can happen."""
    return _ending(state, n, "needs-human", (LetGo(True),))


def _superseded(state: State, n: int, what: str) -> Move:
    return Move(
        f"{what}, and ends as superseded", _ended(state, n, "superseded"), untrue(state, state.crew[n], "superseded")
    )


def _ended(state: State, n: int, result: str, at: str = "ended") -> State:
    me = state.crew[n]
    goal = keep(replace(me.goal.value, undo_until=0.0))
    rest = Controller(me.command, at, goal, keep(Record("shop", me.epoch)), current=False, result=result)
    return state.with_controller(n, rest)


def _landed(state: State, step: Step) -> State | None:
    try:
        return cloud.performed(state, step)
    except cloud.No:
        return None


def _spend(state: State) -> State:
    return state._replace(troubles=state.troubles - 1)


def name(step: Any) -> str:
    weights = f" {dict(step.weights)}" if isinstance(step, SetWeights) else ""
    return f"{type(step).__name__}{weights} ({step.why})"
