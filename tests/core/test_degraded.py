"""The way back without the ledger: shop-6 (tg-live) serves, shop-5 (tg-standby) was live before it, by their tags."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bluegreen.core.degraded import Already, NoWay, WayBack, way_back
from bluegreen.core.fleet import Colour, Moved, OwnedGroup
from bluegreen.core.tagged import Picture, binding_of, bindings_of, picture
from tests.core.decide.words import RULE, SECOND, forwarding, group, whole

LIVE = OwnedGroup("tg-live", "shop-6", Colour.BLUE, "r6", "6.0", "rule-1", 6)
STANDBY = OwnedGroup("tg-standby", "shop-5", Colour.GREEN, "r5", "5.0", "rule-1", 5)
OLDER = OwnedGroup("tg-older", "shop-4", Colour.BLUE, "r4", "4.0", "rule-1", 4)
NEVER = OwnedGroup("tg-new", "shop-7", Colour.GREEN, "r7", "7.0", "rule-1", 0)
NOW = forwarding(tg_live=100, tg_standby=0, tg_older=0, tg_new=0)
BACK = forwarding(tg_live=0, tg_standby=100, tg_older=0, tg_new=0)
HEALTH = whole("tg-live", "tg-standby", "tg-older", "tg-new")
UNSAFE = replace(LIVE, rollback_unsafe=True)
ALL = (LIVE, STANDBY, OLDER, NEVER)


def seen(*groups: OwnedGroup, bindings: Any = (NOW,), **health: Any) -> Picture:
    known = {**HEALTH, **{arn.replace("_", "-"): one for arn, one in health.items()}}
    return picture(groups or (LIVE, STANDBY, OLDER), bindings, known)


def back(*groups: OwnedGroup, to: str = "", unsafe: bool = False, **world: Any) -> Any:
    return way_back(seen(*groups, **world), to, unsafe=unsafe)


def fleet(found: Any) -> str:
    assert isinstance(found, WayBack), found
    return found.target.deployment


# where to


def test_the_fleet_that_was_live_last_before_the_one_that_serves_is_the_way_back() -> None:
    found = back()
    assert fleet(found) == "shop-5" and found.target.label == "green shop-5 (5.0)" and found.left == "shop-6"
    assert [dict(weights) for _, weights in found.wanted] == [
        {"tg-live": 0, "tg-standby": 100, "tg-older": 0, "tg-new": 0}
    ]


def test_it_is_the_last_to_become_live_that_counts() -> None:
    assert fleet(back(LIVE, STANDBY, replace(OLDER, live_since=8))) == "shop-4"


def test_a_fleet_that_was_never_live_or_is_not_attached_everywhere_is_none() -> None:
    assert isinstance(back(LIVE, replace(OLDER, live_since=0)), NoWay)
    detached = (forwarding(tg_live=100, tg_older=0),)
    assert fleet(back(bindings=detached)) == "shop-4"
    assert isinstance(back(LIVE, STANDBY, bindings=detached), NoWay)


def test_any_attached_fleet_can_be_named() -> None:
    assert fleet(back(*ALL, to="shop-4")) == "shop-4" and fleet(back(*ALL, to="shop-7")) == "shop-7"
    nowhere = back(*ALL, to="shop-1")
    assert isinstance(nowhere, NoWay) and "shop-1 is not attached" in nowhere.why
    assert all(name in nowhere.why for name in ("shop-4", "shop-5", "shop-6", "shop-7"))


def test_where_a_rule_is_gone_or_none_is_known_there_is_no_way() -> None:
    gone = back(bindings=(replace(NOW, exists=False, weights=None),))
    assert isinstance(gone, NoWay) and RULE.name in gone.why
    one = back(
        LIVE,
        STANDBY,
        replace(STANDBY, arn="tg-b", binding="rule-2"),
        bindings=(NOW, replace(forwarding(SECOND, tg_b=0), exists=False)),
    )
    assert isinstance(one, NoWay) and SECOND.name in one.why
    assert isinstance(back(bindings=()), NoWay) and "no rule or listener" in back(bindings=()).why


def test_traffic_that_goes_to_a_stranger_is_not_taken_without_a_name() -> None:
    stranger = (forwarding(tg_live=0, tg_standby=0, tg_foreign=100),)
    found = back(LIVE, STANDBY, bindings=stranger)
    assert isinstance(found, NoWay) and "tg-foreign" in found.why and found.next == "--to shop-6"
    assert fleet(back(LIVE, STANDBY, bindings=stranger, to="shop-5")) == "shop-5"
    assert back(replace(LIVE, live_since=0), bindings=stranger).next == ""
    harmless = (forwarding(tg_live=100, tg_standby=0, tg_foreign=0),)
    assert fleet(back(LIVE, STANDBY, bindings=harmless)) == "shop-5"


# a second one changes nothing


def test_a_second_plain_rollback_changes_nothing_and_names_the_fleet_that_a_person_may_mean() -> None:
    found = back(LIVE, STANDBY, bindings=(BACK,))
    assert isinstance(found, Already) and found.target.deployment == "shop-5" and found.further == "shop-6"
    assert "rolled back from blue shop-6 (6.0)" in found.why and found.untold is not None
    assert (found.untold.left, found.untold.number) == ("shop-6", 7)
    told = replace(STANDBY, live_since=7, moved=Moved(7, 1.0, "shop-6", "ann"))
    again = back(LIVE, told, bindings=(BACK,))
    assert isinstance(again, Already) and again.untold is None and ", by ann" in again.why


def test_a_fleet_that_never_was_live_is_not_what_was_rolled_back() -> None:
    found = back(*ALL, bindings=(forwarding(tg_live=100, tg_standby=0, tg_new=0),))
    assert isinstance(found, Already) and found.further == "shop-5", "shop-7 has no traffic yet, and nobody can stop it"
    assert "never was live" in found.why and found.untold is None
    alone = back(LIVE, NEVER, bindings=(forwarding(tg_live=100, tg_new=0),))
    assert isinstance(alone, Already) and alone.further == ""


def test_what_is_named_and_serves_already_is_said_to() -> None:
    found = back(LIVE, STANDBY, to="shop-6")
    assert isinstance(found, Already) and found.why == "it has the traffic already" and found.untold is None


def test_traffic_that_is_shared_is_nobodys() -> None:
    shared = (forwarding(tg_live=50, tg_standby=50),)
    assert fleet(back(LIVE, STANDBY, bindings=shared)) == "shop-5"
    assert fleet(back(LIVE, STANDBY, bindings=shared, to="shop-6")) == "shop-6"


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


SECONDS = [replace(one, arn=f"{one.arn}-2", binding="rule-2") for one in (LIVE, STANDBY)]
TWO = (NOW, forwarding(SECOND, tg_live_2=100, tg_standby_2=0))


@pytest.mark.parametrize(
    ("states", "possible"),
    [({"healthy": 4}, True), ({"healthy": 3, "unhealthy": 1}, False), ({"healthy": 3}, False)],
    ids=["whole in both", "ill in one", "not in every group"],
)
def test_a_fleet_is_as_healthy_as_its_worst_group_and_as_large_as_its_largest(states: Any, possible: bool) -> None:
    health = {"tg_live_2": group("tg-live", healthy=4), "tg_standby_2": group("tg-standby", **states)}
    found = back(LIVE, STANDBY, *SECONDS, bindings=TWO, **health)
    assert isinstance(found, WayBack) is possible
    if possible:
        wanted = {ref.arn: dict(weights) for ref, weights in found.wanted}
        assert wanted["rule-2"] == {"tg-live-2": 0, "tg-standby-2": 100}


def test_health_that_was_not_looked_for_is_none() -> None:
    assert isinstance(back(LIVE, STANDBY, tg_standby=None), NoWay)
    assert isinstance(back(LIVE, STANDBY, tg_live=None, tg_standby=group("tg-standby", healthy=1, initial=3)), WayBack)


def test_a_fleet_that_has_a_share_already_may_have_the_rest_however_ill_it_is() -> None:
    shared = (forwarding(tg_live=99, tg_standby=1),)
    assert fleet(back(LIVE, STANDBY, bindings=shared, tg_standby=group("tg-standby", unhealthy=4))) == "shop-5"


# releases that declare it unsafe


def test_from_a_fleet_that_declares_it_unsafe_only_a_command_that_says_so_goes() -> None:
    refused = back(UNSAFE, STANDBY)
    assert isinstance(refused, NoWay) and refused.next == "--unsafe-to shop-5" and "blue shop-6 (6.0)" in refused.why
    assert isinstance(back(UNSAFE, STANDBY, to="shop-5"), NoWay)
    assert fleet(back(UNSAFE, STANDBY, to="shop-5", unsafe=True)) == "shop-5"


def test_going_forward_from_it_is_no_way_back_and_a_fleet_at_weight_0_may_declare_what_it_likes() -> None:
    assert fleet(back(UNSAFE, NEVER, to="shop-7")) == "shop-7"
    assert fleet(back(LIVE, replace(STANDBY, rollback_unsafe=True), OLDER, to="shop-4")) == "shop-4"


# what is written


def test_only_what_differs_is_written_and_the_tags_tell_of_it() -> None:
    found = back()
    (step,) = found.steps((NOW,))
    assert (step.binding, step.shift, step.minimum) == (RULE, True, 1)
    assert dict(step.weights)["tg-standby"] == 100 and "green shop-5 (5.0)" in step.why
    assert found.steps((replace(NOW, weights=step.weights),)) == () and len(found.steps(())) == 1
    mark = found.mark(5.0, "ann")
    assert (mark.deployment, mark.groups) == ("shop-5", ("tg-standby",))
    assert dict(mark.tags)["bluegreen:live-since"] == "7", "one more than any tag names"


# the picture


def test_a_picture_knows_who_serves_and_which_fleets_are_older_and_newer() -> None:
    found = seen(*ALL)
    assert [f.deployment for f in found.fleets] == ["shop-4", "shop-5", "shop-6", "shop-7"] and found.highest == 7
    assert [f.deployment for f in found.serving] == ["shop-6"] and found.sole == found.fleets[2]
    live = found.fleets[2]
    assert (live.weight, live.healthy, live.size, live.attached) == (100, 4, 4, True)
    assert [f.deployment for f in found.newer(live)] == ["shop-7"]
    assert [f.deployment for f in found.older(live)] == ["shop-4", "shop-5"]
    assert seen(replace(LIVE, live_since=12)).highest == 12


def test_a_group_whose_deployment_cannot_be_read_is_no_fleets() -> None:
    found = seen(replace(LIVE, deployment=""), STANDBY)
    assert [f.deployment for f in found.fleets] == ["shop-5"] and found.strangers == ("tg-live",)


def test_a_fleet_says_what_any_of_its_groups_says() -> None:
    told = [replace(SECONDS[0], rollback_unsafe=True, live_since=9, moved=Moved(9, 1.0, "x", "ann"))]
    one = next(f for f in seen(LIVE, *told, STANDBY, SECONDS[1], bindings=TWO).fleets if f.deployment == "shop-6")
    assert one.rollback_unsafe and one.live_since == 9 and one.moved == Moved(9, 1.0, "x", "ann")
    assert one.fleet().groups == ("tg-live", "tg-live-2") and one.fleet().count == 4


def test_a_fleet_that_has_all_of_one_binding_only_is_not_the_sole_one() -> None:
    split = (NOW, forwarding(SECOND, tg_live_2=0, tg_standby_2=100))
    assert seen(LIVE, STANDBY, *SECONDS, bindings=split).sole is None
    found = seen(LIVE, STANDBY, *SECONDS, bindings=TWO).sole
    assert found is not None and found.deployment == "shop-6"


def test_the_bindings_are_in_the_order_of_the_stack_file_by_the_names_of_their_groups() -> None:
    first = replace(LIVE, arn="tg/shop-blue-6/1")
    second = replace(LIVE, arn="tg/shop-blue-6-1/2", binding="rule-2")
    on_first, on_second = forwarding(SECOND), forwarding(RULE)
    bindings = (
        replace(on_second, weights=((second.arn, 100),)),
        replace(on_first, weights=((first.arn, 100),)),
    )
    found = picture((first, second), bindings, {})
    assert [b.ref for b in found.bindings] == [SECOND, RULE] and found.fleets[0].groups == (first.arn, second.arn)


def test_a_rule_that_an_attached_fleet_names_and_that_is_gone_is_told_and_others_are_not() -> None:
    gone = replace(forwarding(SECOND), exists=False)
    assert seen(LIVE, STANDBY, bindings=(NOW, gone)).gone == ()
    assert seen(LIVE, SECONDS[0], bindings=(replace(NOW, weights=(("tg-live", 100), ("tg-live-2", 0))), gone)).gone == (
        SECOND.name,
    )


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


def test_the_bindings_of_tags_are_each_named_once_and_what_is_no_arn_does_not_count() -> None:
    arns = [f"{LB}listener/app/shop/1/2", f"{LB}listener-rule/app/shop/1/2/3"]
    groups = [replace(LIVE, binding=arn) for arn in (*arns, arns[0], "", "arn:aws:s3:::x")]
    assert [ref.arn for ref in bindings_of(groups)] == sorted(arns)
