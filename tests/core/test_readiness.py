"""The one judge: could this fleet take the traffic?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bluegreen.core.age import ago
from bluegreen.core.fleet import Fleet
from bluegreen.core.goal import RolledBack
from bluegreen.core.readiness import may_return, no_plain_rollback, ready, required, way_on
from tests.core.decide.words import LIVE, STANDBY


@pytest.mark.parametrize(
    ("serving", "size", "needed"),
    [(4, 4, 4), (3, 4, 3), (5, 4, 4), (4, 2, 2), (1, 4, 1), (0, 4, 1), (0, 0, 1), (4, 0, 1), (2, 1, 1), (4, 1, 1)],
    ids=[
        "as many as serve",
        "as many as serve, when that is less than its size",
        "all of its own, when more serve",
        "all of a smaller fleet",
        "one, when one serves",
        "one, when none serves",
        "one, when none serves and its size is not known",
        "one of an adopted fleet, whose size is not known",
        "one of a fleet of one",
        "one of a fleet of one, however many serve",
    ],
)
def test_how_many_healthy_instances_a_fleet_needs(serving: int, size: int, needed: int) -> None:
    assert required(serving, size) == needed
    assert ready(needed, serving, size) and not ready(needed - 1, serving, size)


@pytest.mark.parametrize(
    ("healthy", "serving", "may"),
    [(0, 0, True), (0, 1, False), (0, 4, False), (1, 1, True), (1, 4, True), (4, 1, True)],
)
def test_one_healthy_instance_is_enough_to_stop_a_deployment(healthy: int, serving: int, may: bool) -> None:
    assert may_return(healthy, serving) is may


# what a plain rollback would do


def told(
    live: Any = LIVE, standby: Any = STANDBY, mark: str = "", serving: int = 4, standing: int = 4
) -> tuple[str, str]:
    """Why a plain rollback would not go, and the command that helps."""
    back = RolledBack(mark, "x", 1.0) if mark else None

    def healthy(fleet: Fleet) -> int:
        return standing if fleet == standby else serving

    why = no_plain_rollback(live, standby, back, healthy)
    return why, way_on("shop", live, standby, back, healthy) if live and standby else ""


UNSAFE = replace(LIVE, rollback_unsafe=True)


@pytest.mark.parametrize(
    ("world", "why", "way"),
    [
        ({}, "", "bluegreen rollback shop"),
        ({"standby": None}, "there is no standby fleet", ""),
        ({"live": None}, "there is no standby fleet", ""),
        ({"standing": 3}, f"3 of 4 instances of {STANDBY.label} are healthy", "bluegreen heal shop"),
        ({"standing": 3, "serving": 3}, "", "bluegreen rollback shop"),
        (
            {"standby": replace(STANDBY, count=0), "standing": 0},
            f"0 of ? instances of {STANDBY.label} are healthy",
            "bluegreen heal shop",
        ),
        (
            {"live": UNSAFE},
            f"{LIVE.label} is declared `rollback: unsafe`",
            "bluegreen rollback shop --unsafe-to shop-5",
        ),
        ({"live": UNSAFE, "standing": 0}, f"{LIVE.label} is declared `rollback: unsafe`", "bluegreen heal shop"),
        ({"mark": "r5"}, f"{STANDBY.label} was rolled back before", "bluegreen rollback shop --to shop-5"),
        ({"mark": "r6"}, "", "bluegreen rollback shop"),
        (
            {"live": STANDBY, "standby": LIVE},
            f"{LIVE.label} was rolled back already, and {STANDBY.label} serves",
            "bluegreen rollback shop --to shop-6",
        ),
        (
            {"live": replace(STANDBY, rollback_unsafe=True), "standby": LIVE},
            f"{LIVE.label} was rolled back already, and {STANDBY.label} serves",
            "bluegreen rollback shop --to shop-6",
        ),
    ],
    ids=[
        "it would",
        "there is no standby",
        "nothing is live",
        "one healthy instance too few",
        "as many as serve",
        "nothing of an adopted fleet",
        "from an unsafe one only by name",
        "which does not help a dead standby",
        "the standby was rolled back",
        "what serves was, once",
        "rolled back already: forward only by name",
        "and forward it is not unsafe",
    ],
)
def test_no_sentence_promises_what_a_rollback_would_refuse(world: Any, why: str, way: str) -> None:
    assert told(**world) == (why, way)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 s ago"),
        (0, "0 s ago"),
        (119, "119 s ago"),
        (120, "2 min ago"),
        (7199, "120 min ago"),
        (7200, "2 h ago"),
        (172_799, "48 h ago"),
        (172_800, "2 days ago"),
    ],
)
def test_ages_are_told_in_the_largest_unit_of_which_there_are_two(seconds: float, words: str) -> None:
    assert ago(seconds) == words
