"""Runs of the simulator as tests for the mutation runner: a few plans each, so that one that fails ends a mutant soon."""

from __future__ import annotations

import pytest

from tests.sim.mutants import healing, mixed
from tests.sim.open_findings import cause_of
from tests.sim.scenario import Plan, play

SIZE = 10
PLANS = [*mixed(200), *healing(60)]
PARTS = [PLANS[i : i + SIZE] for i in range(0, len(PLANS), SIZE)]


@pytest.mark.parametrize("part", PARTS, ids=range(len(PARTS)))
def test_no_promise_is_broken(part: list[Plan]) -> None:
    for plan in part:
        violation = play(plan).broken
        assert violation is None or cause_of(violation.promise), violation
