"""The simulator's checks can fail: each planted bug breaks a promise in one of a few hundred plans that hold without it."""

from __future__ import annotations

import pytest

from tests.sim.mutants import HEAL_MUTANTS, MUTANTS, Mutant, healing, mixed
from tests.sim.open_findings import cause_of
from tests.sim.scenario import Plan, play

PLANS = mixed(300)
HEALINGS = healing(300)


def broken(plan: Plan) -> str:
    """The promise that the run breaks, or ""."""
    violation = play(plan).broken
    return violation.promise if violation is not None and not cause_of(violation.promise) else ""


def test_the_plans_hold_without_a_planted_bug() -> None:
    assert [told for plan in PLANS if (told := broken(plan))] == []


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_bug_is_caught(mutant: Mutant) -> None:
    with mutant.planted():
        assert any(broken(plan) for plan in PLANS), f"no promise was seen broken, though {mutant.name}"


def test_the_heals_hold_without_a_planted_bug() -> None:
    assert [told for plan in HEALINGS if (told := broken(plan))] == []


@pytest.mark.parametrize("mutant", HEAL_MUTANTS, ids=lambda mutant: mutant.name)
def test_a_bug_planted_in_a_heal_is_caught(mutant: Mutant) -> None:
    with mutant.planted():
        assert any(broken(plan) for plan in HEALINGS), f"no promise was seen broken, though {mutant.name}"
