"""The walk for ways out: from every state at rest, commands lead to where the stack can be used again.

At rest nobody is at work and nothing is on its way. From there the world behaves: AWS does what was asked, nothing gets
sick any more, and what is dead stays dead unless a command replaces it. Out is where no operation is unfinished, something
healthy serves, a deploy is accepted, and a rollback is one that can be tried: a state in which the stack is in the hands of
bluegreen. One command after the other may be needed. Where the rule itself is gone, the person who runs them makes it again
for the live group first, as they are told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from bluegreen.controller.run import MAX_SETBACKS
from bluegreen.core.record import Record
from bluegreen.errors import BluegreenError
from tests.explore import cloud, commands, shell
from tests.explore.desk import COMMANDS, Bug, ask
from tests.explore.values import AS_BUILT, CAP, Move, Shape, State, later
from tests.explore.way_back import serving

LONGEST = 3  # commands, one after the other
MAX_MOVES = 2_000  # of one command
REMAKE = "the rule is made again"
NO_WAY_OUT = "no command leads out"


@dataclass
class Walk:
    """`ways`: state at rest → the commands that lead out of it; `shut`: the states that no commands lead out of."""

    shape: Shape
    ways: dict[State, tuple[str, ...]] = field(default_factory=dict)
    shut: dict[State, str] = field(default_factory=dict)
    broken: dict[str, list[State | str]] = field(default_factory=dict)  # promises that a command breaks on its way
    _after: dict[tuple[State, str], State] = field(default_factory=dict)

    def walk(self, states: Iterable[State]) -> None:
        for state in states:
            if state in self.ways or state in self.shut:
                continue
            way = self._way(state)
            if way is None:
                self.shut[state] = self._told(state)
            else:
                self.ways[state] = way

    def found(self) -> dict[str, list[State | str]]:
        """What is broken, with the state that the path begins at, or the state that none leads out of."""
        if not self.shut:
            return self.broken
        state, told = next(iter(self.shut.items()))
        return {**self.broken, NO_WAY_OUT: [state, told]}

    def line(self) -> str:
        longest = [sum(len(way) == n for way in self.ways.values()) for n in range(LONGEST + 1)]
        counts = ", ".join(f"{count} by {n}" for n, count in enumerate(longest) if count)
        return f"{len(self.ways) + len(self.shut)} states at rest: {counts} commands, {len(self.shut)} shut"

    def _way(self, start: State) -> tuple[str, ...] | None:
        """The fewest commands that lead out."""
        level: dict[State, tuple[str, ...]] = {start: ()}
        known = {start}
        for _ in range(LONGEST + 1):
            for state, way in level.items():
                if self._out(state):
                    return way
            further: dict[State, tuple[str, ...]] = {}
            for state, way in level.items():
                for command in self._may(state):
                    after = self._ran(state, command)
                    if after not in known:
                        known.add(after)
                        further[after] = (*way, command)
            level = further
        return None

    def _may(self, state: State) -> tuple[str, ...]:
        return (REMAKE, *COMMANDS) if state.rule % 2 else COMMANDS

    def _out(self, state: State) -> bool:
        if state.record.value.goal is not None or not serving(state):
            return False
        return not isinstance(self._asked(state, "deploy"), BluegreenError | Bug)

    def _asked(self, state: State, command: str) -> object:
        return ask(state, command, self.shape.size, self.shape.bake_s)

    def _ran(self, state: State, command: str) -> State:
        key = (state, command)
        if key not in self._after:
            self._after[key] = remade(state) if command == REMAKE else self._run(state, command)
        return self._after[key]

    def _run(self, state: State, command: str) -> State:
        """The state at rest after the command, once it has come to its end."""
        path: list[State | str] = [state]
        for what, after, broken in _moves(state, command, self.shape):
            state = after
            path.append(what)
            if broken:
                self.broken.setdefault(broken, [*path])
        return at_rest(state)

    def _told(self, state: State) -> str:
        """What each command says there, for the report."""
        told = [f"{command}: {end_of(state, command, self.shape)}" for command in COMMANDS]
        return f"{in_words(state)}\n    " + "\n    ".join(told)


def rests(state: State) -> bool:
    return not (state.late or state.late_record or any(me.alive for me in state.crew))


def at_rest(state: State) -> State:
    """A state at rest as it is some time later, without what is only told of its past."""
    goal = state.record.value.goal
    kept = {goal.deployment, *([goal.stopped.deployment] if goal.stopped else [])} if goal else set()
    state = state._replace(
        crew=(), troubles=0, outside=0, ills=0, edits=0, foreign=False, meddled=False, strays=frozenset(),
        stood=frozenset(), journals=tuple(pair for pair in state.journals if pair[0] in kept),
    )  # fmt: skip
    return settled(later(state, CAP))


def settled(state: State) -> State:
    """AWS has done all that it was asked."""
    while (after := next(cloud.moves(state), None)) is not None:
        state = after[1]
    return state


def remade(state: State) -> State:
    live = state.record.value.live
    weights = ((live.groups[0], 1),) if live and live.groups[0] in dict(state.groups) else None
    return settled(cloud.forwarding(state._replace(rule=state.rule + 1), weights))


def end_of(state: State, command: str, shape: Shape) -> str:
    """How the command ends."""
    moves = [move.what for move in _moves(state, command, shape)]
    ends = [what for what in moves if "ends as" in what or "refused:" in what or "nothing to do" in what]
    return (ends or moves or ["cannot be called"])[-1]


def _moves(state: State, command: str, shape: Shape) -> Iterator[Move]:
    """Its moves, one after the other: AWS is as fast as can be, so no wait lasts longer than it must."""
    for move in commands.calls(state, command, shape):
        yield move
        state = move.state
    refused = 0
    for _ in range(MAX_MOVES):
        if not state.crew or not state.crew[0].alive:
            return
        me = state.crew[0]
        if me.at == "look" and me.left is not None and (moved := next(cloud.moves(state), None)):
            state = settled(moved[1])
            state = state.with_controller(0, state.crew[0]._replace(left=None))  # it looks before its deadline
        move = commands.take(state, 0, shape) if me.at == "take" else next(shell.moves(state, 0, AS_BUILT))
        yield move
        state = move.state
        refused = refused + 1 if "which AWS refuses" in move.what else refused
        if refused > MAX_SETBACKS:
            state, refused = shell.asks_a_human(state, 0), 0
    raise AssertionError(f"{command} finds no end in {MAX_MOVES} moves: {in_words(state)}; at last {move.what}")


def in_words(state: State) -> str:
    record: Record = state.record.value
    fleets = [
        f"{name} {fleet.deployment}" for name, fleet in (("live", record.live), ("standby", record.standby)) if fleet
    ]
    fleets += [f"doomed {fleet.deployment}" for fleet in record.doomed]
    goal = f"{record.goal.kind} {record.goal.deployment} unfinished" if record.goal else "no goal"
    groups = "; ".join(f"{arn}: {', '.join(s for _, s in targets) or 'empty'}" for arn, targets in state.groups)
    rule = "is gone" if state.rule % 2 else f"has {dict(state.weights or ())}"
    return f"{', '.join(fleets) or 'no fleet'}; {goal}; the rule (made anew {state.rule // 2} times) {rule}; {groups}"
