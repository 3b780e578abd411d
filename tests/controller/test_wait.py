"""Somebody else holds the stack: what is said, and how long is waited."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bluegreen.controller import commands
from bluegreen.controller.hold import refuse_if_held
from bluegreen.core.goal import Goal
from bluegreen.core.record import Owner, Record
from bluegreen.errors import Held
from tests.controller.stage import Stage, shop

GOAL = Goal("deploy", "shop", "shop-2", 0.0, None, None, None, ())


@pytest.fixture
def stage() -> Stage:
    return Stage()


def held_by_another(stage: Stage, beats_for: float) -> Record:
    """Somebody deploys, and shows for so many seconds that he is alive; then he lets go."""
    record, began = stage.record(), stage.clock.now()
    owner = Owner("arn:aws:sts::123456789012:assumed-role/ci/7", "runner-3 pid 7", "https://ci.example.com/job/shop/7/")
    goal = replace(GOAL, started_at=began - 42)
    held = replace(record, owner=owner, goal=goal, beat_at=began - 3, rvn="0", op_id="0")
    stage.records.write(held, record.epoch, record.op_id)

    def live() -> None:
        now, passed = stage.record(), stage.clock.now() - began
        alive = replace(now, beat_at=stage.clock.now(), rvn=str(passed), op_id=str(passed))
        left = replace(now, owner=None, goal=None, rvn="left", op_id="left")
        if now.owner == owner:
            stage.records.write(alive if passed <= beats_for else left, now.epoch, now.op_id)

    stage.clock.on_sleep = live
    return held


def test_the_message_names_owner_operation_phase_and_the_last_sign_of_life(stage: Stage) -> None:
    stage.deploy("A")
    held = held_by_another(stage, 600)
    with pytest.raises(Held) as caught:
        refuse_if_held(stage.records, stage.clock, held, lambda record: "baking", hasty=True)
    error = caught.value
    assert error.exit_code == 4 and error.what == "shop is held: deploy shop-2, baking, for 42 s"
    assert error.where == (
        "arn:aws:sts::123456789012:assumed-role/ci/7 on runner-3 pid 7 (https://ci.example.com/job/shop/7/)"
    )
    assert error.why == "It was alive 3 s ago."


def test_wait_lock_goes_on_when_the_other_lets_go(stage: Stage) -> None:
    stage.deploy("A")
    held_by_another(stage, 25)
    began = stage.clock.now()
    assert commands.deploy(stage.world, replace(stage.job("B", shop("B")), wait_s=600)).result == "deployed"
    assert stage.weights() == {"A": 0, "B": 100} and stage.clock.now() - began > 25


def test_wait_lock_gives_up_when_its_time_is_over(stage: Stage) -> None:
    stage.deploy("A")
    held_by_another(stage, 600)
    began = stage.clock.now()
    with pytest.raises(Held):
        commands.deploy(stage.world, replace(stage.job("C", shop("C")), wait_s=60))
    assert 60 <= stage.clock.now() - began < 65
