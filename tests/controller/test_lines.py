"""Journal entries as others may leave them: edited by hand, of another version, or missing. Reading commands leave them out and
say so, a rollback works without them, and nothing ends as a bug."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bluegreen.controller import degraded
from bluegreen.controller.history import past
from bluegreen.controller.timeline import timeline
from bluegreen.core.event import Finished, Launched, Launching, Started
from bluegreen.core.step import Step, Write
from bluegreen.errors import Unreadable
from bluegreen.local.book import LocalBook
from tests.controller.stage import OWNER, Stage, shop

DEEP = '{"kind": "Promoted", "at": ' + "[" * 100_000 + "]" * 100_000 + "}"
BODIES: list[dict[str, Any] | None] = [
    None,
    {"S": "{"},
    {"S": "[]"},
    {"S": '"text"'},
    {"S": "null"},
    {"N": "1"},
    {"S": "{}"},
    {"S": '{"kind": ["Promoted"], "at": 1.0}'},
    {"S": '{"kind": "Finished", "at": 1.0, "result": "deployed"}'},
    {"S": '{"kind": "Finished", "at": "soon", "result": "deployed", "sentence": ""}'},
    {"S": '{"kind": "Promoted", "at": 1e300}'},
    {"S": '{"kind": "Promoted", "at": -1.0}'},
    {"S": '{"kind": "Promoted", "at": 1e999}'},
    {"S": '{"kind": "Promoted", "at": NaN}'},
    {"S": '{"kind": "Promoted", "at": ' + "9" * 5000 + "}"},
    {"S": '{"kind": "Failed", "at": 1.0, "reason": "\\ud800"}'},
    {"S": '{"kind": "Registered", "at": 1.0, "group": "g", "instances": {"a": 1}}'},
    {"S": DEEP},
    {"S": '{"kind": "Failed", "at": 1.0, "reason": ' + '"x"' * 100_000 + "}"},
]


@pytest.fixture
def stage(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setenv("BLUEGREEN_STATE_DIR", str(tmp_path))
    stage = Stage()
    stage.deploy("A")
    stage.deploy("B")
    return stage


def key(epoch: int, number: int) -> dict[str, Any]:
    return {"stack": {"S": "shop"}, "item": {"S": f"journal#{epoch:08d}#{number:06d}"}}


def put(stage: Stage, epoch: int, number: int, body: dict[str, Any] | None) -> None:
    item = {**key(epoch, number), **({"body": body} if body else {})}
    stage.boto.client("dynamodb").put_item(TableName="bluegreen", Item=item)


def back(stage: Stage) -> Any:
    return degraded.rollback_anyway(stage.world, "shop", OWNER, LocalBook())


def spoil(stage: Stage, epoch: int) -> list[str]:
    """The first entry, one in the middle and many after the last cannot be read; their keys."""
    numbers = [0, 3, *range(100, 100 + len(BODIES))]
    for number, body in zip(numbers, [{"S": "{"}, {"S": "[]"}, *BODIES], strict=True):
        put(stage, epoch, number, body)
    return [f"journal#{epoch:08d}#{number:06d}" for number in numbers]


def test_a_rollback_works_without_entries_that_cannot_be_read(stage: Stage) -> None:
    keys = spoil(stage, 2)
    said: list[str] = []
    stage.eyes.note = said.append  # type: ignore[method-assign]
    outcome = back(stage)
    assert outcome.exit_code == 0 and "blue shop-1 (A) serves" in outcome.sentence
    assert stage.weights() == {"A": 100, "B": 0}
    assert stage.record().live.version == "A"  # type: ignore[union-attr]
    assert [key for key in keys if not any(key in text for text in said)] == []


@pytest.mark.parametrize("epoch", [1, 2])
def test_status_history_and_show_leave_them_out_and_say_so(stage: Stage, epoch: int) -> None:
    keys = spoil(stage, epoch)
    assert stage.status().well
    journals = stage.records.deployments("shop")
    assert [one.deployment for one in journals] == ["shop-2", "shop-1"]
    for one in journals:
        told = past(one)
        assert told.result == "deployed" and timeline(one.events).bars
        expected = keys if one.deployment == f"shop-{epoch}" else []
        assert [text.split(":")[0].removeprefix("item ") for text in told.unreadable] == expected
        assert all(len(text) < 300 for text in told.unreadable)
    shown = past(stage.records.journal(f"shop-{epoch}"))
    assert json.dumps(shown.unreadable, ensure_ascii=False).encode()


def test_a_kind_of_a_newer_version_is_no_damage_and_is_counted(stage: Stage) -> None:
    put(stage, 2, 3, {"S": '{"kind": "Teleported", "at": 1.0}'})
    found = stage.records.journal("shop-2")
    assert found.unreadable == () and found.next_number == len(found.events) + 1


def killed_in_its_bake(stage: Stage) -> None:
    def crash(step: Step) -> None:
        if isinstance(step, Write) and step.promote:
            raise SystemExit

    stage.eyes.on_step = crash
    with pytest.raises(SystemExit):
        stage.deploy("C", shop("C"))
    stage.eyes.on_step = lambda step: None


def delete(stage: Stage, kinds: tuple[type, ...]) -> int:
    """Takes the entries of these kinds out of the journal of shop-3."""
    gone = 0
    for number, event in enumerate(stage.records.events("shop-3")):
        if isinstance(event, kinds):
            stage.boto.client("dynamodb").delete_item(TableName="bluegreen", Key=key(3, number))
            gone += 1
    return gone


def test_resume_goes_on_after_entries_that_are_missing_in_the_middle(stage: Stage) -> None:
    killed_in_its_bake(stage)
    assert delete(stage, (Launching, Launched)) >= 2
    before = stage.records.journal("shop-3")
    assert before.next_number > len(before.events)
    outcome = stage.resume()
    assert outcome.result == "deployed", outcome
    assert stage.running() == {"B": 4, "C": 4} and stage.weights() == {"B": 0, "C": 100}
    events = stage.records.events("shop-3")
    assert isinstance(events[0], Started) and isinstance(events[-1], Finished), "nothing is written into a gap"


def test_resume_names_what_cannot_be_read_and_does_not_take_the_stack(stage: Stage) -> None:
    killed_in_its_bake(stage)
    put(stage, 3, 2, {"S": "{"})
    stage.clock.time += 60
    with pytest.raises(Unreadable, match="shop-3") as caught:
        stage.resume()
    assert caught.value.exit_code == 7 and "journal#00000003#000002" in caught.value.why
    assert "bluegreen rollback shop" in caught.value.next and stage.record().epoch == 3
    assert back(stage).result == "rolled-back" and stage.running() == {"A": 4, "B": 4}
    assert stage.status().record.goal is None  # type: ignore[union-attr]
