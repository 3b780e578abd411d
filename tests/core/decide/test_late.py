"""A write that lands after another run took over: the binding is given to whom that run wants, and to nobody else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bluegreen.core.decide.late import mend
from bluegreen.core.fleet import weights_of
from bluegreen.core.goal import Before
from bluegreen.core.record import Record
from bluegreen.core.step import PutBack, SetWeights
from tests.core.decide.words import ACTION, LIVE, NEW, RULE, SECOND, STANDBY, SWITCHED, forwarding, goal

MINE = goal()
LANDED = forwarding(tg_live=0, tg_standby=0, tg_new=100)


def record(theirs: Any, live: Any = LIVE) -> Record:
    return Record("shop", 8, goal=theirs, live=live, standby=STANDBY)


def goes_to(step: Any) -> dict[str, int]:
    assert isinstance(step, SetWeights) and step.shift
    return dict(step.weights)


@pytest.mark.parametrize("kind", ["rollback", "abort"])
def test_a_run_that_goes_back_gets_its_own_fleet_whatever_the_record_says_is_live(kind: str) -> None:
    theirs = goal(kind, deployment="shop-8", fleet=STANDBY)
    assert goes_to(mend(MINE, LANDED, record(theirs))) == {"tg-live": 0, "tg-standby": 100, "tg-new": 0}


@pytest.mark.parametrize("kind", ["heal", "gc", None])
def test_a_run_that_moves_no_traffic_and_no_run_at_all_leave_it_with_the_live_fleet(kind: str | None) -> None:
    theirs = goal(kind, deployment="shop-8", fleet=STANDBY) if kind else None
    assert goes_to(mend(MINE, LANDED, record(theirs))) == {"tg-live": 100, "tg-standby": 0, "tg-new": 0}


@pytest.mark.parametrize("live", [LIVE, None], ids=["over a live fleet", "the first one"])
def test_a_deploy_before_its_promotion_sees_to_its_weights_itself(live: Any) -> None:
    assert mend(MINE, LANDED, record(goal(deployment="shop-8"), live)) is None


def test_a_deploy_after_its_promotion_gets_its_own_fleet() -> None:
    live = replace(NEW, deployment="shop-8", groups=("tg-newest",))
    assert goes_to(mend(MINE, LANDED, record(goal(deployment="shop-8"), live)))["tg-newest"] == 100


def test_each_binding_goes_to_the_group_that_was_made_for_it() -> None:
    mine = goal(before=(Before(RULE, (), ""), Before(SECOND, (), "")))
    live = replace(LIVE, groups=("tg-live", "tg-live-2"))
    step = mend(mine, forwarding(SECOND, tg_new_2=100), record(None, live))
    assert goes_to(step) == {"tg-live-2": 100, "tg-new-2": 0} and step is not None and step.binding == SECOND


def test_where_nothing_was_live_the_action_from_before_comes_back() -> None:
    mine = goal(before=(Before(RULE, None, ACTION),), live=None)
    theirs = goal("abort", deployment="shop-8", fleet=None)
    step = mend(mine, LANDED, record(theirs, None))
    assert isinstance(step, PutBack) and (step.binding, step.action) == (RULE, ACTION)


def test_where_it_forwarded_to_nobody_we_know_nothing_is_done() -> None:
    mine = goal(before=(Before(RULE, weights_of({"tg-foreign": 1}), ACTION),), live=None)
    assert mend(mine, forwarding(tg_foreign=1), record(goal("abort", deployment="shop-8", fleet=None), None)) is None


def test_the_weights_that_landed_are_no_longer_behind_the_late_run() -> None:
    assert goes_to(mend(MINE, LANDED, record(None, LIVE))) != dict(SWITCHED)
