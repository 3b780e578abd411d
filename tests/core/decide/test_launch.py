"""Launching: every token is written down before it is used, none is given up before it can no longer launch."""

from __future__ import annotations

from typing import Any

import pytest

from bluegreen.core import event as ev
from bluegreen.core.decide.launch import batches, boot_deadline, launch, register
from bluegreen.core.decision import Act, Fail, Wait
from bluegreen.core.observation import Instance
from bluegreen.core.release import Place
from bluegreen.core.step import Launch, Register, client_token
from bluegreen.core.times import LATE_S
from tests.core.decide.words import (
    BOOTED,
    LAUNCHED,
    LIVE,
    MADE,
    NEW,
    NOW,
    OWNER,
    TYPES,
    asked,
    case,
    gave_weight,
    goal,
    group,
    instances,
    launch_spec,
    refused,
    seen,
    spec,
)

ONE = goal(launch=launch_spec(Place("subnet-a", "zone-a", 2)))
USED_UP = "IdempotentInstanceTerminated"


def launches(*journal: ev.Event, what: Any = ONE, at: float = NOW) -> list[Launch]:
    decision = launch(case(what, seen(at=at), *MADE, *journal))
    assert isinstance(decision, Act), decision
    return [step for step in decision.steps if isinstance(step, Launch)]


def test_a_fleet_is_launched_in_all_its_subnets_at_once() -> None:
    first, second = launches(what=goal())
    assert [(s.subnet, s.batch, s.attempt, s.instance_type, s.count) for s in (first, second)] == [
        ("subnet-a", 0, 1, "m7i.large", 2),
        ("subnet-b", 0, 1, "m7i.large", 2),
    ]
    assert first.token == client_token("shop", "shop-7", "subnet-a", "m7i.large", 0, 1)
    assert "zone-a" in first.why and dict(first.tags)["bluegreen:deployment"] == "shop-7"
    assert "bluegreen:heal" not in dict(first.tags)


def test_what_a_heal_launches_carries_its_tag() -> None:
    (step,) = launches(
        what=goal("heal", deployment="shop-8", fleet=LIVE, launch=launch_spec(Place("subnet-a", "a", 1)))
    )
    assert dict(step.tags)["bluegreen:heal"] == "shop-8" and dict(step.tags)["bluegreen:deployment"] == "shop-6"


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, ()), (1, (1,)), (99, (99,)), (100, (100,)), (101, (100, 1)), (200, (100, 100)), (250, (100, 100, 50))],
)
def test_a_batch_is_at_most_a_hundred_instances(count: int, expected: tuple[int, ...]) -> None:
    assert batches(count) == expected


def test_more_than_a_hundred_in_one_subnet_are_batches_with_tokens_of_their_own() -> None:
    steps = launches(what=goal(launch=launch_spec(Place("subnet-a", "zone-a", 150))))
    assert [(s.batch, s.count) for s in steps] == [(0, 100), (1, 50)] and steps[0].token != steps[1].token


def test_a_launch_without_an_answer_is_asked_for_again_with_its_own_token() -> None:
    (step,) = launches(asked())
    assert (step.attempt, step.instance_type) == (1, "m7i.large")
    (step,) = launches(asked(), refused(), asked(token="t-2", number=2, kind=TYPES[1]))
    assert (step.attempt, step.instance_type) == (2, "m6i.large")


def test_only_what_was_not_answered_is_asked_for_again() -> None:
    steps = launches(
        asked("subnet-a", "t-a"), asked("subnet-b", "t-b"), ev.Launched(951.0, "t-a", ("new-1", "new-3")), what=goal()
    )
    assert [step.subnet for step in steps] == ["subnet-b"]


@pytest.mark.parametrize(
    ("journal", "promoted"),
    [(LAUNCHED, False), ((*MADE, *gave_weight()), False), (MADE, True)],
    ids=["as many as wanted were launched", "the new fleet was given weight", "the new fleet is promoted"],
)
def test_nothing_is_launched_any_more(journal: tuple[ev.Event, ...], promoted: bool) -> None:
    assert launch(case(goal(), seen(live=NEW if promoted else LIVE), *journal)) is None


def test_a_goal_without_instances_launches_none() -> None:
    assert launch(case(goal(launch=None), seen(), *MADE)) is None


def test_one_instance_short_is_still_launched() -> None:
    journal = (asked(), ev.Launched(951.0, "t-a", ("new-1", "new-3")), asked("subnet-b", "t-b"))
    assert [s.subnet for s in launches(*journal, what=goal())] == ["subnet-b"]


def test_without_capacity_the_next_instance_type_is_tried() -> None:
    (step,) = launches(asked(), refused())
    assert (step.attempt, step.instance_type) == (2, "m6i.large")


def test_when_no_instance_type_has_capacity_the_deployment_fails_and_names_the_zone() -> None:
    decision = launch(case(ONE, seen(), *MADE, asked(), refused(), asked(token="t-2", number=2), refused(token="t-2")))
    assert isinstance(decision, Fail)
    assert "no capacity in zone-a for m7i.large, m6i.large" in decision.reason and "no room" in decision.reason


def test_any_other_refusal_ends_the_deployment() -> None:
    decision = launch(case(ONE, seen(), *MADE, asked(), refused("UnauthorizedOperation", capacity=False)))
    assert isinstance(decision, Fail) and "UnauthorizedOperation: no room" in decision.reason


def test_a_refusal_counts_before_what_could_be_launched_elsewhere() -> None:
    decision = launch(case(goal(), seen(), *MADE, asked(), refused("UnauthorizedOperation", capacity=False)))
    assert isinstance(decision, Fail)


def used_up(times: int) -> list[ev.Event]:
    """The journal of a batch whose tokens were used up one after another."""
    return [
        event
        for n in range(1, times + 1)
        for event in (asked(token=f"t-{n}", number=n), refused(USED_UP, f"t-{n}", capacity=False))
    ]


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_token_that_is_used_up_costs_a_number_and_no_instance_type(times: int) -> None:
    (step,) = launches(*used_up(times))
    assert (step.attempt, step.instance_type) == (times + 1, "m7i.large")


def test_a_fourth_token_that_is_used_up_is_one_too_many() -> None:
    assert isinstance(launch(case(ONE, seen(), *MADE, *used_up(4))), Fail)


def test_after_a_used_up_token_each_instance_type_still_has_its_try() -> None:
    journal = [*used_up(1), asked(token="t-2", number=2), refused(token="t-2")]
    (step,) = launches(*journal)
    assert (step.attempt, step.instance_type) == (3, "m6i.large")
    full = [*journal, asked(token="t-3", number=3, kind=TYPES[1]), refused(token="t-3")]
    assert isinstance(launch(case(ONE, seen(), *MADE, *full)), Fail)


LOST_THEN_REFUSED = (asked(at=950.0), ev.Unanswered(960.0, "t-a"), refused(at=961.0))


def test_while_a_lost_call_may_still_launch_no_other_type_is_tried() -> None:
    decision = launch(case(ONE, seen(at=960.0 + LATE_S - 0.1), *MADE, *LOST_THEN_REFUSED))
    assert isinstance(decision, Wait) and decision.until == 960.0 + LATE_S and decision.look == {"record"}


def test_when_a_lost_call_can_no_longer_launch_its_token_is_asked_once_more() -> None:
    (step,) = launches(*LOST_THEN_REFUSED, at=960.0 + LATE_S)
    assert (step.attempt, step.instance_type) == (1, "m7i.large"), "it tells whether the lost call launched"


def test_what_can_be_launched_elsewhere_does_not_wait_for_it() -> None:
    (step,) = launches(*LOST_THEN_REFUSED, what=goal(), at=961.0)
    assert step.subnet == "subnet-b"


# register


def registered(now: Any, *journal: ev.Event, what: Any = None) -> Any:
    return register(case(what or goal(), now, *journal))


def test_an_instance_is_registered_as_soon_as_it_runs() -> None:
    some = (*instances("shop-7", "new", 2), Instance("new-3", "shop-7", "subnet-a", "pending"))
    decision = registered(seen(instances=some, groups={"tg-new": group("tg-new")}), *LAUNCHED)
    assert isinstance(decision, Act)
    (step,) = decision.steps
    assert isinstance(step, Register) and (step.group, step.port, step.instances) == (
        "tg-new",
        8080,
        ("new-1", "new-2"),
    )


def test_each_group_gets_what_it_lacks_on_its_own_port() -> None:
    what = goal(groups=(spec(), spec("second", port=9090)))
    groups = {"tg-new": group("tg-new", healthy=4), "tg-second": None}
    decision = registered(seen(groups=groups), *LAUNCHED, ev.GroupMade(946.0, 1, "tg-second"), what=what)
    assert isinstance(decision, Act)
    (step,) = decision.steps
    assert isinstance(step, Register) and (step.group, step.port, len(step.instances)) == ("tg-second", 9090, 4)


def test_what_others_launched_is_not_registered() -> None:
    stranger = Instance("new-9", "shop-7", "subnet-a", "running")
    decision = registered(seen(instances=(*instances("shop-7", "new"), stranger)), *LAUNCHED)
    assert decision is None


@pytest.mark.parametrize("state", ["shutting-down", "terminated"])
def test_an_instance_that_ends_while_it_boots_fails_the_deployment(state: str) -> None:
    some = (*instances("shop-7", "new", 3), Instance("new-4", "shop-7", "subnet-b", state))
    decision = registered(seen(instances=some), *LAUNCHED)
    assert isinstance(decision, Fail) and decision.suspects == ("new-4",) and "new-4 was terminated" in decision.reason


@pytest.mark.parametrize(
    "journal", [(*BOOTED, *gave_weight()), BOOTED], ids=["after the switch", "after the promotion"]
)
def test_nothing_is_registered_after_the_switch(journal: tuple[ev.Event, ...]) -> None:
    live = LIVE if journal is not BOOTED else NEW
    assert registered(seen(live=live, groups={"tg-new": group("tg-new")}), *journal) is None


def test_three_of_four_running_are_waited_for_until_the_boot_is_to_be_over() -> None:
    now = seen(instances=instances("shop-7", "new", 3), at=950.0 + 299)
    decision = registered(now, *LAUNCHED)
    assert isinstance(decision, Wait) and decision.until == 950.0 + 300
    assert decision.why == "3/4 running" and decision.look == {"instances", "record"}


def test_what_does_not_run_when_the_boot_is_to_be_over_fails_it() -> None:
    decision = registered(seen(instances=instances("shop-7", "new", 3), at=950.0 + 300), *LAUNCHED)
    assert isinstance(decision, Fail) and decision.reason == "3 of 4 instances run after 300 s"


def test_a_later_launch_and_a_resume_have_the_whole_time_to_run() -> None:
    again = (*LAUNCHED, asked("subnet-b", "t-c", at=970.0))
    decision = registered(seen(instances=instances("shop-7", "new", 3)), *again)
    assert isinstance(decision, Wait) and decision.until == 970.0 + 300
    resumed = (*LAUNCHED, ev.Resumed(990.0, 7, OWNER))
    decision = registered(seen(instances=instances("shop-7", "new", 3)), *resumed)
    assert isinstance(decision, Wait) and decision.until == 990.0 + 300


@pytest.mark.parametrize(
    ("journal", "deadline"),
    [
        ((), NOW + 300),
        ((asked(at=940.0), asked("subnet-b", "t-b", at=960.0)), 940.0 + 300),
        ((asked(at=940.0), ev.Resumed(970.0, 7, OWNER)), 970.0 + 300),
        ((ev.Resumed(960.0, 7, OWNER), ev.Resumed(980.0, 7, OWNER), asked(at=985.0)), 985.0 + 300),
        ((ev.Resumed(960.0, 7, OWNER), ev.Resumed(980.0, 7, OWNER)), 980.0 + 300),
    ],
    ids=["nothing launched", "from the first launch", "from a resume", "the later of both", "from the last resume"],
)
def test_a_boot_is_over_so_long_after_its_beginning(journal: tuple[ev.Event, ...], deadline: float) -> None:
    assert boot_deadline(case(goal(), seen(), *journal)) == deadline
