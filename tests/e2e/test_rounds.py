"""Deaths and pauses at random moments of real runs, under traffic: nothing is lost, left over or answered wrong.

A few rounds; `python tests/e2e/rounds.py --rounds 50` plays as many as one likes.
"""

from __future__ import annotations

import os

import pytest
from program import Sandbox
from rounds import drawn, rounds

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

FIRST = int(os.environ.get("BLUEGREEN_ROUNDS_START", "2"))
ROUNDS = int(os.environ.get("BLUEGREEN_ROUNDS", "5"))


def test_killed_and_stopped_runs_under_traffic(sandbox: Sandbox) -> None:
    with rounds(sandbox) as played:
        for seed in range(FIRST, FIRST + ROUNDS):
            print(played.play(drawn(seed)))
    assert played.faults_met, "each fault came after its run had ended: this machine is too fast for the times drawn"
    assert played.load.report().failed == 0
