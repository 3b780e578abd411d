"""What the judge and the account keep ready is what a look at everything tells, after every call that changes something."""

from __future__ import annotations

import pytest

from tests.sim.families import drawn
from tests.sim.invariants import Promises
from tests.sim.physics import Account
from tests.sim.scenario import drawn_heal, play

SEEDS = 60


def test_nothing_that_is_kept_ready_is_out_of_date(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    standing = Promises._standing

    def both(self: Promises) -> None:
        nonlocal looks
        looks += 1
        assert self.sim.account.alive == alive(self.sim.account)
        for pool in self.sim.account.pools.values():
            assert pool.seen().ids == {name for name, target in pool.targets.items() if not target.draining}
        for rule in self.sim.account.rules.values():
            assert rule.seen().by_group == dict(rule.weights or ())
        standing(self)

    monkeypatch.setattr(Promises, "_standing", both)
    for seed in range(SEEDS):
        play(drawn(seed))
        play(drawn_heal(seed))
    assert looks > SEEDS


def alive(account: Account) -> dict[str, dict[str, set[str]]]:
    found: dict[str, dict[str, set[str]]] = {stack: {} for stack in account.alive}
    for machine in account.machines.values():
        if machine.alive:
            found[machine.stack].setdefault(machine.deployment, set()).add(machine.id)
    return found
