"""A rollback stands until somebody says that it is over: what was rolled back does not come back by itself."""

from __future__ import annotations

import pytest

from bluegreen.core.step import SetWeights, Step
from bluegreen.errors import Held, Interrupted, Refused
from tests.controller.stage import Stage


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.deploy("A")
    stage.deploy("B")
    return stage


def test_what_was_rolled_back_is_refused_until_it_is_acknowledged(stage: Stage) -> None:
    stage.rollback()
    with pytest.raises(Refused, match="rolled back") as told:
        stage.deploy("B")
    assert "bluegreen resume shop" in told.value.next
    assert stage.weights() == {"A": 100, "B": 0} and stage.running() == {"A": 4, "B": 4}
    epoch = stage.record().epoch
    assert stage.resume().result == "acknowledged"
    mark = stage.record().rolled_back
    assert mark is not None and mark.acknowledged and stage.record().epoch == epoch
    assert stage.resume().result == "unchanged"
    assert stage.deploy("B").result == "deployed"


def test_a_corrected_release_is_deployed_and_ends_the_matter(stage: Stage) -> None:
    stage.rollback()
    assert stage.deploy("C").result == "deployed"
    assert stage.record().rolled_back is None


def test_a_rollback_after_the_acknowledgement_blocks_the_release_again(stage: Stage) -> None:
    stage.rollback()
    stage.resume()
    assert [stage.rollback().result, stage.rollback().result] == ["unchanged", "unchanged"]
    assert stage.weights() == {"A": 100, "B": 0}
    with pytest.raises(Refused, match="rolled back"):
        stage.deploy("B")
    stage.resume()
    assert stage.deploy("B").result == "deployed"


def test_to_go_forward_again_says_that_the_release_is_good(stage: Stage) -> None:
    stage.rollback()
    stage.rollback("shop-2")
    assert stage.weights() == {"A": 0, "B": 100}
    assert stage.record().rolled_back is None
    stage.rollback()
    gone = stage.record().rolled_back
    assert gone is not None and "(B)" in gone.fleet


def test_a_deployment_stopped_after_its_switch_counts_and_one_stopped_before_does_not(stage: Stage) -> None:
    def stop_before(shift: bool) -> None:
        def on_step(step: Step) -> None:
            if isinstance(step, SetWeights) and step.shift is shift:
                stage.clock.interrupt = True

        stage.eyes.on_step = on_step

    stop_before(shift=False)
    with pytest.raises(Interrupted):
        stage.deploy("C")
    stage.eyes.on_step = lambda step: None
    stage.rollback()
    assert stage.record().rolled_back is None
    stop_before(shift=True)
    with pytest.raises(Interrupted):
        stage.deploy("C")
    stage.eyes.on_step = lambda step: None
    stage.rollback()
    gone = stage.record().rolled_back
    assert gone is not None and "(C)" in gone.fleet


def test_an_acknowledgement_never_writes_over_another_run(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.rollback()
    read = stage.records.read

    def read_then_lose(name: str) -> object:
        found = read(name)
        monkeypatch.setattr(stage.records, "read", read)
        stage.rollback("shop-2")
        return found

    monkeypatch.setattr(stage.records, "read", read_then_lose)
    with pytest.raises(Held):
        stage.resume()
