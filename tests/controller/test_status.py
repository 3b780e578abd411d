"""What status says: what serves first, then whether a rollback is ready; and without the ledger what tags and balancer tell."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from typing import Any

import pytest

from bluegreen.cli import status as shown
from bluegreen.controller import degraded
from bluegreen.controller.status import Status, status
from bluegreen.core.step import SetWeights, Step, Write
from bluegreen.errors import Refused
from bluegreen.local.book import LocalBook
from bluegreen.ports import Here
from tests.controller.stage import OWNER, Stage, shop
from tests.controller.test_degraded import Ill, throttled
from tests.controller.test_record import KEY, edit

HERE = Here("eu-west-1", "http://127.0.0.1:5600", "bluegreen")


@pytest.fixture
def stage(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setenv("BLUEGREEN_STATE_DIR", str(tmp_path))
    stage = Stage()
    stage.world = replace(stage.world, here=HERE)
    stage.deploy("A")
    stage.deploy("B")
    return stage


def lines(stage: Stage) -> list[str]:
    return shown.words(stage.status()).splitlines()


def killed(stage: Stage, kind: type[Step], *, switched: bool) -> None:
    """A deploy of C that died before or after its switch."""

    def crash(step: Step) -> None:
        if isinstance(step, kind) and (getattr(step, "promote", None) if switched else getattr(step, "shift", False)):
            raise SystemExit

    stage.eyes.on_step = crash
    with pytest.raises(SystemExit):
        stage.deploy("C", shop("C"))
    stage.eyes.on_step = lambda step: None


def test_what_serves_comes_first_then_the_rollback_then_the_rest(stage: Stage) -> None:
    first, second, third, *_ = lines(stage)
    assert first.startswith("shop: B serves: green shop-2, 4/4 healthy, since 20") and "UTC" in first
    assert "ann" in first and "laptop pid 1" in first
    assert second == (
        "  rollback ready: yes, 4/4 healthy: it would go to blue shop-1 (A); 1 write, traffic moves in about a second"
    )
    assert third == "  account 123456789012, region eu-west-1, endpoint http://127.0.0.1:5600, epoch 2"
    told = shown.view(stage.status())
    assert (told["account"], told["region"], told["endpoint"]) == ("123456789012", "eu-west-1", HERE.endpoint)
    assert told["serving"]["version"] == "B" and told["serving"]["since"] > 1.7e9 and "ann" in told["serving"]["by"]
    assert told["rollback"]["to"] == "shop-1" and told["rollback_ready"]


def test_during_a_bake_the_roles_say_what_the_fleets_do(stage: Stage) -> None:
    killed(stage, Write, switched=True)
    text = "\n".join(lines(stage))
    assert text.startswith("shop: C serves: blue shop-3, 4/4 healthy, since 20")
    assert "  new, serving      blue shop-3 (C) " in text and "  previous, ready   green shop-2 (B) " in text
    assert "it would stop shop-3 and give the traffic back to green shop-2 (B); 1 write" in text.splitlines()[1]
    assert "  live" not in text


def test_before_the_switch_a_rollback_moves_no_traffic_and_status_says_so(stage: Stage) -> None:
    killed(stage, SetWeights, switched=False)
    first, second, *_ = lines(stage)
    assert first.startswith("shop: B serves")
    assert second == (
        "  rollback ready: yes: it would stop shop-3 and terminate its fleet; the traffic stays on green shop-2 (B); "
        "no traffic moves"
    )


def test_ready_is_not_said_of_a_rollback_whose_rule_is_gone(stage: Stage) -> None:
    (ref,) = stage.record().bindings
    stage.boto.client("elbv2").delete_rule(RuleArn=ref.arn)
    told = shown.view(stage.status())
    assert not told["rollback_ready"] and "is gone from the load balancer" in told["rollback_not_ready_because"]
    assert lines(stage)[0] == "shop: none of its fleets has any traffic"


def by_tags(stage: Stage) -> Status:
    found = stage.status()
    assert found.record is None and found.serving is not None and found.serving.fleet.version == "B"
    assert {f.fleet.version: (f.role, f.weight, f.healthy) for f in found.fleets} == {
        "A": ("standby", 0, 4),
        "B": ("live", 100, 4),
    }
    assert found.not_ready == "" and found.ready.to == "shop-1" and not found.well
    text = shown.words(found)
    assert text.startswith("shop: B serves: green shop-2, 4/4 healthy") and "DEGRADED: " in text
    assert "rollback ready: yes, 4/4 healthy: it would go to blue shop-1 (A)" in text
    view = shown.view(found)
    assert view["degraded"] == found.lost and view["epoch"] is None and view["serving"]["version"] == "B"
    return found


def test_without_the_table_status_goes_by_tags(stage: Stage) -> None:
    stage.drop_table()
    found = by_tags(stage)
    assert "there is no DynamoDB table bluegreen" in found.lost and found.next == "bluegreen recover shop"
    assert degraded.rollback_anyway(stage.world, "shop", OWNER, LocalBook()).result == "rolled-back"
    after = stage.status()
    assert (
        after.serving is not None and after.serving.fleet.version == "A" and after.since > 1.7e9 and "ann" in after.by
    )
    assert "it would change nothing: blue shop-1 (A) serves" in after.ready.does


def test_without_its_record_only_status_goes_by_tags(stage: Stage) -> None:
    stage.boto.client("dynamodb").delete_item(TableName="bluegreen", Key=KEY)
    assert "no record of shop" in by_tags(stage).lost


def test_with_a_record_that_cannot_be_read_status_goes_by_tags_and_names_the_field(stage: Stage) -> None:
    edit(stage, lambda body: body["live"].update(colour="pink"))
    found = by_tags(stage)
    assert "Record.live.colour" in found.lost and found.next == "bluegreen recover shop"


def test_with_a_ledger_that_throttles_status_goes_by_tags(stage: Stage) -> None:
    Ill(stage, throttled)
    found = by_tags(stage)
    assert "slow down" in found.lost and "recover" not in found.next


def test_nothing_of_a_stack_is_told_as_that(stage: Stage) -> None:
    assert status(stage.world, "other") is None
    stage.drop_table()
    assert status(stage.world, "other") is None


def test_after_a_rollback_elsewhere_without_the_ledger_status_tells_it_and_the_way_on(stage: Stage) -> None:
    ill = Ill(stage, throttled)
    stage.aws.attempts = 2
    outcome = degraded.rollback_anyway(stage.world, "shop", OWNER, LocalBook())
    assert "DEGRADED" in outcome.sentence
    ill.cure()
    found = stage.status()
    assert found.serving is not None and found.serving.fleet.version == "A" and "ann" in found.by
    (sentence,) = found.drift
    assert "rolled back to blue shop-1 (A) without the ledger" in sentence
    assert found.next == "bluegreen rollback shop"


def test_the_list_of_stacks_knows_those_that_only_tags_tell_of(
    stage: Stage, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from bluegreen.cli import wire

    stage.drop_table()
    wired: Any = Namespace(world=stage.world, records=stage.records, book=LocalBook())
    monkeypatch.setattr(wire, "wire", lambda options, watcher: wired)
    options = Namespace(stack=None, watch=False, output="text")
    assert shown.run(options) == 0
    assert "shop: B serves" in capsys.readouterr().out
    options.stack = "other"
    with pytest.raises(
        Refused, match="there is nothing of other in eu-west-1: no record, no target group with its tag"
    ):
        shown.run(options)
