"""The way back is never lost: the faults of the reports, each as a plan, and bugs that these plans and the families find."""

from __future__ import annotations

import pytest

from tests.sim.mutants import Mutant
from tests.sim.open_findings import cause_of
from tests.sim.reports import REPORTS
from tests.sim.scenario import Plan, play
from tests.sim.way_back_mutants import WAY_BACK_MUTANTS, risky

pytestmark = pytest.mark.timeout(400)  # hundreds of runs in a test, on a machine that may be busy
PLANS = risky(40)
_before: dict[int, str] = {}


def broken(plan: Plan) -> str:
    violation = play(plan).broken
    return violation.promise if violation is not None else ""


def holds(number: int) -> bool:
    """Whether a plan breaks no promise as bluegreen is."""
    if number not in _before:
        _before[number] = broken(PLANS[number])
    return not _before[number]


@pytest.mark.parametrize("name", REPORTS)
def test_what_the_reports_found_breaks_no_promise(name: str) -> None:
    promise = broken(REPORTS[name])
    if cause := cause_of(promise):
        pytest.xfail(cause)
    assert promise == ""


@pytest.mark.parametrize("mutant", WAY_BACK_MUTANTS, ids=lambda mutant: mutant.name)
def test_a_bug_planted_in_the_way_back_is_caught(mutant: Mutant) -> None:
    for number, plan in enumerate(PLANS):
        with mutant.planted():
            found = broken(plan)
        if found and holds(number):
            return
    pytest.fail(f"no promise was seen broken, though {mutant.name}")
