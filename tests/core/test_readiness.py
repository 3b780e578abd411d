"""The one judge: could this fleet take the traffic?"""

from __future__ import annotations

import pytest

from bluegreen.core.readiness import may_return, ready, required


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
