"""A look at the world sees anew what it was asked for, and keeps all else."""

from __future__ import annotations

import pytest

from bluegreen.controller.observe import observe
from bluegreen.controller.world import World
from bluegreen.core.fleet import Colour, Fleet
from bluegreen.core.goal import Goal
from bluegreen.core.observation import Observation, Part
from bluegreen.core.progress import Progress
from bluegreen.core.record import Record
from tests.sim.stage import SHOP, Stage

SHOWN: dict[Part, str] = {"record": "record", "traffic": "bindings", "health": "groups", "instances": "instances"}


@pytest.fixture
def deployed() -> tuple[World, Goal]:
    stage = Stage()
    stage.run("deploy A")
    _, world = stage.world("looker")
    goal = world.records.events(f"{SHOP}-1")[0].goal  # type: ignore[union-attr]
    return world, goal


@pytest.mark.parametrize("part", SHOWN)
def test_a_part_is_seen_anew_and_the_others_stay(deployed: tuple[World, Goal], part: Part) -> None:
    world, goal = deployed
    live = Fleet("shop-9", Colour.BLUE, "r9", "I", 1, ("tg-live",))
    before = Observation(0.0, 1, Record("other", 1, live=live), consoles={"i-1": "text"}, consoles_at=5.0)
    now = observe(world, goal, Progress(), before, {part})
    assert getattr(now, SHOWN[part]) != getattr(before, SHOWN[part])
    assert now._replace(at=0.0, **{SHOWN[part]: getattr(before, SHOWN[part])}) == before
    assert now.at == world.clock.now()
