"""The fold of a journal: what it keeps beside the events is what the events tell, however they come."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.core import event as ev
from bluegreen.core.progress import Attempt, Progress, after, fold, phase
from bluegreen.core.times import LATE_S
from tests.core.decide.words import NEW, asked, gave_weight, goal, refused

TIMES = st.floats(0, 100)
TOKENS = st.sampled_from(["one", "two", "three"])
EVENTS = st.lists(
    st.one_of(
        st.builds(ev.GroupMade, TIMES, st.integers(0, 3), st.sampled_from(["tg-a", "tg-b", "tg-c"])),
        st.builds(ev.Launching, TIMES, st.just("subnet"), st.just(0), st.integers(1, 2), st.just("m7i.large"), TOKENS),
        st.builds(ev.Launched, TIMES, TOKENS, st.sampled_from([("i-1",), ("i-2", "i-3"), ()])),
        st.builds(ev.LaunchRefused, TIMES, TOKENS, st.just("code"), st.just("no room"), st.booleans()),
        st.builds(ev.Unanswered, TIMES, TOKENS),
        st.builds(ev.Shifting, TIMES, st.just("rule"), st.just((("tg-a", 100), ("tg-b", 0)))),
        st.builds(ev.Healthy, TIMES),
        st.builds(ev.Failed, TIMES, st.text(max_size=3)),
    ),
    max_size=12,
)


@given(EVENTS)
def test_what_is_kept_ready_is_what_the_rest_tells(events: list[ev.Event]) -> None:
    done = fold(events)
    assert done.events == tuple(events)
    assert done.made == tuple(arn for _, arn in sorted(done.groups.items()))
    assert done.launched == tuple(i for attempt in done.attempts.values() for i in attempt.instances or ())
    for kind in ev.KINDS.values():
        assert done.last(kind) == next((e for e in reversed(events) if isinstance(e, kind)), None)


@given(EVENTS, EVENTS)
def test_one_more_event_changes_nothing_of_the_progress_before(events: list[ev.Event], more: list[ev.Event]) -> None:
    done = fold(events)
    for event in more:
        after(done, event)
    assert done == fold(events)


# what each line of the journal tells

ASKED = asked(at=100.0)


def attempt(*journal: ev.Event) -> Attempt:
    (found,) = fold((ASKED, *journal)).attempts.values()
    return found


def test_a_launch_is_unresolved_until_it_is_answered() -> None:
    assert attempt() == Attempt("subnet-a", 0, 1, "m7i.large", "t-a", 100.0)
    assert fold((ASKED,)).unresolved == (attempt(),)
    assert fold((ASKED, ev.Launched(101.0, "t-a", ("i-1",)))).unresolved == ()
    assert fold((ASKED, ev.Launched(101.0, "t-a", ()))).unresolved == ()
    assert fold((ASKED, refused())).unresolved == ()


def test_a_launch_that_is_asked_for_again_is_the_same_one() -> None:
    journal = (ASKED, ev.Unanswered(101.0, "t-a"), asked(at=102.0))
    assert attempt(*journal[1:]).at == 101.0 and attempt(*journal[1:]).unsure


@pytest.mark.parametrize(("refused_at", "unsure"), [(150.0 + LATE_S - 0.1, True), (150.0 + LATE_S, False)])
def test_a_refusal_soon_after_a_lost_call_does_not_say_that_nothing_was_launched(
    refused_at: float, unsure: bool
) -> None:
    found = attempt(ev.Unanswered(150.0, "t-a"), refused(at=refused_at))
    assert found.unsure is unsure and found.may_have_run is unsure and found.refused is not None


def test_a_refusal_of_a_call_that_was_answered_means_what_it_says() -> None:
    assert not attempt(refused(at=101.0)).may_have_run


def test_answers_to_calls_that_the_journal_does_not_have_change_nothing() -> None:
    done = fold((ev.Launched(1.0, "t-x", ("i-1",)), refused(token="t-x"), ev.Unanswered(2.0, "t-x")))
    assert done.attempts == {} and done.launched == ()


def test_a_lost_write_to_a_binding_may_take_effect_for_a_while_and_the_last_one_counts() -> None:
    assert fold(()).late_until(10) == 0
    assert fold((ASKED, ev.Unanswered(900.0, "t-a"))).late_until(10) == 0, "that was a launch"
    assert fold((ev.Unanswered(120.0, "rule-1"), ev.Unanswered(110.0, "rule-2"))).late_until(10) == 130.0


def test_the_launches_of_a_batch_are_those_of_its_subnet_and_number() -> None:
    other = ev.Launching(1.0, "subnet-a", 1, 1, "m7i.large", "t-b")
    done = fold((ASKED, other, asked("subnet-b", "t-c"), asked(token="t-d", number=2)))
    assert [a.token for a in done.tries("subnet-a", 0)] == ["t-a", "t-d"]
    assert [a.token for a in done.tries("subnet-a", 1)] == ["t-b"]


def test_weight_counts_from_the_last_time_that_it_was_given() -> None:
    assert fold(()).gave_weight("tg-new") is None
    done = fold((*gave_weight(100.0), *gave_weight(120.0)))
    assert done.gave_weight("tg-new") == 120.0 and done.gave_weight("tg-live") is None, "weight 0 is none"
    assert fold((*gave_weight(120.0), ev.Shifted(100.0, "rule-1", (("tg-new", 100),)))).gave_weight("tg-new") == 120.0


def test_health_flaps_and_the_last_time_it_was_whole() -> None:
    done = fold((ev.Healthy(1.0), ev.Flapped(2.0, ("i-1",)), ev.Healthy(3.0), ev.Flapped(4.0, ("i-1",))))
    assert (done.flaps, done.healthy_at) == (2, None)
    assert after(done, ev.Healthy(5.0)).healthy_at == 5.0


def test_the_first_failure_is_the_reason_and_the_first_drain_the_beginning() -> None:
    one, two = ev.Failed(1.0, "first"), ev.Failed(2.0, "second")
    assert fold((one, two)).failed is one
    assert fold((ev.Draining(1.0, "shop-6"), ev.Draining(2.0, "shop-6"))).draining_at == {"shop-6": 1.0}


def test_a_fleet_is_named_by_the_groups_that_were_made() -> None:
    assert fold(()).named(NEW) == NEW
    made = fold((ev.GroupMade(1.0, 1, "tg-b"), ev.GroupMade(2.0, 0, "tg-a")))
    assert made.named(NEW).groups == ("tg-a", "tg-b")


def test_a_run_began_with_its_first_line() -> None:
    assert Progress().started_at == 0.0
    assert fold((ev.Interrupted(5.0), ev.Interrupted(7.0))).started_at == 5.0
    assert fold((ev.Interrupted(5.0), ev.Healthy(6.0), ev.Interrupted(7.0))).first(ev.Interrupted) == ev.Interrupted(
        5.0
    )


BOOT = [ASKED, ev.Registered(2.0, "tg-new", ("i-1",)), ev.Healthy(3.0), *gave_weight(4.0), ev.Promoted(5.0)]


@pytest.mark.parametrize(
    ("journal", "kind", "told"),
    [
        ([], "deploy", "preparing"),
        (BOOT[:1], "deploy", "launching"),
        (BOOT[:2], "deploy", "waiting for health"),
        (BOOT[:3], "deploy", "switching"),
        (BOOT[:4], "deploy", "switching"),
        (BOOT[:5], "deploy", "baking"),
        (BOOT, "deploy", "retiring"),
        ([*BOOT, ev.Failed(6.0, "x")], "deploy", "undoing"),
        (BOOT[:3], "heal", "taking out the dead"),
        ([], "heal", "preparing"),
        (BOOT, "gc", "ending what was left behind"),
        ([], "rollback", "switching back"),
        (BOOT[3:4], "rollback", "switching back"),
        (BOOT[3:5], "rollback", "ending"),
        (BOOT[3:5], "abort", "ending"),
    ],
)
def test_where_a_run_is(journal: list[ev.Event], kind: str, told: str) -> None:
    assert phase(fold(journal), kind) == told


@pytest.mark.parametrize(
    ("kind", "undoable"), [("deploy", True), ("heal", True), ("rollback", False), ("abort", False), ("gc", False)]
)
def test_a_deploy_and_a_heal_are_undone_when_they_fail(kind: Any, undoable: bool) -> None:
    assert goal(kind).undoable is undoable
