"""heal: what was lost is launched again, and what is dead leaves only when the new ones are healthy. Here live-3 and live-4 of
the live fleet were lost, and new-1 and new-2 are launched for them by shop-8."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bluegreen.core import event as ev
from bluegreen.core.decide import heal
from bluegreen.core.decision import Act, Fail, Finish, Note, Wait
from bluegreen.core.fleet import Fleet
from bluegreen.core.observation import Group, Instance, Target
from bluegreen.core.release import Place
from bluegreen.core.step import Deregister, Terminate
from bluegreen.core.times import APPEAR_S, DRAIN_SLACK_S
from tests.core.decide.words import LIVE, NOW, PLACES, asked, case, goal, instances, launch_spec, seen, spec

STAY, LOST = ("live-1", "live-2"), ("live-3", "live-4")
GOAL = goal(
    "heal",
    deployment="shop-8",
    fleet=LIVE,
    launch=launch_spec(Place("subnet-a", "zone-a", 2)),
    stay=STAY,
    lost=LOST,
    groups=(spec(drain_s=20),),
)
LAUNCHED = (asked(), ev.Launched(951.0, "t-a", ("new-1", "new-2")))
HEALTHY = (*LAUNCHED, ev.Healthy(960.0))
LEAVING = (*HEALTHY, ev.Draining(970.0, "shop-6"))
FAILED = (*LAUNCHED, ev.Failed(NOW - 1, "the boot failed", "new-2 wrote: no"))
MACHINES = (*instances("shop-6", "live"), *instances("shop-6", "new", 2, heal="shop-8"))
GONE = tuple(i for i in MACHINES if i.id not in LOST)


def live(**states: str) -> Group:
    """live(live_1="healthy", …): the targets of the live fleet's group."""
    return Group("tg-live", tuple(Target(name.replace("_", "-"), state) for name, state in states.items()))


STAYS = {"live_1": "healthy", "live_2": "healthy"}
NEWS = {"new_1": "healthy", "new_2": "healthy"}
DEAD = {"live_3": "unhealthy", "live_4": "unhealthy"}


def decide(*journal: ev.Event, what: Any = GOAL, at: float = NOW, machines: Any = MACHINES, **states: str) -> Any:
    groups = {"tg-live": live(**states)}
    return heal.decide(case(what, seen(at=at, groups=groups, instances=machines, epoch=7), *journal))


# the new ones


def test_what_is_missing_is_launched_and_registered_first() -> None:
    (step,) = decide(**STAYS, **DEAD).steps
    assert type(step).__name__ == "Launch" and step.count == 2
    (step,) = decide(*LAUNCHED, **STAYS, **DEAD).steps
    assert type(step).__name__ == "Register" and step.instances == ("new-1", "new-2")


def test_while_a_new_one_is_not_healthy_everything_stays() -> None:
    decision = decide(*LAUNCHED, **STAYS, **DEAD, new_1="healthy", new_2="initial")
    assert isinstance(decision, Wait) and decision.until == 950.0 + 300
    assert decision.why == "1 of 2 new instances healthy" and decision.look == {"health", "traffic", "record"}


def test_a_new_one_that_vanished_has_its_instance_looked_at() -> None:
    rule = heal.wait_healthy(case(GOAL, seen(groups={"tg-live": live(**STAYS, new_1="healthy")}), *LAUNCHED))
    assert isinstance(rule, Wait) and "instances" in rule.look


@pytest.mark.parametrize(("at", "fails"), [(1249.9, False), (1250.0, True)])
def test_what_does_not_get_healthy_in_time_fails_the_heal(at: float, fails: bool) -> None:
    decision = decide(*LAUNCHED, at=at, **STAYS, **DEAD, new_1="healthy", new_2="unhealthy")
    assert isinstance(decision, Fail) is fails
    if fails:
        assert decision.suspects == ("new-2",) and decision.reason.startswith("1 of 2 new instances healthy")


def test_all_new_ones_healthy_is_written_down_once() -> None:
    states = {**STAYS, **DEAD, **NEWS}
    assert decide(*LAUNCHED, **states) == Note(ev.Healthy(NOW))
    assert not isinstance(getattr(decide(*HEALTHY, **states), "event", None), ev.Healthy)


# the dead ones


def test_the_dead_leave_when_the_new_ones_are_healthy_and_the_journal_says_so_first() -> None:
    assert decide(*HEALTHY, **STAYS, **DEAD, **NEWS) == Note(ev.Draining(NOW, "shop-6"))
    (step,) = decide(*LEAVING, **STAYS, **DEAD, **NEWS).steps
    assert isinstance(step, Deregister) and (step.group, step.instances) == ("tg-live", LOST)


@pytest.mark.parametrize(
    ("at", "waits"), [(970.0 + 20 + DRAIN_SLACK_S - 0.1, True), (970.0 + 20 + DRAIN_SLACK_S, False)]
)
def test_what_leaves_drains_first_but_not_for_ever(at: float, waits: bool) -> None:
    draining = {"live_3": "draining", "live_4": "draining"}
    decision = decide(*LEAVING, at=at, **STAYS, **NEWS, **draining)
    if waits:
        assert isinstance(decision, Wait) and decision.until == 970.0 + 20 + DRAIN_SLACK_S
    else:
        (step,) = decision.steps
        assert isinstance(step, Terminate) and step.instances == LOST


def test_a_dead_one_that_no_group_has_is_terminated() -> None:
    (step,) = decide(*LEAVING, **STAYS, **NEWS).steps
    assert isinstance(step, Terminate) and (step.deployment, step.instances) == ("shop-6", LOST)


def test_a_dead_one_that_a_group_still_has_is_not_terminated_yet() -> None:
    second = replace(LIVE, groups=("tg-live", "tg-live-2"))
    groups = {"tg-live": live(**STAYS, **NEWS), "tg-live-2": live(**STAYS, **NEWS, live_3="unhealthy")}
    what = case(replace(GOAL, fleet=second), seen(groups=groups, instances=MACHINES), *LEAVING)
    (step,) = heal.end_dead(what).steps  # type: ignore[union-attr]
    assert isinstance(step, Terminate) and step.instances == ("live-4",)


def test_what_is_already_gone_is_not_terminated_again() -> None:
    machines = tuple(replace(i, state="terminated") if i.id in LOST else i for i in MACHINES)
    assert isinstance(decide(*LEAVING, machines=machines, **STAYS, **NEWS), Finish)


@pytest.mark.parametrize(
    ("states", "out"),
    [
        ({**STAYS, **NEWS, "live_3": "unhealthy", "live_4": "unhealthy"}, ("live-3", "live-4")),
        ({**STAYS, **NEWS, "live_3": "healthy", "live_4": "unhealthy"}, ("live-4",)),
        ({**STAYS, **NEWS, "live_3": "unavailable", "live_4": "initial"}, ("live-4",)),
        ({**STAYS, **NEWS, "live_3": "healthy", "live_4": "healthy"}, ()),
    ],
    ids=["none recovered", "one did", "AWS does not tell its health", "both did, and enough others are healthy"],
)
def test_one_that_got_healthy_again_does_not_leave(states: Any, out: tuple[str, ...]) -> None:
    decision = heal.take_out(case(GOAL, seen(groups={"tg-live": live(**states)}, instances=MACHINES), *LEAVING))
    left = {i for step in decision.steps for i in step.instances} if isinstance(decision, Act) else set()
    assert left == {*out}


BOTH = replace(GOAL, fleet=replace(LIVE, groups=("tg-live", "tg-live-2")))


def left_of_two(first: dict[str, str], second: dict[str, str]) -> set[str]:
    """Who is deregistered of a fleet with two groups."""
    groups = {"tg-live": live(**first), "tg-live-2": Group("tg-live-2", live(**second).targets)}
    decision = heal.take_out(case(BOTH, seen(groups=groups, instances=MACHINES), *LEAVING))
    return {i for step in decision.steps for i in step.instances} if isinstance(decision, Act) else set()


def test_one_that_is_healthy_in_any_group_does_not_leave() -> None:
    well = {**STAYS, **NEWS, "live_3": "healthy", "live_4": "unhealthy"}
    ill = {**well, "live_3": "unhealthy"}
    assert left_of_two(well, ill) == {"live-4"} and left_of_two(ill, well) == {"live-4"}
    assert left_of_two({**well, "live_3": "unavailable"}, ill) == {"live-4"}, "AWS does not tell that it is not"
    assert left_of_two(ill, ill) == {*LOST}


def test_a_new_one_that_is_healthy_in_one_group_only_is_ended_when_the_heal_fails() -> None:
    first = {**STAYS, **DEAD, **NEWS}
    second = Group("tg-live-2", live(**{**first, "new_2": "unhealthy"}).targets)
    now = seen(groups={"tg-live": live(**first), "tg-live-2": second}, instances=MACHINES)
    decision = heal.undo(case(BOTH, now, *FAILED))
    assert isinstance(decision, Act) and {i for s in decision.steps for i in getattr(s, "instances")} == {"new-2"}  # noqa: B009


@pytest.mark.parametrize(
    ("rule", "second", "kind"),
    [
        (heal.wait_healthy, {**STAYS, **DEAD, "new_1": "healthy", "new_2": "initial"}, Wait),
        (heal.wait_healthy, {**STAYS, **DEAD, **NEWS}, None),
        (heal.take_out, {**STAYS, **NEWS, "live_3": "draining"}, Wait),
        (heal.healed, {**STAYS, "new_1": "healthy"}, None),
        (heal.healed, {**STAYS, **NEWS}, Finish),
    ],
    ids=[
        "a new one is healthy in one group only",
        "in both",
        "a dead one drains in one group",
        "one lacks it",
        "none lacks it",
    ],
)
def test_every_group_of_the_fleet_counts(rule: Any, second: dict[str, str], kind: Any) -> None:
    first = {**STAYS, **NEWS} if rule is not heal.wait_healthy else {**STAYS, **DEAD, **NEWS}
    for one, other in ((first, second), (second, first)):
        groups = {"tg-live": live(**one), "tg-live-2": Group("tg-live-2", live(**other).targets)}
        journal = HEALTHY if rule is heal.wait_healthy else LEAVING
        decision = rule(case(BOTH, seen(groups=groups, instances=GONE), *journal))
        assert isinstance(decision, kind) if kind else decision is None
        if rule is heal.wait_healthy and kind:
            assert decision.why == "1 of 2 new instances healthy" and decision.look == {"health", "traffic", "record"}


def test_a_new_one_that_one_group_lacks_has_its_instance_looked_at() -> None:
    groups = {"tg-live": live(**STAYS, **NEWS), "tg-live-2": live(**STAYS, new_1="healthy")}
    decision = heal.wait_healthy(case(BOTH, seen(groups=groups), *HEALTHY))
    assert isinstance(decision, Wait) and "instances" in decision.look


def test_once_the_dead_leave_the_new_ones_are_not_waited_for_any_more() -> None:
    assert heal.wait_healthy(case(GOAL, seen(groups={"tg-live": live(**STAYS, new_1="healthy")}), *LEAVING)) is None


def test_a_heal_that_fails_before_the_dead_leave_does_not_end_them() -> None:
    machines = tuple(i for i in MACHINES if i.id != "new-2")
    decision = decide(*FAILED, at=NOW, machines=machines, **STAYS, new_1="healthy")
    assert not isinstance(decision, Act), "live-3 and live-4 are in no group, and still theirs to keep"


def test_an_instance_of_the_fleet_that_nobody_asked_for_leaves_too() -> None:
    machines = (*MACHINES, Instance("live-9", "shop-6", "subnet-a", "running"))
    (step,) = decide(*LEAVING, machines=machines, **STAYS, **NEWS).steps
    assert step.instances == (*LOST, "live-9")


# the end


def test_a_whole_fleet_is_healed() -> None:
    decision = decide(*LEAVING, machines=GONE, **STAYS, **NEWS)
    assert isinstance(decision, Finish) and decision.outcome.result == "healed"
    assert "2 launched anew, 2 dead taken out, 4/4 healthy" in decision.outcome.sentence
    bare = decide(*LEAVING, what=replace(GOAL, lost=()), machines=GONE, **STAYS, **NEWS)
    assert "2 launched anew, 4/4 healthy" in bare.outcome.sentence


def test_a_fleet_that_lost_another_meanwhile_is_not() -> None:
    decision = decide(*LEAVING, machines=GONE, live_1="healthy", **NEWS)
    assert isinstance(decision, Finish) and decision.outcome.result == "undone"
    assert "3 healthy of 4" in decision.outcome.sentence and decision.outcome.next == "bluegreen heal shop"


def test_one_more_than_agreed_is_no_loss() -> None:
    assert decide(*LEAVING, machines=GONE, **STAYS, **NEWS, live_5="healthy").outcome.result == "healed"


def test_a_higher_epoch_ends_it() -> None:
    for epoch, ended in ((7, False), (8, True)):
        found = heal.higher_epoch(case(GOAL, seen(epoch=epoch)))
        assert (found is not None) is ended
        if found is not None:
            assert isinstance(found, Finish) and found.outcome.result == "superseded"


# the undo


def test_a_heal_that_failed_takes_out_what_is_not_healthy_of_its_own_and_nothing_else() -> None:
    (step,) = decide(*FAILED, **STAYS, **DEAD, new_1="healthy", new_2="unhealthy").steps
    assert isinstance(step, Deregister) and step.instances == ("new-2",)
    (step,) = decide(*FAILED, **STAYS, **DEAD, new_1="healthy").steps
    assert isinstance(step, Terminate) and (step.deployment, step.instances) == ("shop-6", ("new-2",))


def test_what_the_load_balancer_does_not_tell_the_health_of_is_not_ended() -> None:
    decision = decide(*FAILED, at=950.0 + APPEAR_S, **STAYS, **DEAD, new_1="healthy", new_2="unavailable")
    assert isinstance(decision, Finish)


def test_it_says_what_stays_and_why_it_failed() -> None:
    machines = tuple(i for i in MACHINES if i.id != "new-2")
    outcome = decide(*FAILED, machines=machines, **STAYS, **DEAD, new_1="healthy").outcome
    assert outcome.result == "undone" and outcome.why == "new-2 wrote: no"
    assert "the boot failed; 1 that got healthy stay" in outcome.sentence and "3 healthy of 4" in outcome.sentence


@pytest.mark.parametrize(("at", "waits"), [(950.0 + APPEAR_S - 0.1, True), (950.0 + APPEAR_S, False)])
def test_launches_that_are_not_to_be_seen_yet_are_waited_for(at: float, waits: bool) -> None:
    machines = instances("shop-6", "live")
    decision = decide(*FAILED, at=at, machines=machines, **STAYS, **DEAD)
    assert isinstance(decision, Wait) is waits
    if waits:
        assert decision.until == 950.0 + APPEAR_S
    else:
        assert "what it launched is ended" in decision.outcome.sentence


def test_after_the_dead_began_to_leave_the_new_ones_are_kept_and_the_dead_end() -> None:
    (step,) = decide(*LEAVING, FAILED[-1], **STAYS, new_1="healthy", new_2="unhealthy").steps
    assert isinstance(step, Terminate) and step.instances == LOST, "they have left every group"


# what is lost

FLEET = Fleet("shop-6", LIVE.colour, "r6", "6.0", 3, ("tg-live",))
THREE = instances("shop-6", "live", 3)
WELL = {"live_1": "healthy", "live_2": "healthy", "live_3": "healthy"}


@pytest.mark.parametrize(
    ("states", "machines", "unhealthy", "stay", "out"),
    [
        (WELL, THREE, False, "1 2 3", ""),
        ({**WELL, "live_3": "unhealthy"}, THREE, False, "1 2 3", ""),
        ({**WELL, "live_3": "unhealthy"}, THREE, True, "1 2", "3"),
        ({**WELL, "live_3": "initial"}, THREE, True, "1 2 3", ""),
        ({**WELL, "live_3": "draining"}, THREE, False, "1 2", "3"),
        ({"live_1": "healthy", "live_2": "healthy"}, THREE, False, "1 2", "3"),
        (WELL, (*THREE[:2], replace(THREE[2], state="terminated")), False, "1 2", "3"),
        (WELL, (*THREE[:2], replace(THREE[2], state="stopped")), False, "1 2", "3"),
        (WELL, (*THREE[:2], replace(THREE[2], state="pending")), False, "1 2 3", ""),
        (WELL, THREE[:2], False, "1 2 3", ""),
        ({**WELL, "live_3": "unhealthy"}, THREE[:2], False, "1 2", "3"),
        ({**WELL, "live_4": "healthy"}, (*THREE, Instance("live-4", "shop-6", "s", "running")), False, "1 2 3 4", ""),
        ({**WELL, "live_4": "healthy"}, (*THREE, Instance("live-4", "shop-6", "s", "running")), True, "1 2 3 4", ""),
        (
            {**WELL, "live_1": "unhealthy", "live_4": "healthy"},
            (*THREE, Instance("live-4", "shop-6", "s", "running")),
            False,
            "2 3 4",
            "1",
        ),
        (
            {**WELL, "live_1": "initial", "live_4": "unavailable"},
            (*THREE, Instance("live-4", "shop-6", "s", "running")),
            False,
            "2 3 4",
            "1",
        ),
        (
            {**WELL, "live_1": "unhealthy", "live_4": "initial"},
            (*THREE, Instance("live-4", "shop-6", "s", "running")),
            False,
            "2 3 4",
            "1",
        ),
    ],
    ids=[
        "all are well",
        "an ill one stays",
        "an ill one is lost when it is asked for",
        "a new one is not ill",
        "one that drains is lost",
        "one that is not registered is lost",
        "one that was terminated is lost",
        "one that was stopped is lost",
        "one that starts is not",
        "one that AWS does not show but that is healthy stays",
        "one that AWS does not show and that is ill is lost",
        "one too many that is healthy stays",
        "and so it does when the ill ones are asked for",
        "of too many the ill one leaves",
        "of too many the one that is not healthy yet leaves before the one that is not known",
        "of too many the ill one leaves before the one that is not healthy yet",
    ],
)
def test_what_a_fleet_has_lost(states: Any, machines: Any, unhealthy: bool, stay: str, out: str) -> None:
    found = heal.losses(FLEET, {"tg-live": live(**states)}, machines, unhealthy=unhealthy)
    assert found == (tuple(f"live-{n}" for n in stay.split()), tuple(f"live-{n}" for n in out.split()))


def test_a_member_has_to_be_in_every_group_and_others_are_no_members() -> None:
    fleet = replace(FLEET, groups=("tg-live", "tg-live-2"))
    groups = {"tg-live": live(**WELL), "tg-live-2": live(live_1="healthy", live_2="healthy")}
    machines = (*THREE, Instance("other-1", "shop-5", "s", "running"))
    assert heal.losses(fleet, groups, machines) == (("live-1", "live-2"), ("live-3",))
    assert heal.losses(fleet, {"tg-live": live(**WELL)}, machines) == ((), ("live-1", "live-2", "live-3"))


# where to launch


@pytest.mark.parametrize(
    ("stay", "count", "places"),
    [
        ((), 4, {"subnet-a": 2, "subnet-b": 2}),
        (("live-1",), 4, {"subnet-a": 1, "subnet-b": 2}),
        (("live-1", "live-3"), 4, {"subnet-b": 2}),
        (("live-1", "live-2", "live-3", "live-4"), 4, {}),
        (("live-1", "live-3", "live-5"), 4, {"subnet-b": 1}),
        (("live-1", "live-2"), 3, {"subnet-a": 1}),
        (("live-1", "live-2", "live-3"), 2, {}),
    ],
    ids=[
        "all are lost",
        "one stays",
        "a whole zone is lost",
        "none is lost",
        "a subnet that has too many gets none",
        "no more than agreed",
        "more stay than the record asks for",
    ],
)
def test_what_is_missing_is_launched_where_it_was(stay: tuple[str, ...], count: int, places: dict[str, int]) -> None:
    machines = instances("shop-6", "live", 5)
    assert {p.subnet: p.count for p in heal.missing(PLACES, stay, machines, count)} == places
