"""The journal does not grow for ever, and no stack loses a line that one of its commands reads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bluegreen.aws.expiry import DynamoExpiry
from bluegreen.controller.expiry import AFTER_S, tidy
from bluegreen.core.step import Register, Step
from bluegreen.errors import Interrupted
from tests.controller.answers import answer
from tests.controller.stage import Stage

YEARS = 2 * 365 * 86_400.0


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    for version in "AB":
        stage.deploy(version)
    return stage


def items(stage: Stage) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stage.boto.client("dynamodb").scan(TableName="bluegreen")["Items"]
    return found


def ending(stage: Stage) -> dict[int, set[float]]:
    """Epoch → the ends of its lines."""
    found: dict[int, set[float]] = {}
    for item in items(stage):
        if item["item"]["S"] != "record" and "ttl" in item:
            found.setdefault(int(item["item"]["S"].split("#")[1]), set()).add(float(item["ttl"]["N"]))
    return found


def pass_epochs(stage: Stage, number: int) -> None:
    """As if so many operations had come and gone."""
    record = stage.record()
    later = replace(record, epoch=record.epoch + number, op_id="later")
    stage.records.write(later, record.epoch, record.op_id)


def run_out(stage: Stage) -> None:
    """What DynamoDB does with items whose time has come."""
    dynamo = stage.boto.client("dynamodb")
    for item in items(stage):
        if float(item.get("ttl", {"N": "inf"})["N"]) <= stage.clock.now():
            dynamo.delete_item(TableName="bluegreen", Key={"stack": item["stack"], "item": item["item"]})


def cleaned(stage: Stage) -> int:
    return tidy(stage.world, DynamoExpiry(stage.records), "shop")


def test_lines_that_no_command_reads_end_after_90_days_and_the_record_never(stage: Stage) -> None:
    stage.deploy("C")
    assert cleaned(stage) == 0, "all of them are near"
    pass_epochs(stage, 30)
    assert cleaned(stage) > 0
    assert ending(stage) == {1: {stage.clock.now() + AFTER_S}}, "2 and 3 are standby and live"
    assert not [item for item in items(stage) if item["item"]["S"] == "record" and "ttl" in item]
    assert cleaned(stage) == 0, "an end is given once"
    stage.clock.time += AFTER_S
    run_out(stage)
    assert stage.records.events("shop-1") == () and stage.records.events("shop-2")


def test_a_stack_that_rested_for_two_years_rolls_back_and_tells_its_history(stage: Stage) -> None:
    cleaned(stage)
    stage.clock.time += YEARS
    run_out(stage)
    assert stage.status().well and stage.status().not_ready == ""
    assert [one.deployment for one in stage.records.deployments("shop")] == ["shop-2", "shop-1"]
    assert stage.rollback().result == "rolled-back"
    assert stage.weights() == {"A": 100, "B": 0}


def test_an_undone_deployment_is_remembered_for_two_years(stage: Stage) -> None:
    stage.broken.add("bad")
    assert stage.deploy("bad").result == "undone"
    cleaned(stage)
    stage.clock.time += YEARS
    run_out(stage)
    assert "was undone already" in stage.rollback().sentence
    assert stage.weights() == {"A": 0, "B": 100}


def test_a_deployment_that_was_interrupted_two_years_ago_can_be_undone_whole(stage: Stage) -> None:
    def interrupt(step: Step) -> None:
        stage.clock.interrupt = isinstance(step, Register)

    stage.eyes.on_step = interrupt
    with pytest.raises(Interrupted):
        stage.deploy("C")
    stage.eyes.on_step = lambda step: None
    pass_epochs(stage, 30)
    assert cleaned(stage) == 0, "an operation is in force"
    assert stage.running()["C"] == 4
    stage.clock.time += YEARS
    run_out(stage)
    assert stage.abort().result == "aborted"
    assert stage.running() == {"A": 4, "B": 4}
    assert len(stage.boto.client("elbv2").describe_target_groups()["TargetGroups"]) == 2


def test_the_tables_attribute_is_switched_on_once(stage: Stage) -> None:
    expiry = DynamoExpiry(stage.records)
    expiry.enable()
    stage.engine.calls.clear()
    expiry.enable()
    assert [operation for _, operation in stage.calls()] == ["DescribeTimeToLive"]
    about = stage.boto.client("dynamodb").describe_time_to_live(TableName="bluegreen")["TimeToLiveDescription"]
    assert about == {"TimeToLiveStatus": "ENABLED", "AttributeName": "ttl"}


@pytest.mark.parametrize("operation", ["DescribeTimeToLive", "UpdateTimeToLive", "BatchWriteItem", "Query", "GetItem"])
def test_what_is_refused_here_is_said_and_harms_nothing(stage: Stage, operation: str) -> None:
    stage.deploy("C")
    pass_epochs(stage, 30)
    said: list[str] = []
    stage.eyes.note = said.append  # type: ignore[method-assign]
    answer(stage, "AccessDeniedException", operation)
    assert cleaned(stage) == 0
    assert f"dynamodb:{operation}" in said[0] and ending(stage) == {}
