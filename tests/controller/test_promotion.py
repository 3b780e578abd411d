"""What is promoted, kept and ended is decided by health: the last way back outlives a fix that fails the same way."""

from __future__ import annotations

import pytest

from bluegreen.core.step import SetWeights, Step, Terminate, Write
from tests.controller.stage import Stage, shop


@pytest.fixture
def stage() -> Stage:
    """A stands by whole; B is live, and its application is dead."""
    stage = Stage()
    stage.deploy("A")
    stage.deploy("B")
    stage.broken.add("B")
    stage.clock.sleep(30)
    return stage


def dies_after_the_switch(stage: Stage, version: str) -> None:
    def on_step(step: Step) -> None:
        if isinstance(step, SetWeights) and step.shift:
            stage.clock.on_sleep = lambda: stage.broken.add(version)

    stage.eyes.on_step = on_step


@pytest.mark.parametrize("bake_s", (0, 20))
def test_a_fix_that_dies_too_is_undone_and_the_healthy_standby_stays(stage: Stage, bake_s: int) -> None:
    dies_after_the_switch(stage, "C")
    stack = shop("C", bake_s=bake_s)
    outcome = stage.deploy("C", stack)
    if bake_s:
        assert outcome.result == "undone" and outcome.exit_code == 3, outcome
        assert "nothing of it is healthy" in outcome.sentence
        assert outcome.next.endswith("bluegreen rollback shop --to shop-1")
        assert stage.running() == {"A": 4, "B": 4}
    assert stage.record().standby is not None and stage.record().standby.version == "A"
    stage.eyes.on_step = lambda step: None
    assert stage.rollback("shop-1").result == "rolled-back"
    assert stage.weights()["A"] == 100 and stage.running()["A"] == 4


def test_a_fix_that_works_keeps_the_healthy_standby_and_ends_the_dead_one(stage: Stage) -> None:
    outcome = stage.deploy("C")
    assert outcome.result == "deployed" and "blue shop-1 (A) stands by" in outcome.sentence
    assert outcome.next == "bluegreen rollback shop"
    assert stage.running() == {"A": 4, "C": 4}
    assert stage.rollback().result == "rolled-back"
    assert stage.weights() == {"A": 100, "C": 0}


def test_a_first_deployment_that_dies_in_its_bake_is_undone(stage: Stage) -> None:
    stage = Stage()
    dies_after_the_switch(stage, "A")
    outcome = stage.deploy("A", shop("A", bake_s=20))
    assert outcome.exit_code == 3 and stage.running() == {}


def test_a_fleet_that_lost_an_instance_in_its_bake_is_not_promoted_until_it_is_whole(stage: Stage) -> None:
    def lose_one(step: Step) -> None:
        if isinstance(step, SetWeights) and step.shift:
            stage.clock.on_sleep = lambda: stage.sick.add(stage.of("C")[0])

    stage.eyes.on_step = lose_one
    outcome = stage.deploy("C", shop("C", bake_s=20))
    assert outcome.exit_code == 7 and "3 of 4 instances healthy: it is not promoted" in outcome.sentence
    assert stage.record().live is not None and stage.record().live.version == "B"
    assert stage.running() == {"A": 4, "B": 4, "C": 4}, "nothing is lost"
    stage.eyes.on_step = lambda step: None
    stage.clock.on_sleep = lambda: None
    stage.world.fleets.terminate(Terminate("shop-3", tuple(stage.sick), "somebody terminates it"))
    stage.broken.discard("B")
    stage.clock.sleep(30)
    assert stage.heal().result == "healed"
    assert stage.record().goal is not None, "the deployment is in force again"
    assert stage.resume().result == "deployed"
    assert stage.running() == {"B": 4, "C": 4}


def test_a_fleet_that_falls_ill_after_the_promotion_is_told_and_the_healthiest_is_kept(stage: Stage) -> None:
    def on_step(step: Step) -> None:
        if isinstance(step, Write) and step.promote is not None:
            stage.clock.on_sleep = lambda: stage.broken.add("C")

    stage.eyes.on_step = on_step
    outcome = stage.deploy("C")
    assert stage.running()["A"] == 4, outcome
    stage.clock.on_sleep = lambda: None
    stage.eyes.on_step = lambda step: None
    stage.clock.sleep(30)
    assert stage.rollback().result == "rolled-back" and stage.weights()["A"] == 100
