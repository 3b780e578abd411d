"""Tags as others may edit them: what cannot be read is told and ignored, and what the record keeps is never cleaned up."""

from __future__ import annotations

import pytest

from bluegreen.controller import degraded
from bluegreen.core.decide.upkeep import left_behind
from bluegreen.core.fleet import Colour, Moved, OwnedGroup
from bluegreen.core.observation import Instance
from bluegreen.core.tags import LONGEST, moved_tags, owned_group
from bluegreen.local.book import LocalBook
from tests.controller.stage import OWNER, Stage

ARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/shop-green-2/0123"
TAGS = {"bluegreen:stack": "shop", "bluegreen:deployment": "shop-2", "bluegreen:colour": "green"}


@pytest.fixture
def stage(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setenv("BLUEGREEN_STATE_DIR", str(tmp_path))
    stage = Stage()
    stage.deploy("A")
    stage.deploy("B")
    return stage


def tag(stage: Stage, fleet: str, key: str, value: str) -> None:
    arn = getattr(stage.record(), fleet).groups[0]
    tags = [{"Key": f"bluegreen:{key}", "Value": value}]
    stage.boto.client("elbv2").add_tags(ResourceArns=[arn], Tags=tags)


def listen(stage: Stage) -> list[str]:
    said: list[str] = []
    stage.eyes.note = said.append  # type: ignore[method-assign]
    return said


EDITS = [("live-since", "soon"), ("live-since", ""), ("live-since", "-1"), ("live-since", "²"), ("colour", "red")]


@pytest.mark.parametrize(("key", "value"), EDITS)
def test_a_tag_that_cannot_be_read_is_told_and_ignored(stage: Stage, key: str, value: str) -> None:
    tag(stage, "standby", key, value)
    said = listen(stage)
    assert stage.gc().result == "unchanged"
    assert any(f"bluegreen:{key} = {value!r}" in text for text in said), said
    stage.drop_table()
    said.clear()
    to = "shop-1" if key == "live-since" else ""  # nothing else says that it was live before
    outcome = degraded.rollback_anyway(stage.world, "shop", OWNER, LocalBook(), to)
    assert outcome.result == "rolled-back" and "blue shop-1 (A) serves" in outcome.sentence
    assert any(f"bluegreen:{key} = {value!r}" in text for text in said), said


@pytest.mark.parametrize("fleet", ["live", "standby"])
@pytest.mark.parametrize("value", ["nonsense", "", "shop-9", "other-1", "shop-²"])
def test_gc_takes_nothing_that_the_record_keeps_whatever_its_tags_say(stage: Stage, fleet: str, value: str) -> None:
    tag(stage, fleet, "deployment", value)
    before = stage.record()
    said = listen(stage)
    assert stage.gc().result == "unchanged"
    assert stage.weights() == {"A": 0, "B": 100} and stage.running() == {"A": 4, "B": 4}
    assert stage.record() == before and stage.eyes.steps[-1:] != []
    assert (value == "shop-9") or any("bluegreen:deployment" in text for text in said)


@pytest.mark.parametrize("value", ["nonsense", "shop-9"])
def test_gc_ends_no_instance_that_a_kept_group_has_whatever_its_tags_say(stage: Stage, value: str) -> None:
    (one, *_) = stage.of("A")
    tags = [{"Key": "bluegreen:deployment", "Value": value}]
    stage.boto.client("ec2").create_tags(Resources=[one], Tags=tags)
    assert stage.gc().result == "unchanged" and stage.running() == {"A": 4, "B": 4}


def test_an_instance_whose_deployment_cannot_be_read_is_left_alone_and_another_is_ended(stage: Stage) -> None:
    instances = (Instance("i-1", "nonsense", "s", "running"), Instance("i-2", "shop-9", "s", "running"))
    assert [fleet.deployment for fleet in left_behind(stage.record(), (), instances)] == ["shop-9"]


def test_a_group_tells_what_it_can() -> None:
    assert owned_group(ARN, {**TAGS, "bluegreen:stack": "other"}, "shop") is None
    found = owned_group(ARN, TAGS, "shop")
    assert found == OwnedGroup(ARN, "shop-2", Colour.GREEN, "", "")
    odd = owned_group(ARN, {**TAGS, "bluegreen:colour": "red", "bluegreen:deployment": "demo-2"}, "shop")
    assert odd is not None and (odd.deployment, odd.colour, len(odd.unread)) == ("", Colour.GREEN, 2)


def test_a_rollback_without_the_ledger_is_told_by_tags_until_another_operation_writes_them() -> None:
    moved = Moved(7, 1_800_000_000.0, "shop-2", "ann (büro) on laptop pid 1; " + "x" * 300)
    tags = dict(moved_tags(moved))
    assert all(len(value) <= LONGEST for value in tags.values()) and tags["bluegreen:live-since"] == "7"
    found = owned_group(ARN, {**TAGS, **tags}, "shop")
    assert found is not None and found.moved is not None
    assert (found.moved.number, found.moved.at, found.moved.left) == (7, moved.at, "shop-2")
    assert found.moved.by.startswith("ann _b_ro_ on laptop pid 1_ ")
    later = owned_group(ARN, {**TAGS, **tags, "bluegreen:live-since": "8"}, "shop")
    assert later is not None and later.moved is None
    hand = owned_group(ARN, {**TAGS, "bluegreen:degraded": "by hand"}, "shop")
    assert hand is not None and hand.moved is None
