"""Planted bugs: each changes one thing in the core or the controller for as long as its context lasts, and the simulator's
checks have to see it in one of the `mixed` plans."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from bluegreen.controller import commands, hold, run
from bluegreen.controller import heal as heal_command
from bluegreen.controller.hold import Hold
from bluegreen.controller.journal import Journal
from bluegreen.controller.perform import Performer
from bluegreen.core import event as ev
from bluegreen.core.decide import deploy, heal, retire, rollback
from bluegreen.core.decide.case import Case
from bluegreen.core.decision import Decision, Finish
from bluegreen.core.fleet import FULL, Weights, weights_of
from bluegreen.core.observation import Binding, Group
from bluegreen.core.outcome import Outcome
from bluegreen.core.record import Record
from bluegreen.core.step import Launch
from bluegreen.errors import Superseded
from tests.planted import Changes, planted, retire_standby_first, without
from tests.sim.faults import Trouble
from tests.sim.scenario import Plan, drawn_heal, widened
from tests.sim.sweeps import CASES, HEALS, SHAPE, crashes, singles

SEED = 5
TURNS = 1500  # a real run takes some hundred; a mutant that turns in circles is to be seen soon
_ROLLBACK, _DEPLOY = rollback.RULES, deploy.RULES
_UNSWITCHED = deploy._unswitched
_LAUNCH, _WRITE = Performer._launch, Journal.write


@dataclass(frozen=True)
class Mutant:
    name: str
    changes: Changes

    @contextmanager
    def planted(self) -> Iterator[None]:
        with planted(((run, "MAX_TURNS", TURNS), *self.changes)):
            yield


def mixed(number: int) -> list[Plan]:
    """Sweeps and random schedules in one order that is always the same, so that each kind comes early."""
    swept = [plan for case in CASES for plan in singles(case)]
    crashed = [plan for case in CASES for after in ("resume", "rollback", "abort") for plan in crashes(case, after)]
    dice = random.Random(SEED)
    dice.shuffle(swept)
    dice.shuffle(crashed)
    rows = zip(swept, crashed, map(widened, itertools.count()), strict=False)
    return [*early(), *itertools.islice(itertools.chain.from_iterable(rows), number)]


def early() -> list[Plan]:
    """What that order brings late: an instance of the new fleet falls ill while it bakes, or is not shown for long; AWS does
    not tell health while the fleet boots; a rollback takes over and the other run does not see it."""
    history, command, shape = ("deploy A",), "deploy B", replace(SHAPE, bake_s=20)
    sick = [Plan(history, command, (Trouble(call, "sick", "", 5.0),), "", shape) for call in range(60, 90, 3)]
    hidden = Plan(history, command, (Trouble(1, "hidden", "RunInstances", 100.0),), "", SHAPE)
    blind = [
        Plan(history, command, tuple(Trouble(n + i, "blind", "DescribeTargetHealth") for i in range(4)), "", SHAPE)
        for n in range(4, 20)  # at two looks in a row, for the switch waits for the second
    ]
    taken = [Plan(history, command, (), "", shape, ((delay, "rollback"),)) for delay in (4.0, 8.0, 12.0, 16.0, 20.0)]
    ill = Plan(("deploy A", "deploy B", "sicken standby"), "rollback", (), "", SHAPE)
    return [*sick, hidden, *blind, *taken, ill]


def healing(number: int) -> list[Plan]:
    """Crashes of heals and random schedules around them, in turn."""
    crashed = [plan for case in HEALS for after in ("rollback", "abort") for plan in crashes(case, after)]
    random.Random(SEED).shuffle(crashed)
    rows = zip(crashed, map(drawn_heal, itertools.count()), strict=False)
    return list(itertools.islice(itertools.chain.from_iterable(rows), number))


def _standby_dropped(binding: Binding, group: str) -> Weights:
    return weights_of({**{arn: weight for arn, weight in binding.by_group.items() if weight}, group: 0})


def _always_deployed(case: Case) -> Decision | None:
    return Finish(Outcome("deployed", "taken for granted")) if case.promoted else None


def _new_token(self: Performer, step: Launch) -> Any:
    return _LAUNCH(self, replace(step, token=f"{step.token[:40]}-{len(self.journal.progress.events)}"))


def _silent(kind: type) -> Callable[[Journal, Any], Any]:
    return lambda self, event: None if isinstance(event, kind) else _WRITE(self, event)


def _lost_reply_is_a_lost_lock(self: Hold) -> None:
    if self._unsettled:
        self._lost = Superseded("somebody else has written")
        raise self._lost


def _same_epoch(
    cls: Any, records: Any, clock: Any, now: Any, stack: str, owner: Any, goal: Any, ids: Any = hold.new_id
) -> Any:
    seen = now or Record(stack, 1)
    mine = replace(seen, op_id=ids(), rvn=ids(), beat_at=clock.now(), owner=owner, goal=goal(seen.epoch))
    records.write(mine, seen.epoch if now else 0, seen.op_id)
    return cls(records, clock, mine, ids)


def _first_binding_only(case: Case) -> list[Any]:
    return [(now, goal) for now, goal in _UNSWITCHED(case) if now is case.pairs[0][1]]


def _beside(binding: Binding, group: str, also: Any = ()) -> Weights:
    return weights_of({**binding.by_group, group: FULL})


def _nothing(*_: Any, **__: Any) -> None:
    return None


MUTANTS = (
    Mutant("a launch is not journaled before it is made", ((Journal, "write", _silent(ev.Launching)),)),
    Mutant("a launch's answer is not journaled", ((Journal, "write", _silent(ev.Launched)),)),
    Mutant("a failure is not journaled before the undo", ((Journal, "write", _silent(ev.Failed)),)),
    Mutant("a launch that is repeated has a new token", ((Performer, "_launch", _new_token),)),
    Mutant("the standby is dropped when the new fleet is attached", ((deploy, "attach", _standby_dropped),)),
    Mutant("a rollback does not raise the epoch", ((Hold, "take", classmethod(_same_epoch)),)),
    Mutant(
        "the standby is retired before the new fleet is live",
        ((deploy, "RULES", (*_DEPLOY[:5], retire_standby_first, *_DEPLOY[5:])), (run, "forbidden", _nothing)),
    ),
    Mutant("an instance that is not found counts as gone", ((retire, "_may_still_appear", _nothing),)),
    Mutant(
        "one healthy instance is enough",
        ((deploy, "RULES", without(_DEPLOY, deploy.wait_healthy)), (run, "forbidden", _nothing)),
    ),
    Mutant(
        "a promoted deploy ends well whatever is seen",
        ((deploy, "RULES", (*_DEPLOY[:1], _always_deployed, *_DEPLOY[1:])),),
    ),
    Mutant("a lost reply of our own write is taken for a lost lock", ((Hold, "settle", _lost_reply_is_a_lost_lock),)),
    Mutant("a rollback leaves the stopped fleet behind", ((rollback, "RULES", without(_ROLLBACK, rollback.clean_up)),)),
    Mutant(
        "a rollback goes to whatever fleet there is",
        ((rollback, "RULES", without(_ROLLBACK, rollback.not_able)), (run, "forbidden", _nothing)),
    ),
    Mutant("a rollback does not write down who is live", ((rollback, "RULES", without(_ROLLBACK, rollback.swap)),)),
    Mutant("the older standby is never retired", ((deploy, "RULES", without(_DEPLOY, deploy.retire_older)),)),
    Mutant(
        "the undo leaves the traffic where it is",
        ((deploy, "_traffic_back", lambda case: ()), (run, "forbidden", _nothing)),
    ),
    Mutant("only the first binding is switched", ((deploy, "_unswitched", _first_binding_only),)),
    Mutant("nobody ever lets go of the stack", ((Hold, "let_go", _nothing),)),
    Mutant("the new weight is set beside the old one", ((deploy, "all_to", _beside), (run, "forbidden", _nothing))),
    Mutant(
        "a run does not look whether it was taken over",
        (
            *((Hold, name, _nothing) for name in ("fence", "beat", "settle")),
            (deploy, "RULES", without(_DEPLOY, deploy.higher_epoch)),
        ),
    ),
    Mutant(
        "health that AWS does not tell counts as healthy",
        ((Group, "healthy", property(lambda self: self.count("healthy", "unavailable"))),),
    ),
)
HEAL_MUTANTS = (
    Mutant(
        "a heal takes out what is to stay",
        ((heal, "_leaving", lambda case: {*case.goal.stay, *case.goal.lost}), (run, "forbidden", _nothing)),
    ),
    Mutant("a heal launches a whole fleet", ((heal_command, "missing", lambda places, *rest: places),)),
    Mutant("a heal that failed leaves what it launched", ((heal, "_able", lambda case, instance: True),)),
    Mutant(
        "a heal that failed ends what got healthy",
        ((heal, "_able", lambda case, instance: False), (run, "forbidden", _nothing)),
    ),
    Mutant("a heal that is over leaves the dead running", ((heal, "RULES", without(heal.RULES, heal.end_dead)),)),
    Mutant("gc does not know what a heal left", ((commands, "strays", lambda *seen: ()),)),
)
