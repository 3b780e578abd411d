"""Booting: a fleet is whole when every group is healthy for two seconds; otherwise wait, ask the consoles, and fail in time."""

from __future__ import annotations

from typing import Any

import pytest

from bluegreen.core import event as ev
from bluegreen.core.decide import boot
from bluegreen.core.decide.boot import wait_healthy
from bluegreen.core.decision import Fail, Note, Wait
from bluegreen.core.times import STEADY_S
from tests.core.decide.words import BOOTED, LAUNCHED, LIVE, NEW, NOW, case, gave_weight, goal, group, seen, spec

DEADLINE = 950.0 + 300
FAILED = "[bluegreen] failed: pull of shop/web: not found"


def waiting(
    *journal: ev.Event, at: float = NOW, what: Any = None, new: Any = None, consoles: Any = None, **more: Any
) -> Any:
    """What the rule says while the new fleet's group is `new`."""
    groups = {"tg-new": new or group("tg-new", healthy=3, unhealthy=1)}
    now = seen(at=at, groups=groups, consoles=consoles, **more)
    return wait_healthy(case(what or goal(), now, *(journal or LAUNCHED)))


def test_all_healthy_at_one_look_is_written_down() -> None:
    assert waiting(new=group("tg-new", healthy=4)) == Note(ev.Healthy(NOW))


@pytest.mark.parametrize(
    ("after", "enough"), [(0.0, False), (STEADY_S - 0.1, False), (STEADY_S, True), (STEADY_S + 5, True)]
)
def test_all_healthy_counts_when_it_lasts(after: float, enough: bool) -> None:
    decision = waiting(*BOOTED, at=980.0 + after, new=group("tg-new", healthy=4))
    assert decision is None if enough else isinstance(decision, Wait) and decision.until == 980.0 + STEADY_S


@pytest.mark.parametrize(
    "new",
    [
        group("tg-new", healthy=3, unhealthy=1),
        group("tg-new", healthy=3, initial=1),
        group("tg-new", healthy=3, unavailable=1),
        group("tg-new", healthy=3),
        group("tg-new"),
    ],
    ids=["one is unhealthy", "one is new", "one is not known", "one is not registered", "none is registered"],
)
def test_a_fleet_that_is_not_whole_is_waited_for(new: Any) -> None:
    decision = waiting(new=new)
    assert isinstance(decision, Wait) and decision.until == DEADLINE
    assert decision.why == f"{new.healthy}/4 healthy"


@pytest.mark.parametrize("whole", ["tg-new", "tg-second"])
def test_every_group_has_to_be_whole(whole: str) -> None:
    what = goal(groups=(spec(), spec("second")))
    groups = {
        "tg-new": group("tg-new", healthy=3, unhealthy=1),
        "tg-second": group("tg-new", healthy=3, unhealthy=1),
        whole: group("tg-new", healthy=4),
    }
    decision = wait_healthy(case(what, seen(groups=groups), *LAUNCHED, ev.GroupMade(946.0, 1, "tg-second")))
    assert isinstance(decision, Wait) and decision.why == "3/4 healthy", "a fleet is as healthy as its worst group"


@pytest.mark.parametrize(
    ("new", "looks"),
    [
        (group("tg-new", healthy=3, unhealthy=1), False),
        (group("tg-new", initial=4), False),
        (group("tg-new", healthy=3), True),
        (group("tg-new", healthy=2, unhealthy=1), True),
    ],
    ids=["all are registered", "all are registered and none is healthy", "one vanished", "one vanished, one is ill"],
)
def test_when_a_target_vanished_its_instance_is_looked_at(new: Any, looks: bool) -> None:
    assert ("instances" in waiting(new=new).look) is looks


def test_a_stranger_in_the_group_fails_the_deployment_and_is_named() -> None:
    decision = waiting(new=group("tg-new", healthy=5))
    assert isinstance(decision, Fail) and decision.reason.startswith("new-5 is registered with the new fleet")


def test_a_stranger_on_its_way_out_is_no_matter() -> None:
    assert waiting(new=group("tg-new", healthy=4, draining=1)) == Note(ev.Healthy(NOW))


@pytest.mark.parametrize("stage", ["promoted", "shifting"])
def test_from_the_switch_on_the_bake_judges(stage: str) -> None:
    journal = (*BOOTED, *gave_weight()) if stage == "shifting" else BOOTED
    assert waiting(*journal, new=group("tg-new", unhealthy=4), live=NEW if stage == "promoted" else LIVE) is None


# the deadline


@pytest.mark.parametrize(("at", "fails"), [(DEADLINE - 0.1, False), (DEADLINE, True)])
def test_the_boot_has_a_deadline(at: float, fails: bool) -> None:
    decision = waiting(at=at)
    assert isinstance(decision, Fail) is fails
    if fails:
        assert decision.reason == "3 of 4 instances healthy after 300 s" and decision.suspects == ("new-4",)


@pytest.mark.parametrize("state", ["unhealthy", "initial", "unavailable"])
def test_a_console_that_tells_of_a_failed_boot_fails_it_at_once(state: str) -> None:
    decision = waiting(consoles={"new-4": FAILED, "new-1": ""}, new=group("tg-new", healthy=3, **{state: 1}))
    assert decision == Fail("the boot failed", ("new-4",))


def test_a_failed_boot_comes_first_among_the_suspects() -> None:
    decision = waiting(consoles={"new-3": FAILED, "new-2": "booting"}, new=group("tg-new", healthy=1, unhealthy=3))
    assert decision == Fail("the boot failed", ("new-3", "new-2", "new-4"))


def test_a_healthy_instance_whose_console_tells_of_an_earlier_failure_is_no_suspect() -> None:
    assert isinstance(waiting(consoles={"new-1": FAILED}), Wait)


# flaps


def flapped(times: int, healthy_again: bool = False) -> tuple[ev.Event, ...]:
    once = (ev.Healthy(960.0), ev.Flapped(961.0, ("new-4",)))
    return (*LAUNCHED, *once * times, *((ev.Healthy(970.0),) if healthy_again else ()))


@pytest.mark.parametrize("state", ["unhealthy", "initial", "draining"])
def test_healthy_and_then_not_is_written_down(state: str) -> None:
    assert waiting(*BOOTED, new=group("tg-new", healthy=3, **{state: 1})) == Note(ev.Flapped(NOW, ("new-4",)))


def test_a_fleet_that_was_never_whole_does_not_flap() -> None:
    assert isinstance(waiting(*LAUNCHED, new=group("tg-new", healthy=3, unhealthy=1)), Wait)


def test_health_that_aws_does_not_tell_is_no_flap() -> None:
    assert isinstance(waiting(*BOOTED, new=group("tg-new", healthy=3, unavailable=1)), Wait)


@pytest.mark.parametrize(("times", "fails"), [(0, False), (1, False), (2, False), (3, True), (4, True)])
def test_the_third_flap_is_one_too_many(times: int, fails: bool) -> None:
    decision = waiting(*flapped(times))
    assert isinstance(decision, Fail) is fails
    if fails:
        assert decision.suspects == ("new-4",) and "new-4" in decision.reason


def test_three_flaps_do_not_fail_a_fleet_that_is_whole_again() -> None:
    assert waiting(*flapped(3, healthy_again=True), new=group("tg-new", healthy=4)) is None


# consoles


def asks(at: float = 990.0, sick: int = 4, **more: Any) -> tuple[str, ...]:
    decision = waiting(at=at, new=group("tg-new", unhealthy=sick, initial=4 - sick), **more)
    assert isinstance(decision, Wait)
    return decision.ask


@pytest.mark.parametrize(("after", "asked"), [(9.9, 0), (10.0, 2)])
def test_no_console_is_asked_before_a_machine_can_have_failed(after: float, asked: int) -> None:
    assert len(asks(at=950.0 + after)) == asked


@pytest.mark.parametrize(("since", "asked"), [(9.9, 0), (10.0, 2)])
def test_consoles_are_asked_so_often_and_not_more(since: float, asked: int) -> None:
    assert len(asks(at=990.0, consoles_at=990.0 - since)) == asked


def test_only_those_that_fail_their_checks_are_asked() -> None:
    assert asks(sick=0) == () and asks(sick=1) == ("new-1",)


def test_those_that_were_not_asked_yet_come_first() -> None:
    assert asks(consoles={"new-1": "", "new-2": ""}) == ("new-3", "new-4")
    assert asks(consoles={"new-1": "", "new-2": "", "new-3": ""})[0] == "new-4"


def test_then_all_take_their_turn_two_at_a_time() -> None:
    every = {f"new-{i}": "" for i in range(1, 5)}
    turns = [asks(at=960.0 + 10 * i, consoles=every) for i in range(4)]
    assert all(len(turn) == 2 for turn in turns)
    assert turns[0] == turns[2] and {*turns[0], *turns[1]} == {*every}, turns
    assert boot.ASK_AT_ONCE == 2
