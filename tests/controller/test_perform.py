"""Performing one step on a table: what is written before it, what after it, and how fresh the proof of the hold is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bluegreen.controller.journal import TRIES, Journal
from bluegreen.controller.perform import MEND_TRIES, Performer
from bluegreen.core import event as ev
from bluegreen.core.record import Record
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
from bluegreen.core.times import PAUSED_S
from bluegreen.errors import (
    BluegreenError,
    CloudError,
    LineTaken,
    NoCapacity,
    OutcomeUnknown,
    Refused,
    Superseded,
    Throttled,
    Unreadable,
)
from tests.controller.table import Table
from tests.core.decide.words import LIVE, NEW, NOW, RULE, STANDBY, SWITCHED, asked, goal, spec

SHIFT = SetWeights(RULE, SWITCHED, "switch", shift=True, minimum=4)
ATTACH = SetWeights(RULE, SWITCHED, "attach")
BACK = PutBack(RULE, "[]", "put back")
LAUNCH = Launch("subnet-a", 0, 1, "m7i.large", 2, "t-a", (), "launch")
MAKE = MakeGroup(spec(), 1, (), "make")
REGISTER = Register("tg-new", 80, ("new-1",), "register")
MARK = Mark("shop-7", ("tg-new",), (), "tag")
END = Terminate("shop-5", ("standby-1",), "end")
DOOMED = replace(STANDBY, deployment="shop-3")
RECORD = Record("shop", 7, live=LIVE, standby=STANDBY, bindings=(RULE,), doomed=(DOOMED,))


class Stage:
    def __init__(self, kind: str = "deploy", *journal: ev.Event, user_data: bytes | None = b"data") -> None:
        self.goal = goal(kind)
        self.on = Table(RECORD, shop_7=journal)
        self.journal = Journal(self.on.world.records, self.on.notes, "shop-7", self.on.hold)
        self.performer = Performer(self.on.world, self.on.hold, self.journal, self.goal, user_data)

    def perform(self, step: Any) -> Any:
        """The parts that changed, or the error."""
        try:
            return set(self.performer.perform(step))
        except BluegreenError as error:
            return error

    @property
    def lines(self) -> list[str]:
        return [type(event).__name__ for event in self.on.ledger.journals.get("shop-7", [])]


# what changes, and what is written


@pytest.mark.parametrize(
    ("step", "changed", "lines"),
    [
        (MAKE, {"health"}, ["GroupMade"]),
        (SHIFT, {"traffic", "health"}, ["Shifting", "Shifted"]),
        (ATTACH, {"traffic", "health"}, ["Shifting"]),
        (BACK, {"traffic", "health"}, []),
        (LAUNCH, {"instances"}, ["Launching", "Launched"]),
        (REGISTER, {"health"}, ["Registered"]),
        (Deregister("tg-x", ("i",), ""), {"health"}, []),
        (DeleteGroup("tg-x", ""), {"health"}, []),
        (END, {"instances", "health"}, []),
        (MARK, set(), ["Marked"]),
        (Write(RECORD, ""), {"record", "health"}, []),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "why") else "",
)
def test_each_step_tells_what_it_changed_and_writes_its_lines(step: Any, changed: set[str], lines: list[str]) -> None:
    stage = Stage()
    assert not stage.performer.acted
    assert stage.perform(step) == changed and stage.lines == lines and stage.performer.acted


def test_a_promotion_and_what_was_retired_are_written_down() -> None:
    stage = Stage()
    stage.perform(Write(replace(RECORD, doomed=()), "", promote=NEW))
    assert stage.on.ledger.journals["shop-7"] == [ev.Promoted(NOW), ev.Retired(NOW, "shop-3")]
    more = Stage()
    more.perform(Write(replace(RECORD, doomed=(DOOMED, STANDBY)), ""))
    assert more.lines == []


def test_a_group_is_known_by_the_binding_that_it_was_made_for() -> None:
    stage = Stage()
    stage.perform(MAKE)
    assert stage.journal.progress.groups == {1: "tg-made"}


# the hold


@pytest.mark.parametrize(
    ("kind", "step", "fences"),
    [
        ("deploy", SHIFT, [0.0]),
        ("deploy", ATTACH, [0.0]),
        ("deploy", BACK, [0.0]),
        ("rollback", SHIFT, [None]),
        ("abort", BACK, [None]),
        ("deploy", REGISTER, [None]),
        ("deploy", MAKE, [None]),
        ("deploy", MARK, [None]),
        ("deploy", END, [None]),
        ("deploy", LAUNCH, [None]),
        ("rollback", Write(RECORD, ""), []),
        ("deploy", Write(RECORD, ""), []),
    ],
)
def test_a_deploy_proves_its_hold_anew_right_before_it_moves_weights(kind: str, step: Any, fences: list[Any]) -> None:
    stage = Stage(kind)
    stage.perform(step)
    assert stage.on.hold.fences == fences


@pytest.mark.parametrize("step", [SHIFT, BACK, REGISTER, MAKE, MARK, END, LAUNCH])
def test_nothing_goes_out_when_the_stack_was_taken_over(step: Any) -> None:
    stage = Stage()
    stage.on.hold.errors = [Superseded("taken")]
    assert isinstance(stage.perform(step), Superseded)
    assert (stage.on.balancer.steps, stage.on.machines.launched, stage.on.machines.ended) == ([], [], [])


# launches


@pytest.mark.parametrize(
    ("error", "line", "raised"),
    [
        (
            NoCapacity("full", code="InsufficientInstanceCapacity"),
            ev.LaunchRefused(NOW, "t-a", "InsufficientInstanceCapacity", "full", True),
            None,
        ),
        (
            CloudError("no", code="UnauthorizedOperation"),
            ev.LaunchRefused(NOW, "t-a", "UnauthorizedOperation", "no", False),
            None,
        ),
        (OutcomeUnknown("lost"), ev.Unanswered(NOW, "t-a"), OutcomeUnknown),
        (Throttled("slow"), None, Throttled),
    ],
    ids=["no capacity", "refused", "no answer", "throttled"],
)
def test_a_launch_that_does_not_work_out_is_written_down_as_what_it_is(error: Any, line: Any, raised: Any) -> None:
    stage = Stage()
    stage.on.machines.errors = [error]
    found = stage.perform(LAUNCH)
    assert isinstance(found, raised) if raised else found == {"instances"}
    events = stage.on.ledger.journals["shop-7"]
    assert isinstance(events[0], ev.Launching) and events[1:] == ([line] if line else [])


def test_a_token_that_is_written_down_is_not_written_down_again() -> None:
    stage = Stage("deploy", asked())
    stage.perform(LAUNCH)
    assert stage.lines == ["Launching", "Launched"]
    assert stage.on.machines.launched == [(LAUNCH, b"data")]


def test_without_its_user_data_nothing_is_launched() -> None:
    assert isinstance(Stage(user_data=None).perform(LAUNCH), Refused)
    stage = Stage()
    stage.performer.goal = replace(stage.goal, launch=None)
    assert isinstance(stage.perform(LAUNCH), Refused) and stage.on.machines.launched == [] and stage.lines == []


# calls without an answer


@pytest.mark.parametrize(("step", "of"), [(SHIFT, "rule-1"), (BACK, "rule-1"), (MAKE, "shop-green-7")])
def test_a_call_without_an_answer_is_written_down_and_decided_anew(step: Any, of: str) -> None:
    stage = Stage()
    stage.on.balancer.errors = [OutcomeUnknown("lost")]
    assert isinstance(stage.perform(step), OutcomeUnknown)
    assert stage.on.ledger.journals["shop-7"][-1] == ev.Unanswered(NOW, of)


def test_a_tag_that_is_refused_is_said_and_the_run_goes_on() -> None:
    stage = Stage()
    stage.on.balancer.errors = [CloudError("AccessDenied")]
    assert stage.perform(MARK) == set() and len(stage.on.notes.notes) == 1
    assert stage.on.ledger.journals["shop-7"] == [ev.Marked(NOW, "shop-7", "AccessDenied")]
    stage.on.balancer.errors = [Throttled("slow")]
    assert isinstance(stage.perform(MARK), Throttled) and stage.lines == ["Marked"]


# a machine that stood still while its write was under way


@pytest.mark.parametrize(("age", "looks"), [(PAUSED_S, False), (PAUSED_S + 0.1, True)])
@pytest.mark.parametrize("lost", [False, True])
def test_a_write_that_was_held_up_makes_us_look_for_a_successor(age: float, looks: bool, lost: bool) -> None:
    stage = Stage("rollback")
    stage.on.hold.age_s = age
    stage.on.balancer.errors = [OutcomeUnknown("lost")] if lost else []
    stage.perform(SHIFT)
    assert stage.on.hold.fences == [None, 0.0] if looks else stage.on.hold.fences == [None]
    assert len(stage.on.balancer.steps) == 1, "the stack is still ours: nothing is put right"


def late(*errors: Exception, theirs: Any = None) -> Stage:
    stage = Stage("rollback")
    stage.on.hold.age_s = PAUSED_S + 1
    real = stage.on.hold.fence

    def fence(fresh_s: float | None = None) -> None:
        if fresh_s is not None and not stage.on.hold.errors and not getattr(stage, "armed", False):
            stage.armed = True  # type: ignore[attr-defined]
            stage.on.hold.errors = list(errors)
        real(fresh_s)

    stage.on.hold.fence = fence
    stage.on.ledger.record = replace(RECORD, epoch=8, goal=theirs)
    return stage


def test_a_successor_gets_back_what_our_late_write_took() -> None:
    stage = late(Superseded("taken"), theirs=goal("rollback", fleet=STANDBY))
    assert isinstance(stage.perform(SHIFT), Superseded)
    ours, mended = stage.on.balancer.steps
    assert ours == SHIFT and dict(mended.weights)["tg-standby"] == 100


def test_a_successor_that_sees_to_its_weights_itself_gets_nothing() -> None:
    stage = late(Superseded("taken"), theirs=goal("deploy", deployment="shop-8"))
    assert isinstance(stage.perform(SHIFT), Superseded) and len(stage.on.balancer.steps) == 1
    stage = late(Superseded("taken"))
    stage.on.ledger.record = None
    assert isinstance(stage.perform(SHIFT), Superseded) and len(stage.on.balancer.steps) == 1


@pytest.mark.parametrize(("times", "found"), [(MEND_TRIES - 1, True), (MEND_TRIES, False)])
def test_it_is_asked_until_it_is_known_within_bounds(times: int, found: bool) -> None:
    stage = late(*[Throttled("slow")] * times, theirs=goal("rollback", fleet=STANDBY))
    end = stage.perform(SHIFT)
    assert isinstance(end, Throttled) is not found and MEND_TRIES == 10
    assert stage.on.clock.slept == [1.0] * (MEND_TRIES - 1)


# the journal


def test_a_line_that_is_taken_is_read_and_ours_goes_after_it_while_the_stack_is_ours() -> None:
    stage = Stage()
    stage.on.ledger.journals["shop-7"] = [ev.Interrupted(NOW)]
    stage.journal.write(ev.Healthy(NOW))
    assert stage.lines == ["Interrupted", "Healthy"] and stage.on.hold.fences == [0.0]
    assert stage.journal.progress.healthy_at == NOW and stage.journal.number == 2


def test_a_journal_that_somebody_else_keeps_writing_is_given_up() -> None:
    stage = Stage()
    stage.on.ledger.errors = [LineTaken("taken")] * (TRIES - 1)
    stage.journal.write(ev.Healthy(NOW))
    stage.on.ledger.errors = [LineTaken("taken")] * TRIES
    with pytest.raises(LineTaken, match="keeps writing"):
        stage.journal.write(ev.Healthy(NOW))
    assert TRIES == 5


def test_what_was_not_written_has_not_happened() -> None:
    stage = Stage()
    stage.on.ledger.errors = [Throttled("slow")]
    with pytest.raises(Throttled):
        stage.journal.write(ev.Healthy(NOW))
    assert stage.journal.progress.healthy_at is None and stage.journal.number == 0


def test_lines_of_a_clock_that_is_ahead_count_as_of_now() -> None:
    assert Stage("deploy", ev.Healthy(NOW + 500)).journal.progress.healthy_at == NOW
    assert Stage("deploy", ev.Healthy(NOW - 5)).journal.progress.healthy_at == NOW - 5


def test_a_run_does_not_go_on_from_a_journal_that_cannot_be_read() -> None:
    on = Table(RECORD, shop_7=(ev.Healthy(NOW),))
    on.ledger.damaged["shop-7"] = ("entry 2: no",)
    with pytest.raises(Unreadable, match="entries that cannot be read") as caught:
        Journal(on.world.records, on.notes, "shop-7", on.hold)
    assert "entry 2" in caught.value.why and "bluegreen rollback shop" in caught.value.next
