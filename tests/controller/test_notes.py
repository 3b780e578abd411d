"""The note that a rollback without the ledger leaves: it moves no traffic, and never acts on another AWS or on newer work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bluegreen.controller import degraded, notes
from bluegreen.core.note import KEPT_S
from bluegreen.core.step import SetWeights
from bluegreen.errors import BluegreenError
from bluegreen.local.book import LocalBook
from bluegreen.ports import Here
from tests.controller.stage import OWNER, Stage
from tests.controller.test_degraded import Ill, unreachable
from tests.controller.test_tags import listen

HERE = Here("eu-west-1", "http://127.0.0.1:5820", "bluegreen")
BOOK = LocalBook(HERE)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setenv("BLUEGREEN_STATE_DIR", str(tmp_path))
    stage = Stage()
    stage.world = replace(stage.world, here=HERE)
    stage.deploy("A")
    stage.deploy("B")
    return stage


def back(stage: Stage, to: str = "") -> Any:
    return degraded.rollback_anyway(stage.world, "shop", OWNER, BOOK, to)


def rolled_back_without_the_ledger(stage: Stage) -> None:
    attempts, stage.aws.attempts = stage.aws.attempts, 2
    ill = Ill(stage, unreachable)
    assert "DEGRADED" in back(stage).sentence
    ill.cure()
    stage.aws.attempts = attempts


def moves(stage: Stage) -> list[str]:
    return [operation for _, operation in stage.calls() if operation == "ModifyRule"]


@pytest.mark.parametrize("command", ["rollback", "resume"])
def test_rollback_and_resume_write_into_the_record_what_aws_shows(stage: Stage, command: str) -> None:
    rolled_back_without_the_ledger(stage)
    stage.engine.calls.clear()
    outcome = back(stage) if command == "rollback" else notes.write_down(stage.world, "shop", OWNER, BOOK)
    assert outcome is not None and outcome.exit_code == 0 and moves(stage) == []
    record = stage.record()
    assert record.live is not None and record.live.version == "A" and record.rolled_back is not None
    assert BOOK.notes("shop") == () and stage.weights() == {"A": 100, "B": 0}
    assert notes.write_down(stage.world, "shop", OWNER, BOOK) is None


def test_a_note_of_one_aws_moves_nothing_in_another(stage: Stage, tmp_path: Path) -> None:
    """Reported: endpoint 1 was rolled back without its table; `gc` on endpoint 2 then moved all of that one's traffic."""
    rolled_back_without_the_ledger(stage)
    (kept,) = BOOK.notes("shop")
    production = Stage()
    production.world = replace(production.world, here=HERE)  # as near as it gets: the same endpoint, made anew
    production.deploy("A")
    production.deploy("B")
    production.engine.calls.clear()
    said = listen(production)
    assert notes.write_down(production.world, "shop", OWNER, BOOK) is None
    assert production.weights() == {"A": 0, "B": 100} and moves(production) == []
    assert any(kept.file in text and "is deleted" in text for text in said), said
    assert BOOK.notes("shop") == (), "it could never be used: AWS shows other target groups"


def test_a_note_that_is_older_than_what_was_done_since_is_void(stage: Stage) -> None:
    rolled_back_without_the_ledger(stage)
    other = LocalBook(Here("elsewhere"))
    assert degraded.rollback_anyway(stage.world, "shop", OWNER, other).exit_code == 0
    stage.clock.time += 60
    assert stage.deploy("C").result == "deployed"
    said = listen(stage)
    stage.engine.calls.clear()
    assert notes.write_down(stage.world, "shop", OWNER, BOOK) is None and moves(stage) == []
    assert stage.weights() == {"A": 0, "C": 100} and BOOK.notes("shop") == () and len(said) == 1


def test_other_commands_only_tell_of_it_with_the_name_of_its_file(stage: Stage) -> None:
    rolled_back_without_the_ledger(stage)
    (kept,) = BOOK.notes("shop")
    before, said = stage.record(), listen(stage)
    stage.engine.calls.clear()
    notes.tell(stage.world, "shop", BOOK)
    assert stage.calls() == [] and stage.record() == before
    assert len(said) == 1 and kept.file in said[0] and "bluegreen rollback shop" in said[0]


def test_a_note_expires(stage: Stage) -> None:
    rolled_back_without_the_ledger(stage)
    stage.clock.time += KEPT_S + 1
    said = listen(stage)
    notes.tell(stage.world, "shop", BOOK)
    assert BOOK.notes("shop") == () and "older than a week" in said[0]


def test_an_old_note_is_told_once_and_deleted(stage: Stage, tmp_path: Path) -> None:
    old = tmp_path / "eu-west-1-bluegreen-shop.json"
    old.write_text('{"stack": "shop", "at": 1.0, "to": "shop-1", "why": "x"}', "utf-8")
    said = listen(stage)
    stage.engine.calls.clear()
    notes.tell(stage.world, "shop", BOOK)
    notes.tell(stage.world, "shop", BOOK)
    assert len(said) == 1 and str(old) in said[0] and not old.exists() and stage.calls() == []


def test_traffic_that_somebody_moves_meanwhile_is_not_written_over(stage: Stage) -> None:
    """Between the look and the write: the record stays behind, the weights stay theirs."""
    rolled_back_without_the_ledger(stage)
    (kept,) = BOOK.notes("shop")
    assert kept.note is not None
    record = stage.record()
    (now,) = stage.world.traffic.bindings(record.bindings)
    theirs = tuple((arn, 0 if weight else 100) for arn, weight in now.by_group.items())
    stage.world.traffic.perform(SetWeights(now.ref, theirs, "by hand"))
    stage.engine.calls.clear()
    with pytest.raises(BluegreenError, match=r"moved the traffic|was not finished"):
        notes.settle(stage.world, record, OWNER, kept.note.deployment, kept.note.groups)
    assert moves(stage) == [] and stage.weights() == {"A": 0, "B": 100}
