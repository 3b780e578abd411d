"""gc, and who is kept as the standby: shop-4 (OLDER) was left behind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bluegreen.core import event as ev
from bluegreen.core.decide import standby, upkeep
from bluegreen.core.decision import Act, Finish
from bluegreen.core.fleet import Colour, Fleet, OwnedGroup
from bluegreen.core.goal import RolledBack
from bluegreen.core.observation import Instance
from bluegreen.core.record import Record
from bluegreen.core.step import Terminate, Write
from tests.core.decide.words import LIVE, NEW, STANDBY, case, forwarding, goal, group, instances, seen

OLDER = Fleet("shop-4", Colour.BLUE, "r4", "4.0", 4, ("tg-older",), once_live=True)
GC = goal("gc", deployment="shop-8", fleet=None, before=(), left=(OLDER,), launch=None)


def health(live: int = 4, stand: int = 4, older: int = 4) -> Any:
    return {
        "tg-live": group("tg-live", healthy=live, unhealthy=4 - live),
        "tg-standby": group("tg-standby", healthy=stand, unhealthy=4 - stand),
        "tg-older": group("tg-older", healthy=older, unhealthy=4 - older),
    }


def does(rule: Any, *journal: ev.Event, what: Any = GC, **world: Any) -> Any:
    return rule(case(what, seen(forwarding(tg_live=100, tg_standby=0), **world), *journal))


# gc


@pytest.mark.parametrize(("stands", "ends"), [(7, False), (8, True)])
def test_a_higher_epoch_ends_the_run(stands: int, ends: bool) -> None:
    assert (does(upkeep.higher_epoch, epoch=stands) is not None) is ends


@pytest.mark.parametrize(
    ("world", "journal", "adopted"),
    [
        ({}, (), True),
        ({"doomed": (OLDER,)}, (), False),
        ({"standby": OLDER}, (), False),
        ({}, (ev.Retired(1.0, "shop-4"),), False),
        ({}, (ev.Retired(1.0, "shop-3"),), True),
    ],
    ids=["not in the record", "doomed already", "kept", "ended by this run", "another was ended"],
)
def test_what_was_left_behind_is_written_down_before_it_ends(world: Any, journal: Any, adopted: bool) -> None:
    decision = does(upkeep.adopt, *journal, **world)
    assert (decision is not None) is adopted
    if adopted:
        (step,) = decision.steps
        assert isinstance(step, Write) and step.record.doomed == (OLDER,) and step.promote is None


def test_several_are_written_down_at_once_behind_what_is_doomed() -> None:
    third = replace(OLDER, deployment="shop-3")
    (step,) = does(upkeep.adopt, what=replace(GC, left=(third, OLDER)), doomed=(OLDER,)).steps
    assert step.record.doomed == (OLDER, third)


LOST = replace(GC, lost=("live-5", "live-6", "standby-5"), left=())


def test_instances_of_a_heal_that_was_cut_short_end_when_no_group_has_them() -> None:
    machines = (
        *instances("shop-6", "live", 6),
        *(Instance("standby-5", "shop-5", "s", "running"), Instance("standby-6", "shop-5", "s", "running")),
    )
    first, second = does(upkeep.end_strays, what=LOST, instances=machines).steps
    assert isinstance(first, Terminate) and isinstance(second, Terminate)
    assert (first.deployment, first.instances) == ("shop-6", ("live-5", "live-6"))
    assert (second.deployment, second.instances) == ("shop-5", ("standby-5",))
    registered = {"tg-live": group("tg-live", healthy=5)}
    (step, _) = does(upkeep.end_strays, what=LOST, instances=machines, groups=registered).steps
    assert step.instances == ("live-6",)
    gone = tuple(replace(i, state="terminated") for i in machines)
    assert does(upkeep.end_strays, what=LOST, instances=gone) is None
    assert does(upkeep.end_strays, what=LOST, instances=machines, groups={"tg-gone": None}) is not None


@pytest.mark.parametrize(("older", "kept"), [(4, True), (0, False)])
def test_the_healthiest_fleet_is_not_ended_and_that_is_said(older: int, kept: bool) -> None:
    ill = health(live=1, stand=0, older=older)
    decision = does(upkeep.kept_alive, doomed=(OLDER,), groups=ill)
    assert (decision is not None) is kept
    if kept:
        assert isinstance(decision, Finish) and decision.over and decision.outcome.result == "needs-human"
        assert f"4 healthy instances of {OLDER.label}" in decision.outcome.sentence
        assert decision.outcome.next == "bluegreen heal shop, then bluegreen gc shop"


def test_when_nothing_is_left_it_says_what_was_ended() -> None:
    outcome = does(upkeep.cleaned, what=replace(GC, lost=("live-5",))).outcome
    assert outcome.result == "cleaned" and f"{OLDER.label}, live-5 ended" in outcome.sentence


# what the tags tell of


def owned(deployment: str, arn: str) -> OwnedGroup:
    return OwnedGroup(arn, deployment, Colour.GREEN, "r", "1.0")


RECORD = Record("shop", 7, live=LIVE, standby=STANDBY, doomed=(OLDER,))


def test_fleets_that_the_record_does_not_keep_were_left_behind() -> None:
    groups = [
        owned("shop-6", "tg-live"),
        owned("shop-5", "tg-standby"),
        owned("shop-3", "tg-b"),
        owned("shop-3", "tg-a"),
    ]
    machines = [Instance("i-1", "shop-2", "s", "running"), Instance("i-2", "shop-6", "s", "running")]
    found = upkeep.left_behind(RECORD, groups, machines)
    assert [fleet.deployment for fleet in found] == ["shop-2", "shop-3", "shop-4"]
    assert found[0] == Fleet("shop-2", Colour.BLUE, "", "", 1, ())
    assert found[1] == Fleet("shop-3", Colour.GREEN, "r", "1.0", 0, ("tg-b", "tg-a"))
    assert found[2] == OLDER


def test_a_doomed_fleet_gets_the_groups_that_the_record_does_not_know_and_no_group_twice() -> None:
    groups = [owned("shop-4", "tg-older"), owned("shop-4", "tg-more")]
    (found,) = upkeep.left_behind(RECORD, groups, [])
    assert found == replace(OLDER, groups=("tg-older", "tg-more"))


def test_an_instance_that_is_gone_tells_of_nothing() -> None:
    bare = Record("shop", 7, live=LIVE)
    assert upkeep.left_behind(bare, [], [Instance("i-1", "shop-2", "s", "terminated")]) == ()
    assert len(upkeep.left_behind(bare, [owned("shop-2", "tg")], [Instance("i-1", "shop-2", "s", "running")])) == 1


@pytest.mark.parametrize(
    ("state", "heal", "registered", "stray"),
    [
        ("running", "shop-8", False, True),
        ("pending", "shop-8", False, True),
        ("stopped", "shop-8", False, False),
        ("terminated", "shop-8", False, False),
        ("running", "", False, False),
        ("running", "shop-8", True, False),
    ],
    ids=["runs", "starts", "is stopped", "is gone", "was launched by its deployment", "is registered"],
)
def test_an_instance_that_a_heal_launched_and_no_group_has_is_a_stray(
    state: str, heal: str, registered: bool, stray: bool
) -> None:
    for fleet, who in ((LIVE, "live"), (STANDBY, "standby")):
        one = Instance(f"{who}-5", fleet.deployment, "s", state, heal=heal)
        groups = {"tg-live": group("tg-live", healthy=4), "tg-standby": group("tg-standby", healthy=4)}
        groups[fleet.groups[0]] = group(fleet.groups[0], healthy=5 if registered else 4)
        assert upkeep.strays(RECORD, groups, [one]) == ((one.id,) if stray else ())


def test_what_was_not_seen_tells_of_no_stray() -> None:
    one = Instance("live-5", "shop-6", "s", "running", heal="shop-8")
    assert upkeep.strays(RECORD, {"tg-live": None}, [one]) == ()
    assert upkeep.strays(replace(RECORD, live=None), {"tg-live": group("tg-live")}, [one]) == ()
    two = replace(RECORD, live=replace(LIVE, groups=("tg-live", "tg-live-2")))
    assert upkeep.strays(two, {"tg-live": group("tg-live")}, [one]) == ()


# who is kept


def keeps(live: int, stand: int, older: int, mark: str = "", /, **world: Any) -> Any:
    known: Any = {"doomed": (OLDER,), "groups": health(live, stand, older)}
    back = RolledBack(mark, "x", 1.0) if mark else None
    decision = does(standby.keep_the_better, **{**known, "rolled_back": back, **world})
    if decision is None:
        return None
    assert isinstance(decision, Act)
    (step,) = decision.steps
    assert isinstance(step, Write) and step.promote is None
    return step.record


@pytest.mark.parametrize(
    ("live", "stand", "older", "mark", "better"),
    [
        (4, 4, 4, "", False),
        (4, 3, 4, "", True),
        (4, 3, 3, "", False),
        (4, 2, 3, "", True),
        (3, 3, 4, "", False),
        (0, 0, 1, "", True),
        (0, 1, 4, "", False),
        (0, 0, 0, "", False),
        (4, 4, 4, "r5", True),
        (4, 4, 0, "r5", False),
        (4, 0, 4, "r4", True),
        (4, 1, 4, "r4", True),
        (4, 4, 4, "r4", False),
        (4, 2, 2, "r5", True),
    ],
    ids=[
        "both could take the traffic",
        "only the doomed one could",
        "neither could, and they have as many",
        "neither could, and the doomed one has more",
        "the standby has as many as serve",
        "only the doomed one has any",
        "one is enough where nothing serves",
        "nothing is healthy anywhere",
        "the standby was rolled back",
        "the standby was rolled back and the doomed one is dead",
        "the doomed one was rolled back and the standby is dead",
        "the doomed one was rolled back and the standby has one",
        "the doomed one was rolled back and the standby is whole",
        "neither could, they have as many, and the standby was rolled back",
    ],
)
def test_before_a_fleet_is_retired_the_better_one_becomes_the_standby(
    live: int, stand: int, older: int, mark: str, better: bool
) -> None:
    record = keeps(live, stand, older, mark)
    assert (record is not None) is better
    if record is not None:
        assert record.standby == OLDER and record.doomed == (replace(STANDBY, once_live=True),)
        assert record.live == LIVE


def test_a_fleet_that_was_never_live_or_has_no_groups_is_no_standby() -> None:
    assert keeps(4, 0, 4, doomed=(replace(OLDER, once_live=False),)) is None
    assert keeps(4, 0, 4, doomed=(replace(OLDER, groups=()),)) is None
    assert keeps(4, 0, 4, live=None) is None and keeps(4, 0, 4, doomed=()) is None


def test_where_there_is_no_standby_the_doomed_one_becomes_it() -> None:
    record = keeps(4, 0, 4, standby=None)
    assert record.standby == OLDER and record.doomed == ()


def test_a_word_that_going_back_is_unsafe_goes_on_with_the_live_fleet() -> None:
    unsafe = replace(STANDBY, rollback_unsafe=True)
    assert keeps(4, 0, 4, standby=unsafe).live.rollback_unsafe, "shop-4 is older than shop-5"
    assert not keeps(4, 0, 4).live.rollback_unsafe
    assert keeps(4, 0, 4, live=replace(LIVE, rollback_unsafe=True)).live.rollback_unsafe
    newer = replace(OLDER, deployment="shop-9")
    assert not keeps(4, 0, 4, standby=unsafe, doomed=(newer,)).live.rollback_unsafe


def test_what_is_said_of_the_standby_is_what_a_rollback_would_do() -> None:
    def told(**world: Any) -> tuple[str, str]:
        what = case(goal(), seen(forwarding(tg_live=100), **world))
        return standby.standing_by(what), standby.way_back_from(what)

    assert told() == (f"{STANDBY.label} stands by", "bluegreen rollback shop")
    none, nowhere = told(standby=None)
    assert "first deployment" in none and nowhere == "" and told(live=None)[1] == ""
    why, way = told(groups=health(4, 3))
    assert (
        why == f"no rollback is ready: 3 of 4 instances of {STANDBY.label} are healthy" and way == "bluegreen heal shop"
    )
    assert told(standby=NEW)[1] == "bluegreen rollback shop --to shop-7"
