"""The search: every state that can be reached is visited once, the nearest first, so the first path to it is a shortest."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

from bluegreen.core.record import Record
from tests.explore import cloud, commands, shell
from tests.explore.exits import Walk, at_rest, in_words, rests
from tests.explore.late import overtaken
from tests.explore.promises import broken_by, wrong_at_rest
from tests.explore.values import AS_BUILT, Controller, Design, Kept, Move, State, keep
from tests.explore.worlds import Small

MAX_JOURNAL = 60  # lines; a run that writes more makes no progress


@dataclass
class Found:
    """What one exploration found. `broken` maps a broken promise to the shortest path to it."""

    world: str
    states: int = 0
    transitions: int = 0
    ends: int = 0
    stuck: int = 0  # states from which no end can be reached
    broken: dict[str, list[str]] = field(default_factory=dict)
    rests: dict[State, int] = field(default_factory=dict)  # states at rest, as they are some time later; one of each
    came: list[tuple[int, str]] = field(default_factory=list)

    def path(self, number: int) -> list[str]:
        """The shortest path to the state of this number."""
        path: list[str] = []
        while number > 0:
            number, what = self.came[number]
            path.append(what)
        return path[::-1]

    def walked(self, walk: Walk) -> None:
        """From every state at rest, the ways out; what is broken on them, or shut, is told with the path to its beginning."""
        walk.walk(self.rests)
        for what, (start, *rest) in walk.found().items():
            here = self.rests.get(start, 0)  # type: ignore[call-overload]
            path = [*self.path(here), in_words(start)]  # type: ignore[arg-type]
            self.broken.setdefault(what, [*path, *(str(one) for one in rest)])

    def line(self) -> str:
        return f"{self.world}: {self.states} states, {self.transitions} transitions, {len(self.broken)} violations"

    def story(self) -> str:
        told = [f"{self.world}: {what}\n  " + "\n  ".join(path) for what, path in self.broken.items()]
        return "\n".join(told)


def moves(world: Small, state: State, design: Design = AS_BUILT) -> Iterator[Move]:
    """Everything that may happen next."""
    for n, me in enumerate(state.crew):
        own = [commands.take(state, n, world.shape)] if me.at == "take" else shell.moves(state, n, design)
        for what, after, broken in own:
            awake = after.crew[n]._replace(still=False)
            yield Move(f"{me.command} ({n + 1}) {what}", after.with_controller(n, awake), broken)
    yield from _landings(state)
    alone = (world.ills or world.edits) and not any(me.alive for me in state.crew)
    if alone or any(me.at == "look" and me.left is not None for me in state.crew):
        for what, after in cloud.moves(state):
            yield Move(what, _unseen_by_the_busy(after) if after.groups != state.groups else after)
    if len(state.crew) < world.commands + world.first:
        for command in world.then:
            yield from commands.calls(state, command, world.shape)
    if state.troubles:
        lost = [Move(what, commands.unseen(after, "health")) for what, after in cloud.losses(state)]
        written = commands.outside(state, dict(world.before or ())) if state.outside else ()
        for what, after, _ in (*lost, *written):
            yield Move(what, after._replace(troubles=state.troubles - 1))
    if state.ills:
        for what, after in cloud.ills(state):
            yield Move(what, commands.unseen(after, "health")._replace(ills=state.ills - 1))
    if state.edits:
        for what, after in cloud.edits(state):
            edited = commands.unseen(after, "traffic", "health")._replace(edits=state.edits - 1)
            yield Move(what, edited._replace(foreign=True, meddled=True))


def normal(state: State, more: bool, design: Design) -> State:
    """The same state without what nobody can ever read again. `more`: another command may be called."""
    crew = list(state.crew)
    top = max((me.epoch for me in crew), default=0)
    for n, me in enumerate(crew):
        if not me.alive and me.epoch < top:
            crew[n] = Controller(me.command, "ended")
        elif me.alive and design.fenced and not me.current and 0 < me.epoch < state.record.value.epoch:
            crew[n] = me._replace(hold=_epoch_only(me.epoch))
    journals = state.journals
    if not more and not any(me.at == "take" for me in crew):
        followed = {me.goal.value.deployment for me in crew if me.alive}
        goal = state.record.value.goal  # whoever resumes it reads its journal
        followed |= {goal.deployment, *([goal.stopped.deployment] if goal.stopped else [])} if goal else set()
        journals = tuple(pair for pair in journals if pair[0] in followed)
    return state._replace(crew=tuple(crew), journals=journals)


@cache
def _epoch_only(epoch: int) -> Kept[Record]:
    return keep(Record("shop", epoch))


def _unseen_by_the_busy(state: State) -> State:
    """Whoever decided before a target got healthy did so without it."""
    state = state._replace(late=tuple(call._replace(blind=True) for call in state.late))
    if all(me.left is not None for me in state.crew if me.alive):
        return state
    crew = tuple(c._replace(blind=c.blind | {"health"}) if c.alive and c.left is None else c for c in state.crew)
    return state._replace(crew=crew)


def _landings(state: State) -> Iterator[Move]:
    for number, call in enumerate(state.late):
        left = state._replace(late=state.late[:number] + state.late[number + 1 :])
        try:
            after = cloud.performed(left, call.step.value)
        except cloud.No:
            after = left
        skipped = call.blind or overtaken(state, call.sender, call.step.value)
        broken = "" if skipped else broken_by(call.step.value, left, after)
        yield Move(f"a late {shell.name(call.step.value)} of {call.sender + 1} lands", after, broken)
    if state.late_record:
        sender, record = state.late_record
        crew = tuple(c._replace(current=c.alive and n == sender) for n, c in enumerate(state.crew))
        yield Move("a late write of the record lands", state._replace(record=record, late_record=None, crew=crew))


@contextmanager
def _uncollected() -> Iterator[None]:
    """Nothing here is a cycle: the collector would only walk through all states again and again."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@_uncollected()
def explore(
    world: Small,
    design: Design = AS_BUILT,
    *,
    most: int = 2_000_000,
    enough: Callable[[Found], bool] = lambda found: False,
) -> Found:
    """All states of a world; or until it is `enough`, or `most` states were met."""
    found = Found(world.name)
    first = world.beginning()
    known = {first: 0}
    came = found.came = [(-1, "")]
    back: list[list[int]] = [[]]
    ends: list[int] = []
    queue = deque([first])

    def tell(number: int, what: str, last: str = "") -> None:
        if what and what not in found.broken:
            found.broken[what] = found.path(number) + ([last] if last else [])

    while queue and not enough(found):
        state = queue.popleft()
        here = known[state]
        if any(len(events.value) > MAX_JOURNAL for _, events in state.journals):
            tell(here, "I11: a journal grows without end")
            continue
        tell(here, wrong_at_rest(state))
        if not any(me.alive for me in state.crew):
            ends.append(here)
            if rests(state):
                found.rests.setdefault(at_rest(state), here)
        for what, reached, broken in moves(world, state, design):
            found.transitions += 1
            after = normal(reached, len(reached.crew) < world.commands + world.first, design)
            there = known.get(after)
            if there is None:
                there = known[after] = len(came)
                came.append((here, what))
                back.append([])
                queue.append(after)
                if there > most:
                    raise RuntimeError(f"{world.name}: more than {most} states")
            back[there].append(here)
            tell(here, broken, what)
    found.states, found.ends = len(came), len(ends)
    if not queue:
        found.stuck = _cannot_end(back, ends, tell)
    return found


def _cannot_end(back: list[list[int]], ends: list[int], tell: Callable[[int, str], None]) -> int:
    """How many states there are from which nobody ever comes to an end: a livelock."""
    reached = bytearray(len(back))
    todo = list(ends)
    for number in ends:
        reached[number] = 1
    while todo:
        for before in back[todo.pop()]:
            if not reached[before]:
                reached[before] = 1
                todo.append(before)
    lost = reached.find(0)
    if lost >= 0:
        tell(lost, "I11: from here no end can be reached")
    return reached.count(0)
