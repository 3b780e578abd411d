"""The images that a stack needs, as the ledger tells; and no answer rather than a wrong one when it does not."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace

import pytest

from bluegreen.controller.needed import needed
from bluegreen.core.chain import Lineage, Link
from bluegreen.core.event import Started
from bluegreen.errors import CloudError, Interrupted, Refused
from tests.controller.stage import Stage


def digest(version: str) -> str:
    return "sha256:" + hashlib.sha256(f"127.0.0.1:5601/demo/web:{version}".encode()).hexdigest()


def images_of(user_data: str) -> tuple[str, ...]:
    """The stage's user data is a list of pairs as text."""
    return tuple(re.findall(r"127\.0\.0\.1:5601/\S+@sha256:[0-9a-f]{64}", base64.b64decode(user_data).decode()))


def ask(stage: Stage, releases: int) -> dict[str, str]:
    return needed(stage.records, "shop", releases, images_of)


def test_live_standby_and_the_last_releases_are_needed() -> None:
    stage = Stage()
    for version in "ABCDD":
        stage.deploy(version)
    assert ask(stage, 0) == {digest("D"): "live green shop-4 (D)", digest("C"): "standby blue shop-3 (C)"}
    assert ask(stage, 2) == ask(stage, 0)
    assert ask(stage, 3) == {**ask(stage, 0), digest("B"): "the release of shop-2"}
    assert ask(stage, 99).keys() == {digest(version) for version in "ABCD"}


def test_after_a_rollback_both_fleets_are_needed_still() -> None:
    stage = Stage()
    for version in "AB":
        stage.deploy(version)
    stage.rollback()
    assert ask(stage, 0).keys() == {digest("A"), digest("B")}


def test_a_release_that_is_under_way_is_needed() -> None:
    stage = Stage()
    stage.deploy("A")
    stage.clock.on_sleep = lambda: setattr(stage.clock, "interrupt", True)
    stage.broken.add("B")
    with pytest.raises(Interrupted):
        stage.deploy("B")
    assert ask(stage, 0)[digest("B")].startswith("under way: green shop-2 (B)")


def test_what_an_image_was_made_from_is_needed_with_it() -> None:
    stage = Stage()
    stage.deploy("A")
    start = stage.records.events("shop-1")[0]
    assert isinstance(start, Started)
    link = Link("base", "k" * 64, "127.0.0.1:5601/demo/base@sha256:" + "b" * 64)
    goal = replace(start.goal, lineage=Lineage((link,)))

    class Told:
        read = stage.records.read

        def events(self, deployment: str) -> tuple[Started, ...]:
            return (replace(start, goal=goal),)

    found = needed(Told(), "shop", 0, images_of)  # type: ignore[arg-type]
    assert found == dict.fromkeys((digest("A"), "sha256:" + "b" * 64), "live blue shop-1 (A)")


def test_a_ledger_that_does_not_tell_gives_no_answer() -> None:
    stage = Stage()
    with pytest.raises(Refused, match="no record of shop"):
        ask(stage, 5)
    stage.deploy("A")
    with pytest.raises(Refused, match="journal of shop-1 does not tell its images"):
        needed(stage.records, "shop", 5, lambda text: ())

    def damaged(text: str) -> tuple[str, ...]:
        raise ValueError("it is damaged")

    with pytest.raises(Refused, match="user data that cannot be read"):
        needed(stage.records, "shop", 5, damaged)
    stage.records.table = "another"
    with pytest.raises(CloudError, match="no DynamoDB table"):
        ask(stage, 5)
