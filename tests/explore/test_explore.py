"""Every state of the small worlds keeps the promises, and the exploration finds mistakes that are planted.

From every state at rest that was met, a walk of commands leads to where the stack can be used again (`exits`).

BLUEGREEN_EXPLORE=2 (or 3) explores larger worlds too: two troubles, two fleets with every command (minutes, some GB).
"""

from __future__ import annotations

import os
import time

import pytest

from tests.explore.exits import Walk
from tests.explore.mistakes import MISTAKES, Mistake
from tests.explore.open_findings import OPEN, is_open
from tests.explore.search import Found, explore
from tests.explore.worlds import ILL, LARGE, LARGEST, MOVED, SMALL, Small

SIZE = int(os.environ.get("BLUEGREEN_EXPLORE", "1"))
WORLDS = (*SMALL, *ILL, *MOVED, *(LARGE if SIZE > 1 else ()), *(LARGEST if SIZE > 2 else ()))


@pytest.fixture(scope="module")
def explored() -> list[Found]:
    return []


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_every_state_keeps_the_promises(
    world: Small, explored: list[Found], capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    found = explore(world)
    explored.append(found)
    with capsys.disabled():
        print(f"\n  {found.line()}, {time.monotonic() - began:.1f} s")
        if len(explored) == len(WORLDS):
            print(f"  {total(explored)}")
    walk = Walk(world.shape)
    found.walked(walk)
    with capsys.disabled():
        print(f"  {walk.line()}, {time.monotonic() - began:.1f} s")
    news = {what: path for what, path in found.broken.items() if not is_open(found.world, what, large=SIZE > 1)}
    found.rests, found.came = {}, []
    assert not news, Found(found.world, broken=news).story()
    if len(explored) == len(WORLDS):
        met = [(one.world, what) for one in explored for what in one.broken]
        mended = [key for key in OPEN if not any(w.startswith(key[0]) and what.startswith(key[1]) for w, what in met)]
        assert not mended, f"mended, so take it out of OPEN: {mended}"


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_planted_mistake_is_found(mistake: Mistake) -> None:
    def enough(found: Found) -> bool:
        return any(what.startswith(mistake.found_as) for what in found.broken)

    with mistake.planted():
        found = explore(mistake.world, mistake.design, enough=enough)
        if not enough(found):
            found.walked(Walk(mistake.world.shape))
    assert enough(found), f"{mistake.name} is not found among {found.states} states: {list(found.broken)}"


def total(explored: list[Found]) -> str:
    states = sum(found.states for found in explored)
    transitions = sum(found.transitions for found in explored)
    broken = {(found.world, what) for found in explored for what in found.broken}
    known = sum(is_open(world, what, large=SIZE > 1) for world, what in broken)
    return (
        f"{states} states, {transitions} transitions, {len(explored)} worlds, {len(broken)} violations ({known} known)"
    )
