"""Health that comes and goes before the switch: one green look is not believed, and no fleet comes and goes for ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from bluegreen.core import event as ev
from bluegreen.core.observation import Group
from bluegreen.core.outcome import Outcome
from bluegreen.core.step import SetWeights, Step
from tests.controller.stage import Stage


class Flapping:
    """The Traffic port, which tells every other green look at one fleet as ill, `times` times."""

    def __init__(self, traffic: Any, state: str, times: int) -> None:
        self.traffic = traffic
        self.state = state
        self.left = times
        self.green: list[float] = []
        self.now = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.traffic, name)

    def groups(self, arns: Sequence[str]) -> dict[str, Group | None]:
        found = self.traffic.groups(arns)
        return {arn: self.seen(group) if group and "blue" not in arn else group for arn, group in found.items()}

    def seen(self, group: Group) -> Group:
        if group.healthy < 4 or self.left <= 0:
            return group
        self.green.append(self.now)
        if len(self.green) % 2:
            return group
        self.left -= 1
        ill, *rest = group.targets
        return Group(group.arn, (replace(ill, state=self.state), *rest))


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.deploy("A")
    return stage


def flaps(stage: Stage, state: str, times: int) -> tuple[Outcome, list[ev.Flapped]]:
    traffic = Flapping(stage.world.traffic, state, times)
    stage.world = replace(stage.world, traffic=traffic)
    outcome = stage.deploy("B")
    return outcome, [e for e in stage.records.events("shop-2") if isinstance(e, ev.Flapped)]


def test_the_switch_waits_for_a_second_green_look_two_seconds_later(stage: Stage) -> None:
    switched: list[float] = []

    def on_step(step: Step) -> None:
        if isinstance(step, SetWeights) and step.shift:
            switched.append(stage.clock.now())

    stage.eyes.on_step = on_step
    assert stage.deploy("B").result == "deployed"
    (healthy,) = [e.at for e in stage.records.events("shop-2") if isinstance(e, ev.Healthy)]
    assert 2 <= switched[0] - healthy < 4


def test_health_that_comes_and_goes_twice_is_waited_for(stage: Stage) -> None:
    outcome, found = flaps(stage, "unhealthy", 2)
    assert len(found) == 2 and len(found[0].instances) == 1
    assert outcome.result == "deployed"


def test_three_times_is_a_failure_that_names_the_instance(stage: Stage) -> None:
    outcome, found = flaps(stage, "unhealthy", 9)
    assert outcome.exit_code == 3 and "the health flaps: 3 times" in outcome.sentence
    assert found[-1].instances[0] in outcome.sentence
    assert stage.weights() == {"A": 100} and stage.running() == {"A": 4}


def test_what_aws_does_not_tell_is_no_flap(stage: Stage) -> None:
    outcome, found = flaps(stage, "unavailable", 9)
    assert outcome.result == "deployed" and found == []
