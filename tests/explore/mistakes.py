"""Planted mistakes: what the exploration must find, to prove that it can fail. Each changes one thing in the core or the
shell for as long as its context lasts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bluegreen.controller import commands, goals
from bluegreen.controller.rebind import Found
from bluegreen.core import guard
from bluegreen.core.decide import deploy, retire, rollback, standby, upkeep
from bluegreen.core.decide.case import Case
from bluegreen.core.fleet import FULL, Weights, weights_of
from bluegreen.core.observation import Binding
from bluegreen.core.progress import Progress
from bluegreen.errors import Refused
from tests.explore.desk import forget_answers
from tests.explore.exits import NO_WAY_OUT
from tests.explore.eyes import forget
from tests.explore.values import AS_BUILT, Design
from tests.explore.worlds import Small
from tests.planted import Changes, planted, retire_standby_first, without


@dataclass(frozen=True)
class Mistake:
    """`found_as` begins the sentence of a promise that the mistake breaks in `world`."""

    name: str
    world: Small
    found_as: tuple[str, ...]
    changes: Changes = ()
    design: Design = AS_BUILT

    @contextmanager
    def planted(self) -> Iterator[None]:
        _forget_all()
        with planted(self.changes):
            yield
        _forget_all()


def _forget_all() -> None:
    forget()
    forget_answers()


def _flipped(binding: Binding, group: str, also: Any = ()) -> Weights:
    """Weights made of those that stand now: who has none gets all."""
    now = {**dict.fromkeys(also, 0), **binding.by_group}
    return weights_of({arn: 0 if weight else FULL for arn, weight in now.items()})


def _gone_when_unseen(case: Case, fleet: Any) -> float | None:
    return None


def _never_spared() -> Changes:
    return tuple((module, "spared", lambda case, fleet: False) for module in (deploy, rollback, upkeep))


def _refuses(*asked: Any, **ways: Any) -> Any:
    raise Refused("not now")


def _newest(case: Case, live: Any, fleets: Any) -> Any:
    return next(iter(fleets), None)


_DEPLOY, _BACK = deploy.RULES, rollback.RULES
_ILL = Small(fleets=2, commands=0, troubles=0, ills=1)  # one change of health of any instance

MISTAKES = (
    Mistake(
        "the epoch is not checked",
        Small(fleets=1, then=("rollback",), troubles=0),
        ("I6", "I9", "I1", "I3: tg-2 is kept"),
        (
            (deploy, "RULES", without(_DEPLOY, deploy.higher_epoch)),
            (rollback, "RULES", without(_BACK, rollback.higher_epoch)),
        ),
        Design(fenced=False),
    ),
    Mistake(
        "a rollback uses the weights that stand, not absolute ones",
        Small(fleets=2, first=False, then=("rollback",), troubles=0),
        ("I6", "I9", "I11"),
        ((rollback, "all_to", _flipped),),
    ),
    Mistake(
        "the standby is retired before the new fleet is live",
        Small(fleets=2, commands=0, troubles=0),
        ("I3",),
        (
            (deploy, "RULES", (*_DEPLOY[:5], retire_standby_first, *_DEPLOY[5:])),
            (guard, "_kept", lambda group, seen: None),
        ),
    ),
    Mistake(
        "an instance that is not found counts as gone",
        Small(fleets=1, then=("abort",), troubles=2, outside=0),
        ("I9", "I4", "I6"),
        ((retire, "_may_still_appear", _gone_when_unseen),),
    ),
    Mistake(
        "a rollback does not watch for a late write",
        Small(fleets=1, then=("rollback",), troubles=0),
        ("I6", "I1", "I5: i-shop-2-a0 is behind weight"),
        ((rollback, "RULES", without(_BACK, rollback.watch)),),
    ),
    Mistake(
        "a lost answer of a journal line is not looked up",
        Small(fleets=1, commands=0, troubles=1, outside=0),
        ("I9: it ends as superseded",),
        design=Design(settles=False),
    ),
    Mistake(
        "the guard lets the last healthy fleet go",
        Small(fleets=1, outside=0),
        ("I5",),
        ((guard, "_healthiest", lambda groups, seen: None), *_never_spared()),
    ),
    Mistake(
        "the undo does not wait for its own switch that was not answered",
        Small(fleets=1, commands=0, troubles=2, outside=0),
        ("I5", "I1"),
        ((Progress, "late_until", lambda self, within_s: 0.0),),
    ),
    Mistake(
        "a fleet that is not whole is promoted",
        _ILL,
        ("I3: shop-3 is promoted with",),
        ((deploy, "RULES", without(_DEPLOY, deploy.bake, deploy.whole)),),
    ),
    Mistake(
        "the standby that is kept is the newer one, not the one that is well",
        _ILL,
        ("I3: shop-1 could take the traffic, and shop-2 is kept",),
        ((deploy, "best_way_back", _newest),),
    ),
    Mistake(
        "before a fleet is retired nobody looks again whether it is the way back",
        _ILL,
        ("I3: tg-1 could take the traffic, the standby could not",),
        ((deploy, "RULES", without(_DEPLOY, deploy.keep_the_better)),),
    ),
    Mistake(
        "the healthiest fleet is retired when neither of the kept ones serves",
        Small(fleets=2, commands=0, troubles=0, ills=2),
        ("I5: tg-1 has 1 healthy",),
        (
            (deploy, "RULES", without(_DEPLOY, deploy.keep_the_better)),
            (guard, "_healthiest", lambda groups, seen: None),
            *_never_spared(),
        ),
    ),
    Mistake(
        "a fleet stands by whatever its health",
        _ILL,
        ("I9: it says that shop-2 stands by", "I9: it says that shop-1 stands by"),
        ((standby, "no_plain_rollback", lambda *said: ""),),
    ),
    Mistake(
        "a second plain rollback goes forward again",
        Small(fleets=2, first=False, then=("rollback",), commands=2, troubles=0),
        ("I9: a second plain rollback",),
        ((goals, "settled", lambda world, record, newest: None), (goals, "_mark", lambda *asked: None)),
    ),
    Mistake(
        "an undo ends the only fleet that serves",
        Small(fleets=1, then=("rollback",), troubles=0, ills=1),
        ("I5: tg-2 has 1 healthy",),
        ((guard, "_healthiest", lambda groups, seen: None), *_never_spared()),
    ),
    Mistake(
        "a rule that was made anew is not looked for",
        Small(fleets=2, first=False, then=("rollback",), troubles=0, edits=2),
        (NO_WAY_OUT,),
        ((commands, "find_bindings", lambda world, record: Found(record)),),
    ),
    Mistake(
        "an operation whose process died can be neither resumed nor undone",
        Small(fleets=1, commands=0, outside=0),
        (NO_WAY_OUT,),
        tuple((commands, name, _refuses) for name in ("take_again", "stop_goal", "rollback_goal")),
    ),
)
