"""I11: a run that turns in circles, or calls AWS without end, stops by itself, lets go, and can be undone."""

from __future__ import annotations

import pytest

from bluegreen.aws import client
from bluegreen.controller import run
from bluegreen.errors import BluegreenError, NeedsHuman
from tests.controller.answers import nothing_of_b
from tests.controller.stage import Stage


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    assert stage.deploy("A").exit_code == 0
    return stage


def left_to_be_undone(stage: Stage) -> bool:
    """Whether A serves, nobody holds the stack, and `abort` clears what was begun."""
    record = stage.record()
    held = record.owner is not None or record.goal is None
    return not held and stage.weights()["A"] == 100 and stage.abort().exit_code == 0 and stage.running() == {"A": 4}


def test_turns(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(run, "MAX_TURNS", 8)
        with pytest.raises(NeedsHuman, match="no progress in 8 turns") as caught:
            stage.deploy("B")
    assert caught.value.exit_code == 7 and "bluegreen status" in caught.value.next
    assert left_to_be_undone(stage)


@pytest.mark.parametrize("calls", [20, 30, 45])
def test_calls(stage: Stage, monkeypatch: pytest.MonkeyPatch, calls: int) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(client, "MAX_CALLS", stage.aws.calls + calls)
        with pytest.raises(BluegreenError, match="AWS calls in one command: this is a bug") as caught:
            stage.deploy("B")
    assert caught.value.exit_code == 7 and "bluegreen resume shop" in caught.value.next
    stage.clock.time += 30  # it could not even let go: its lease lapses
    record = stage.record()
    assert record.goal is not None and stage.weights()["A"] == 100
    assert stage.resume().result == "deployed", "the next process has a budget of its own"
    assert stage.weights()["B"] == 100 and stage.running() == {"A": 4, "B": 4}


def test_a_decision_that_repeats_without_effect(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(run, "MAX_TURNS", 40)
        patch.setattr(stage.clock, "sleep", lambda seconds: None)  # time stands still: no deadline ever comes
        stage.broken.add("B")
        with pytest.raises(NeedsHuman, match="made no progress in 40 turns") as caught:
            stage.deploy("B")
    assert caught.value.exit_code == 7
    assert left_to_be_undone(stage)
    nothing_of_b(stage)
