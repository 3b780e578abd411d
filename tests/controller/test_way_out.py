"""No operation leaves a stack without a way on: what cannot be undone can be finished, and a half-moved switch is put right."""

from __future__ import annotations

import pytest

from bluegreen.core.step import Mark, SetWeights, Step, Write
from bluegreen.errors import Interrupted
from tests.controller.stage import Stage


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.deploy("A")
    return stage


def ill(stage: Stage, version: str) -> set[str]:
    """The instances of a version fail their checks from now on."""
    stage.sick = {i.id for i in stage.world.fleets.look("shop") if stage._version(i.id) == version}
    stage.clock.sleep(30)
    return stage.sick


def interrupted_after(stage: Stage, kind: type[Step]) -> None:
    """Deploy B, and Ctrl-C at the first step of `kind`."""

    def on_step(step: Step) -> None:
        if isinstance(step, kind):
            stage.clock.interrupt = True

    stage.eyes.on_step = on_step
    with pytest.raises(Interrupted):
        stage.deploy("B")
    stage.eyes.on_step = lambda step: None


def test_a_switched_deployment_whose_old_fleet_died_is_not_undone_but_can_be_finished(stage: Stage) -> None:
    interrupted_after(stage, Mark)
    ill(stage, "A")
    for undo in (stage.rollback, stage.abort):
        outcome = undo()
        assert outcome.exit_code == 5 and "0 of 4 instances" in outcome.sentence
        assert stage.weights().get("A") == 0
        goal = stage.record().goal
        assert goal is not None and goal.kind == "deploy" and stage.record().owner is None
    assert stage.resume().result == "deployed"
    assert stage.weights() == {"A": 0, "B": 100}


def test_where_nothing_serves_any_more_going_back_is_allowed(stage: Stage) -> None:
    interrupted_after(stage, Mark)
    stage.sick = ill(stage, "A") | ill(stage, "B")
    stage.clock.sleep(30)
    assert stage.rollback().result == "rolled-back"
    assert stage.record().goal is None and stage.running() == {"A": 4}


def test_a_rollback_that_was_refused_does_not_count_as_done(stage: Stage) -> None:
    stage.deploy("B")
    ill(stage, "A")
    assert stage.rollback().exit_code == 5
    stage.sick = set()
    stage.clock.sleep(30)
    assert stage.rollback().result == "rolled-back"
    assert stage.weights() == {"A": 100, "B": 0}


def test_a_promoted_fleet_that_is_not_whole_asks_for_a_human_and_lets_the_stack_go(stage: Stage) -> None:
    stage.deploy("B")

    def on_step(step: Step) -> None:
        if isinstance(step, Write) and step.promote:
            stage.sick = {next(i.id for i in stage.world.fleets.look("shop") if stage._version(i.id) == "C")}
            stage.clock.sleep(15)

    stage.eyes.on_step = on_step
    outcome = stage.deploy("C")
    assert outcome.exit_code == 7 and "bluegreen heal shop" in outcome.next
    assert stage.record().goal is None and stage.record().owner is None


def test_a_half_moved_rollback_gives_back_what_it_moved(stage: Stage) -> None:
    stage.deploy("B")

    def on_step(step: Step) -> None:
        if isinstance(step, SetWeights) and step.shift:
            stage.clock.interrupt = True

    stage.eyes.on_step = on_step
    with pytest.raises(Interrupted):
        stage.rollback()
    stage.eyes.on_step = lambda step: None
    assert stage.weights() == {"A": 100, "B": 0}  # moved, and not written down yet
    assert stage.resume().result == "rolled-back"


def test_a_fleet_that_was_to_be_ended_and_serves_again_is_not_ended_any_more(stage: Stage) -> None:
    interrupted_after(stage, Mark)

    def on_step(step: Step) -> None:
        if isinstance(step, Write):
            stage.clock.interrupt = True

    stage.eyes.on_step = on_step
    with pytest.raises(Interrupted):
        stage.rollback()
    stage.eyes.on_step = lambda step: None
    assert [fleet.version for fleet in stage.record().doomed] == ["B"]
    (binding,) = stage.world.traffic.bindings(stage.record().bindings)
    swapped = tuple((arn, 100 - weight) for arn, weight in binding.weights or ())
    stage.world.traffic.perform(SetWeights(binding.ref, swapped, "somebody else does"))
    ill(stage, "A")
    assert stage.resume().exit_code == 5 and stage.weights().get("A") == 0
    assert stage.record().doomed == ()
    assert stage.resume().result == "deployed" and stage.weights() == {"A": 0, "B": 100}
