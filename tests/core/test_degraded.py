"""The way back without the ledger: shop-6 (tg-live) serves, shop-5 (tg-standby) was live before it, by their tags."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bluegreen.core.degraded import NoWay, WayBack, binding_of, bindings_of, way_back
from bluegreen.core.fleet import Colour, OwnedGroup
from bluegreen.core.observation import Binding
from tests.core.decide.words import RULE, SECOND, forwarding, group, whole

LIVE = OwnedGroup("tg-live", "shop-6", Colour.BLUE, "r6", "6.0", "rule-1", 6)
STANDBY = OwnedGroup("tg-standby", "shop-5", Colour.GREEN, "r5", "5.0", "rule-1", 5)
OLDER = OwnedGroup("tg-older", "shop-4", Colour.BLUE, "r4", "4.0", "rule-1", 4)
NEVER = OwnedGroup("tg-new", "shop-7", Colour.GREEN, "r7", "7.0", "rule-1", 0)
NOW = forwarding(tg_live=100, tg_standby=0, tg_older=0, tg_new=0)
HEALTH = {arn: one for arn, one in whole("tg-live", "tg-standby", "tg-older", "tg-new").items()}


def back(*groups: OwnedGroup, bindings: Any = (NOW,), to: str = "", unsafe: bool = False, **health: Any) -> Any:
    seen = {**HEALTH, **{arn.replace("_", "-"): one for arn, one in health.items()}}
    return way_back(groups or (LIVE, STANDBY, OLDER, NEVER), bindings, seen, to, unsafe=unsafe)


def fleet(found: Any) -> str:
    assert isinstance(found, WayBack), found
    return found.fleet


# where to


def test_the_fleet_that_was_live_last_and_does_not_serve_is_the_way_back() -> None:
    found = back()
    assert fleet(found) == "shop-5" and found.label == "green shop-5 (5.0)"
    assert [dict(weights) for _, weights in found.wanted] == [
        {"tg-live": 0, "tg-standby": 100, "tg-older": 0, "tg-new": 0}
    ]


def test_it_is_the_last_to_become_live_that_counts_not_the_youngest() -> None:
    assert fleet(back(LIVE, STANDBY, replace(OLDER, live_since=7))) == "shop-4"


def test_a_fleet_that_was_never_live_is_no_way_back() -> None:
    assert isinstance(back(LIVE, NEVER), NoWay)
    assert isinstance(back(LIVE, replace(NEVER, live_since=1)), WayBack)


def test_a_fleet_that_is_not_attached_everywhere_is_none() -> None:
    detached = (forwarding(tg_live=100, tg_older=0),)
    assert fleet(back(bindings=detached)) == "shop-4"
    assert isinstance(back(LIVE, STANDBY, bindings=detached), NoWay)
    two = (NOW, forwarding(SECOND, tg_live_2=100))
    assert isinstance(back(LIVE, STANDBY, bindings=two), NoWay)


def test_any_attached_fleet_can_be_named() -> None:
    assert fleet(back(to="shop-4")) == "shop-4" and fleet(back(to="shop-7")) == "shop-7"
    nowhere = back(to="shop-1")
    assert isinstance(nowhere, NoWay) and "shop-1" in nowhere.why
    assert all(name in nowhere.why for name in ("shop-4", "shop-5", "shop-6", "shop-7"))


def test_where_a_rule_is_gone_or_none_is_known_there_is_no_way() -> None:
    gone = back(bindings=(replace(NOW, exists=False),))
    assert isinstance(gone, NoWay) and RULE.name in gone.why
    assert isinstance(back(bindings=(NOW, replace(forwarding(SECOND), exists=False))), NoWay)
    assert isinstance(back(bindings=()), NoWay)


# whether it can carry the traffic


@pytest.mark.parametrize(
    ("standby", "serving", "possible"),
    [
        ({"healthy": 4}, {"healthy": 4}, True),
        ({"healthy": 3, "unhealthy": 1}, {"healthy": 4}, False),
        ({"healthy": 3, "unhealthy": 1}, {"healthy": 3}, True),
        ({"healthy": 2}, {"healthy": 4}, True),
        ({"healthy": 1, "unhealthy": 3}, {"healthy": 2}, False),
        ({"healthy": 1, "unhealthy": 3}, {"healthy": 1}, True),
        ({"healthy": 1, "unhealthy": 3}, {"unhealthy": 4}, True),
        ({"unhealthy": 4}, {"unhealthy": 4}, False),
        ({}, {"healthy": 4}, False),
        ({"healthy": 4, "draining": 1}, {"healthy": 5}, True),
    ],
    ids=[
        "as many as serve",
        "one too few",
        "as many as serve of a fleet that is not whole",
        "a smaller fleet that is whole",
        "one, where two serve",
        "one, where one serves",
        "one, where none serves",
        "none",
        "no target at all",
        "what drains is no part of it",
    ],
)
def test_it_needs_as_many_as_serve_or_all_of_its_own(standby: Any, serving: Any, possible: bool) -> None:
    found = back(LIVE, STANDBY, tg_standby=group("tg-standby", **standby), tg_live=group("tg-live", **serving))
    assert isinstance(found, WayBack) is possible, found


def test_a_fleet_is_as_healthy_as_its_worst_group_and_as_large_as_its_largest() -> None:
    second = [replace(one, arn=f"{one.arn}-2", binding="rule-2") for one in (LIVE, STANDBY)]
    two = (NOW, forwarding(SECOND, tg_live_2=100, tg_standby_2=0))
    health = {"tg_live_2": group("tg-live", healthy=4), "tg_standby_2": group("tg-standby", healthy=3, unhealthy=1)}
    assert isinstance(back(LIVE, STANDBY, *second, bindings=two, **health), NoWay)
    health["tg_standby_2"] = group("tg-standby", healthy=3)
    assert isinstance(back(LIVE, STANDBY, *second, bindings=two, **health), NoWay), "one of it is not in every group"
    health["tg_standby_2"] = group("tg-standby", healthy=4)
    found = back(LIVE, STANDBY, *second, bindings=two, **health)
    assert {ref.arn: dict(weights) for ref, weights in found.wanted}["rule-2"] == {"tg-live-2": 0, "tg-standby-2": 100}


def test_health_that_was_not_looked_for_is_none() -> None:
    assert isinstance(back(LIVE, STANDBY, tg_standby=None), NoWay)
    assert isinstance(back(LIVE, STANDBY, tg_live=None, tg_standby=group("tg-standby", healthy=1, initial=3)), WayBack)


def test_a_fleet_that_serves_already_is_named_however_ill_it_is() -> None:
    assert fleet(back(to="shop-6", tg_live=group("tg-live", unhealthy=4))) == "shop-6"


# releases that declare it unsafe


def test_from_a_fleet_that_declares_it_unsafe_only_a_command_that_says_so_goes() -> None:
    unsafe = replace(LIVE, rollback_unsafe=True)
    refused = back(unsafe, STANDBY)
    assert isinstance(refused, NoWay) and refused.next == "--unsafe-to shop-5" and "blue shop-6 (6.0)" in refused.why
    assert isinstance(back(unsafe, STANDBY, to="shop-5"), NoWay)
    assert fleet(back(unsafe, STANDBY, to="shop-5", unsafe=True)) == "shop-5"


def test_going_forward_from_it_is_no_way_back() -> None:
    unsafe = replace(LIVE, rollback_unsafe=True)
    assert fleet(back(unsafe, NEVER, to="shop-7")) == "shop-7"


def test_a_fleet_at_weight_0_may_declare_what_it_likes() -> None:
    assert fleet(back(LIVE, replace(STANDBY, rollback_unsafe=True), OLDER, to="shop-4")) == "shop-4"
    assert fleet(back(LIVE, replace(STANDBY, rollback_unsafe=True))) == "shop-5"


# what is written


def test_only_what_differs_is_written() -> None:
    found = back()
    (step,) = found.steps((NOW,))
    assert (step.binding, step.shift, step.minimum) == (RULE, True, 1)
    assert dict(step.weights)["tg-standby"] == 100 and "green shop-5 (5.0)" in step.why
    assert found.steps((replace(NOW, weights=step.weights),)) == ()
    assert len(found.steps(())) == 1


# bindings by their ARNs

LB = "arn:aws:elasticloadbalancing:eu-west-1:1:"


@pytest.mark.parametrize(
    ("arn", "default", "listener", "name"),
    [
        (f"{LB}listener/app/shop/1/2", True, f"{LB}listener/app/shop/1/2", "shop default action"),
        (f"{LB}listener-rule/app/shop/1/2/3", False, f"{LB}listener/app/shop/1/2", "shop rule 3"),
    ],
)
def test_a_binding_by_its_arn(arn: str, default: bool, listener: str, name: str) -> None:
    found = binding_of(arn)
    assert (found.load_balancer, found.listener, found.arn) == ("shop", listener, arn)
    assert (found.default, found.name) == (default, name)


def test_the_bindings_of_tags_are_each_named_once_and_groups_without_one_do_not_count() -> None:
    arns = [f"{LB}listener/app/shop/1/2", f"{LB}listener-rule/app/shop/1/2/3"]
    groups = [replace(LIVE, binding=arn) for arn in (*arns, arns[0], "")]
    assert [ref.arn for ref in bindings_of(groups)] == sorted(arns)


def test_a_fleet_without_a_version_is_named_by_its_deployment() -> None:
    found = back(LIVE, replace(STANDBY, version=""))
    assert isinstance(found, WayBack) and found.label == "green shop-5"
    assert isinstance(NOW, Binding)
