"""The guard: one question about one step, whatever a rule decided. Boundaries on both sides, for each kind of step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bluegreen.core.fleet import weights_of
from bluegreen.core.guard import forbidden
from bluegreen.core.observation import Group, Instance
from bluegreen.core.step import (
    DeleteGroup,
    Deregister,
    Launch,
    MakeGroup,
    Mark,
    PutBack,
    Register,
    SetWeights,
    Terminate,
    Write,
)
from tests.core.decide.words import (
    LIVE,
    RULE,
    SECOND,
    STANDBY,
    forwarding,
    goal,
    group,
    instances,
    seen,
    spec,
)


def switch(minimum: int | None = None, **weights: int) -> SetWeights:
    """The standby stays attached at 0, unless it is told otherwise."""
    named = {"tg-standby": 0, **{arn.replace("_", "-"): weight for arn, weight in weights.items()}}
    return SetWeights(RULE, weights_of(named), "", shift=True, minimum=minimum)


def why(step: Any, *bindings: Any, **world: Any) -> str:
    return forbidden(step, seen(*bindings, **world)) or ""


# weights

ATTACHED = forwarding(tg_live=100, tg_standby=0, tg_new=0)


@pytest.mark.parametrize(
    ("healthy", "minimum", "allowed"),
    [
        (4, None, True),
        (3, None, False),
        (5, None, True),
        (3, 3, True),
        (2, 3, False),
        (3, 4, False),
        (1, 1, True),
        (4, 9, True),
        (3, 9, False),
    ],
    ids=[
        "as many as before",
        "one less than before",
        "more than before",
        "as many as the step asks for",
        "one less than it asks for",
        "less than it asks for, which is as many as before",
        "one is enough when the step asks for one",
        "never more than there were before",
        "but as many, when it asks for more",
    ],
)
def test_a_switch_never_leaves_less_capacity_than_the_step_asks_for_or_was_there(
    healthy: int, minimum: int | None, allowed: bool
) -> None:
    groups = {"tg-new": group("tg-new", healthy=healthy, unhealthy=2)}
    told = why(switch(minimum, tg_live=0, tg_standby=0, tg_new=100), ATTACHED, groups=groups)
    assert (told == "") is allowed
    if not allowed:
        needed = 4 if minimum is None else min(minimum, 4)
        assert told == f"healthy targets behind weight would fall from 4 to {healthy}, and {needed} are needed"


def test_a_shift_without_a_minimum_needs_as_many_as_before() -> None:
    for healthy, allowed in ((1, False), (3, False), (4, True)):
        groups = {"tg-new": group("tg-new", healthy=healthy)}
        assert (why(switch(tg_live=0, tg_new=100), ATTACHED, groups=groups) == "") is allowed, healthy


def test_what_is_not_healthy_is_no_capacity() -> None:
    for state in ("initial", "unhealthy", "draining", "unavailable"):
        groups = {"tg-new": group("tg-new", healthy=3, **{state: 1})}
        assert "from 4 to 3" in why(switch(tg_live=0, tg_new=100), ATTACHED, groups=groups), state


def test_weight_on_several_groups_counts_together() -> None:
    groups = {"tg-live": group("tg-live", healthy=2), "tg-new": group("tg-new", healthy=2)}
    now = forwarding(tg_live=50, tg_new=50)
    assert "from 4 to 2" in why(switch(tg_live=0, tg_new=100), now, groups=groups)
    assert why(switch(tg_live=1, tg_new=99), now, groups=groups) == ""


def test_where_nothing_serves_anything_may_be_tried() -> None:
    groups = {"tg-live": group("tg-live", unhealthy=4), "tg-new": group("tg-new", unhealthy=4)}
    assert why(switch(tg_live=0, tg_new=100), ATTACHED, groups=groups) == ""


@pytest.mark.parametrize(("healthy", "allowed"), [(0, False), (1, True)])
def test_no_weight_goes_where_nothing_is_healthy_while_something_serves(healthy: int, allowed: bool) -> None:
    groups = {"tg-new": group("tg-new", healthy=healthy, initial=2)}
    told = why(switch(tg_live=90, tg_new=10), ATTACHED, groups=groups)
    assert told == ("" if allowed else "tg-new has no healthy target and would get weight 10")


def test_a_group_without_a_healthy_target_may_keep_or_lose_its_weight_but_not_get_more() -> None:
    groups = {"tg-new": group("tg-new", unhealthy=4)}
    now = forwarding(tg_live=90, tg_new=10)
    assert why(switch(tg_live=90, tg_new=10), now, groups=groups) == ""
    assert why(switch(tg_live=95, tg_new=5), now, groups=groups) == ""
    assert "no healthy target and would get weight 11" in why(switch(tg_live=89, tg_new=11), now, groups=groups)


@pytest.mark.parametrize(("number", "allowed"), [(5, True), (6, False)])
def test_an_action_holds_five_groups(number: int, allowed: bool) -> None:
    more = {f"tg_{i}": 0 for i in range(number - 2)}
    assert (why(switch(tg_live=100, **more), forwarding(tg_live=100)) == "") is allowed


@pytest.mark.parametrize(("weight", "allowed"), [(-1, False), (0, True), (999, True), (1000, False)])
def test_a_weight_is_0_to_999(weight: int, allowed: bool) -> None:
    assert (why(switch(tg_live=100, tg_new=weight)) == "") is allowed


def test_an_action_is_never_empty() -> None:
    assert why(SetWeights(RULE, (), "")) == "the action would be empty"


@pytest.mark.parametrize(("weight", "allowed"), [(0, True), (1, False)])
def test_what_has_weight_does_not_leave_the_action(weight: int, allowed: bool) -> None:
    now = forwarding(tg_live=100, tg_foreign=weight)
    groups = {"tg-foreign": group("tg-foreign")}
    told = why(switch(tg_live=100), now, groups=groups)
    assert told == ("" if allowed else "tg-foreign has weight 1 and would leave the action")


@pytest.mark.parametrize("arn", ["tg-live", "tg-standby"])
@pytest.mark.parametrize("how", ["weights", "put back"])
def test_what_is_kept_stays_attached_also_at_weight_0(arn: str, how: str) -> None:
    now = forwarding(**{arn.replace("-", "_"): 0, "tg_new": 100})
    step = PutBack(RULE, "[]", "") if how == "put back" else SetWeights(RULE, (("tg-new", 100),), "")
    owner = LIVE if arn == "tg-live" else STANDBY
    assert why(step, now) == f"{arn} belongs to {owner.label}, which is kept"


@pytest.mark.parametrize("how", ["weights", "put back"])
def test_what_is_healthier_than_all_that_is_kept_stays_attached(how: str) -> None:
    now = forwarding(tg_live=100, tg_left=0) if how == "weights" else forwarding(tg_left=0)
    step = PutBack(RULE, "[]", "") if how == "put back" else switch(tg_live=100)
    for live, allowed in ((1, False), (2, True)):
        groups = {
            **OUT,
            "tg-live": group("tg-live", healthy=live, unhealthy=2),
            "tg-standby": group("tg-standby", unhealthy=4),
        }
        assert (why(step, now, groups=groups) == "") is allowed, live


def test_an_action_that_names_only_what_is_done_with_may_be_put_back() -> None:
    assert why(PutBack(RULE, "[]", ""), forwarding(tg_left=100), groups=OUT) == ""
    assert why(PutBack(SECOND, "[]", ""), forwarding(tg_live=100), groups=OUT) == "", "another action has it"


def test_each_binding_is_judged_by_itself() -> None:
    bindings = (forwarding(SECOND, tg_old=100), ATTACHED)
    assert (
        why(switch(tg_live=0, tg_standby=0, tg_new=100), *bindings, groups={"tg-old": group("tg-old", healthy=9)}) == ""
    )


# targets and groups

GONE = {"live": None, "standby": None}  # a record that keeps nothing
LEFT = instances("shop-3", "left", 2)
OUT = {"tg-left": group("tg-left", healthy=2)}


@pytest.mark.parametrize("kind", ["deregister", "delete"])
@pytest.mark.parametrize(
    ("name", "bindings", "told"),
    [
        ("tg-left", [forwarding(tg_live=100)], ""),
        ("tg-left", [forwarding(tg_live=100, tg_left=1)], "tg-left has weight 1"),
        ("tg-left", [forwarding(tg_live=100), forwarding(SECOND, tg_left=1)], "tg-left has weight 1"),
        ("tg-left", [forwarding(tg_live=100, tg_left=0)], "tg-left is still in an action"),
        ("tg-left", [forwarding(tg_live=100), forwarding(SECOND, tg_left=0)], "tg-left is still in an action"),
        ("tg-live", [forwarding(tg_left=100)], f"tg-live belongs to {LIVE.label}, which is kept"),
        ("tg-standby", [forwarding(tg_live=100)], f"tg-standby belongs to {STANDBY.label}, which is kept"),
    ],
    ids=["nothing has it", "weight", "weight elsewhere", "in an action", "in another", "of live", "of standby"],
)
def test_nothing_is_taken_from_a_group_that_is_used_or_kept(kind: str, name: str, bindings: Any, told: str) -> None:
    step = Deregister(name, ("left-1",), "") if kind == "deregister" else DeleteGroup(name, "")
    assert why(step, *bindings, groups=OUT) == told


NONE_WELL = {"tg-live": group("tg-live", unhealthy=4), "tg-standby": group("tg-standby", unhealthy=4)}


@pytest.mark.parametrize(
    "step", [Deregister("tg-left", ("left-1",), ""), DeleteGroup("tg-left", ""), Terminate("shop-3", ("left-1",), "")]
)
@pytest.mark.parametrize(
    ("left", "live", "standby", "allowed"),
    [
        (2, 0, 0, False),
        (1, 0, 0, False),
        (0, 0, 0, True),
        (2, 1, 1, False),
        (2, 2, 0, True),
        (2, 0, 2, True),
        (2, 3, 0, True),
        (9, 4, 0, True),
        (9, 0, 4, True),
        (9, 3, 3, False),
    ],
    ids=[
        "nothing that is kept is healthy",
        "and it has one",
        "and it has none either",
        "those that are kept have fewer each",
        "the live fleet has as many",
        "the standby has as many",
        "the live fleet has more",
        "no fleet is healthier than a live one that is whole",
        "nor than a standby that is whole",
        "three of four are not whole",
    ],
)
def test_the_healthiest_fleet_is_not_ended(step: Any, left: int, live: int, standby: int, allowed: bool) -> None:
    groups = {
        "tg-left": group("tg-left", healthy=left, unhealthy=1),
        "tg-live": group("tg-live", healthy=live, unhealthy=4 - live),
        "tg-standby": group("tg-standby", healthy=standby, unhealthy=4 - standby),
    }
    told = why(step, forwarding(tg_live=100), groups=groups, instances=LEFT)
    best = max(live, standby)
    assert told == (
        "" if allowed else f"it has {left} healthy instances, and neither fleet that is kept has more than {best}"
    )


def test_a_fleet_whose_size_is_not_known_is_never_whole() -> None:
    adopted = replace(LIVE, count=0, ours=False)
    groups = {**OUT, "tg-live": group("tg-live", healthy=1)}
    step = Deregister("tg-left", ("left-1",), "")
    assert why(step, forwarding(tg_live=100), groups=groups, live=adopted, standby=None) != ""
    single = replace(LIVE, count=1)
    assert why(step, forwarding(tg_live=100), groups=groups, live=single, standby=None) == "", "one of one is whole"


def test_its_healthiest_group_counts() -> None:
    instances_of_both = Group("tg-left-2", group("tg-left", healthy=1, unhealthy=1).targets)
    groups = {**OUT, "tg-left-2": instances_of_both, **NONE_WELL, "tg-live": group("tg-live", healthy=1, unhealthy=3)}
    assert "it has 2 healthy" in why(
        Terminate("shop-3", ("left-1",), ""), forwarding(tg_live=100), groups=groups, instances=LEFT
    )


def test_where_nothing_is_kept_there_is_no_last_healthy_fleet() -> None:
    step = Deregister("tg-left", ("left-1",), "")
    assert why(step, forwarding(tg_live=100), groups={**OUT, **NONE_WELL}, **GONE) == ""


# instances


@pytest.mark.parametrize(
    ("deployment", "ids", "told"),
    [
        ("shop-3", ("left-1", "left-2"), ""),
        ("shop-3", ("left-1", "strange-1"), "strange-1 is not known to carry this stack's tag"),
        ("shop-3", ("left-1", "live-1"), "live-1 belongs to shop-6, which is kept"),
        ("shop-6", ("live-1",), "live-1 belongs to shop-6, which is kept"),
        ("shop-5", ("standby-1",), "standby-1 belongs to shop-5, which is kept"),
        ("shop-4", ("left-1",), "left-1 belongs to shop-3, which is kept"),
    ],
)
def test_only_instances_of_the_fleet_that_ends_are_terminated(deployment: str, ids: Any, told: str) -> None:
    world = {"groups": OUT, "instances": (*LEFT, *instances("shop-6", "live"), *instances("shop-5", "standby"))}
    assert why(Terminate(deployment, ids, ""), forwarding(tg_live=100), **world) == told


@pytest.mark.parametrize(("weight", "told"), [(0, ""), (1, "left-1, left-2 is behind weight")])
def test_an_instance_behind_weight_is_not_terminated_whose_group_ever_it_is_in(weight: int, told: str) -> None:
    groups = {"tg-foreign": replace(group("tg-foreign"), targets=group("tg-left", healthy=3).targets)}
    step = Terminate("shop-3", ("left-2", "left-1"), "")
    assert why(step, forwarding(tg_live=100, tg_foreign=weight), groups=groups, instances=LEFT) == told


def test_one_that_drains_there_is_no_longer_behind_weight() -> None:
    groups = {"tg-foreign": replace(group("tg-foreign"), targets=group("tg-left", draining=2).targets)}
    step = Terminate("shop-3", ("left-1",), "")
    assert why(step, forwarding(tg_live=100, tg_foreign=1), groups=groups, instances=LEFT) == ""


# what heal and gc may do to a fleet that is kept

HEAL = goal("heal", deployment="shop-8", fleet=LIVE, stay=("live-1", "live-2", "live-3", "live-4"), lost=("live-5",))
FIVE = instances("shop-6", "live", 5)
WITH_NEW = {"tg-live": group("tg-live", healthy=4, unhealthy=1)}


def test_a_heal_takes_out_what_is_dead_although_its_group_has_weight() -> None:
    assert why(Deregister("tg-live", ("live-5",), ""), groups=WITH_NEW, goal=HEAL) == ""
    assert "has weight 100" in why(Deregister("tg-live", ("live-5",), ""), groups=WITH_NEW, goal=None)
    other = replace(HEAL, fleet=STANDBY)
    assert "has weight 100" in why(Deregister("tg-live", ("live-5",), ""), groups=WITH_NEW, goal=other)
    deploy = goal("deploy", fleet=LIVE)
    assert "has weight 100" in why(Deregister("tg-live", ("live-5",), ""), groups=WITH_NEW, goal=deploy)


def test_a_heal_takes_out_nothing_that_is_to_stay() -> None:
    told = why(Deregister("tg-live", ("live-4", "live-5", "live-3"), ""), groups=WITH_NEW, goal=HEAL)
    assert told == f"live-3, live-4 of {LIVE.label} is to stay"


@pytest.mark.parametrize(
    ("states", "left"),
    [
        ({"healthy": 5}, 4),
        ({"unhealthy": 1, "healthy": 4}, 3),
        ({"initial": 1, "healthy": 4}, 3),
        ({"unavailable": 1, "healthy": 4}, 4),
        ({"healthy": 4, "unavailable": 1}, 4),
        ({"healthy": 3, "unhealthy": 1, "unavailable": 1}, 3),
        ({"healthy": 2, "unhealthy": 3}, 4),
    ],
    ids=[
        "four others are healthy",
        "of the others one is ill",
        "of the others one is new",
        "what AWS does not tell the health of counts",
        "so it does when it is the one that leaves",
        "and then too three are too few",
        "the one that leaves is ill: it may always",
    ],
)
def test_a_healthy_one_leaves_only_while_the_fleet_is_whole_without(states: dict[str, int], left: int) -> None:
    what = replace(HEAL, stay=(), lost=())
    told = why(Deregister("tg-live", ("live-5",), ""), groups={"tg-live": group("tg-live", **states)}, goal=what)
    assert told == ("" if left == 4 else f"3 healthy of 4 would be left of {LIVE.label}")


def test_a_heal_never_takes_the_last_healthy_target_of_a_group_that_has_weight() -> None:
    what = replace(HEAL, fleet=replace(LIVE, count=0), stay=(), lost=())
    step = Deregister("tg-live", ("live-1",), "")
    for states, allowed in (({"healthy": 1, "unhealthy": 3}, False), ({"healthy": 2, "unhealthy": 2}, True)):
        told = why(step, groups={"tg-live": group("tg-live", **states)}, goal=what)
        assert told == ("" if allowed else "tg-live has weight, and nothing healthy would be left in it")
    ill = {"tg-live": group("tg-live", unhealthy=4)}
    assert why(step, groups=ill, goal=what) == "", "nothing is lost by it"
    idle = {"tg-live": group("tg-live", healthy=1, unhealthy=3)}
    assert why(step, forwarding(tg_live=0, tg_standby=100), groups=idle, goal=what) == ""


def test_it_has_to_be_healthy_in_every_group_to_count() -> None:
    fleet = replace(LIVE, groups=("tg-live", "tg-live-2"))
    second = Group("tg-live-2", group("tg-live", healthy=4, unhealthy=1).targets)
    what = replace(HEAL, fleet=fleet, stay=(), lost=())
    groups = {"tg-live": group("tg-live", healthy=5), "tg-live-2": second}
    world: Any = {"goal": what, "live": fleet}
    assert why(Deregister("tg-live", ("live-5",), ""), groups=groups, **world) == "", "it is ill in the other"
    told = why(Deregister("tg-live", ("live-4",), ""), groups=groups, **world)
    assert told == f"3 healthy of 4 would be left of {fleet.label}"


def test_a_group_that_was_not_attached_gets_no_weight_without_a_healthy_target() -> None:
    told = why(switch(tg_live=100, tg_other=1), ATTACHED, groups={"tg-other": group("tg-other", initial=4)})
    assert told == "tg-other has no healthy target and would get weight 1"


def ends(instance: str, what: Any, **more: Any) -> str:
    step = Terminate("shop-6", (instance,), "")
    groups = {"tg-live": group("tg-live", healthy=4), **more.pop("groups", {})}
    return why(step, groups=groups, instances=FIVE, goal=what, **more)


def test_a_heal_ends_an_instance_that_no_group_has() -> None:
    assert ends("live-5", HEAL) == ""
    assert "which is kept" in ends("live-5", None)
    nowhere = {"tg-live": group("tg-live", healthy=3)}
    assert "which is kept" in ends("live-4", HEAL, groups=nowhere), "it is to stay"
    registered = {"tg-live": group("tg-live", healthy=4, unhealthy=1)}
    assert "which is kept" in ends("live-5", HEAL, groups=registered), "a group has it still"
    assert "which is kept" in ends("live-5", HEAL, groups={"tg-live": None}), "its group was not seen"
    two = replace(LIVE, groups=("tg-live", "tg-live-2"))
    one_has_it = {"tg-live-2": Group("tg-live-2", registered["tg-live"].targets)}
    assert "which is kept" in ends("live-5", HEAL, groups=one_has_it, live=two), "one of its groups has it still"


def test_gc_ends_what_a_heal_left_and_nothing_else_of_a_fleet_that_is_kept() -> None:
    left = goal("gc", deployment="shop-8", fleet=None, lost=("live-5",))
    assert ends("live-5", left) == ""
    assert "which is kept" in ends("live-5", replace(left, lost=("live-4",)))
    assert "which is kept" in ends("live-5", replace(left, kind="deploy"))


@pytest.mark.parametrize(
    "step",
    [
        MakeGroup(spec(), 0, (), ""),
        Launch("subnet-a", 0, 1, "m7i.large", 2, "t", (), ""),
        Register("tg-new", 80, ("new-1",), ""),
        Mark("shop-7", ("tg-new",), (), ""),
        Write(seen().record, ""),
    ],
    ids=lambda step: type(step).__name__,
)
def test_steps_that_take_nothing_away_are_never_forbidden(step: Any) -> None:
    assert forbidden(step, seen()) is None


def test_a_world_with_nobody_in_it_forbids_to_end_what_is_not_known() -> None:
    assert "is not known" in why(Terminate("shop-3", (Instance("i-1", "shop-3", "s", "running").id,), ""), instances=())
