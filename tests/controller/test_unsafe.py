"""A release that declares `rollback: unsafe`: nothing goes back by itself, nor by a rollback that does not name where to."""

from __future__ import annotations

import pytest

from bluegreen.controller import degraded
from bluegreen.core.step import Mark, SetWeights, Step
from bluegreen.errors import Interrupted, Refused
from bluegreen.local.book import LocalBook
from tests.controller.stage import OWNER, Stage, shop

ONE_WAY = {"rollout": shop("B").rollout._replace(rollback_unsafe=True)}


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.deploy("A")
    return stage


def test_a_rollback_is_refused_until_the_deployment_is_typed(stage: Stage) -> None:
    stage.deploy("B", **ONE_WAY)
    stage.engine.calls.clear()
    for to in ("", "shop-1"):
        with pytest.raises(Refused, match="rollback: unsafe") as caught:
            stage.rollback(to)
        assert "--unsafe-to shop-1" in caught.value.next and "schema" in caught.value.why
    assert "--unsafe-to shop-1" in stage.status().not_ready
    assert stage.weights() == {"A": 0, "B": 100}
    assert not {operation for _, operation in stage.calls()} & {"ModifyRule", "UpdateItem", "PutItem"}
    assert stage.rollback("shop-1", unsafe=True).result == "rolled-back"
    assert stage.weights() == {"A": 100, "B": 0} and stage.status().not_ready == ""


def test_forward_again_is_no_way_back_and_neither_is_to_another_after_it(stage: Stage) -> None:
    stage.deploy("B", **ONE_WAY)
    stage.rollback("shop-1", unsafe=True)
    assert stage.rollback("shop-2").result == "rolled-back" and stage.weights() == {"A": 0, "B": 100}
    stage.deploy("C")
    assert stage.rollback().result == "rolled-back", "B was live when its schema was there"
    assert stage.weights() == {"B": 100, "C": 0}


def test_before_the_switch_it_is_undone_as_any_other(stage: Stage) -> None:
    stage.broken = {"B"}
    assert stage.deploy("B", **ONE_WAY).result == "undone"
    assert stage.weights() == {"A": 100} and stage.running() == {"A": 4}


def interrupted_after_the_switch(stage: Stage) -> None:
    def on_step(step: Step) -> None:
        stage.clock.interrupt = isinstance(step, Mark)

    stage.eyes.on_step = on_step
    with pytest.raises(Interrupted):
        stage.deploy("B", **ONE_WAY)
    stage.eyes.on_step = lambda step: None


def test_after_the_switch_neither_abort_nor_rollback_undoes_it_unless_it_is_typed(stage: Stage) -> None:
    interrupted_after_the_switch(stage)
    for undo in (stage.abort, stage.rollback, lambda: stage.rollback("shop-1")):
        with pytest.raises(Refused, match="rollback: unsafe") as caught:
            undo()
        assert "--unsafe-to shop-1" in caught.value.next
    assert stage.weights()["A"] == 0
    assert "--unsafe-to shop-1" in stage.status().not_ready
    assert stage.rollback("shop-1", unsafe=True).result == "rolled-back"
    assert stage.weights() == {"A": 100} and stage.running() == {"A": 4}


def test_a_bake_that_finds_it_ill_puts_nothing_back_and_asks(stage: Stage) -> None:
    def on_step(step: Step) -> None:
        if isinstance(step, SetWeights) and step.shift:
            stage.sick = set(stage.of("B"))

    stage.eyes.on_step = on_step
    rollout = ONE_WAY["rollout"]._replace(bake_s=60)
    outcome = stage.deploy("B", rollout=rollout)
    assert outcome.exit_code == 7 and "rollback: unsafe" in outcome.sentence
    assert "--unsafe-to shop-1" in outcome.next
    assert stage.weights()["A"] == 0 and stage.running() == {"A": 4, "B": 4}
    stage.sick = set()
    stage.clock.sleep(30)
    assert stage.resume().result == "deployed"


def test_without_the_ledger_the_tags_tell_it(stage: Stage, tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLUEGREEN_STATE_DIR", str(tmp_path))
    stage.deploy("B", **ONE_WAY)
    book = LocalBook()
    stage.drop_table()
    outcome = degraded.rollback_anyway(stage.world, "shop", OWNER, book)
    assert outcome.exit_code == 5 and "rollback: unsafe" in outcome.sentence
    assert outcome.next == "bluegreen rollback shop --unsafe-to shop-1"
    back = degraded.rollback_anyway(stage.world, "shop", OWNER, book, "shop-1", unsafe=True)
    assert back.result == "rolled-back" and book.notes("shop")[0].note.deployment == "shop-1"  # type: ignore[union-attr]
