"""The loop on a table: how many errors it bears, what it says when it stops, and what it lets go of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from bluegreen.controller import run as running
from bluegreen.controller.run import Run
from bluegreen.core import event as ev
from bluegreen.core.decision import Act, Fail, Finish, Note, Wait
from bluegreen.core.observation import ALL_PARTS
from bluegreen.core.outcome import Outcome
from bluegreen.core.record import Record
from bluegreen.core.step import Deregister, SetWeights, Write
from bluegreen.errors import (
    BluegreenError,
    CloudError,
    Forbidden,
    Interrupted,
    NeedsHuman,
    NotFound,
    Refused,
    Superseded,
    Throttled,
)
from tests.controller.table import Table
from tests.core.decide.words import BOOTED, LIVE, MADE, NOW, RULE, STANDBY, SWITCHED, gave_weight, goal

DEPLOY = goal()
ROLLBACK = goal("rollback", deployment="shop-7", fleet=STANDBY)
HEAL = goal("heal", fleet=LIVE)
GC = goal("gc", fleet=None)
LEDGER = Throttled("slow down", action="dynamodb:GetItem")
BALANCER = Throttled("slow down", action="elasticloadbalancing:DescribeRules")
NO_TABLE = NotFound("there is no table", action="dynamodb:GetItem")
NO_GROUP = NotFound("there is no group", action="elasticloadbalancing:DescribeTargetHealth")
DONE = Finish(Outcome("deployed", "done"))
SHIFT = SetWeights(RULE, SWITCHED, "switch", shift=True, minimum=4)


def table(what: Any, *journal: ev.Event) -> Table:
    return Table(Record("shop", 7, goal=what, live=LIVE, standby=STANDBY, bindings=(RULE,)), shop_7=journal)


def follow(on: Table, what: Any, monkeypatch: pytest.MonkeyPatch, *decisions: Any) -> Any:
    """The run's end when `decide` answers these, one after another; the last one again and again. An Outcome or an error."""
    left = list(decisions or (DONE,))

    def decide(*_: Any) -> Any:
        return left.pop(0) if len(left) > 1 else left[0]

    monkeypatch.setattr(running, "decide", decide)
    try:
        return Run(on.world, on.hold, what).follow()
    except BluegreenError as error:
        return error


# setbacks


@pytest.mark.parametrize(
    ("what", "error", "borne", "next_"),
    [
        (DEPLOY, LEDGER, 30, "bluegreen resume shop"),
        (DEPLOY, BALANCER, 30, "bluegreen resume shop"),
        (ROLLBACK, LEDGER, 4, "bluegreen resume shop"),
        (ROLLBACK, BALANCER, 30, "bluegreen resume shop"),
        (ROLLBACK, NO_TABLE, 4, "bluegreen recover shop"),
        (DEPLOY, NO_TABLE, 4, "bluegreen recover shop"),
        (GC, NO_TABLE, 4, "bluegreen recover shop"),
        (DEPLOY, NO_GROUP, 30, "bluegreen resume shop"),
        (HEAL, LEDGER, 30, "bluegreen resume shop"),
    ],
    ids=[
        "a deploy bears thirty of the ledger's",
        "and of the balancer's",
        "a rollback bears four of the ledger's, then it goes on without it",
        "and thirty of the balancer's",
        "a table that is gone is gone for a rollback",
        "for a deploy",
        "and for gc",
        "a group that is gone may be there at the next look",
        "a heal bears thirty",
    ],
)
def test_how_many_errors_in_a_row_are_borne(
    what: Any, error: CloudError, borne: int, next_: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    on = table(what)
    on.hold.errors = [error] * 99
    end = follow(on, what, monkeypatch)
    assert isinstance(end, NeedsHuman) and next_ in end.next
    assert len(on.notes.notes) == borne and 99 - len(on.hold.errors) == borne + 1
    assert on.hold.left == [(True, None)], "it can be gone on with"
    just = table(what)
    just.hold.errors = [error] * borne
    assert isinstance(follow(just, what, monkeypatch), Outcome), "one less is borne"


def test_errors_of_the_ledger_and_others_are_counted_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    on = table(ROLLBACK)
    on.hold.errors = [*[LEDGER] * 4, *[BALANCER] * 20]
    assert isinstance(follow(on, ROLLBACK, monkeypatch), Outcome)


def test_what_was_done_in_between_begins_the_count_anew_and_a_look_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    on = table(ROLLBACK)
    on.hold.errors = [LEDGER] * 4
    more = iter([[LEDGER] * 4, []])
    on.clock.on_sleep = lambda: None

    def note(*_: Any) -> None:
        on.hold.errors = next(more)

    on.notes.wait = note  # type: ignore[assignment, method-assign]
    wait = Wait(NOW + 900, "baking", frozenset({"record"}))
    assert isinstance(follow(on, ROLLBACK, monkeypatch, wait, DONE), Outcome), "four, something done, four"


def test_the_pauses_grow_and_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    on = table(DEPLOY)
    on.hold.errors = [BALANCER] * 9
    follow(on, DEPLOY, monkeypatch)
    assert on.clock.slept == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 5.0, 5.0, 5.0]


def test_a_run_that_turns_in_a_circle_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "MAX_TURNS", 50)
    on = table(DEPLOY)
    end = follow(on, DEPLOY, monkeypatch, Wait(NOW + 9e9, "x", frozenset()))
    assert isinstance(end, NeedsHuman) and "no progress in 50 turns" in end.what and len(on.clock.slept) == 50


# the end


def test_an_end_counts_only_after_a_whole_look(monkeypatch: pytest.MonkeyPatch) -> None:
    on = table(DEPLOY)
    looked: list[frozenset[Any]] = []
    real = running.observe
    monkeypatch.setattr(running, "observe", lambda *a: (looked.append(frozenset(a[4])), real(*a))[1])
    wait = Wait(NOW + 5, "x", frozenset({"record"}))
    assert isinstance(follow(on, DEPLOY, monkeypatch, wait, DONE), Outcome)
    assert looked == [ALL_PARTS, {"record"}, ALL_PARTS]


@pytest.mark.parametrize(
    ("decision", "keeps"),
    [
        (DONE, False),
        (Finish(Outcome("needs-human", "x")), True),
        (Finish(Outcome("needs-human", "x"), over=True), False),
        (Finish(Outcome("undone", "x")), False),
        (Finish(Outcome("refused", "x"), again=DEPLOY), False),
    ],
)
def test_what_needs_a_human_stays_in_force_unless_it_is_over(
    decision: Finish, keeps: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    on = table(GC)
    assert follow(on, GC, monkeypatch, decision) == decision.outcome
    assert on.hold.left == [(keeps, decision.again)]
    assert on.ledger.journals["shop-7"][-1] == ev.Finished(NOW, decision.outcome.result, decision.outcome.sentence)


def test_a_run_that_was_taken_over_writes_and_lets_go_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    on = table(DEPLOY)
    end = follow(on, DEPLOY, monkeypatch, Finish(Outcome("superseded", "x")))
    assert end.result == "superseded" and on.hold.left == [] and on.ledger.journals["shop-7"] == []
    on = table(DEPLOY)
    on.hold.errors = [Superseded("taken", next="bluegreen status shop")]
    end = follow(on, DEPLOY, monkeypatch)
    assert (end.result, end.sentence, end.next) == (
        "superseded",
        "taken",
        "bluegreen status shop",
    ) and on.hold.left == []


def test_a_stack_that_cannot_be_let_go_is_said_and_the_outcome_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    on = table(DEPLOY)
    on.hold.letting_go = CloudError("no", action="dynamodb:PutItem")
    on.ledger.errors = [CloudError("no", action="dynamodb:PutItem")] * 2
    assert follow(on, DEPLOY, monkeypatch) == DONE.outcome
    assert len(on.notes.notes) == 2


# AWS says no


@pytest.mark.parametrize(
    ("what", "journal", "acted", "result"),
    [
        (DEPLOY, (), False, Refused),
        (DEPLOY, (ev.Interrupted(1.0),), False, Refused),
        (DEPLOY, (ev.Interrupted(1.0), ev.Interrupted(2.0)), False, NeedsHuman),
        (DEPLOY, (), True, NeedsHuman),
        (HEAL, (), False, Refused),
        (ROLLBACK, (), False, NeedsHuman),
    ],
    ids=[
        "nothing begun",
        "only its first line",
        "more than that",
        "a step was taken",
        "a heal",
        "a rollback has always begun",
    ],
)
def test_a_refusal_before_anything_was_begun_leaves_nothing_behind(
    what: Any, journal: Iterable[ev.Event], acted: bool, result: type[BluegreenError], monkeypatch: pytest.MonkeyPatch
) -> None:
    on = table(what, *journal)
    refusal = Refused("AWS says no", next="ask for the right")
    on.hold.errors = [refusal] if not acted else []
    if acted:
        on.balancer.errors = [refusal]
    step = SetWeights(RULE, (("tg-live", 100), ("tg-standby", 0)), "x")
    end = follow(on, what, monkeypatch, *([Act((step,))] if acted else []))
    assert type(end) is result
    assert on.hold.left == [(result is NeedsHuman, None)]
    if result is NeedsHuman:
        ways = {"deploy": "or bluegreen rollback shop", "rollback": "bluegreen resume shop"}
        assert end.next.startswith("ask for the right; then bluegreen resume shop") and ways[what.kind] in end.next


def test_a_refusal_that_keeps_the_stack_locked_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    on = table(DEPLOY)
    on.hold.errors, on.hold.letting_go = [Refused("no")], CloudError("no")
    end = follow(on, DEPLOY, monkeypatch)
    assert isinstance(end, NeedsHuman) and end.next == "bluegreen resume shop, or bluegreen rollback shop"


def test_a_step_that_aws_refuses_is_undone_once_and_then_needs_a_human(monkeypatch: pytest.MonkeyPatch) -> None:
    keep = SetWeights(RULE, (("tg-live", 100), ("tg-standby", 0)), "x")
    on = table(DEPLOY)
    on.balancer.errors = [CloudError("AccessDenied")]
    follow(on, DEPLOY, monkeypatch, Act((keep,)), DONE)
    assert [type(e).__name__ for e in on.ledger.journals["shop-7"]] == ["Shifting", "Failed", "Finished"]
    for what, journal in ((DEPLOY, [ev.Failed(1.0, "x")]), (ROLLBACK, [])):
        on = table(what, *journal)
        on.balancer.errors = [CloudError("AccessDenied")]
        assert isinstance(follow(on, what, monkeypatch, Act((keep,)), DONE), NeedsHuman)


# the guard

OUT = Deregister("tg-live", ("live-1",), "take it out")


@pytest.mark.parametrize(
    ("what", "journal", "keeps"),
    [
        (DEPLOY, (ev.Failed(1.0, "x"),), True),
        (ROLLBACK, (), False),
        (ROLLBACK, gave_weight(), True),
        (ROLLBACK, (*gave_weight(), ev.Promoted(2.0)), False),
        (goal("abort"), gave_weight(), True),
        (GC, gave_weight(), False),
        (HEAL, (ev.Failed(1.0, "x"),), False),
    ],
    ids=[
        "a deploy that is undone",
        "a rollback that moved nothing",
        "one that has begun to move traffic",
        "one whose record is written",
        "an abort that has begun",
        "gc",
        "a heal",
    ],
)
def test_what_the_guard_stops_locks_the_stack_only_when_it_has_to_be_finished(
    what: Any, journal: Any, keeps: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    on = table(what, *journal)
    end = follow(on, what, monkeypatch, Act((OUT,)))
    assert isinstance(end, Forbidden) and "refusing to take it out" in end.what and on.balancer.steps == []
    assert on.hold.left == [(keeps, None)]


def test_a_deploy_that_the_guard_stops_is_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    on = table(DEPLOY)
    follow(on, DEPLOY, monkeypatch, Act((OUT,)), DONE)
    failed = next(e for e in on.ledger.journals["shop-7"] if isinstance(e, ev.Failed))
    assert "refusing to take it out: tg-live has weight 100" in failed.reason and on.balancer.steps == []


def test_steps_before_the_one_that_is_forbidden_are_done_and_none_after(monkeypatch: pytest.MonkeyPatch) -> None:
    on = table(ROLLBACK)
    fine = Write(replace(on.hold.record, live_by="x"), "write")
    follow(on, ROLLBACK, monkeypatch, Act((fine, OUT, fine)))
    assert len(on.hold.written) == 1


def test_a_failure_is_written_before_anything_is_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    on = table(DEPLOY)
    follow(on, DEPLOY, monkeypatch, Fail("it cannot"), Note(ev.Healthy(NOW)), DONE)
    assert [type(e).__name__ for e in on.ledger.journals["shop-7"]] == ["Failed", "Healthy", "Finished"]


# waiting


@pytest.mark.parametrize(("until", "slept"), [(NOW + 900, 1.0), (NOW + 0.5, 0.5), (NOW + 0.01, 0.05), (NOW - 5, 0.05)])
def test_a_wait_is_a_second_or_what_is_left_of_it(until: float, slept: float, monkeypatch: pytest.MonkeyPatch) -> None:
    on = table(DEPLOY)
    follow(on, DEPLOY, monkeypatch, Wait(until, "x", frozenset({"record"})), DONE)
    assert on.clock.slept == [pytest.approx(slept)]


# interrupted


@pytest.mark.parametrize(
    ("what", "journal", "words", "next_"),
    [
        (DEPLOY, MADE, f"traffic was not moved: {LIVE.label} serves as before", "bluegreen abort shop to go back"),
        (
            DEPLOY,
            (*BOOTED, *gave_weight()),
            "the new fleet may have the traffic already",
            "bluegreen rollback shop to go back",
        ),
        (replace(DEPLOY, live=None), (), "nothing was live before", "bluegreen abort shop to go back"),
        (HEAL, (), "shop-7 was interrupted", "bluegreen abort shop to undo it"),
        (ROLLBACK, (), "shop-7 was interrupted", "bluegreen resume shop"),
    ],
    ids=["before the switch", "after it", "a first deployment", "a heal", "a rollback"],
)
def test_an_interrupted_run_says_where_it_stands_and_can_be_gone_on_with(
    what: Any, journal: Any, words: str, next_: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    on = table(what, *journal)
    on.hold.errors = [Interrupted("x")]  # type: ignore[list-item]
    end = follow(on, what, monkeypatch)
    assert isinstance(end, Interrupted) and words in end.what and next_ in end.next and "resume shop" in end.next
    assert ("abort" in end.next) is ("abort" in next_)
    assert on.hold.left == [(True, None)] and isinstance(on.ledger.journals["shop-7"][-1], ev.Interrupted)
