"""Going back: a plain rollback from LIVE to STANDBY, and a deployment (NEW) that is stopped."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bluegreen.core import event as ev
from bluegreen.core.decide import rollback
from bluegreen.core.decision import Act, Fail, Finish, Note, Wait
from bluegreen.core.goal import Before, RolledBack
from bluegreen.core.step import Mark, PutBack, Write
from bluegreen.core.times import CHECKED_S, LATE_S
from tests.core.decide.words import (
    ACTION,
    BEFORE,
    LIVE,
    MADE,
    NEW,
    NOW,
    OWNER,
    RULE,
    SECOND,
    STANDBY,
    case,
    forwarding,
    goal,
    group,
    seen,
)

MARK = RolledBack("r6", LIVE.label, NOW, "ann")
ROLLBACK = goal(
    "rollback", deployment="shop-8", fleet=STANDBY, live=LIVE, standby=LIVE, groups=(), launch=None, rolled_back=MARK
)
STOP = goal("rollback", deployment="shop-8", fleet=LIVE, live=LIVE, standby=STANDBY, undo=NEW, stopped=goal())
ABORT = replace(STOP, kind="abort")
BACK = forwarding(tg_live=0, tg_standby=100)
TO_NEW = forwarding(tg_live=0, tg_standby=0, tg_new=100)
STARTED = ev.Started(980.0, 8, OWNER, ROLLBACK)
WROTE = (ev.Shifting(990.0, "rule-1", BACK.weights or ()), ev.Shifted(990.0, "rule-1", BACK.weights or ()))


def does(rule: Any, *journal: ev.Event, what: Any = ROLLBACK, bindings: Any = None, **world: Any) -> Any:
    return rule(case(what, seen(*(bindings or (forwarding(tg_live=100, tg_standby=0),)), **world), *journal))


def health(live: int = 4, standby: int = 4, new: int = 4) -> Any:
    return {
        "tg-live": group("tg-live", healthy=live, unhealthy=4 - live),
        "tg-standby": group("tg-standby", healthy=standby, unhealthy=4 - standby),
        "tg-new": group("tg-new", healthy=new, unhealthy=4 - new),
    }


# who may go on


@pytest.mark.parametrize(("stands", "ends"), [(7, False), (8, True)])
def test_a_higher_epoch_ends_the_run(stands: int, ends: bool) -> None:
    assert (does(rollback.higher_epoch, epoch=stands) is not None) is ends


@pytest.mark.parametrize(
    ("what", "begun", "over", "again"),
    [
        (ROLLBACK, False, True, None),
        (ROLLBACK, True, False, None),
        (STOP, False, False, STOP.stopped),
        (STOP, True, False, None),
    ],
    ids=[
        "a rollback that cannot begin leaves nothing",
        "one that has begun does",
        "a stop puts its run in force again",
        "unless it began",
    ],
)
def test_where_a_rule_is_gone_nothing_is_moved(what: Any, begun: bool, over: bool, again: Any) -> None:
    bindings = (replace(forwarding(), exists=False),)
    decision = does(rollback.binding_gone, *(WROTE[:1] if begun else ()), what=what, bindings=bindings)
    assert isinstance(decision, Finish) and decision.outcome.result == "needs-human"
    assert "shop-alb:443 is gone" in decision.outcome.sentence and "tg-live" in decision.outcome.next
    assert "then the same command" in decision.outcome.next
    assert (decision.over, decision.again) == (over, again)


def test_a_rule_that_is_there_is_not_gone_and_one_that_is_not_seen_is() -> None:
    assert does(rollback.binding_gone) is None
    two = replace(ROLLBACK, before=(Before(RULE, BEFORE, ""), Before(SECOND, BEFORE, "")))
    decision = does(rollback.binding_gone, what=two)
    assert "shop-alb:80 is gone" in decision.outcome.sentence and "443" not in decision.outcome.sentence


# the fleet to go back to is attached again


@pytest.mark.parametrize(
    ("binding", "groups", "attached"),
    [
        (forwarding(tg_live=100), {}, True),
        (forwarding(tg_live=100, tg_standby=0), {}, False),
        (forwarding(tg_live=100), {"tg-standby": None}, False),
        (replace(forwarding(), weights=None), {}, False),
    ],
    ids=["it was taken out", "it is attached", "its group is gone", "nothing is forwarded there"],
)
def test_a_fleet_that_was_taken_out_of_the_action_is_attached_again(binding: Any, groups: Any, attached: bool) -> None:
    decision = does(rollback.attach_first, bindings=(binding,), groups=groups)
    assert (decision is not None) is attached
    if attached:
        (step,) = decision.steps
        assert dict(step.weights) == {"tg-live": 100, "tg-standby": 0} and not step.shift


def test_each_binding_gets_the_group_that_it_lacks() -> None:
    bindings = (forwarding(tg_live=100, tg_standby=0), forwarding(SECOND, tg_live=100))
    (step,) = does(rollback.attach_first, what=TWO, bindings=bindings, groups={"tg-b": group("tg-b")}).steps
    assert step.binding == SECOND and dict(step.weights) == {"tg-live": 100, "tg-b": 0}


def test_where_nothing_was_live_nothing_is_attached() -> None:
    assert does(rollback.attach_first, what=replace(ABORT, fleet=None)) is None


# whether it can carry the traffic


def able(*journal: ev.Event, live: int = 4, standby: int = 4, what: Any = ROLLBACK, **world: Any) -> Any:
    groups = {**health(live, standby), **world.pop("groups", {})}
    return does(rollback.not_able, *journal, what=what, groups=groups, **world)


@pytest.mark.parametrize(
    ("standby", "live", "possible"),
    [(4, 4, True), (3, 4, False), (3, 3, True), (4, 3, True), (1, 2, False), (1, 1, True), (1, 0, True), (0, 0, False)],
    ids=[
        "whole",
        "one less than what serves",
        "as many as serve",
        "more than serve",
        "one, where two serve",
        "one, where one serves",
        "one, where none serves",
        "none, where none serves",
    ],
)
def test_a_rollback_goes_to_a_fleet_that_can_carry_what_serves(standby: int, live: int, possible: bool) -> None:
    decision = able(live=live, standby=standby)
    assert (decision is None) is possible
    if not possible:
        assert isinstance(decision, Finish) and decision.outcome.result == "refused" and decision.again is None
        assert (
            f"{standby} of 4 instances" in decision.outcome.sentence and "bluegreen heal shop" in decision.outcome.next
        )
        assert ("would not help" in decision.outcome.why) is (live == 0)


def test_a_smaller_fleet_that_is_whole_is_enough() -> None:
    small = replace(STANDBY, count=2)
    assert able(what=replace(ROLLBACK, fleet=small), groups={"tg-standby": group("tg-standby", healthy=2)}) is None
    assert able(what=replace(ROLLBACK, fleet=small), groups={"tg-standby": group("tg-standby", healthy=1)}) is not None


def test_of_an_adopted_fleet_one_is_enough() -> None:
    adopted = replace(ROLLBACK, fleet=replace(STANDBY, count=0, ours=False))
    assert able(what=adopted, standby=1) is None
    assert "0 of ? instances" in able(what=adopted, standby=0).outcome.sentence


@pytest.mark.parametrize("what", [STOP, ABORT], ids=["rollback", "abort"])
@pytest.mark.parametrize(("live", "new", "possible"), [(1, 4, True), (0, 4, False), (0, 1, False), (0, 0, True)])
def test_to_stop_a_deployment_one_healthy_instance_is_enough(what: Any, live: int, new: int, possible: bool) -> None:
    decision = does(rollback.not_able, what=what, bindings=(TO_NEW,), groups=health(live, 0, new))
    assert (decision is None) is possible
    if not possible:
        assert decision.again is what.stopped and decision.outcome.result == "refused"
        assert "bluegreen heal shop, then bluegreen resume shop" in decision.outcome.next


def test_a_deployment_that_is_to_go_on_is_first_taken_off_the_list_of_what_ends() -> None:
    decision = does(rollback.not_able, what=STOP, bindings=(TO_NEW,), groups=health(0, 0, 4), doomed=(NEW, STANDBY))
    (step,) = decision.steps
    assert isinstance(step, Write) and step.record.doomed == (STANDBY,)


def test_what_really_has_weight_counts_too() -> None:
    """The record says that LIVE serves, and a group of somebody else does."""
    bindings = (forwarding(tg_live=0, tg_standby=0, tg_foreign=100),)
    foreign = {"tg-foreign": group("tg-foreign", healthy=3)}
    assert able(live=0, standby=2, bindings=bindings, groups=foreign) is not None
    assert able(live=0, standby=3, bindings=bindings, groups=foreign) is None


def test_on_the_binding_that_has_fewest() -> None:
    two = replace(
        ROLLBACK,
        before=(Before(RULE, BEFORE, ""), Before(SECOND, BEFORE, "")),
        fleet=replace(STANDBY, groups=("tg-standby", "tg-b")),
    )
    bindings = (forwarding(tg_x=100, tg_standby=0), forwarding(SECOND, tg_y=100, tg_b=0))
    groups = {
        "tg-x": group("tg-x", healthy=4),
        "tg-y": group("tg-y", healthy=2),
        "tg-b": group("tg-standby", healthy=2, unhealthy=2),
    }
    assert able(what=two, live=0, standby=2, bindings=bindings, groups=groups) is None
    fewer = {**groups, "tg-b": group("tg-standby", healthy=1, unhealthy=3)}
    assert able(what=two, live=0, standby=2, bindings=bindings, groups=fewer) is not None


WIDE = replace(STANDBY, groups=("tg-standby", "tg-b"))
TWO = replace(ROLLBACK, before=(Before(RULE, BEFORE, ""), Before(SECOND, BEFORE, "")), fleet=WIDE)


def test_what_has_no_weight_and_what_is_of_the_fleet_itself_is_not_what_would_be_lost() -> None:
    idle = (forwarding(tg_live=0, tg_standby=50, tg_x=50, tg_y=0),)
    groups = {"tg-x": group("tg-x", healthy=1), "tg-y": group("tg-y", healthy=9)}
    assert able(live=0, standby=1, bindings=idle, groups=groups) is None
    assert able(live=0, standby=1, bindings=idle, groups={**groups, "tg-x": group("tg-x", healthy=2)}) is not None


@pytest.mark.parametrize(
    ("bindings", "groups", "tried"),
    [
        ((forwarding(tg_x=0), forwarding(SECOND, tg_x=0)), {}, True),
        ((forwarding(tg_x=0, tg_standby=0), forwarding(SECOND, tg_x=0)), {}, False),
        ((forwarding(tg_x=0), forwarding(SECOND, tg_x=0)), {"tg-b": None}, False),
        ((forwarding(tg_x=100), forwarding(SECOND, tg_x=100)), {"tg-x": group("tg-x", healthy=1)}, False),
    ],
    ids=["both entries were made anew", "one of them names it", "one of its groups is gone", "something serves"],
)
def test_it_is_tried_only_when_all_of_its_health_is_unknown(bindings: Any, groups: Any, tried: bool) -> None:
    known = {"tg-b": group("tg-standby", unhealthy=4), **groups}
    decision = able(what=TWO, live=0, standby=0, bindings=bindings, groups=known)
    assert (decision is None) is tried


def test_where_nothing_serves_a_fleet_whose_health_is_not_checked_may_be_tried() -> None:
    anew = (forwarding(tg_foreign=0),)
    assert able(live=0, standby=0, bindings=anew) is None
    assert able(live=0, standby=0, bindings=anew, groups={"tg-standby": None}) is not None
    assert able(live=0, standby=0, bindings=(forwarding(tg_live=100, tg_standby=0),)) is not None, "it is checked"


@pytest.mark.parametrize(
    ("at", "standby", "waits"),
    [(990.0 + CHECKED_S - 0.1, 0, True), (990.0 + CHECKED_S, 0, False), (990.0 + 1, 1, False)],
    ids=["half a minute for its checks", "and not more", "one is healthy: it is checked"],
)
def test_a_fleet_that_was_attached_again_has_time_for_its_health_checks(at: float, standby: int, waits: bool) -> None:
    decision = able(WROTE[0], standby=standby, at=at)
    assert isinstance(decision, Wait) is waits
    if waits:
        assert decision.until == 990.0 + CHECKED_S
    else:
        assert decision is not None


def test_where_a_binding_has_moved_it_is_moved_back_first() -> None:
    two = replace(
        ROLLBACK,
        before=(Before(RULE, BEFORE, ""), Before(SECOND, BEFORE, "")),
        fleet=replace(STANDBY, groups=("tg-standby", "tg-b")),
    )
    bindings = (BACK, forwarding(SECOND, tg_live=100, tg_b=0))
    ill = {"tg-b": group("tg-standby", healthy=2, unhealthy=2)}
    assert isinstance(able(what=two, bindings=bindings, groups=ill), Fail)


def test_once_the_traffic_is_back_it_is_set_again_whoever_takes_it_away() -> None:
    assert able(standby=0, live_since=1.0) is not None
    written: Any = {"live": STANDBY, "standby": LIVE}
    assert does(rollback.not_able, groups=health(4, 0), **written) is None
    assert able(standby=0, bindings=(BACK,)) is None, "it is there already"
    stay = replace(ROLLBACK, fleet=LIVE, standby=STANDBY)
    foreign = (forwarding(tg_foreign=100, tg_live=0, tg_standby=0),)
    assert (
        able(what=stay, live=0, standby=0, bindings=foreign, groups={"tg-foreign": group("tg-foreign", healthy=1)})
        is not None
    )
    stopped: Any = {"live": LIVE, "what": replace(STOP, live=STANDBY), "bindings": (TO_NEW,), "groups": health(0, 4, 4)}
    assert does(rollback.not_able, **stopped) is not None, "only a plain rollback is written down before it is over"


# a failure

FAILED = ev.Failed(NOW - 1, "it cannot")


def test_a_rollback_that_failed_gives_the_bindings_that_moved_back_to_who_serves() -> None:
    two = replace(
        ROLLBACK,
        before=(Before(RULE, BEFORE, ""), Before(SECOND, BEFORE, "")),
        live=replace(LIVE, groups=("tg-live", "tg-live-2")),
    )
    bindings = (BACK, forwarding(SECOND, tg_live_2=100, tg_standby_2=0))
    (step,) = does(rollback.given_up, FAILED, what=two, bindings=bindings).steps
    assert dict(step.weights) == {"tg-live": 100, "tg-standby": 0} and step.shift and step.minimum == 1
    assert does(rollback.given_up, what=two, bindings=bindings) is None, "it has not failed"
    (step,) = does(rollback.given_up, FAILED, bindings=(forwarding(tg_live=50, tg_standby=50),)).steps
    assert dict(step.weights) == {"tg-live": 100, "tg-standby": 0}


@pytest.mark.parametrize(("at", "waits"), [(990.0 + LATE_S - 0.1, True), (990.0 + LATE_S, False)])
def test_and_a_switch_without_an_answer_is_waited_for(at: float, waits: bool) -> None:
    decision = does(rollback.given_up, ev.Unanswered(990.0, "rule-1"), FAILED, at=at)
    assert isinstance(decision, Wait) is waits
    if not waits:
        assert decision.outcome.result == "undone" and "it cannot" in decision.outcome.sentence
    else:
        assert decision.until == 990.0 + LATE_S


def test_a_stop_that_failed_leaves_the_deployment_in_force() -> None:
    decision = does(rollback.given_up, FAILED, what=STOP, bindings=(TO_NEW,))
    assert decision.outcome.result == "needs-human" and decision.again is STOP.stopped


# the traffic


def test_all_weight_goes_back_and_every_group_stays_attached() -> None:
    (step,) = does(rollback.traffic_back).steps
    assert dict(step.weights) == {"tg-live": 0, "tg-standby": 100} and step.shift and step.minimum == 1
    assert does(rollback.traffic_back, bindings=(BACK,)) is None


@pytest.mark.parametrize(
    ("binding", "right"),
    [
        (BACK, True),
        (forwarding(tg_live=0, tg_standby=1), False),
        (forwarding(tg_live=1, tg_standby=99), False),
        (forwarding(tg_standby=100), False),
        (forwarding(tg_live=0, tg_standby=100, tg_foreign=0), True),
        (forwarding(tg_live=0, tg_standby=100, tg_foreign=1), False),
    ],
    ids=[
        "as it is wanted",
        "another weight",
        "a trickle left behind",
        "the fleet that was left is not attached",
        "a foreign group at 0",
        "a foreign group with weight",
    ],
)
def test_the_traffic_is_right_when_one_fleet_has_all_of_it_and_the_other_is_attached(binding: Any, right: bool) -> None:
    assert (does(rollback.traffic_back, bindings=(binding,)) is None) is right


def test_a_group_that_is_gone_need_not_be_attached_and_is_not_named() -> None:
    gone = {"tg-live": None}
    assert does(rollback.traffic_back, bindings=(forwarding(tg_standby=100),), groups=gone) is None
    (step,) = does(rollback.traffic_back, bindings=(forwarding(tg_standby=50),), groups=gone).steps
    assert dict(step.weights) == {"tg-standby": 100}
    (step,) = does(rollback.traffic_back, bindings=(forwarding(tg_standby=50),)).steps
    assert dict(step.weights) == {"tg-live": 0, "tg-standby": 100}


def test_a_retired_group_that_left_meanwhile_is_no_matter() -> None:
    older = replace(ROLLBACK, before=(Before(RULE, (("tg-live", 100), ("tg-older", 0), ("tg-standby", 0)), ""),))
    assert does(rollback.traffic_back, what=older, bindings=(BACK,), groups={"tg-older": group("tg-older")}) is None


def test_a_deployment_that_is_stopped_gets_the_weights_from_before_it() -> None:
    (step,) = does(rollback.traffic_back, what=STOP, bindings=(TO_NEW,)).steps
    assert dict(step.weights) == {"tg-live": 100, "tg-standby": 0, "tg-new": 0}
    first = replace(ABORT, fleet=None, live=None, standby=None, before=(Before(RULE, None, ACTION),))
    (step,) = does(rollback.traffic_back, what=first, bindings=(TO_NEW,)).steps
    assert isinstance(step, PutBack) and step.action == ACTION
    nothing = (replace(TO_NEW, weights=None),)
    assert does(rollback.traffic_back, what=first, bindings=nothing) is None
    unknown = replace(first, before=(Before(RULE, None, ""),))
    assert does(rollback.traffic_back, what=unknown, bindings=(TO_NEW,)) is None


# the record


def test_the_record_says_who_is_live_since_when_and_by_whom_and_what_was_rolled_back() -> None:
    (step,) = does(rollback.swap, bindings=(BACK,), owner=OWNER).steps
    record = step.record
    assert (record.live, record.standby, record.rolled_back) == (STANDBY, LIVE, MARK) and step.promote == STANDBY
    assert (record.live_since, record.live_by) == (NOW, str(OWNER))
    assert does(rollback.swap, live=STANDBY, standby=LIVE, rolled_back=MARK) is None


def test_a_mark_alone_moves_no_date() -> None:
    (step,) = does(rollback.swap, live=STANDBY, standby=LIVE, live_since=5.0, live_by="x").steps
    assert (step.record.live_since, step.record.live_by, step.record.rolled_back) == (5.0, "x", MARK)


def test_to_stop_a_deployment_changes_neither_live_nor_standby_and_its_fleet_is_to_end() -> None:
    (step,) = does(rollback.swap, what=replace(STOP, rolled_back=MARK), bindings=(TO_NEW,)).steps
    record = step.record
    assert (record.live, record.standby, record.doomed, record.rolled_back) == (LIVE, STANDBY, (NEW,), MARK)
    assert does(rollback.swap, what=replace(STOP, rolled_back=None), doomed=(NEW,)) is None
    named = replace(NEW, version="another name")
    assert does(rollback.swap, what=replace(STOP, rolled_back=None), doomed=(named,)) is None, "by its deployment"


def test_an_abort_leaves_the_mark_as_it_is() -> None:
    what = replace(ABORT, rolled_back=None)
    (step,) = does(rollback.swap, what=what, bindings=(TO_NEW,), rolled_back=MARK).steps
    assert step.record.rolled_back == MARK


def test_a_fleet_of_which_nothing_is_left_is_not_written_down_as_one_to_end() -> None:
    ended: Any = {"instances": (), "groups": {"tg-new": None}}
    what = replace(STOP, rolled_back=None)
    assert does(rollback.swap, *MADE, what=what, **ended) is None


def test_the_tags_tell_who_is_live_again_and_nothing_for_a_stop() -> None:
    (step,) = does(rollback.mark).steps
    assert isinstance(step, Mark) and (step.deployment, step.tags) == ("shop-5", (("bluegreen:live-since", "8"),))
    assert does(rollback.mark, what=replace(ROLLBACK, fleet=None)) is None
    assert does(rollback.mark, what=STOP) is None and does(rollback.mark, what=replace(ABORT, fleet=None)) is None


@pytest.mark.parametrize(
    ("watch_s", "at", "journal", "watches"),
    [
        (10, 999.9, (STARTED, *WROTE), True),
        (10, 1000.0, (STARTED, *WROTE), False),
        (10, 989.9, (STARTED,), True),
        (10, 990.0, (STARTED,), False),
        (10, NOW, (), True),
        (0, 985.0, (STARTED, *WROTE), False),
    ],
    ids=[
        "ten seconds from the last switch",
        "and not longer",
        "from its start when nothing was to be moved",
        "and not longer",
        "from now when the journal has nothing",
        "a run that took over nobody does not watch",
    ],
)
def test_a_rollback_that_took_over_a_run_watches_for_its_late_write(
    watch_s: int, at: float, journal: Any, watches: bool
) -> None:
    decision = does(rollback.watch, *journal, what=replace(ROLLBACK, watch_s=watch_s), at=at)
    assert isinstance(decision, Wait) is watches
    if watches:
        assert "instances" not in decision.look, "it never looks at EC2"
        assert "instances" in does(rollback.watch, *journal, what=replace(STOP, watch_s=watch_s), at=at).look


# the fleet that was stopped


def test_what_was_stopped_is_ended_and_then_leaves_the_record() -> None:
    assert does(rollback.clean_up) is None
    assert isinstance(does(rollback.clean_up, what=STOP, bindings=(forwarding(tg_live=100, tg_new=0),)), Act)
    assert isinstance(does(rollback.clean_up, what=STOP), Note)
    ended: Any = {"instances": (), "groups": {"tg-new": None}}
    (step,) = does(rollback.clean_up, what=STOP, doomed=(NEW, STANDBY), **ended).steps
    assert isinstance(step, Write) and step.record.doomed == (STANDBY,)
    assert does(rollback.clean_up, what=STOP, **ended) is None


def test_the_healthiest_fleet_is_not_ended() -> None:
    assert does(rollback.clean_up, what=STOP, groups=health(1, 0, 4)) is None
    assert does(rollback.clean_up, what=STOP, groups=health(4, 0, 4)) is not None


# what it says


def said(what: Any = ROLLBACK, **world: Any) -> Any:
    served = forwarding(tg_live=100, tg_standby=0, tg_new=0)
    decision = does(rollback.back, what=what, bindings=world.pop("bindings", (served if what.undo else BACK,)), **world)
    assert isinstance(decision, Finish)
    return decision


def test_a_rollback_says_who_serves_and_what_became_of_the_other() -> None:
    decision = said(groups=health(live=3))
    assert decision.outcome.result == "rolled-back" and not decision.over
    assert decision.outcome.sentence.startswith(f"{STANDBY.label} serves; {LIVE.label} is kept, with 3 of 4")
    forward = said()
    assert "bluegreen rollback shop --to shop-6 goes forward to it again" in forward.outcome.sentence
    again = replace(ROLLBACK, fleet=LIVE, standby=STANDBY, live=STANDBY)
    assert said(again).outcome.sentence == f"{LIVE.label} serves; {STANDBY.label} stands by."
    assert said(replace(ROLLBACK, standby=None)).outcome.sentence == f"{STANDBY.label} serves."
    ill = said(groups=health(standby=0)).outcome.sentence
    assert ill.startswith(f"{STANDBY.label} has the traffic, and nothing of it is healthy")
    assert "shop-9 was stopped." in said(replace(ROLLBACK, reason="shop-9 was stopped")).outcome.sentence
    assert (
        "0 of ? instances"
        in said(replace(ROLLBACK, standby=replace(LIVE, count=0)), groups=health(live=0)).outcome.sentence
    )


@pytest.mark.parametrize(("what", "result"), [(STOP, "rolled-back"), (ABORT, "aborted")])
def test_a_stop_says_who_serves_and_how_to_go_one_further_back(what: Any, result: str) -> None:
    outcome = said(what).outcome
    assert outcome.result == result and f"shop-7 was stopped and undone; {LIVE.label} serves." in outcome.sentence
    assert "rollback shop --to shop-5" in outcome.sentence
    assert "--to" not in said(replace(what, standby=None)).outcome.sentence
    elsewhere = said(what, bindings=(forwarding(tg_foreign=100, tg_live=0),)).outcome.sentence
    assert "the traffic stays where somebody else has put it" in elsewhere and "serves" not in elsewhere
    assert "nothing is live, as before" in said(replace(what, fleet=None, standby=None)).outcome.sentence


@pytest.mark.parametrize(("what", "result"), [(STOP, "rolled-back"), (ABORT, "needs-human")])
def test_when_the_stopped_fleet_is_the_healthiest_it_runs_on_and_that_is_said(what: Any, result: str) -> None:
    decision = said(what, groups=health(1, 0, 3))
    assert decision.over and decision.outcome.result == result and "3 healthy instances" in decision.outcome.sentence
