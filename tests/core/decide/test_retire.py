"""Ending a fleet in the one order that loses no request: out of the action, drained, terminated, its groups deleted. The fleet
is shop-5; shop-6 serves and shop-7 has been promoted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bluegreen.core import event as ev
from bluegreen.core.decide import deploy
from bluegreen.core.decide.retire import launches_may_appear, retire, spared
from bluegreen.core.decision import Act, Note, Wait
from bluegreen.core.goal import Before
from bluegreen.core.step import DeleteGroup, Deregister, PutBack, SetWeights, Terminate, Write
from bluegreen.core.times import APPEAR_S, DRAIN_SLACK_S
from tests.core.decide.words import (
    ACTION,
    LIVE,
    NEW,
    NOW,
    RULE,
    SECOND,
    STANDBY,
    asked,
    case,
    forwarding,
    goal,
    group,
    instances,
    refused,
    seen,
)

ON_NEW = forwarding(tg_live=0, tg_new=100)
DRAINING = ev.Draining(NOW - 30, "shop-5")
GONE = {"tg-standby": group("tg-standby")}


def next_of(*journal: ev.Event, fleet: Any = STANDBY, what: Any = None, drain: bool = True, **world: Any) -> Any:
    now = seen(*world.pop("bindings", (ON_NEW,)), **{"live": NEW, "standby": LIVE, **world})
    return retire(case(what or goal(), now, *journal), fleet, drain=drain)


# out of the action


def test_it_leaves_every_action_that_names_it_and_nothing_else_moves() -> None:
    bindings = (
        forwarding(tg_live=0, tg_new=100, tg_standby=0),
        forwarding(SECOND, tg_new=100),
        forwarding(tg_standby=5),
    )
    decision = next_of(bindings=bindings)
    steps = decision.steps
    assert [type(step) for step in steps] == [SetWeights, SetWeights]
    assert steps[0].weights == (("tg-live", 0), ("tg-new", 100)) and not steps[0].shift and steps[0].minimum is None


@pytest.mark.parametrize(
    ("before", "kind"),
    [
        ((Before(RULE, None, ACTION),), PutBack),
        ((Before(RULE, None, ""),), SetWeights),
        ((), SetWeights),
        ((Before(SECOND, None, ACTION),), SetWeights),
    ],
    ids=["the action from before is put back", "unless nobody kept it", "or knows of it", "or it was another's"],
)
def test_where_it_is_the_only_one_the_action_from_before_comes_back(before: Any, kind: Any) -> None:
    decision = next_of(what=goal(before=before), bindings=(forwarding(tg_standby=0),))
    (step,) = decision.steps
    assert isinstance(step, kind)


def test_an_action_that_others_stay_in_is_written_and_not_put_back() -> None:
    (step,) = next_of(
        what=goal(before=(Before(RULE, None, ACTION),)), bindings=(forwarding(tg_new=100, tg_standby=0),)
    ).steps
    assert isinstance(step, SetWeights) and step.weights == (("tg-new", 100),)


def test_an_adopted_fleet_leaves_the_action_and_is_not_touched_otherwise() -> None:
    adopted = replace(STANDBY, ours=False)
    assert isinstance(next_of(fleet=adopted, bindings=(forwarding(tg_new=100, tg_standby=0),)), Act)
    assert next_of(fleet=adopted) is None


# drained


def test_its_drain_is_written_down_before_it_begins_and_then_its_targets_leave() -> None:
    assert next_of() == Note(ev.Draining(NOW, "shop-5"))
    (step,) = next_of(DRAINING).steps
    assert isinstance(step, Deregister) and (step.group, len(step.instances)) == ("tg-standby", 4)


def test_only_groups_that_have_targets_are_asked_to_let_them_go() -> None:
    fleet = replace(STANDBY, groups=("tg-standby", "tg-b"))
    groups = {"tg-b": group("tg-b", draining=2)}
    (step,) = next_of(DRAINING, fleet=fleet, groups=groups).steps
    assert step.group == "tg-standby"


@pytest.mark.parametrize("more", [-0.1, 0.0])
def test_open_requests_are_waited_for_but_not_for_ever(more: float) -> None:
    until = NOW - 30 + 20 + DRAIN_SLACK_S
    groups = {"tg-standby": group("tg-standby", draining=1)}
    decision = next_of(DRAINING, groups=groups, at=until + more)
    if more:
        assert isinstance(decision, Wait) and decision.until == until
    else:
        assert isinstance(decision.steps[0], Terminate)


def test_a_drain_that_nobody_wrote_down_is_waited_for_from_now() -> None:
    decision = next_of(groups={"tg-standby": group("tg-standby", draining=1)})
    assert isinstance(decision, Wait) and decision.until == NOW + 20 + DRAIN_SLACK_S


def test_a_fleet_that_never_had_traffic_does_not_drain() -> None:
    assert isinstance(next_of(drain=False).steps[0], Terminate)


# terminated and deleted


def test_then_its_instances_are_terminated_and_only_its_own() -> None:
    (step,) = next_of(DRAINING, groups=GONE).steps
    assert isinstance(step, Terminate) and step.deployment == "shop-5"
    assert step.instances == ("standby-1", "standby-2", "standby-3", "standby-4")


def test_then_its_groups_are_deleted_as_far_as_they_exist_and_then_nothing_is_left() -> None:
    fleet = replace(STANDBY, groups=("tg-standby", "tg-b", "tg-never-seen"))
    groups = {**GONE, "tg-b": None}
    (step,) = next_of(DRAINING, fleet=fleet, groups=groups, instances=()).steps
    assert step == DeleteGroup("tg-standby", f"delete the target group of {STANDBY.label}")
    assert next_of(DRAINING, groups={"tg-standby": None}, instances=()) is None


# launches that may still appear

MINE = goal(deployment="shop-7")


@pytest.mark.parametrize(
    ("journal", "until"),
    [
        ((), None),
        ((asked(at=950.0),), 950.0 + APPEAR_S),
        ((asked(at=950.0), asked("subnet-b", "t-b", at=960.0)), 960.0 + APPEAR_S),
        ((asked(at=950.0), refused()), None),
        ((asked(at=950.0), ev.Launched(951.0, "t-a", ("new-9",))), 950.0 + APPEAR_S),
        ((asked(at=950.0), ev.Launched(951.0, "t-a", ("new-1",))), None),
        ((asked(at=NOW - APPEAR_S),), None),
        ((asked(at=NOW - APPEAR_S + 0.1),), NOW + 0.1),
    ],
    ids=[
        "nothing was launched",
        "a launch without an answer",
        "the later of two",
        "one that AWS refused",
        "one whose instances are not seen yet",
        "one whose instances were seen",
        "so long ago that it cannot any more",
        "not quite so long ago",
    ],
)
def test_what_was_asked_for_may_still_appear(journal: Any, until: float | None) -> None:
    now = seen(instances=instances("shop-7", "new"))
    found = launches_may_appear(case(MINE, now, *journal))
    assert found == (pytest.approx(until) if until else None)


def test_its_groups_stay_while_its_launches_may_still_appear() -> None:
    fleet = replace(NEW, groups=("tg-new",))
    now = seen(forwarding(tg_live=100), instances=(), groups={"tg-new": group("tg-new")})
    decision = retire(case(MINE, now, asked(at=950.0)), fleet)
    assert (
        isinstance(decision, Wait) and decision.until == 950.0 + APPEAR_S and decision.look == {"instances", "record"}
    )


@pytest.mark.parametrize(
    ("undo", "launched", "until", "waits"),
    [
        (NEW, (), NOW + 50, True),
        (NEW, (), NOW, False),
        (NEW, ("new-1",), NOW + 50, False),
        (NEW, ("new-1", "new-9"), NOW + 50, True),
        (STANDBY, (), NOW + 50, False),
    ],
    ids=[
        "the run that is stopped may have launched",
        "so long ago that it cannot any more",
        "all that it launched was seen",
        "one of them was not",
        "another fleet is stopped",
    ],
)
def test_what_the_run_that_is_stopped_asked_for_may_still_appear(
    undo: Any, launched: tuple[str, ...], until: float, waits: bool
) -> None:
    what = goal("abort", deployment="shop-8", undo=undo, undo_launched=launched, undo_until=until)
    ended = tuple(replace(i, state="terminated") for i in instances("shop-7", "new"))
    now = seen(forwarding(tg_live=100), instances=ended, groups={"tg-new": group("tg-new")})
    decision = retire(case(what, now), NEW)
    assert isinstance(decision, Wait) is waits


# the healthiest fleet is spared


@pytest.mark.parametrize(
    ("left", "live", "standby", "kept"),
    [
        (2, 0, 0, True),
        (1, 0, 0, True),
        (0, 0, 0, False),
        (2, 1, 1, True),
        (2, 2, 0, False),
        (2, 0, 2, False),
        (9, 4, 0, False),
        (9, 0, 4, False),
        (9, 3, 3, True),
    ],
)
def test_a_fleet_that_is_healthier_than_both_that_are_kept_is_spared(
    left: int, live: int, standby: int, kept: bool
) -> None:
    groups = {
        "tg-standby": group("tg-standby", healthy=left),
        "tg-new": group("tg-new", healthy=live, unhealthy=4 - live),
        "tg-live": group("tg-live", healthy=standby, unhealthy=4 - standby),
    }
    now = seen(ON_NEW, live=NEW, standby=LIVE, groups=groups, doomed=(STANDBY,))
    assert spared(case(goal(), now), STANDBY) is kept
    assert (deploy.retire_older(case(goal(), now)) is None) is kept


def test_what_is_kept_is_not_said_to_be_spared_and_without_a_fleet_to_compare_nothing_is() -> None:
    ill = {"tg-new": group("tg-new", unhealthy=4), "tg-live": group("tg-live", healthy=1)}
    assert not spared(case(goal(), seen(live=NEW, standby=LIVE, groups=ill)), LIVE)
    under = {"tg-new": group("tg-new", healthy=3), "tg-live": group("tg-live", healthy=1)}
    narrow = replace(NEW, groups=("tg-new", "tg-none"))
    assert not spared(case(goal(), seen(live=narrow, standby=LIVE, groups=under)), narrow), (
        "it is kept, whatever is compared"
    )
    assert not spared(case(goal(), seen(live=None, standby=None)), STANDBY)


def test_its_healthiest_group_counts_and_a_fleet_of_unknown_size_is_never_whole() -> None:
    groups = {
        "tg-standby": group("tg-standby", healthy=1),
        "tg-b": group("tg-b", healthy=2),
        "tg-new": group("tg-new", healthy=1, unhealthy=3),
        "tg-live": group("tg-live", unhealthy=4),
    }
    now = seen(ON_NEW, live=NEW, standby=LIVE, groups=groups)
    assert spared(case(goal(), now), replace(STANDBY, groups=("tg-standby", "tg-b")))
    single = replace(NEW, count=1)
    one = replace(STANDBY, groups=("tg-b",))
    assert not spared(case(goal(), seen(ON_NEW, live=single, standby=None, groups=groups)), one), "one of one is whole"
    adopted = replace(NEW, count=0)
    assert spared(
        case(goal(), seen(ON_NEW, live=adopted, standby=None, groups=groups)), replace(STANDBY, groups=("tg-b",))
    )


# the older ones, one after another


def test_what_is_retired_leaves_the_record() -> None:
    other = replace(STANDBY, deployment="shop-4", groups=("tg-older",))
    world: Any = {"instances": (), "groups": {"tg-standby": None, "tg-older": None}}
    now = seen(ON_NEW, live=NEW, standby=LIVE, doomed=(STANDBY, other), **world)
    decision = deploy.retire_older(case(goal(), now, DRAINING))
    assert isinstance(decision, Act)
    (step,) = decision.steps
    assert isinstance(step, Write) and step.record.doomed == (other,) and step.promote is None


def test_one_that_is_spared_does_not_hold_up_the_others() -> None:
    other = replace(STANDBY, deployment="shop-4", groups=("tg-older",))
    ill = {"tg-new": group("tg-new", unhealthy=4), "tg-live": group("tg-live", unhealthy=4)}
    now = seen(ON_NEW, live=NEW, standby=LIVE, doomed=(STANDBY, other), groups={**ill, "tg-older": None})
    decision = deploy.retire_older(case(goal(), now))
    assert isinstance(decision, Act) and isinstance(decision.steps[0], Write)
    assert decision.steps[0].record.doomed == (STANDBY,)
    assert deploy.retire_older(case(goal(), seen(live=NEW, standby=LIVE))) is None
