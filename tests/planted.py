"""What both suites of planted bugs are made of (tests/explore/mistakes.py, tests/sim/mutants.py)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from bluegreen.core.decide import retire
from bluegreen.core.decide.case import Case, Rule
from bluegreen.core.decision import Decision

Changes = tuple[tuple[Any, str, Any], ...]  # where, which name, what stands there instead


@contextmanager
def planted(changes: Changes) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for where, name, value in changes:
            patch.setattr(where, name, value)
        yield


def without(rules: tuple[Rule, ...], *left_out: Rule) -> tuple[Rule, ...]:
    return tuple(rule for rule in rules if rule not in left_out)


def retire_standby_first(case: Case) -> Decision | None:
    standby = case.goal.standby
    return None if case.promoted or standby is None else retire.retire(case, standby)
