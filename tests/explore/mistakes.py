"""Planted mistakes: what the exploration must find, to prove that it can fail. Each changes one thing in the core or the
shell for as long as its context lasts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bluegreen.core import guard
from bluegreen.core.decide import deploy, retire, rollback
from bluegreen.core.decide.case import Case
from bluegreen.core.fleet import FULL, Weights, weights_of
from bluegreen.core.observation import Binding
from bluegreen.core.progress import Progress
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
        forget()
        with planted(self.changes):
            yield
        forget()


def _flipped(binding: Binding, group: str, also: Any = ()) -> Weights:
    """Weights made of those that stand now: who has none gets all."""
    now = {**dict.fromkeys(also, 0), **binding.by_group}
    return weights_of({arn: 0 if weight else FULL for arn, weight in now.items()})


def _gone_when_unseen(case: Case, fleet: Any) -> float | None:
    return None


_DEPLOY, _BACK = deploy.RULES, rollback.RULES

MISTAKES = (
    Mistake(
        "the epoch is not checked",
        Small(fleets=1, then=("rollback",), troubles=0),
        ("I6", "I9", "I1"),
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
        ((deploy, "RULES", (*_DEPLOY[:5], retire_standby_first, *_DEPLOY[5:])),),
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
        ("I6", "I1"),
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
        ((guard, "_last_healthy", lambda groups, seen: None),),
    ),
    Mistake(
        "the undo does not wait for its own switch that was not answered",
        Small(fleets=1, commands=0, troubles=2, outside=0),
        ("I5", "I1"),
        ((Progress, "late_until", lambda self, within_s: 0.0),),
    ),
)
