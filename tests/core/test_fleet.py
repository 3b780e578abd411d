"""Fleets, bindings, records and what was seen of them: names, order, buckets and counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bluegreen.core.fleet import Colour, Fleet, group_name, is_older, split_deployment, weights_of
from bluegreen.core.goal import Before, Goal
from bluegreen.core.observation import ALL_PARTS, Binding, Group, Instance, Observation, Target
from bluegreen.core.outcome import EXIT_CODES, Outcome
from bluegreen.core.record import Owner, Record
from bluegreen.core.release import Place, spread
from bluegreen.core.stack import Disk, FleetShape, Health, Registry, Rollout, Stack, Traffic
from bluegreen.core.step import MAX_BATCH, SetWeights
from bluegreen.core.tags import fleet_tags
from tests.core.decide.words import BEFORE, LIVE, RULE, STANDBY, forwarding, goal, group, launch_spec, seen, spec

# names


def test_colours_take_turns() -> None:
    assert Colour.BLUE.other is Colour.GREEN and Colour.GREEN.other is Colour.BLUE


def test_a_fleet_is_named_with_its_version_if_it_has_one() -> None:
    assert LIVE.label == "blue shop-6 (6.0)" and replace(LIVE, version="").label == "blue shop-6"


@pytest.mark.parametrize(
    ("stack", "binding", "name"),
    [
        ("shop", 0, "shop-blue-7"),
        ("shop", 1, "shop-blue-7-1"),
        ("s" * 25, 0, "s" * 25 + "-blue-7"),
        ("s" * 26, 0, "s" * 19 + "-"),
    ],
    ids=["the first binding", "the second", "exactly 32 characters", "one more: a digest of the name"],
)
def test_the_name_of_a_group(stack: str, binding: int, name: str) -> None:
    found = group_name(stack, Colour.BLUE, 7, binding)
    assert len(found) <= 32 and found.startswith(name) and (found == name or len(stack) > 25)


def test_a_shortened_name_is_as_long_as_may_be_and_does_not_end_its_first_part_with_a_hyphen() -> None:
    assert len(group_name("s" * 40, Colour.BLUE, 7, 0)) == 32
    name = group_name("s" * 18 + "-" + "t" * 20, Colour.BLUE, 7, 0)
    assert name.startswith("s" * 18 + "-") and "--" not in name


@pytest.mark.parametrize("wrong", ["", "shop", "-7", "shop-", "shop-x", "shop-7x", "7"])
def test_what_is_no_deployment_id_says_so(wrong: str) -> None:
    with pytest.raises(ValueError, match="is not a deployment id"):
        split_deployment(wrong)


def test_a_stack_may_have_hyphens_and_digits_in_its_name() -> None:
    assert split_deployment("shop-2-7") == ("shop-2", 7)


@pytest.mark.parametrize(
    ("one", "other", "older"),
    [("shop-6", "shop-7", True), ("shop-7", "shop-7", False), ("shop-8", "shop-7", False), ("shop-7", "x", False)],
)
def test_older_is_by_epoch(one: str, other: str, older: bool) -> None:
    assert is_older(one, other) is older


def test_an_unsafe_fleet_says_so_in_its_tags_and_a_safe_one_says_nothing() -> None:
    tags = dict(fleet_tags("shop", LIVE))
    assert tags == {
        "bluegreen:stack": "shop",
        "bluegreen:deployment": "shop-6",
        "bluegreen:colour": "blue",
        "bluegreen:release": "r6",
        "bluegreen:version": "6.0",
        "Name": "shop-blue",
    }
    assert dict(fleet_tags("shop", replace(LIVE, rollback_unsafe=True)))["bluegreen:rollback"] == "unsafe"


# the record and the goal


def test_a_bare_record_keeps_nothing() -> None:
    bare = Record("shop", 1)
    assert bare.fleets == () and bare.kept_groups == () and bare.lease_s == 20 and bare.schema == 1
    assert (bare.owner, bare.goal, bare.live, bare.standby, bare.rolled_back) == (None,) * 5
    assert (bare.doomed, bare.bindings, bare.beat_at) == ((), (), 0.0)


def test_the_fleets_of_a_record_are_live_standby_and_doomed_and_what_it_keeps_is_not_doomed() -> None:
    doomed = replace(LIVE, deployment="shop-3", groups=("tg-3",))
    record = Record("shop", 7, live=LIVE, standby=STANDBY, doomed=(doomed,))
    assert record.fleets == (LIVE, STANDBY, doomed) and record.kept_groups == ("tg-live", "tg-standby")
    assert replace(record, standby=None).fleets == (LIVE, doomed)
    assert replace(record, live=None).kept_groups == ("tg-standby",)


def test_an_owner_is_named_with_its_build_if_there_is_one() -> None:
    assert str(Owner("ann", "laptop")) == "ann on laptop"
    assert str(Owner("ann", "ci", "https://ci/7")) == "ann on ci (https://ci/7)"


def test_a_fleet_is_ours_and_safe_to_leave_unless_something_else_is_said() -> None:
    fleet = Fleet("shop-1", Colour.BLUE, "r", "", 1, ())
    assert fleet.ours and not fleet.rollback_unsafe


def test_what_a_goal_wants_launched_and_how_long_it_drains() -> None:
    assert goal().wanted == 4 and goal(launch=None).wanted == 0
    assert goal(launch=launch_spec(Place("a", "a", 3), Place("b", "b", 2))).wanted == 5
    assert goal().drain_s == 20 and goal(groups=(spec(drain_s=5), spec(drain_s=90))).drain_s == 90
    assert goal(groups=()).drain_s == 60, "of an adopted fleet nothing is known"
    assert goal().bindings == (RULE,)
    assert Before(RULE, BEFORE, "").groups == ("tg-live", "tg-standby") and Before(RULE, None, "[]").groups == ()


def test_what_an_older_goal_does_not_say() -> None:
    bare = Goal("deploy", "shop", "shop-1", 1.0, None, None, None, ())
    assert (bare.boot_timeout_s, bare.bake_s, bare.undo_until, bare.watch_s) == (300, 0, 0.0, 0)
    assert (bare.groups, bare.launch, bare.undo, bare.left, bare.stay, bare.lost) == ((), None, None, (), (), ())


def test_a_step_that_sets_weights_moves_no_traffic_unless_it_says_so() -> None:
    step = SetWeights(RULE, (), "")
    assert not step.shift and step.minimum is None
    assert MAX_BATCH == 100


# what was seen


def test_targets_that_leave_are_not_among_those_that_are_registered() -> None:
    found = group("tg-new", healthy=2, unhealthy=1, draining=1)
    assert found.ids == {"new-1", "new-2", "new-3"} and found.healthy == 2
    assert found.count("unhealthy", "draining") == 2 and found.count() == 0


@pytest.mark.parametrize(
    ("state", "gone"),
    [("pending", False), ("running", False), ("stopping", False), ("shutting-down", True), ("terminated", True)],
)
def test_an_instance_is_gone_when_it_ends(state: str, gone: bool) -> None:
    one = Instance("i-1", "shop-6", "s", state)
    assert one.gone is gone
    assert seen(instances=(one,)).of("shop-6") == (() if gone else (one,)) and seen(instances=(one,)).of("shop-5") == ()


def test_a_fleet_is_as_healthy_as_its_worst_binding() -> None:
    now = seen(groups={"tg-a": group("tg-a", healthy=3), "tg-b": group("tg-b", healthy=2), "tg-gone": None})
    assert now.healthy(("tg-a", "tg-b")) == 2 and now.healthy(("tg-a",)) == 3
    assert now.healthy(()) == 0 and now.healthy(("tg-a", "tg-gone")) == 0 and now.healthy(("tg-never-seen",)) == 0


def test_the_weight_of_a_group_is_its_highest_on_any_binding() -> None:
    now = seen(forwarding(tg_a=0, tg_b=100), forwarding(tg_a=100))
    assert now.weight("tg-a") == 100 and now.weight("tg-c") == 0 and now.attached("tg-b") and not now.attached("tg-c")
    assert seen(forwarding(tg_a=0)).attached("tg-a")
    empty = Observation(0.0, 1, Record("shop", 1))
    assert empty.weight("tg-a") == 0 and not empty.attached("tg-a") and empty.consoles_at == 0.0


def test_a_binding_exists_and_its_weights_are_by_group() -> None:
    bare = Binding(RULE, None, "[]")
    assert bare.exists and bare.beside == "" and bare.by_group == {}
    assert replace(bare, weights=weights_of({"tg-b": 1, "tg-a": 2})).by_group == {"tg-a": 2, "tg-b": 1}
    assert weights_of({"tg-b": 1, "tg-a": 2}) == (("tg-a", 2), ("tg-b", 1)), "sorted, so that two looks compare"


def test_a_whole_look_sees_four_parts() -> None:
    assert {"record", "traffic", "health", "instances"} == ALL_PARTS
    assert Group("tg", (Target("i", "healthy"),)).targets[0].reason == ""


# outcomes


@pytest.mark.parametrize(
    ("result", "code"),
    [
        ("deployed", 0),
        ("unchanged", 0),
        ("rolled-back", 0),
        ("aborted", 0),
        ("healed", 0),
        ("cleaned", 0),
        ("acknowledged", 0),
        ("undone", 3),
        ("held", 4),
        ("refused", 5),
        ("superseded", 6),
        ("needs-human", 7),
    ],
)
def test_exit_codes_are_a_contract(result: str, code: int) -> None:
    assert Outcome(result, "").exit_code == code  # type: ignore[arg-type]
    assert result in EXIT_CODES


# a stack's defaults, as the stack file's page tells them


def test_what_a_stack_file_does_not_say() -> None:
    assert tuple(Health()) == ("/", 5, 4, 2, 2, "200", None)
    assert Disk() == (20, None) and Rollout() == (300, 0, False)
    assert Traffic("alb", 80, 8080).drain_s == 60
    shape = FleetShape(2, "ubuntu-24.04", ("m7i.large",), ("s",), ("g",))
    assert shape.docker == "distribution" and shape.instance_profile is None
    stack = Stack(
        "shop", "eu-west-1", "1", shape, (Traffic("a", 80, 80, drain_s=30), Traffic("a", 81, 80)), Registry("r"), ()
    )
    assert stack.longest_s == 300 + 0 + 60 + 120
    longer = stack._replace(rollout=Rollout(100, 50), traffic=())
    assert longer.longest_s == 100 + 50 + 0 + 120


def test_instances_are_spread_over_zones_first_and_then_over_their_subnets() -> None:
    zones = {"subnet-a": "a", "subnet-b": "b", "subnet-b2": "b"}
    assert spread(3, zones) == (Place("subnet-a", "a", 2), Place("subnet-b", "b", 1))
    assert spread(4, zones) == (Place("subnet-a", "a", 2), Place("subnet-b", "b", 1), Place("subnet-b2", "b", 1))
    assert spread(0, zones) == ()
