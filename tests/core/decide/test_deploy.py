"""A deploy from its groups to its promotion: what is made, attached, switched, and what ends it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bluegreen.core import event as ev
from bluegreen.core.decide import deploy
from bluegreen.core.decision import Act, Fail, Finish, Note, Wait
from bluegreen.core.fleet import FULL
from bluegreen.core.goal import Before, RolledBack
from bluegreen.core.step import MakeGroup, Mark, PutBack, SetWeights, Write
from bluegreen.core.times import LATE_S, VISIBILITY_S
from tests.core.decide.words import (
    ACTION,
    BEFORE,
    BOOTED,
    LIVE,
    MADE,
    NEW,
    NOW,
    OWNER,
    RULE,
    SECOND,
    STANDBY,
    SWITCHED,
    asked,
    case,
    forwarding,
    gave_weight,
    goal,
    group,
    seen,
    spec,
)

ATTACHED = forwarding(tg_live=100, tg_standby=0, tg_new=0)
ON_NEW = forwarding(tg_live=0, tg_standby=0, tg_new=100)
AT_0 = ev.Shifting(946.0, "rule-1", ATTACHED.weights or ())
ATTACH = (*MADE, AT_0)
SHIFTED = (AT_0, *BOOTED, *gave_weight())
FAILED = ev.Failed(NOW - 1, "the boot failed", "new-4 wrote: no")
TWO = goal(before=(Before(RULE, BEFORE, ""), Before(SECOND, BEFORE, "")), groups=(spec(), spec("second")))


def does(rule: Any, *journal: ev.Event, what: Any = None, now: Any = None) -> Any:
    return rule(case(what or goal(), now or seen(ATTACHED), *journal))


# who may go on


@pytest.mark.parametrize(("stands", "ends"), [(6, False), (7, False), (8, True)])
def test_a_higher_epoch_ends_the_run(stands: int, ends: bool) -> None:
    decision = does(deploy.higher_epoch, now=seen(epoch=stands))
    assert (decision is not None) is ends
    if ends:
        assert decision.outcome.result == "superseded" and "epoch 8" in decision.outcome.sentence


@pytest.mark.parametrize(
    ("binding", "journal", "ours"),
    [
        (forwarding(tg_live=100, tg_standby=0), (), True),
        (ATTACHED, (AT_0,), True),
        (ATTACHED, (), False),
        (forwarding(tg_live=50, tg_foreign=50), (AT_0,), False),
        (replace(forwarding(tg_live=100, tg_standby=0), beside="stickiness"), (), False),
        (replace(ATTACHED, exists=False), (AT_0,), False),
        (replace(ATTACHED, weights=None), (AT_0,), False),
        (ON_NEW, SHIFTED, True),
        (ATTACHED, SHIFTED, True),
        (forwarding(tg_live=100, tg_standby=0), SHIFTED, False),
        (forwarding(tg_live=1, tg_new=99), SHIFTED, False),
    ],
    ids=[
        "as it was found",
        "as we wrote it",
        "as we did not write it",
        "with a group of somebody else",
        "as it was, with something beside it",
        "gone",
        "no longer forwarding",
        "as we switched it",
        "as we wrote it before the switch",
        "after the switch, as it was found",
        "with weights shared",
    ],
)
def test_weights_that_nobody_of_us_wrote_are_not_written_over(binding: Any, journal: Any, ours: bool) -> None:
    decision = does(deploy.foreign_hand, *journal, now=seen(binding))
    assert (decision is None) is ours
    if not ours:
        moved = journal is SHIFTED
        assert isinstance(decision, Finish if moved else Fail)
        told = decision.outcome.sentence if isinstance(decision, Finish) else decision.reason
        assert "shop-alb:443" in told and (not moved or decision.outcome.result == "needs-human")
        assert ("is gone" in told) is (not binding.exists)
        assert ("and stickiness" in told) is bool(binding.beside and binding.exists)
        if binding.weights and binding.exists:
            assert f"{LIVE.label} {dict(binding.weights)['tg-live']}" in told, "groups are named by their fleets"


def test_weights_that_were_switched_before_the_journal_was_read_are_ours() -> None:
    """A resumed run reads the same journal: what it set out to write is known by the fleet, whatever weights were before."""
    journal = (*BOOTED, ev.Shifting(990.0, "rule-2", SWITCHED))
    assert does(deploy.foreign_hand, *journal, now=seen(ON_NEW)) is None


def test_a_binding_that_is_not_seen_any_more_is_named() -> None:
    decision = does(deploy.foreign_hand, AT_0, what=TWO, now=seen(ATTACHED))
    assert isinstance(decision, Fail) and "shop-alb:80 is gone" in decision.reason and "443" not in decision.reason


def test_an_undo_is_not_stopped_by_weights_of_others() -> None:
    assert does(deploy.foreign_hand, *SHIFTED, FAILED, now=seen(forwarding(tg_foreign=100))) is None


# groups


def test_a_group_is_made_for_each_binding_that_lacks_one() -> None:
    decision = does(deploy.make_groups, ev.GroupMade(1.0, 1, "tg-b"), what=TWO)
    (step,) = decision.steps
    assert isinstance(step, MakeGroup) and (step.binding, step.spec) == (0, spec())
    assert dict(step.tags)["bluegreen:binding"] == "rule-1" and dict(step.tags)["bluegreen:deployment"] == "shop-7"
    first, second = does(deploy.make_groups, what=TWO).steps
    assert dict(second.tags)["bluegreen:binding"] == "rule-2" and (first.binding, second.binding) == (0, 1)


def test_no_group_is_made_when_all_are_or_after_the_promotion() -> None:
    assert does(deploy.make_groups, *MADE) is None
    assert does(deploy.make_groups, now=seen(live=NEW)) is None


def test_a_new_group_joins_its_action_at_weight_0() -> None:
    (step,) = does(deploy.attach_groups, *MADE, now=seen()).steps
    assert isinstance(step, SetWeights) and step.weights == ATTACHED.weights and not step.shift and step.minimum is None
    assert does(deploy.attach_groups, *ATTACH, now=seen(ATTACHED)) is None


def test_only_the_action_that_lacks_its_group_is_written() -> None:
    made = (*MADE, ev.GroupMade(946.0, 1, "tg-b"))
    now = seen(ATTACHED, forwarding(SECOND, tg_live=100))
    (step,) = does(deploy.attach_groups, *made, what=TWO, now=now).steps
    assert step.binding == SECOND and dict(step.weights) == {"tg-live": 100, "tg-b": 0}


@pytest.mark.parametrize("stage", ["shifting", "promoted"])
def test_nothing_is_attached_after_the_switch(stage: str) -> None:
    journal = SHIFTED if stage == "shifting" else ATTACH
    assert does(deploy.attach_groups, *journal, now=seen(live=NEW if stage == "promoted" else LIVE)) is None


DETACHED = ev.Detached(960.0, "rule-1")
BOOTING = (*ATTACH, asked())


@pytest.mark.parametrize(
    ("journal", "then"),
    [
        (ATTACH, "attached"),
        (BOOTING, "told"),
        ((*BOOTING, DETACHED), "attached"),
        ((*BOOTING, DETACHED, AT_0), "told"),
        ((*BOOTING, DETACHED, AT_0, DETACHED), "attached"),
        ((*BOOTING, *(DETACHED, AT_0) * 2, DETACHED), "failed"),
        ((*BOOTING, *(DETACHED, AT_0) * 2), "told"),
    ],
    ids=[
        "before a launch nobody knows who it was",
        "the first time it is written down",
        "and then attached again",
        "the second time",
        "and attached again",
        "the third time is one too many",
        "but it is written down before",
    ],
)
def test_somebody_who_goes_on_taking_the_new_group_out_fails_the_deployment(journal: Any, then: str) -> None:
    decision = does(deploy.attach_groups, *journal, now=seen())
    kinds: Any = {"attached": Act, "told": Note, "failed": Fail}
    assert isinstance(decision, kinds[then]), decision
    if then == "failed":
        assert "shop-alb:443 3 times" in decision.reason
    if then == "told":
        assert decision.event == ev.Detached(NOW, "rule-1")


def test_each_binding_is_counted_by_itself() -> None:
    made = (*MADE, ev.GroupMade(946.0, 1, "tg-b"), asked())
    now = seen(forwarding(tg_live=100), forwarding(SECOND, tg_live=100, tg_b=0))
    other = ev.Shifting(946.0, "rule-2", (("tg-live", 100), ("tg-new", 0)))
    assert isinstance(does(deploy.attach_groups, *made, other, what=TWO, now=now), Act), "rule-1 was never written"
    wrote = ev.Shifting(946.0, "rule-1", (("tg-live", 100), ("tg-new", 0)))
    told = does(deploy.attach_groups, *made, wrote, ev.Detached(950.0, "rule-2"), what=TWO, now=now)
    assert told == Note(ev.Detached(NOW, "rule-1"))
    gave = ev.Shifting(947.0, "rule-1", (("tg-live", 100), ("tg-x", 0)))
    detached = ev.Detached(950.0, "rule-1")
    assert isinstance(does(deploy.attach_groups, *made, wrote, detached, gave, what=TWO, now=now), Act)


# the switch


def test_the_switch_is_absolute_and_needs_a_whole_fleet() -> None:
    (step,) = does(deploy.shift, *BOOTED).steps
    assert step.weights == SWITCHED and step.shift and step.minimum == 4
    assert does(deploy.shift, *BOOTED, now=seen(ON_NEW)) is None


@pytest.mark.parametrize("weight", [0, 1, FULL - 1])
def test_a_binding_that_has_not_all_its_weight_on_the_new_fleet_is_switched(weight: int) -> None:
    (step,) = does(deploy.shift, *BOOTED, now=seen(forwarding(tg_live=1, tg_standby=0, tg_new=weight))).steps
    assert dict(step.weights)["tg-new"] == FULL and dict(step.weights)["tg-live"] == 0


def test_the_tags_tell_that_the_fleet_goes_live_before_the_record_does() -> None:
    (step,) = does(deploy.mark, *SHIFTED).steps
    assert isinstance(step, Mark) and step.groups == ("tg-new",) and step.tags == (("bluegreen:live-since", "7"),)
    assert does(deploy.mark, *SHIFTED, ev.Marked(NOW, "shop-7")) is None
    assert does(deploy.mark, *SHIFTED, ev.Marked(NOW, "shop-6")) is not None
    assert does(deploy.mark, *SHIFTED, now=seen(live=NEW)) is None


def test_an_adopted_fleet_is_never_tagged() -> None:
    assert case(goal(), seen()).mark(replace(LIVE, ours=False)) is None


# the undo


def undo(*journal: ev.Event, what: Any = None, now: Any = None) -> Any:
    return does(deploy.undo, *journal, what=what, now=now)


def test_without_a_failure_or_after_the_promotion_nothing_is_undone() -> None:
    assert undo(*SHIFTED) is None
    assert undo(*SHIFTED, FAILED, now=seen(ON_NEW, live=NEW)) is None


def test_the_traffic_goes_back_first_and_the_new_group_stays_at_0() -> None:
    (step,) = undo(*SHIFTED, FAILED, now=seen(ON_NEW)).steps
    assert isinstance(step, SetWeights) and step.weights == ATTACHED.weights
    assert step.shift and step.minimum == 1


def test_where_nothing_was_forwarded_the_action_from_before_comes_back() -> None:
    what = goal(before=(Before(RULE, None, ACTION),), live=None, standby=None)
    (step,) = undo(*SHIFTED, FAILED, what=what, now=seen(forwarding(tg_new=100), live=None, standby=None)).steps
    assert isinstance(step, PutBack) and step.action == ACTION


def test_only_bindings_that_have_moved_are_put_back() -> None:
    now = seen(ATTACHED, forwarding(SECOND, tg_live=0, tg_new=100))
    (step,) = undo(*SHIFTED, FAILED, what=TWO, now=now).steps
    assert step.binding == SECOND


@pytest.mark.parametrize(("at", "waits"), [(990.0 + LATE_S - 0.1, True), (990.0 + LATE_S, False)])
def test_a_switch_without_an_answer_is_waited_for_before_its_fleet_ends(at: float, waits: bool) -> None:
    decision = undo(*SHIFTED, ev.Unanswered(990.0, "rule-1"), FAILED, now=seen(ATTACHED, at=at))
    assert isinstance(decision, Wait) is waits
    if waits:
        assert decision.until == 990.0 + LATE_S
    else:
        (step,) = decision.steps
        assert isinstance(step, SetWeights) and step.weights == BEFORE, "the new fleet leaves the action"


def test_a_fleet_that_had_traffic_drains_and_one_that_had_none_does_not() -> None:
    out = seen(forwarding(tg_live=100, tg_standby=0))
    assert isinstance(undo(*SHIFTED, FAILED, now=out), Note)
    assert "Terminate" in str(undo(*BOOTED, FAILED, now=out))


@pytest.mark.parametrize(
    ("old", "new", "goes_on"),
    [(0, 1, True), (0, 0, False), (1, 4, False), (0, 4, True)],
    ids=["nothing of the old one is healthy", "nor of the new one", "one of the old one is", "all of the new one are"],
)
def test_traffic_never_goes_back_to_a_fleet_that_has_nothing_healthy_while_the_new_one_has(
    old: int, new: int, goes_on: bool
) -> None:
    groups = {"tg-live": group("tg-live", healthy=old, unhealthy=4 - old), "tg-new": group("tg-new", healthy=new)}
    assert (undo(*SHIFTED, FAILED, now=seen(ON_NEW, groups=groups)) is None) is goes_on


def test_traffic_that_somebody_else_gave_to_a_new_fleet_goes_back_whatever_is_healthy() -> None:
    dead = {"tg-live": group("tg-live", unhealthy=4)}
    assert isinstance(undo(*BOOTED, FAILED, now=seen(ON_NEW, groups=dead)), Act)


def test_an_action_is_put_back_at_once_and_not_after_a_late_switch() -> None:
    what = goal(before=(Before(RULE, None, ACTION),), live=None, standby=None)
    late = (*SHIFTED, ev.Unanswered(NOW, "rule-1"), FAILED)
    (step,) = undo(*late, what=what, now=seen(forwarding(tg_new=100), live=None, standby=None)).steps
    assert isinstance(step, PutBack)


def test_a_first_deployment_is_put_back_however_healthy_it_is() -> None:
    what = goal(before=(Before(RULE, None, ACTION),), live=None, standby=None)
    assert undo(*SHIFTED, FAILED, what=what, now=seen(forwarding(tg_new=100), live=None, standby=None)) is not None


def test_a_fleet_that_is_healthier_than_all_others_is_not_ended() -> None:
    ill = {"tg-live": group("tg-live", unhealthy=4), "tg-standby": group("tg-standby", unhealthy=4)}
    decision = undo(*SHIFTED, FAILED, now=seen(ATTACHED, groups=ill))
    assert isinstance(decision, Finish) and decision.outcome.result == "needs-human"
    assert "it has 4 healthy instances" in decision.outcome.sentence


def ended(live: int = 4, standby: int = 4, binding: Any = None, what: Any = None) -> Any:
    """How a failed deployment ends when nothing of its fleet is left."""
    groups = {
        "tg-new": None,
        "tg-live": group("tg-live", healthy=live, unhealthy=4 - live),
        "tg-standby": group("tg-standby", healthy=standby, unhealthy=4 - standby),
    }
    now = seen(binding or forwarding(tg_live=100, tg_standby=0), groups=groups, instances=(), at=2000.0)
    return undo(*SHIFTED, ev.Draining(1000.0, "shop-7"), FAILED, now=now, what=what).outcome


def test_a_deployment_that_failed_says_who_serves_and_why_it_failed() -> None:
    outcome = ended()
    assert (outcome.result, outcome.why, outcome.next) == ("undone", "new-4 wrote: no", "bluegreen show shop-7")
    assert outcome.sentence == f"shop-7 failed and was undone: the boot failed. {LIVE.label} serves as before."


def test_a_fleet_with_nothing_healthy_is_not_said_to_serve_and_a_better_standby_is_named() -> None:
    outcome = ended(live=0)
    assert "nothing of it is healthy" in outcome.sentence and "rollback shop --to shop-5" in outcome.next
    assert "rollback" not in ended(live=0, standby=0).next and "rollback" not in ended(live=1).next
    assert "rollback" not in ended(live=0, what=goal(standby=None)).next


def test_nothing_live_before_and_nothing_after() -> None:
    what = goal(live=None, standby=None, before=(Before(RULE, BEFORE, ""),))
    assert "Nothing was live before, and nothing is now." in ended(what=what).sentence


def test_weights_that_somebody_else_changed_meanwhile_are_named() -> None:
    outcome = ended(binding=forwarding(tg_foreign=100, tg_live=0))
    assert outcome.result == "needs-human" and "tg-foreign 100" in outcome.sentence
    assert outcome.next == "bluegreen rollback shop --to shop-6"
    assert ended(binding=forwarding(tg_live=1)).result == "undone", "who had weight has it"
    first = goal(live=None, standby=None, before=(Before(RULE, None, ""),))
    assert ended(binding=forwarding(tg_foreign=100), what=first).next == "bluegreen status shop"
    gone = replace(forwarding(), exists=False)
    assert ended(binding=gone, what=first).result == "needs-human" and "is gone" in ended(binding=gone).sentence


# promotion


def promoted(*journal: ev.Event, what: Any = None, **world: Any) -> Any:
    decision = deploy.promote(case(what or goal(), seen(ON_NEW, owner=OWNER, **world), *(journal or SHIFTED)))
    assert isinstance(decision, Act)
    (step,) = decision.steps
    assert isinstance(step, Write) and step.promote == NEW
    return step.record


def test_the_new_fleet_is_live_the_old_one_stands_by_and_the_older_one_is_done_with() -> None:
    record = promoted()
    assert (record.live, record.standby) == (replace(NEW, once_live=True), replace(LIVE, once_live=True))
    assert record.doomed == (replace(STANDBY, once_live=True),) and record.bindings == (RULE,)
    assert (record.live_since, record.live_by) == (NOW, str(OWNER)) and record.rolled_back is None


def test_once_promoted_it_is_not_promoted_again() -> None:
    assert deploy.promote(case(goal(), seen(ON_NEW, live=NEW), *SHIFTED)) is None


def test_the_first_fleet_has_no_standby() -> None:
    mark = RolledBack("r5", "x", 1.0)
    record = promoted(what=goal(live=None, standby=None), live=None, standby=None, rolled_back=mark)
    assert record.standby is None and record.doomed == () and record.rolled_back is None
    assert record.live is not None and not record.live.rollback_unsafe


def test_who_promoted_is_not_known_when_nobody_holds_the_stack() -> None:
    decision = deploy.promote(case(goal(), seen(ON_NEW), *SHIFTED))
    assert isinstance(decision, Act) and isinstance(decision.steps[0], Write)
    assert decision.steps[0].record.live_by == ""


def test_what_is_doomed_already_is_not_doomed_twice() -> None:
    doomed = replace(STANDBY, once_live=True)
    assert promoted(doomed=(doomed,)).doomed == (doomed,)


@pytest.mark.parametrize(
    ("live", "standby", "mark", "kept"),
    [
        (4, 4, None, "shop-6"),
        (3, 4, None, "shop-5"),
        (3, 3, None, "shop-6"),
        (2, 3, None, "shop-5"),
        (0, 0, None, "shop-6"),
        (0, 1, None, "shop-5"),
        (4, 4, "r6", "shop-5"),
        (4, 3, "r6", "shop-6"),
        (4, 0, "r6", "shop-6"),
        (4, 4, "r5", "shop-6"),
        (3, 4, "r5", "shop-5"),
        (3, 3, "r6", "shop-5"),
        (2, 3, "r5", "shop-5"),
    ],
    ids=[
        "both could take it: the newer one",
        "only the older one could take it",
        "neither could, and they have as many",
        "neither could: the one that has more",
        "both are dead",
        "one is dead",
        "the newer one was rolled back",
        "the newer one was rolled back and the older one is not whole",
        "the newer one was rolled back and the older one is dead",
        "the older one was rolled back",
        "the older one was rolled back and the newer one is not whole",
        "neither could, they have as many, and the newer one was rolled back",
        "neither could, and the one that has more was rolled back",
    ],
)
def test_the_standby_is_the_fleet_that_a_rollback_could_go_to(live: int, standby: int, mark: Any, kept: str) -> None:
    groups = {
        "tg-live": group("tg-live", healthy=live, unhealthy=4 - live),
        "tg-standby": group("tg-standby", healthy=standby, unhealthy=4 - standby),
    }
    back = RolledBack(mark, "x", 1.0) if mark else None
    record = promoted(groups=groups, rolled_back=back)
    assert record.standby is not None and record.standby.deployment == kept
    assert [fleet.deployment for fleet in record.doomed] == [{"shop-6": "shop-5", "shop-5": "shop-6"}[kept]]
    assert (record.rolled_back is not None) is (record.standby.release == mark), "the mark is kept with its fleet only"


@pytest.mark.parametrize(
    ("new_unsafe", "skipped_unsafe", "unsafe"), [(False, True, True), (True, False, True), (False, False, False)]
)
def test_a_promise_that_going_back_is_unsafe_is_not_lost_with_the_fleet_that_made_it(
    new_unsafe: bool, skipped_unsafe: bool, unsafe: bool
) -> None:
    fleet = replace(NEW, groups=(), rollback_unsafe=new_unsafe)
    what = goal(fleet=fleet, live=replace(LIVE, rollback_unsafe=skipped_unsafe))
    decision = deploy.promote(case(what, seen(ON_NEW, groups={"tg-live": group("tg-live", unhealthy=4)}), *SHIFTED))
    assert isinstance(decision, Act)
    (step,) = decision.steps
    assert isinstance(step, Write) and step.record.live is not None and step.record.live.rollback_unsafe is unsafe


def test_an_older_fleet_that_is_done_with_takes_its_word_with_it() -> None:
    record = promoted(what=goal(standby=replace(STANDBY, rollback_unsafe=True)))
    assert record.live is not None and not record.live.rollback_unsafe


# the end


def test_deployed_is_all_weight_and_all_healthy() -> None:
    stands: Any = {"live": NEW, "standby": LIVE}
    decision = does(deploy.deployed, *SHIFTED, now=seen(ON_NEW, **stands))
    assert isinstance(decision, Finish) and decision.outcome.result == "deployed"
    assert decision.outcome.sentence == f"{NEW.label} is live: 4/4 healthy; {LIVE.label} stands by."
    assert decision.outcome.next == "bluegreen rollback shop"
    assert does(deploy.deployed, *SHIFTED, now=seen(ATTACHED, **stands)) is None
    three = {"tg-new": group("tg-new", healthy=3, unhealthy=1)}
    assert does(deploy.deployed, *SHIFTED, now=seen(ON_NEW, groups=three, **stands)) is None


@pytest.mark.parametrize(
    ("since", "journal"),
    [(990.0 + 60, SHIFTED), (1100.0, (*SHIFTED, ev.Promoted(1100.0))), (990.0 + 60, (*SHIFTED, ev.Promoted(1000.0)))],
    ids=["from the end of the bake", "from the promotion", "from the later of both"],
)
def test_a_promoted_fleet_that_is_ill_has_two_minutes_to_recover(since: float, journal: Any) -> None:
    for at, waits in ((since + VISIBILITY_S - 0.1, True), (since + VISIBILITY_S, False)):
        groups = {"tg-new": group("tg-new", healthy=3, unhealthy=1)}
        now = seen(ON_NEW, at=at, groups=groups, live=NEW, standby=LIVE)
        decision = does(deploy.stuck, *journal, what=goal(bake_s=60), now=now)
        assert isinstance(decision, Wait) is waits
        if waits:
            assert decision.until == since + VISIBILITY_S and decision.why == "3/4 healthy"
        else:
            assert decision.over and decision.outcome.result == "needs-human"
            assert "only 3 of 4" in decision.outcome.sentence
            assert decision.outcome.next == "bluegreen heal shop, or bluegreen rollback shop"


def test_a_stuck_fleet_without_a_way_back_is_to_be_healed() -> None:
    groups = {"tg-new": group("tg-new", healthy=3), "tg-live": group("tg-live", unhealthy=4)}
    now = seen(ON_NEW, at=9000.0, groups=groups, live=NEW, standby=LIVE)
    decision = does(deploy.stuck, *SHIFTED, now=now)
    assert decision.outcome.next == "bluegreen heal shop"
    assert not does(deploy.stuck, *SHIFTED, now=seen(ON_NEW, at=9000.0)).over, "it is not promoted"
