"""What a rollback or an abort has to reach, by the record and the journals: LIVE (shop-6) serves, STANDBY (shop-5) stands by."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bluegreen.controller import already, goals
from bluegreen.controller.goals import in_force, moved_on, rollback_goal, stop_goal
from bluegreen.core import event as ev
from bluegreen.core.fleet import Fleet
from bluegreen.core.goal import RolledBack
from bluegreen.core.outcome import Outcome
from bluegreen.core.record import Record
from bluegreen.core.times import APPEAR_S, WATCH_S
from bluegreen.errors import Refused
from tests.controller.table import Table
from tests.core.decide.words import (
    BOOTED,
    LAUNCHED,
    LIVE,
    MADE,
    NEW,
    NOW,
    OWNER,
    RULE,
    STANDBY,
    asked,
    forwarding,
    gave_weight,
    goal,
    group,
    refused,
)

DEPLOY = goal()
STARTED = ev.Started(900.0, 7, OWNER, DEPLOY)
SHIFTED = (STARTED, *BOOTED, *gave_weight())
RECORD = Record("shop", 7, live=LIVE, standby=STANDBY, bindings=(RULE,))
UNFINISHED = replace(RECORD, goal=DEPLOY)
OLDER = Fleet("shop-4", LIVE.colour, "r4", "4.0", 4, ("tg-older",))
PROMOTED = replace(RECORD, live=NEW, standby=LIVE, goal=DEPLOY)


def asked_for(record: Record, *journal: ev.Event, to: str = "", unsafe: bool = False, table: Any = None) -> Any:
    table = table or Table(record, shop_7=journal)
    return rollback_goal(table.world, record, to, unsafe=unsafe, by="ann")


def finished(result: str, at: float = 950.0) -> ev.Finished:
    return ev.Finished(at, result, "")


# what is in force


@pytest.mark.parametrize(
    ("what", "live", "counts"),
    [
        (DEPLOY, LIVE, True),
        (DEPLOY, None, True),
        (DEPLOY, NEW, False),
        (goal("rollback"), LIVE, True),
        (goal("rollback"), NEW, True),
        (goal("abort"), LIVE, True),
        (goal("heal"), LIVE, False),
        (goal("gc"), LIVE, False),
        (goal("heal", stopped=DEPLOY), LIVE, True),
        (goal("heal", stopped=DEPLOY), NEW, False),
        (goal("gc", stopped=DEPLOY), LIVE, False),
        (None, LIVE, False),
    ],
    ids=[
        "a deploy",
        "the first deploy",
        "a deploy that was promoted",
        "a rollback",
        "a rollback is never promoted",
        "an abort",
        "a heal",
        "gc",
        "a deploy that a heal came between",
        "one that was promoted",
        "gc puts nothing back",
        "nothing",
    ],
)
def test_what_is_unfinished(what: Any, live: Any, counts: bool) -> None:
    record = replace(RECORD, goal=what, live=live)
    assert (in_force(record) is not None) is counts
    assert moved_on(replace(RECORD, goal=DEPLOY, live=NEW)) and not moved_on(replace(RECORD, goal=None))


# a plain rollback


def test_a_rollback_goes_to_the_standby_and_what_served_becomes_it() -> None:
    found = asked_for(RECORD)
    assert (found.kind, found.fleet, found.live, found.standby) == ("rollback", STANDBY, LIVE, LIVE)
    assert found.rolled_back == RolledBack("r6", LIVE.label, NOW, "ann")
    assert (found.undo, found.watch_s, found.stopped, found.reason, found.left) == (None, 0, None, "", ())
    assert [b.binding for b in found.before] == [RULE]


def test_it_can_name_either_fleet_that_is_kept() -> None:
    assert asked_for(RECORD, to="shop-5").fleet == STANDBY
    stay = asked_for(RECORD, to="shop-6")
    assert (stay.fleet, stay.standby, stay.rolled_back) == (LIVE, STANDBY, None)


@pytest.mark.parametrize(
    ("record", "to", "words", "next_"),
    [
        (replace(RECORD, live=None), "", "no live fleet", "bluegreen status shop"),
        (replace(RECORD, standby=None), "", "no standby fleet", "bluegreen deploy FILE"),
        (RECORD, "shop-3", "shop-3 is no longer running", "bluegreen deploy FILE"),
        (RECORD, "5.0", "5.0 is a version", "bluegreen rollback shop --to shop-5"),
        (RECORD, "6.0", "6.0 is a version", "bluegreen rollback shop --to shop-6"),
        (replace(RECORD, standby=replace(STANDBY, version="")), "", "", ""),
    ],
    ids=["nothing was promoted", "no standby", "a fleet that is gone", "a version", "the live one's", "a bare one"],
)
def test_where_it_cannot_go_it_says_what_is_there(record: Record, to: str, words: str, next_: str) -> None:
    if not words:
        assert asked_for(record, to=to).fleet is not None
        return
    with pytest.raises(Refused, match=words) as caught:
        asked_for(record, to=to)
    assert next_ in caught.value.next


@pytest.mark.parametrize(
    ("mark", "target", "after"),
    [
        (None, STANDBY, "r6"),
        ("r5", STANDBY, None),
        ("r4", STANDBY, "r6"),
        ("r4", replace(STANDBY, release="r6"), "r4"),
        (None, replace(STANDBY, release="r6"), None),
        ("r6", replace(STANDBY, release="r6"), "r6"),
        ("r6", STANDBY, "r6"),
    ],
    ids=[
        "what is left is marked",
        "forward to what was marked says that it is good",
        "what is left now takes the mark",
        "between two fleets of one release nothing was rolled back: the mark stays",
        "and none comes",
        "nor goes",
        "what is left is marked anew",
    ],
)
def test_the_mark_of_what_was_rolled_back(mark: str | None, target: Fleet, after: str | None) -> None:
    before = RolledBack(mark, "x", 1.0, "bob", acknowledged=True) if mark else None
    record = replace(RECORD, standby=target, rolled_back=before)
    found = asked_for(record, to="shop-5").rolled_back
    assert (found.release if found else None) == after
    if after == "r6" and target.release != "r6":
        assert not found.acknowledged and found.by == "ann" and found.at == NOW


def test_a_plain_rollback_does_not_go_to_what_was_rolled_back_before() -> None:
    record = replace(RECORD, rolled_back=RolledBack("r5", "x", 1.0))
    with pytest.raises(Refused, match="was rolled back before") as caught:
        asked_for(record)
    assert "--to shop-5" in caught.value.next
    assert asked_for(record, to="shop-5").fleet == STANDBY
    assert asked_for(replace(RECORD, rolled_back=RolledBack("r4", "x", 1.0))).fleet == STANDBY, "another one was"


@pytest.mark.parametrize(
    ("live", "standby", "refuses"),
    [
        (replace(LIVE, rollback_unsafe=True), STANDBY, True),
        (LIVE, replace(STANDBY, rollback_unsafe=True), False),
        (replace(LIVE, rollback_unsafe=True), replace(STANDBY, deployment="shop-9"), False),
    ],
    ids=["from an unsafe one", "to an unsafe one", "forward from an unsafe one"],
)
def test_from_an_unsafe_release_only_a_command_that_says_so_goes(live: Fleet, standby: Fleet, refuses: bool) -> None:
    record = replace(RECORD, live=live, standby=standby)
    if refuses:
        with pytest.raises(Refused, match="declared `rollback: unsafe`") as caught:
            asked_for(record, to=standby.deployment)
        assert f"--unsafe-to {standby.deployment}" in caught.value.next
    else:
        assert asked_for(record, to=standby.deployment).fleet == standby
    assert asked_for(record, to=standby.deployment, unsafe=True).fleet == standby


@pytest.mark.parametrize("owner", [None, OWNER])
def test_a_run_that_is_taken_over_may_have_a_late_write(owner: Any) -> None:
    assert asked_for(replace(RECORD, owner=owner)).watch_s == (WATCH_S if owner else 0)


@pytest.mark.parametrize(("age", "watches"), [(WATCH_S - 0.1, True), (WATCH_S, False)])
def test_so_may_one_that_ended_without_an_answer(age: float, watches: bool) -> None:
    journal = (STARTED, ev.Unanswered(NOW - age, "rule-1"), finished("deployed"))
    assert asked_for(RECORD, *journal).watch_s == (WATCH_S if watches else 0)


def test_a_heal_that_is_stopped_is_named() -> None:
    heal = goal("heal", deployment="shop-8", fleet=LIVE)
    assert "shop-8 was stopped; bluegreen heal shop" in asked_for(replace(RECORD, goal=heal)).reason
    assert asked_for(replace(RECORD, goal=goal("gc"))).reason == ""


# an unfinished deployment


def test_a_plain_rollback_stops_what_is_unfinished_and_so_does_one_to_the_fleet_from_before() -> None:
    for to in ("", "shop-6"):
        found = asked_for(UNFINISHED, STARTED, *LAUNCHED, to=to)
        assert (found.kind, found.fleet, found.standby, found.undo) == ("rollback", LIVE, STANDBY, NEW)
        assert found.stopped == DEPLOY and found.before == DEPLOY.before and found.groups == DEPLOY.groups
        assert found.rolled_back is None, "it has not moved traffic"
        assert asked_for(UNFINISHED, *SHIFTED, to=to).rolled_back == RolledBack("r7", NEW.label, NOW, "ann")


def test_one_that_names_an_older_fleet_goes_there_and_leaves_the_new_one_to_gc() -> None:
    found = asked_for(UNFINISHED, *SHIFTED, to="shop-5")
    assert (found.fleet, found.standby, found.undo, found.left) == (STANDBY, LIVE, None, (NEW,))
    assert "shop-7 was stopped; bluegreen gc shop" in found.reason
    ending = replace(RECORD, goal=goal("abort", deployment="shop-8", undo=OLDER))
    assert asked_for(ending, to="shop-5").left == (OLDER,)
    kept = replace(RECORD, goal=goal("abort", deployment="shop-8", undo=STANDBY))
    assert asked_for(kept, to="shop-5").left == ()


def test_a_rollback_that_is_unfinished_is_followed_again() -> None:
    theirs = goal("rollback", deployment="shop-8", fleet=STANDBY)
    found = asked_for(replace(RECORD, goal=theirs))
    assert found == replace(theirs, started_at=NOW)


def test_a_promoted_deployment_is_gone_back_from_as_a_finished_one() -> None:
    found = asked_for(PROMOTED, *SHIFTED)
    assert (found.undo, found.fleet, found.standby) == (None, LIVE, NEW)


UNSAFE = replace(UNFINISHED, goal=goal(fleet=replace(NEW, groups=(), rollback_unsafe=True)))


@pytest.mark.parametrize(("journal", "refuses"), [((STARTED, *LAUNCHED), False), (SHIFTED, True)])
def test_an_unsafe_deployment_that_has_moved_traffic_is_stopped_only_by_name(journal: Any, refuses: bool) -> None:
    if refuses:
        with pytest.raises(Refused, match="declared `rollback: unsafe`"):
            asked_for(UNSAFE, *journal)
        with pytest.raises(Refused, match="declared `rollback: unsafe`"):
            asked_for(UNSAFE, *journal, to="shop-5")
    else:
        assert asked_for(UNSAFE, *journal).undo is not None
        assert asked_for(UNSAFE, *journal, to="shop-5").fleet == STANDBY
    assert asked_for(UNSAFE, *journal, to="shop-6", unsafe=True).undo is not None


@pytest.mark.parametrize(
    ("journal", "owner", "until"),
    [
        (LAUNCHED, None, 950.0 + APPEAR_S),
        ((asked(at=940.0), asked("subnet-b", "t-b", at=960.0)), None, 960.0 + APPEAR_S),
        ((asked(at=940.0), refused()), None, 0.0),
        ((), None, 0.0),
        ((), OWNER, NOW + APPEAR_S),
        ((asked(at=940.0), refused()), OWNER, 0.0),
    ],
    ids=[
        "from its last launch",
        "the last of several",
        "not for one that AWS refused",
        "not when nothing was launched",
        "a run that is under way may be launching now",
        "but its line would be there",
    ],
)
def test_launches_of_what_is_stopped_may_appear_for_a_while(journal: Any, owner: Any, until: float) -> None:
    found = asked_for(replace(UNFINISHED, owner=owner), STARTED, *MADE, *journal)
    assert found.undo_until == until
    assert found.undo_launched == (("new-1", "new-3", "new-2", "new-4") if journal is LAUNCHED else ())


def test_a_launch_without_an_answer_makes_what_was_launched_uncertain() -> None:
    assert asked_for(UNFINISHED, STARTED, *LAUNCHED, asked("subnet-a", "t-c")).undo_launched == ()


def test_a_journal_that_cannot_be_read_whole_tells_nothing_for_sure() -> None:
    table = Table(UNFINISHED, shop_7=(STARTED, *LAUNCHED))
    table.ledger.damaged["shop-7"] = ("entry 3: no",)
    found = asked_for(UNFINISHED, table=table)
    assert found.undo_launched == () and found.undo_until == NOW + APPEAR_S
    assert any("entry 3" in note for note in table.notes.notes)


def test_an_abort_is_the_same_under_another_name() -> None:
    table = Table(UNFINISHED, shop_7=(STARTED, *LAUNCHED))
    found = stop_goal(table.world, UNFINISHED, DEPLOY, "abort")
    assert found.kind == "abort" and found.undo == NEW
    for owner, watches in ((None, 0), (OWNER, WATCH_S)):
        record = replace(UNFINISHED, owner=owner)
        assert stop_goal(table.world, record, DEPLOY, "abort").watch_s == watches
    late = Table(UNFINISHED, shop_7=(STARTED, ev.Unanswered(NOW - WATCH_S + 1, "rule-1")))
    assert stop_goal(late.world, UNFINISHED, DEPLOY, "abort").watch_s == WATCH_S


# one that has nothing to do

BACK = Record("shop", 8, live=STANDBY, standby=LIVE, bindings=(RULE,), live_since=NOW - 180, live_by="bob")
SERVING_STANDBY = forwarding(tg_live=0, tg_standby=100)


def told(record: Record, binding: Any, health: Any = None, **journals: Any) -> Any:
    table = Table(record, **journals)
    table.balancer.seen["rule-1"] = binding
    table.balancer.health.update(health or {})
    return rollback_goal(table.world, record, by="ann")


def test_a_second_plain_rollback_changes_nothing_and_says_since_when_and_by_whom() -> None:
    found = told(BACK, SERVING_STANDBY)
    assert isinstance(found, Outcome) and found.result == "unchanged" and found.exit_code == 0
    assert f"rolled back already from {LIVE.label} to {STANDBY.label}, 3 min ago by bob" in found.sentence
    assert "4 of 4 instances healthy" in found.sentence and "To go forward again" in found.sentence
    assert found.next == "bluegreen rollback shop --to shop-6"
    old = told(replace(BACK, live_since=0.0), SERVING_STANDBY)
    assert "ago" not in old.sentence


@pytest.mark.parametrize(
    ("live", "standby", "next_"),
    [
        (4, 4, "bluegreen rollback shop --to shop-6"),
        (4, 3, ""),
        (3, 3, "bluegreen rollback shop --to shop-6"),
        (0, 1, "bluegreen rollback shop --to shop-6"),
        (0, 0, "bluegreen heal shop"),
    ],
)
def test_it_names_only_a_way_that_is_open(live: int, standby: int, next_: str) -> None:
    health = {
        "tg-standby": group("tg-standby", healthy=live, unhealthy=4 - live),
        "tg-live": group("tg-live", healthy=standby, unhealthy=4 - standby),
    }
    assert told(BACK, SERVING_STANDBY, health).next == next_


def test_without_another_fleet_there_is_no_way_to_name() -> None:
    undone = {"shop_7": (STARTED, finished("undone"))}
    alone = replace(RECORD, standby=None)
    assert told(alone, forwarding(tg_live=100), **undone).next == ""
    assert told(alone, forwarding(tg_live=100), {"tg-live": None}, **undone).next == "bluegreen heal shop"


@pytest.mark.parametrize(
    "binding",
    [forwarding(tg_live=100, tg_standby=0), forwarding(tg_live=1, tg_standby=99), forwarding(tg_live=0, tg_standby=0)],
)
def test_when_aws_shows_other_weights_the_traffic_goes_back_to_where_it_belongs(binding: Any) -> None:
    found = told(BACK, binding)
    assert (found.kind, found.fleet, found.standby) == ("rollback", STANDBY, LIVE)


@pytest.mark.parametrize(
    ("journal", "words"),
    [
        ((STARTED, finished("undone")), "shop-7 was undone already"),
        (
            (ev.Started(1.0, 7, OWNER, goal("abort", undo=NEW)), finished("aborted")),
            "shop-7 was stopped and undone already",
        ),
        (
            (ev.Started(1.0, 7, OWNER, goal("rollback", undo=NEW)), finished("rolled-back")),
            "stopped and undone already",
        ),
        ((ev.Started(1.0, 7, OWNER, goal("rollback", undo=NEW)), finished("refused")), ""),
        ((ev.Started(1.0, 7, OWNER, goal("abort", undo=NEW)), finished("needs-human")), ""),
        ((STARTED, finished("deployed")), ""),
        ((STARTED,), ""),
        ((ev.Started(1.0, 7, OWNER, goal("heal")), finished("undone")), ""),
        ((ev.Started(1.0, 7, OWNER, goal("rollback", fleet=STANDBY)), finished("rolled-back")), ""),
        ((), ""),
    ],
    ids=[
        "undone",
        "aborted",
        "rolled back before it was live",
        "a stop that was refused",
        "a stop that needs a human",
        "deployed",
        "not ended",
        "a heal",
        "a rollback",
        "nothing",
    ],
)
def test_a_deployment_that_was_undone_is_not_undone_again(journal: Any, words: str) -> None:
    found = told(RECORD, forwarding(tg_live=100, tg_standby=0), shop_7=journal)
    assert isinstance(found, Outcome) is bool(words)
    if words:
        assert words in found.sentence and f"{LIVE.label} serves: 4 of 4" in found.sentence
        assert "To go one further back" in found.sentence and found.next == "bluegreen rollback shop --to shop-5"


def epochs(record: Record, **journals: Any) -> Any:
    return already.newest(Table(record, **journals).world, record).first(ev.Started)


def test_the_newest_operation_is_looked_for_among_those_that_did_something() -> None:
    def began(kind: str, epoch: int) -> ev.Started:
        return ev.Started(1.0, epoch, OWNER, goal(kind, deployment=f"shop-{epoch}"))

    nine = replace(RECORD, epoch=9)
    deploy, heal, gc = began("deploy", 7), began("heal", 8), began("gc", 9)
    assert epochs(nine, shop_7=(deploy,), shop_8=(heal,), shop_9=(gc,)) == deploy
    back = began("rollback", 8)
    assert epochs(nine, shop_7=(deploy,), shop_8=(back, finished("refused"))) == deploy
    assert epochs(nine, shop_7=(deploy,), shop_8=(back, finished("rolled-back"))) == back
    assert epochs(nine, shop_7=(deploy,), shop_8=(back,)) == back
    assert epochs(nine, shop_7=(deploy, finished("undone"))) == deploy
    assert epochs(nine) is None


@pytest.mark.parametrize(("epoch", "found"), [(1, True), (20, True), (21, False)])
def test_it_is_looked_for_so_far_back_and_no_further(epoch: int, found: bool) -> None:
    record = replace(RECORD, epoch=epoch)
    assert (epochs(record, shop_1=(ev.Started(1.0, 1, OWNER, goal(deployment="shop-1")),)) is not None) is found
    assert goals.switched_to(Table(RECORD).world, None) is None
