"""From the switch to the promotion: nothing is promoted that is not whole, and the healthier fleet gets the traffic. The switch
was at 990."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bluegreen.core import event as ev
from bluegreen.core.decide.bake import bake, unknown, whole
from bluegreen.core.decision import Fail, Finish, Wait
from bluegreen.core.times import RECOVER_S, VISIBILITY_S
from tests.core.decide.words import BOOTED, LIVE, NEW, OWNER, case, forwarding, gave_weight, goal, group, seen

ON_NEW = forwarding(tg_live=0, tg_standby=0, tg_new=100)
SHIFTED = (*BOOTED, *gave_weight(990.0))
BAKE_S = 60
OVER = 990.0 + BAKE_S


def watched(
    rule: Any, new: dict[str, int], old: int, *journal: ev.Event, at: float = 1000.0, bake_s: int = BAKE_S, **more: Any
) -> Any:
    unsafe = more.pop("unsafe", False)
    live = more.pop("before", LIVE)
    what = goal(bake_s=bake_s, live=live, fleet=replace(NEW, groups=(), rollback_unsafe=unsafe))
    groups = {"tg-new": group("tg-new", **new), "tg-live": group("tg-live", healthy=old, unhealthy=4 - old)}
    return rule(case(what, seen(ON_NEW, at=at, groups=groups, **more), *SHIFTED, *journal))


def is_fail(decision: Any) -> bool:
    return isinstance(decision, Fail)


# while it bakes


@pytest.mark.parametrize(
    ("new", "old", "back"),
    [
        ({"healthy": 4}, 4, False),
        ({"healthy": 3, "unhealthy": 1}, 4, True),
        ({"healthy": 3, "unhealthy": 1}, 3, False),
        ({"healthy": 3, "unhealthy": 1}, 2, False),
        ({"healthy": 4}, 9, False),
        ({"unhealthy": 4}, 1, True),
        ({"unhealthy": 4}, 0, False),
        ({"healthy": 2, "unavailable": 2}, 4, False),
        ({"healthy": 2, "unhealthy": 1, "unavailable": 1}, 4, False),
    ],
    ids=[
        "whole",
        "the old fleet has one more",
        "a tie",
        "the old fleet has fewer",
        "whole, and the old fleet is larger",
        "nothing left, and the old fleet has one",
        "nothing left, and nothing of the old fleet",
        "AWS does not tell the health of some",
        "nor of one, though another is ill",
    ],
)
@pytest.mark.parametrize(
    ("at", "bake_s"), [(1000.0, BAKE_S), (OVER - 0.1, BAKE_S), (990.0, 0), (OVER, BAKE_S), (2000.0, 0)]
)
def test_the_traffic_goes_back_while_the_old_fleet_has_more(
    new: Any, old: int, back: bool, at: float, bake_s: int
) -> None:
    decision = watched(bake, new, old, at=at, bake_s=bake_s)
    assert is_fail(decision) is back, decision
    if back:
        when = "while baking" if bake_s else "after the switch"
        assert (
            decision.reason == f"{new.get('healthy', 0)} of 4 instances healthy {when}, and {old} of the old fleet are"
        )


@pytest.mark.parametrize(("at", "baking"), [(990.0, True), (OVER - 0.1, True), (OVER, False)])
def test_it_is_watched_until_the_bake_is_over(at: float, baking: bool) -> None:
    decision = watched(bake, {"healthy": 4}, 4, at=at)
    assert decision == (
        Wait(OVER, "baking, 4/4 healthy", frozenset({"health", "traffic", "record"})) if baking else None
    )


def test_the_bake_counts_from_the_last_switch() -> None:
    decision = watched(bake, {"healthy": 4}, 4, *gave_weight(1000.0))
    assert decision.until == 1000.0 + BAKE_S


@pytest.mark.parametrize("rule", [bake, whole, unknown])
def test_once_promoted_it_is_not_watched_any_more(rule: Any) -> None:
    assert watched(rule, {"unavailable": 1, "unhealthy": 3}, 4, live=NEW) is None


@pytest.mark.parametrize("rule", [bake, whole])
def test_what_is_declared_unsafe_does_not_go_back_by_itself(rule: Any) -> None:
    decision = watched(rule, {"healthy": 1, "unhealthy": 3}, 4, unsafe=True, at=9000.0)
    assert isinstance(decision, Finish) and decision.outcome.result == "needs-human" and not decision.over
    assert "declared `rollback: unsafe`" in decision.outcome.sentence and LIVE.label in decision.outcome.why
    assert "--unsafe-to shop-6" in decision.outcome.next and "bluegreen resume shop" in decision.outcome.next


# when the bake is over


def test_a_whole_fleet_may_be_promoted() -> None:
    assert watched(whole, {"healthy": 4}, 4, at=OVER) is None and watched(whole, {"healthy": 5}, 4, at=OVER) is None


@pytest.mark.parametrize("bake_s", [0, BAKE_S])
@pytest.mark.parametrize("more", [-0.1, 0.0])
def test_one_that_is_not_whole_has_two_minutes_to_get_so(bake_s: int, more: float) -> None:
    until = 990.0 + bake_s + RECOVER_S
    decision = watched(whole, {"healthy": 3, "unhealthy": 1}, 3, at=until + more, bake_s=bake_s)
    if more:
        assert isinstance(decision, Wait) and decision.until == until and decision.why.startswith("3 of 4")
    else:
        assert is_fail(decision)


def test_a_resumed_run_gives_it_two_minutes_anew() -> None:
    resumed = ev.Resumed(2000.0, 8, OWNER)
    assert watched(whole, {"healthy": 3}, 3, resumed, at=2000.0 + RECOVER_S - 0.1).until == 2000.0 + RECOVER_S
    assert is_fail(watched(whole, {"healthy": 3}, 3, resumed, at=2000.0 + RECOVER_S))
    early = ev.Resumed(991.0, 8, OWNER)
    assert watched(whole, {"healthy": 3}, 3, early, at=OVER).until == OVER + RECOVER_S, (
        "the bake counts when it is longer"
    )


@pytest.mark.parametrize(
    ("new", "old", "back"),
    [(3, 3, True), (3, 4, True), (3, 2, False), (1, 0, False), (1, 1, True), (0, 0, True), (0, 4, True)],
    ids=[
        "a tie",
        "the old fleet has more",
        "the old fleet has fewer",
        "the old fleet has nothing, and the new one a single one",
        "one each",
        "nothing on either",
        "nothing on the new one",
    ],
)
def test_then_the_traffic_goes_back_unless_the_old_fleet_could_serve_less(new: int, old: int, back: bool) -> None:
    decision = watched(whole, {"healthy": new, "unhealthy": 4 - new}, old, at=9000.0)
    assert is_fail(decision) is back
    if not back:
        outcome = decision.outcome
        assert outcome.result == "needs-human" and not decision.over, "the deployment can be resumed"
        assert outcome.next == "bluegreen heal shop, then bluegreen resume shop"
        assert f"only {new} of 4" in outcome.sentence and f"{LIVE.label} has {old} healthy" in outcome.sentence


@pytest.mark.parametrize(("new", "back"), [(0, True), (1, False), (3, False)])
def test_a_first_deployment_is_undone_when_nothing_is_left_of_it(new: int, back: bool) -> None:
    decision = watched(whole, {"healthy": new, "unhealthy": 4 - new}, 4, at=9000.0, before=None, unsafe=True)
    assert is_fail(decision) is back
    if not back:
        assert "not promoted." in decision.outcome.sentence


# what AWS does not tell


@pytest.mark.parametrize(("blind", "waits"), [(0, False), (1, True)])
def test_health_that_aws_does_not_tell_is_waited_for(blind: int, waits: bool) -> None:
    decision = watched(unknown, {"healthy": 4 - blind, "unavailable": blind}, 4, at=OVER)
    assert (decision is not None) is waits
    if waits:
        assert isinstance(decision, Wait) and decision.until == OVER + VISIBILITY_S


@pytest.mark.parametrize(
    ("at", "resumed", "ends"),
    [
        (OVER + VISIBILITY_S - 0.1, None, False),
        (OVER + VISIBILITY_S, None, True),
        (2000.0 + VISIBILITY_S - 0.1, 2000.0, False),
        (2000.0 + VISIBILITY_S, 2000.0, True),
        (OVER + VISIBILITY_S - 0.1, 991.0, False),
    ],
)
def test_but_not_for_ever_and_then_nothing_is_moved(at: float, resumed: float | None, ends: bool) -> None:
    journal = (ev.Resumed(resumed, 8, OWNER),) if resumed else ()
    decision = watched(unknown, {"healthy": 2, "unavailable": 2}, 4, *journal, at=at)
    assert isinstance(decision, Finish) is ends
    if ends:
        assert decision.outcome.result == "needs-human" and "of 2 of its targets" in decision.outcome.sentence


def test_one_group_that_aws_does_not_tell_the_health_of_is_enough() -> None:
    two = (*SHIFTED, ev.GroupMade(946.0, 1, "tg-b"))
    groups = {"tg-b": group("tg-b", healthy=3, unavailable=1), "tg-live": group("tg-live", healthy=4)}
    what = goal(bake_s=BAKE_S)
    assert isinstance(unknown(case(what, seen(ON_NEW, groups=groups), *two)), Wait)
    ill = {**groups, "tg-new": group("tg-new", healthy=1, unhealthy=3)}
    assert isinstance(bake(case(what, seen(ON_NEW, groups=ill), *two)), Wait), "what is not known fails nothing"
