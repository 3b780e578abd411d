"""The record as others may leave it: edited by hand, of a newer bluegreen, of another account or region."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from bluegreen.controller import commands, degraded
from bluegreen.controller.heal import heal
from bluegreen.core.record import Owner
from bluegreen.errors import BluegreenError, Refused, Unreadable
from bluegreen.local.book import LocalBook
from tests.controller.stage import OWNER, Stage, shop

KEY = {"stack": {"S": "shop"}, "item": {"S": "record"}}
WRITES = ("Put", "Update", "Create", "Modify", "Delete", "Run", "Terminate", "Register", "Deregister", "Add")


@pytest.fixture
def stage(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setenv("BLUEGREEN_STATE_DIR", str(tmp_path))
    stage = Stage()
    stage.deploy("A")
    stage.deploy("B")
    return stage


def item(stage: Stage) -> dict[str, Any]:
    found: dict[str, Any] = stage.boto.client("dynamodb").get_item(TableName="bluegreen", Key=KEY)["Item"]
    return found


def put(stage: Stage, found: dict[str, Any]) -> None:
    stage.boto.client("dynamodb").put_item(TableName="bluegreen", Item=found)


def edit(stage: Stage, change: Callable[[dict[str, Any]], object]) -> None:
    found = item(stage)
    body = json.loads(found["body"]["S"])
    change(body)
    put(stage, {**found, "body": {"S": json.dumps(body)}})


def writes(stage: Stage) -> list[str]:
    return [operation for _, operation in stage.calls() if operation.startswith(WRITES)]


EDITS: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda body: body.update(epoch="2"), "Record.epoch"),
    (lambda body: body.update(epoch=7), "Record.epoch"),
    (lambda body: body["live"].update(colour="pink"), "Record.live.colour: 'pink' is none of blue, green"),
    (lambda body: body["live"].update(groups="tg"), "Record.live.groups"),
    (lambda body: body["standby"].pop("deployment"), "Record.standby"),
    (lambda body: body.update(bindings=[{}]), "Record.bindings[0]"),
    # what parses, and cannot be so: each was believed, and heal or gc ended what served
    (lambda body: body["live"].update(count=0), "Record.live.count: 0; a fleet has at least one instance"),
    (lambda body: body["live"].update(count=-1), "Record.live.count: -1"),
    (lambda body: body.update(standby=body["live"]), "Record.standby: shop-2 is also in live"),
    (lambda body: body["standby"].update(groups=body["live"]["groups"]), "Record.standby: arn:"),
    (lambda body: body.update(bindings=[]), "Record.bindings: none, and there is a live fleet"),
    (lambda body: body["live"].update(groups=[]), "Record.live.groups: 0, and there are 1 bindings"),
    (lambda body: body["live"].update(groups=["x"]), "Record.live.groups[0]: 'x' is not the ARN of a target group"),
    (lambda body: body.update(stack="other"), "Record.stack: 'other', and the item's key is 'shop'"),
    (lambda body: body["live"].update(deployment="x"), "Record.live.deployment: x is not a deployment id"),
    (lambda body: body["live"].update(deployment="shop-99"), "Record.live.deployment: shop-99 is not within 1 to 2"),
    (lambda body: body["standby"].update(deployment="web-1"), "web-1 is not a deployment of shop"),
    (lambda body: body.update(live=None), "Record.live: null, and there is a standby"),
    (lambda body: body.update(doomed=[body["live"]]), "Record.doomed[0]: shop-2 is also in live"),
    (lambda body: body.update(lease_s=0), "Record.lease_s: 0 is not within 1 to 3600"),
    (lambda body: body["bindings"][0].update(arn="x"), "Record.bindings[0].arn: 'x' is not the ARN of a listener rule"),
]


@pytest.mark.parametrize(("change", "field"), EDITS)
def test_a_record_edited_by_hand_is_refused_with_the_field(
    stage: Stage, change: Callable[[dict[str, Any]], object], field: str
) -> None:
    edit(stage, change)
    stage.engine.calls.clear()
    for command in (lambda: stage.deploy("C"), stage.resume, stage.abort, stage.gc):
        with pytest.raises(Unreadable) as caught:
            command()
        assert caught.value.exit_code == 7 and field in caught.value.why, caught.value
    assert writes(stage) == []


@pytest.mark.parametrize("body", [None, {"S": "no json"}, {"S": "[]"}, {"S": '"x"'}, {"N": "1"}])
def test_a_body_that_is_none_is_told_without_a_traceback(stage: Stage, body: dict[str, str] | None) -> None:
    found = item(stage)
    found.pop("body")
    put(stage, {**found, "body": body} if body else found)
    with pytest.raises(Unreadable, match="cannot be read"):
        stage.gc()
    assert "cannot be read" in stage.status().lost


def test_a_newer_schema_is_refused_and_says_to_upgrade(stage: Stage) -> None:
    edit(stage, lambda body: body.update(schema=99, live="of another shape"))
    stage.engine.calls.clear()
    with pytest.raises(Unreadable, match="schema 99") as caught:
        stage.deploy("C")
    assert "upgrade" in caught.value.next and writes(stage) == []


@pytest.mark.parametrize("change", [lambda body: body.update(schema=99), lambda body: body.pop("stack")])
def test_a_rollback_goes_by_tags_when_the_record_cannot_be_read(
    stage: Stage, change: Callable[[dict[str, Any]], object]
) -> None:
    (ref,) = stage.record().bindings
    standby = stage.record().standby
    edit(stage, change)
    broken = item(stage)
    outcome = degraded.rollback_anyway(stage.world, "shop", OWNER, LocalBook())
    assert outcome.exit_code == 0 and "DEGRADED: blue shop-1 (A) serves" in outcome.sentence
    (now,) = stage.world.traffic.bindings((ref,))
    assert standby is not None and now.by_group[standby.groups[0]] == 100
    assert item(stage) == broken, "what cannot be read is not written over"


def test_a_deploy_writes_down_the_account_and_the_region(stage: Stage) -> None:
    assert (stage.record().account, stage.record().region) == ("123456789012", stage.aws.region)


@pytest.mark.parametrize("change", [{"account": "999999999999"}, {"region": "us-east-1"}])
def test_a_stack_file_of_another_account_or_region_is_refused_before_any_write(
    stage: Stage, change: dict[str, str]
) -> None:
    stage.engine.calls.clear()
    with pytest.raises(Refused, match="lives in account 123456789012") as caught:
        stage.deploy("C", shop("C")._replace(**change))  # type: ignore[arg-type]
    assert caught.value.exit_code == 5 and writes(stage) == []


def test_a_record_of_another_region_is_refused_by_every_command_before_any_write(stage: Stage) -> None:
    """As a copied or a global table shows it."""
    edit(stage, lambda body: body.update(region="us-east-1"))
    stage.engine.calls.clear()
    commands = (lambda: stage.deploy("C"), stage.rollback, stage.resume, stage.abort, stage.gc, stage.status)
    for command in commands:
        with pytest.raises(BluegreenError, match="lives in us-east-1") as caught:
            command()
        assert caught.value.exit_code == 5 and "--region us-east-1" in caught.value.next
    assert writes(stage) == []


def test_a_record_without_the_pin_gets_it_with_the_next_deploy(stage: Stage) -> None:
    edit(stage, lambda body: [body.pop("account"), body.pop("region")])
    assert stage.record().region == ""
    assert stage.deploy("C").result == "deployed"
    assert (stage.record().account, stage.record().region) == ("123456789012", stage.aws.region)


def test_credentials_of_another_account_are_refused_by_every_command_that_asks_who_it_is(stage: Stage) -> None:
    """A table that was copied, or is shared, names fleets that these credentials cannot see: what they do see is not ours."""
    other = Owner("arn:aws:sts::999999999999:assumed-role/ci/7", "runner-3 pid 7")
    stage.engine.calls.clear()
    for command in (commands.resume, commands.abort, commands.gc, heal):
        with pytest.raises(Refused, match="for account 999999999999, but shop is in account 123456789012") as caught:
            command(stage.world, "shop", other)
        assert caught.value.next == "use the right AWS_PROFILE"
    assert writes(stage) == []
    edit(stage, lambda body: body.pop("account"))
    assert commands.gc(stage.world, "shop", other).result == "unchanged", "an older record does not say"
