"""recover: a record that is lost or cannot be read is rebuilt from tags and the load balancer, and the stack goes on from it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from bluegreen.aws.shelf import DynamoShelf
from bluegreen.controller import degraded
from bluegreen.controller.recover import recover
from bluegreen.core.outcome import Outcome
from bluegreen.core.step import SetWeights
from bluegreen.errors import Held, Refused, Unreadable
from bluegreen.local.book import LocalBook
from bluegreen.ports import Here
from tests.controller.stage import OWNER, Stage, shop
from tests.controller.test_degraded import crash_before_the_switch
from tests.controller.test_record import KEY, edit, item, put, writes

MOVES = ("ModifyRule", "ModifyListener", "RunInstances", "TerminateInstances", "DeleteTargetGroup", "AddTags")


@pytest.fixture
def stage(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setenv("BLUEGREEN_STATE_DIR", str(tmp_path))
    stage = Stage()
    stage.world = replace(stage.world, here=Here("eu-west-1", "", "bluegreen"))
    stage.deploy("A")
    stage.deploy("B")
    return stage


def rebuilt(stage: Stage, *, yes: bool = True) -> tuple[Outcome, list[str]]:
    shown: list[str] = []

    def confirm(found: Sequence[str]) -> bool:
        shown.extend(found)
        return yes

    stage.engine.calls.clear()
    outcome = recover(stage.world, "shop", DynamoShelf(stage.records, stage.table.make), confirm)
    assert not {operation for _, operation in stage.calls()}.intersection(MOVES), "only the ledger is changed"
    return outcome, shown


def back(stage: Stage, to: str = "") -> Outcome:
    return degraded.rollback_anyway(stage.world, "shop", OWNER, LocalBook(), to)


def goes_on(stage: Stage) -> None:
    """Status, rollback, forward again, deploy and gc work, as if nothing had been lost."""
    seen = stage.status()
    assert seen.lost == "" and seen.drift == () and seen.well and seen.not_ready == ""
    assert stage.rollback().result == "rolled-back" and stage.weights() == {"A": 100, "B": 0}
    assert stage.rollback("shop-2").result == "rolled-back" and stage.weights() == {"A": 0, "B": 100}
    assert stage.deploy("C").result == "deployed" and stage.weights() == {"B": 0, "C": 100}
    assert stage.running() == {"B": 4, "C": 4} and stage.gc().result == "unchanged"
    assert stage.rollback().result == "rolled-back" and stage.weights() == {"B": 100, "C": 0}


def test_a_table_that_is_gone_is_made_anew_with_the_record(stage: Stage) -> None:
    before = stage.record()
    stage.drop_table()
    outcome, shown = rebuilt(stage)
    assert outcome.result == "recovered" and outcome.exit_code == 0
    assert "green shop-2 (B) is live" in outcome.sentence and "blue shop-1 (A) is its standby" in outcome.sentence
    assert shown[0].startswith("live: green shop-2 (B), 4/4 healthy") and "blue shop-1 (A)" in shown[1]
    after = stage.record()
    assert (after.live, after.standby) == (before.live, before.standby)
    assert after.bindings == before.bindings, "with the port and the conditions that a new rule is found by"
    assert (after.account, after.region) == ("123456789012", "eu-west-1") and after.epoch == 3
    goes_on(stage)


def test_a_record_alone_that_is_lost_is_rebuilt_above_every_epoch_of_the_journals(stage: Stage) -> None:
    stage.rollback()
    stage.rollback("shop-2")
    epoch = stage.record().epoch
    stage.boto.client("dynamodb").delete_item(TableName="bluegreen", Key=KEY)
    lost = stage.of("A")[0]
    stage.boto.client("ec2").terminate_instances(InstanceIds=[lost])
    stage.clock.time += 60
    assert rebuilt(stage)[0].result == "recovered"
    after = stage.record()
    assert after.epoch == epoch + 1 and after.live is not None and after.standby is not None
    assert (after.live.count, after.standby.count) == (4, 4), "the journals still tell how many were agreed"
    assert stage.heal().result == "healed"
    goes_on(stage)


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.update(epoch="2"),
        lambda body: body["live"].update(colour="pink"),
        lambda body: body.pop("stack"),
    ],
)
def test_a_record_that_cannot_be_read_is_put_aside_and_rebuilt(stage: Stage, change: Any) -> None:
    edit(stage, change)
    broken = item(stage)
    outcome, _ = rebuilt(stage)
    assert outcome.result == "recovered" and "record#broken#20" in outcome.sentence
    name = outcome.sentence.split("as item ")[1].rstrip(".")
    kept = stage.boto.client("dynamodb").get_item(TableName="bluegreen", Key={**KEY, "item": {"S": name}})["Item"]
    assert {**kept, "item": {"S": "record"}} == broken
    assert stage.record().epoch == 3 and stage.records.stacks() == ("shop",)
    goes_on(stage)


@pytest.mark.parametrize("epoch", ["9", None])
def test_the_epoch_of_a_broken_record_counts_as_far_as_it_can_be_read(stage: Stage, epoch: str | None) -> None:
    found = item(stage)
    found.pop("body")
    put(stage, {**found, "epoch": {"N": epoch} if epoch else {"S": "two"}})
    assert rebuilt(stage)[0].result == "recovered" and stage.record().epoch == (10 if epoch else 3)


def test_a_record_that_is_fine_is_left_alone(stage: Stage) -> None:
    before = item(stage)
    outcome, shown = rebuilt(stage)
    assert (outcome.result, shown) == ("unchanged", []) and "nothing to recover" in outcome.sentence
    assert item(stage) == before and writes(stage) == []


def test_a_record_of_a_newer_version_is_left_alone(stage: Stage) -> None:
    edit(stage, lambda body: body.update(schema=99))
    before = item(stage)
    with pytest.raises(Unreadable, match="newer bluegreen"):
        rebuilt(stage)
    assert item(stage) == before


def test_what_is_not_confirmed_changes_nothing(stage: Stage) -> None:
    stage.drop_table()
    outcome, shown = rebuilt(stage, yes=False)
    assert outcome.exit_code == 5 and shown and writes(stage) == []


def test_after_a_rollback_without_the_ledger_the_release_that_was_left_stays_out(stage: Stage) -> None:
    stage.drop_table()
    assert back(stage).result == "rolled-back"
    assert rebuilt(stage)[0].result == "recovered"
    record = stage.record()
    assert (
        record.live is not None and record.live.version == "A" and "ann" in record.live_by and record.live_since > 1.7e9
    )
    assert record.rolled_back is not None and record.rolled_back.fleet == "green shop-2 (B)"
    with pytest.raises(Refused, match="rolled back"):
        stage.deploy("B")
    assert stage.deploy("C").result == "deployed"


def test_a_fleet_that_was_never_live_is_not_kept_and_gc_ends_it(stage: Stage) -> None:
    crash_before_the_switch(stage)
    stage.boto.client("dynamodb").delete_item(TableName="bluegreen", Key=KEY)
    outcome, shown = rebuilt(stage)
    assert outcome.next == "bluegreen gc shop terminates blue shop-3 (C)" and any("not kept" in text for text in shown)
    assert stage.gc().result == "cleaned" and stage.running() == {"A": 4, "B": 4}
    goes_on_names = {fleet.version for fleet in stage.record().fleets}
    assert goes_on_names == {"A", "B"} and stage.weights() == {"A": 0, "B": 100}


def test_traffic_that_is_shared_is_made_clear_first(stage: Stage) -> None:
    (binding,) = stage.world.traffic.bindings(stage.record().bindings)
    half = SetWeights(binding.ref, tuple((arn, 50) for arn in binding.by_group), "by hand")
    stage.world.traffic.perform(half)
    stage.drop_table()
    with pytest.raises(Refused, match="no one fleet has all the traffic") as caught:
        rebuilt(stage)
    assert caught.value.next.startswith("bluegreen rollback shop, then bluegreen recover shop")
    assert back(stage).result == "rolled-back"
    assert rebuilt(stage)[0].result == "recovered" and stage.weights() == {"A": 100, "B": 0}


def test_nothing_of_the_stack_is_told_as_that_and_makes_no_table(stage: Stage) -> None:
    stage.drop_table()
    shelf = DynamoShelf(stage.records, stage.table.make)
    with pytest.raises(Refused, match="there is nothing of other in eu-west-1"):
        recover(stage.world, "other", shelf)
    assert stage.boto.client("dynamodb").list_tables()["TableNames"] == []


def test_who_writes_the_record_meanwhile_wins(stage: Stage) -> None:
    mine = item(stage)
    stage.boto.client("dynamodb").delete_item(TableName="bluegreen", Key=KEY)

    def confirm(found: Sequence[str]) -> bool:
        put(stage, mine)
        return True

    with pytest.raises(Held):
        recover(stage.world, "shop", DynamoShelf(stage.records, stage.table.make), confirm)
    assert item(stage) == mine


def test_a_deploy_of_a_stack_whose_record_is_lost_names_recover(stage: Stage) -> None:
    stage.drop_table()
    with pytest.raises(Exception, match="no record") as caught:
        stage.deploy("C", shop("C"))
    assert "bluegreen recover shop" in caught.value.next  # type: ignore[attr-defined]
    json.dumps(caught.value.next)  # type: ignore[attr-defined]
