"""A boot that fails: its cause is found early, told in one line and kept, and nothing here ever stops the undo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest

from bluegreen.aws.client import Aws
from bluegreen.aws.instances import Ec2Fleets
from bluegreen.controller.timeline import timeline
from bluegreen.core import event as ev
from bluegreen.core.stack import Stack
from bluegreen.core.step import Terminate
from bluegreen.errors import BluegreenError, CloudError, Refused, Unreachable
from tests.controller.answers import nothing_of_b
from tests.controller.stage import Stage, during, shop

FAILED = (
    "[bluegreen] 3.0 login registry.example.com as deploy\n[bluegreen] failed: registry.example.com: 401 unauthorized\n"
)
PULLING = "[bluegreen] 0.0 start, 9 s after the machine\n[bluegreen] 4.0 pull registry.example.com/shop/web\n"
READY = (
    PULLING
    + "[bluegreen] 9.0 pulled registry.example.com/shop/web\n[bluegreen] 9.2 run web\n[bluegreen] 9.9 ready web\n"
)


class Consoles(Ec2Fleets):
    """EC2 with consoles that a test writes; `asked` is when which was read."""

    def __init__(self, aws: Aws, now: Callable[[], float], text: Callable[[str], str]) -> None:
        super().__init__(aws)
        self.now = now
        self.text = text
        self.asked: list[tuple[float, str]] = []

    def console(self, instance: str) -> str:
        self.asked.append((self.now(), instance))
        return self.text(instance)


def with_consoles(stage: Stage, text: Callable[[str], str]) -> Consoles:
    fleets = Consoles(stage.aws, stage.clock.now, text)
    stage.world = replace(stage.world, fleets=fleets)
    return fleets


def patient(boot_timeout_s: int, count: int = 4) -> Stack:
    stack = shop("B", count)
    return stack._replace(rollout=stack.rollout._replace(boot_timeout_s=boot_timeout_s))


def journal(stage: Stage) -> tuple[ev.Event, ...]:
    return stage.records.events("shop-2")


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.deploy("A")
    stage.broken.add("B")
    return stage


def test_a_failed_boot_ends_the_deployment_long_before_the_deadline(stage: Stage) -> None:
    with_consoles(stage, lambda instance: FAILED)
    began = stage.clock.now()
    outcome = stage.deploy("B", patient(300))
    failed = next(e for e in journal(stage) if isinstance(e, ev.Failed))
    assert failed.at - began < 60
    assert failed.reason == "the boot failed, 4 of 4: registry.example.com: 401 unauthorized"
    assert outcome.exit_code == 3 and failed.reason in outcome.sentence and "shop-1 (A) serves" in outcome.sentence
    nothing_of_b(stage)


def test_one_bad_machine_of_many_is_found_and_told_first(stage: Stage) -> None:
    ids: list[str] = []

    def text(instance: str) -> str:
        ids.append(instance) if instance not in ids else None
        return FAILED if ids.index(instance) == 6 else PULLING

    with_consoles(stage, text)
    outcome = stage.deploy("B", patient(300, count=9))
    assert "the boot failed, 1 of the 4 looked at: registry.example.com: 401 unauthorized." in outcome.sentence
    assert next(e for e in journal(stage) if isinstance(e, ev.Evidence)).instance == ids[6]


def test_consoles_are_asked_seldom_and_only_of_the_sick(stage: Stage) -> None:
    fleets = with_consoles(stage, lambda instance: PULLING)
    began = stage.clock.now()
    outcome = stage.deploy("B", patient(100))
    assert (
        "0 of 4 instances healthy after 100 s, 4 of 4: still pulling registry.example.com/shop/web" in outcome.sentence
    )
    times = sorted({at for at, _ in fleets.asked})
    assert times[0] >= began + 10 and len(fleets.asked) <= 2 * 10 + 4
    assert len({instance for _, instance in fleets.asked}) == 4
    fleets.asked.clear()
    stage.deploy("C")
    assert len(fleets.asked) == 1, "a deployment without trouble asks once, for its timeline"


def test_what_was_learnt_is_in_the_journal_before_the_first_instance_is_ended(stage: Stage) -> None:
    with_consoles(stage, lambda instance: READY)
    then = during(stage, Terminate, lambda: journal(stage))
    assert stage.deploy("B", patient(20)).exit_code == 3
    events = cast(tuple[ev.Event, ...], then[0])
    found = [e for e in events if isinstance(e, ev.Evidence)]
    assert len(found) == 4 and all(e.console == READY.strip() and e.ec2 == "running" for e in found)
    assert all(e.cause == "it booted, but port 8080 cannot be reached for /health" for e in found)


@pytest.mark.parametrize("error", [CloudError("EC2 is down"), Unreachable("no line"), Refused("no credentials")])
def test_a_console_that_cannot_be_had_stops_nothing(stage: Stage, error: BluegreenError) -> None:
    def text(instance: str) -> str:
        raise error

    with_consoles(stage, text)
    outcome = stage.deploy("B", patient(20))
    assert outcome.exit_code == 3 and f"no console output: {error.what}" in outcome.sentence
    assert stage.weights()["A"] == 100 and stage.running() == {"A": 4}


def test_slow_answers_use_up_a_bound_that_is_for_all(stage: Stage) -> None:
    def text(instance: str) -> str:
        stage.clock.time += 9
        return READY

    with_consoles(stage, text)
    assert stage.deploy("B", patient(20)).exit_code == 3
    found = [e for e in journal(stage) if isinstance(e, ev.Evidence)]
    assert ["its console was not asked: 15 s were over" in e.missing for e in found] == [False, False, True, True]


class Agents:
    def __init__(self, answer: str | CloudError) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def status(self, address: str) -> str:
        self.asked.append(address)
        if isinstance(self.answer, CloudError):
            raise self.answer
        return self.answer


def test_the_agents_reasons_are_the_cause_of_what_booted(stage: Stage) -> None:
    with_consoles(stage, lambda instance: READY)
    agents = Agents('{"reasons": ["app: 7 of 8 workers"]}')
    stage.world = replace(stage.world, agents=agents)
    outcome = stage.deploy("B", patient(20))
    assert "4 of 4: app: 7 of 8 workers." in outcome.sentence
    assert len(set(agents.asked)) == 4 and all(address.startswith("10.") for address in agents.asked)


@pytest.mark.parametrize(("error", "asked"), [(Unreachable("outside"), 1), (CloudError("does not run"), 4)])
def test_where_one_agent_is_out_of_reach_no_other_is_asked(stage: Stage, error: CloudError, asked: int) -> None:
    with_consoles(stage, lambda instance: READY)
    agents = Agents(error)
    stage.world = replace(stage.world, agents=agents)
    assert stage.deploy("B", patient(20)).exit_code == 3
    assert len(agents.asked) == asked
    assert all(error.what in e.missing for e in journal(stage) if isinstance(e, ev.Evidence))


def test_the_timeline_of_a_deployment_that_went_well(stage: Stage) -> None:
    with_consoles(stage, lambda instance: READY)
    stage.broken.clear()
    stage.deploy("B", shop("B", bake_s=60))
    shown = timeline(journal(stage))
    names = [(bar.phase, bool(bar.instance)) for bar in shown.bars]
    inner = [(name, True) for name in ("cloud-init", "docker", "pull", "start")]
    place = names.index(("boot", False)) + 1
    assert names[place : place + 4] == inner and not shown.missing
    assert [n for n, of in names if not of][:6] == ["prepare", "launch", "register", "boot", "switch", "bake"]
    ends = [bar.began + bar.seconds for bar in shown.bars if not bar.instance]
    assert ends == sorted(ends) and next(b for b in shown.bars if b.phase == "bake").seconds >= 60


@pytest.mark.parametrize(
    ("text", "why"),
    [(PULLING, "its console does not show the whole boot"), ("", "its console shows no boot")],
)
def test_a_timeline_says_what_is_missing(stage: Stage, text: str, why: str) -> None:
    with_consoles(stage, lambda instance: text)
    stage.broken.clear()
    assert stage.deploy("B").result == "deployed"
    shown = timeline(journal(stage))
    assert shown.missing == why and not any(bar.instance for bar in shown.bars)


def test_the_timeline_of_a_failed_boot_shows_how_far_it_came(stage: Stage) -> None:
    with_consoles(
        stage, lambda instance: FAILED.replace("3.0 login", "0.0 start, 7 s after the machine\n[bluegreen] 3.0 login")
    )
    stage.deploy("B", patient(20))
    shown = timeline(journal(stage))
    assert [bar.phase for bar in shown.bars if bar.instance] == ["cloud-init", "docker"] and not shown.missing
