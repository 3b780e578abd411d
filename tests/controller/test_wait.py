"""Somebody else holds the stack: what is said, and how long is waited."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bluegreen.controller import commands
from bluegreen.controller.heal import heal
from bluegreen.controller.hold import refuse_if_held
from bluegreen.core.fleet import Colour, Fleet
from bluegreen.core.goal import Goal, LaunchSpec
from bluegreen.core.outcome import Outcome
from bluegreen.core.record import Owner, Record
from bluegreen.core.release import Place
from bluegreen.core.step import Register
from bluegreen.errors import Held, Interrupted
from tests.controller.stage import OWNER, Stage, during, shop


def another_goal(record: Record, began: float) -> Goal:
    """Of somebody who has just taken the stack: a deploy that has made nothing yet."""
    name = f"shop-{record.epoch}"
    fleet = Fleet(name, Colour.GREEN, "r9", "9", 1, ())
    launch = LaunchSpec("ami-1", ("m7i.large",), (), None, 20, None, "0", (Place("subnet-a", "a", 1),))
    return Goal("deploy", "shop", name, began, fleet, record.live, record.standby, (), launch=launch)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def held_by_another(stage: Stage, beats_for: float) -> Record:
    """Somebody deploys, and shows for so many seconds that he is alive; then he lets go."""
    record, began = stage.record(), stage.clock.now()
    owner = Owner("arn:aws:sts::123456789012:assumed-role/ci/7", "runner-3 pid 7", "https://ci.example.com/job/shop/7/")
    held = replace(record, epoch=record.epoch + 1, owner=owner, beat_at=began - 3, rvn="0", op_id="0")
    held = replace(held, goal=another_goal(held, began - 42))
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


def taken_first(stage: Stage, beats_for: float) -> None:
    """Whoever takes the stack next finds that somebody else was faster, by one call."""
    write, tries = stage.records.write, 0

    def slower(record: Record, epoch: int, op_id: str) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            held_by_another(stage, beats_for)
        write(record, epoch, op_id)

    stage.records.write = slower  # type: ignore[method-assign]


def begun(stage: Stage) -> None:
    """B was launching when its controller was interrupted."""
    during(stage, Register, lambda: setattr(stage.clock, "interrupt", True))
    with pytest.raises(Interrupted):
        stage.deploy("B")


def lose_one(stage: Stage) -> None:
    stage.boto.client("ec2").terminate_instances(InstanceIds=stage.of("A")[:1])
    stage.clock.time += 60


def left_over(stage: Stage) -> None:
    stage.deploy("B")
    stage.clock.time += 60
    record = stage.record()
    stage.records.write(replace(record, standby=None, op_id="9"), record.epoch, record.op_id)


COMMANDS: dict[str, tuple[Callable[[Stage], None], Callable[[Stage, float], Outcome], str]] = {
    "deploy": (
        lambda stage: None,
        lambda stage, wait_s: commands.deploy(stage.world, replace(stage.job("C", shop("C")), wait_s=wait_s)),
        "deployed",
    ),
    "heal": (lose_one, lambda stage, wait_s: heal(stage.world, "shop", OWNER, wait_s=wait_s), "healed"),
    "gc": (left_over, lambda stage, wait_s: commands.gc(stage.world, "shop", OWNER, wait_s), "cleaned"),
    "abort": (begun, lambda stage, wait_s: commands.abort(stage.world, "shop", OWNER, wait_s), "aborted"),
    "resume": (begun, lambda stage, wait_s: commands.resume(stage.world, "shop", OWNER, wait_s), "unchanged"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_wait_lock_waits_for_whoever_took_the_stack_a_moment_earlier_too(stage: Stage, command: str) -> None:
    prepare, run, end = COMMANDS[command]
    stage.deploy("A")
    prepare(stage)
    taken_first(stage, 25)
    began = stage.clock.now()
    assert run(stage, 600).result == end
    assert stage.clock.now() - began >= 25


@pytest.mark.parametrize("command", COMMANDS)
def test_and_gives_up_when_its_time_is_over(stage: Stage, command: str) -> None:
    prepare, run, _ = COMMANDS[command]
    stage.deploy("A")
    prepare(stage)
    taken_first(stage, 600)
    began = stage.clock.now()
    with pytest.raises(Held) as caught:
        run(stage, 60)
    assert 60 <= stage.clock.now() - began < 66
    assert "runner-3 pid 7" in caught.value.where, "it says who"


@pytest.mark.parametrize("command", COMMANDS)
def test_without_wait_lock_who_loses_the_take_is_told_at_once(stage: Stage, command: str) -> None:
    prepare, run, _ = COMMANDS[command]
    stage.deploy("A")
    prepare(stage)
    taken_first(stage, 600)
    began = stage.clock.now()
    with pytest.raises(Held):
        run(stage, 0)
    assert stage.clock.now() - began < 6


def test_who_waits_is_asked_once(stage: Stage) -> None:
    stage.deploy("A")
    taken_first(stage, 25)
    asked: list[tuple[str, str]] = []
    job = stage.job("C", shop("C"))
    job = replace(job, wait_s=600, confirm=lambda *question: not asked.append(question))
    assert commands.deploy(stage.world, job).result == "deployed"
    assert len(asked) == 1


def test_a_heal_that_meets_a_rollback_before_its_second_fleet_is_told_that_the_stack_is_held(stage: Stage) -> None:
    """Exit 4, not 7: nothing needs a human, and seconds later nothing is left to do."""
    stage.deploy("A")
    stage.deploy("B")
    for version in "AB":
        stage.boto.client("ec2").terminate_instances(InstanceIds=stage.of(version)[:1])
    stage.clock.time += 60
    write = stage.records.write

    def then_another(record: Record, epoch: int, op_id: str) -> None:
        write(record, epoch, op_id)
        if record.owner is None and record.goal is None:
            stage.records.write = write  # type: ignore[method-assign]
            held_by_another(stage, 600)

    stage.records.write = then_another  # type: ignore[method-assign]
    with pytest.raises(Held) as caught:
        stage.heal()
    assert caught.value.exit_code == 4 and "1 launched anew" in caught.value.what
