"""Without the ledger: a rollback goes by tags and the load balancer, a deploy is refused, and a later command writes it down."""

from __future__ import annotations

import pytest

from bluegreen.controller import degraded
from bluegreen.core.outcome import Outcome
from bluegreen.core.step import SetWeights, Step
from bluegreen.errors import BluegreenError, Unreachable
from bluegreen.local.book import LocalBook
from tests.controller.stage import OWNER, Stage, shop

BOOK = LocalBook("test")


@pytest.fixture
def stage(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setenv("BLUEGREEN_STATE_DIR", str(tmp_path))
    return Stage()


def drop(stage: Stage) -> None:
    stage.drop_table()


def back(stage: Stage, to: str = "") -> Outcome:
    return degraded.rollback_anyway(stage.world, "shop", OWNER, BOOK, to)


def by_version(stage: Stage) -> dict[str, int]:
    owned = {group.arn: group.version for group in stage.world.traffic.owned("shop")}
    refs = degraded.bindings_of(stage.world.traffic.owned("shop"))
    (binding,) = stage.world.traffic.bindings(refs)
    return {owned[arn]: weight for arn, weight in binding.by_group.items()}


def test_without_the_table_the_fleet_before_gets_the_traffic_back(stage: Stage) -> None:
    for version in "ABC":
        stage.deploy(version)
    drop(stage)
    stage.engine.calls.clear()
    outcome = back(stage)
    assert outcome.result == "rolled-back" and "DEGRADED" in outcome.sentence and "green shop-2 (B)" in outcome.sentence
    assert by_version(stage) == {"B": 100, "C": 0}
    assert not [call for call in stage.calls() if call[0] == "ec2"]
    assert "CreateTable" not in {operation for _, operation in stage.calls()}
    assert BOOK.read("shop") == "shop-2"
    assert back(stage, "shop-3").result == "rolled-back" and by_version(stage) == {"B": 0, "C": 100}


def test_a_deploy_without_the_table_is_refused_and_makes_none(stage: Stage) -> None:
    stage.deploy("A")
    drop(stage)
    with pytest.raises(BluegreenError) as caught:
        stage.deploy("B")
    assert caught.value.exit_code == 7 and "no record" in caught.value.what
    assert stage.boto.client("dynamodb").list_tables()["TableNames"] == []


def test_an_empty_table_is_a_lost_ledger_too(stage: Stage) -> None:
    stage.deploy("A")
    stage.deploy("B")
    drop(stage)
    stage.table.make()
    assert back(stage).result == "rolled-back" and by_version(stage) == {"A": 100, "B": 0}


def test_when_it_is_back_the_next_command_writes_it_down(stage: Stage) -> None:
    stage.deploy("A")
    stage.deploy("B")
    real = stage.records.read

    def down(stack: str) -> None:
        raise Unreachable("dynamodb cannot be reached", action="dynamodb:get_item")

    stage.records.read = down  # type: ignore[method-assign, assignment]
    assert "DEGRADED" in back(stage).sentence
    stage.records.read = real  # type: ignore[method-assign]
    assert stage.record().live.version == "B"  # type: ignore[union-attr]
    assert stage.status().drift
    stage.engine.calls.clear()
    degraded.reconcile(stage.world, "shop", OWNER, BOOK)
    assert "ModifyRule" not in {operation for _, operation in stage.calls()}
    assert stage.record().live.version == "A" and not stage.status().drift  # type: ignore[union-attr]
    assert BOOK.read("shop") is None
    degraded.reconcile(stage.world, "shop", OWNER, BOOK)
    assert stage.deploy("C").result == "deployed"


def test_a_fleet_that_was_never_live_is_no_way_back(stage: Stage) -> None:
    stage.deploy("A")
    stage.deploy("B")

    def crash(step: Step) -> None:
        if isinstance(step, SetWeights) and step.shift:
            raise SystemExit

    stage.eyes.on_step = crash
    with pytest.raises(SystemExit):
        stage.deploy("C")  # healthy, attached at weight 0, and never live
    stage.eyes.on_step = lambda step: None
    drop(stage)
    assert by_version(stage) == {"A": 0, "B": 100, "C": 0}
    assert "blue shop-1 (A)" in back(stage).sentence
    assert by_version(stage) == {"A": 100, "B": 0, "C": 0}


def test_going_back_twice_goes_to_the_one_that_was_live_last(stage: Stage) -> None:
    stage.deploy("A")
    stage.deploy("B")
    stage.rollback()
    stage.deploy("C", shop("C", bake_s=0))
    drop(stage)
    assert "blue shop-1 (A)" in back(stage).sentence


def test_it_is_refused_when_the_standby_could_carry_less(stage: Stage) -> None:
    stage.deploy("A")
    stage.deploy("B")
    stage.sick |= {i.id for i in stage.world.fleets.look("shop") if stage._version(i.id) == "A"}
    stage.clock.time += 60
    drop(stage)
    outcome = back(stage)
    assert outcome.result == "refused" and "0 healthy of 4" in outcome.sentence
    assert by_version(stage) == {"A": 0, "B": 100}
