"""heal on the sandbox's engine, with the real adapters: instances of the live and the standby fleet are lost and replaced."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bluegreen.core.event import Failed, Started
from bluegreen.core.step import Deregister, Launch, Register, SetWeights, Step, Terminate
from bluegreen.core.tags import HEAL, fleet_tags
from bluegreen.errors import Interrupted, NeedsHuman, Refused
from bluegreen.ports import Journal
from bluegreen.sandbox.faults import Fault
from tests.controller.answers import answer
from tests.controller.stage import Stage, during


@pytest.fixture
def stage() -> Stage:
    """B is live and A stands by."""
    made = Stage()
    made.deploy("A")
    made.deploy("B")
    made.eyes.steps.clear()
    return made


def kill(stage: Stage, version: str, number: int = 1) -> list[str]:
    ids = stage.of(version)[:number]
    stage.boto.client("ec2").terminate_instances(InstanceIds=ids)
    stage.clock.time += 60
    return ids


def whole(stage: Stage) -> None:
    assert stage.running() == {"A": 4, "B": 4} and stage.weights() == {"A": 0, "B": 100}
    assert [f.healthy for f in stage.status().fleets] == [4, 4] and not stage.status().to_heal
    for fleet in (stage.record().live, stage.record().standby):
        assert fleet is not None
        (group,) = stage.world.traffic.groups(fleet.groups).values()
        assert group is not None and group.ids == set(stage.of(fleet.version))
    assert stage.record().goal is None and stage.record().owner is None


def test_nothing_to_do_changes_nothing(stage: Stage) -> None:
    before = stage.record()
    assert stage.heal().result == "unchanged" and stage.record() == before
    assert stage.eyes.steps == []


def test_live_and_standby_are_made_whole_and_no_traffic_moves(stage: Stage) -> None:
    kill(stage, "A")
    kill(stage, "B", 2)
    seen = stage.status()
    assert [(f.fleet.version, f.lost) for f in seen.to_heal] == [("B", 2), ("A", 1)]
    outcome = stage.heal()
    assert (outcome.result, outcome.exit_code) == ("healed", 0)
    assert "2 launched anew" in outcome.sentence and "1 launched anew" in outcome.sentence
    assert not [step for step in stage.eyes.steps if isinstance(step, SetWeights | Deregister | Terminate)]
    whole(stage)
    assert stage.rollback().result == "rolled-back"


def test_the_same_bytes_and_tags_in_the_zones_that_lost(stage: Stage) -> None:
    (dead,) = kill(stage, "B")
    was = next(i for i in stage.world.fleets.look("shop") if i.id == dead)
    old = set(stage.of("B"))
    stage.heal()
    (new,) = set(stage.of("B")) - old
    now = next(i for i in stage.world.fleets.look("shop") if i.id == new)
    assert (now.subnet, now.deployment) == (was.subnet, "shop-2")

    def data(name: str) -> str:
        ec2 = stage.boto.client("ec2")
        return str(ec2.describe_instance_attribute(InstanceId=name, Attribute="userData")["UserData"]["Value"])

    assert data(new) == data(next(iter(old)))


def test_a_stopped_one_is_replaced_first_and_ended_then(stage: Stage) -> None:
    stopped = stage.of("B")[0]
    stage.boto.client("ec2").stop_instances(InstanceIds=[stopped])
    stage.clock.time += 60
    assert [f.lost for f in stage.status().to_heal] == [1]
    healthy: list[int] = []
    stage.eyes.on_step = lambda step: (
        healthy.append(stage.status().fleets[0].healthy) if isinstance(step, Deregister) else None
    )
    assert stage.heal().result == "healed"
    assert healthy == [4], "it left before the new one was healthy"
    assert stopped not in stage.of("B")
    whole(stage)


def test_one_that_was_deregistered_is_replaced_and_ended(stage: Stage) -> None:
    name = stage.of("A")[0]
    standby = stage.record().standby
    assert standby is not None
    stage.world.traffic.perform(Deregister(standby.groups[0], (name,), "by hand"))
    stage.clock.time += 60
    assert stage.heal().result == "healed"
    assert name not in stage.of("A")
    whole(stage)


def test_what_fails_its_check_is_left_alone_unless_asked_for(stage: Stage) -> None:
    sick = stage.of("B")[0]
    stage.sick.add(sick)
    stage.clock.time += 60
    assert stage.heal().result == "unchanged" and sick in stage.of("B")
    assert stage.heal(unhealthy=True).result == "healed"
    assert sick not in stage.of("B")
    whole(stage)


def test_a_failure_ends_what_was_launched_and_keeps_what_got_healthy(stage: Stage) -> None:
    kill(stage, "B", 2)

    def fall_ill(step: Step) -> None:
        if isinstance(step, Register):
            stage.sick.add(step.instances[0])

    stage.eyes.on_step = fall_ill
    outcome = stage.heal()
    assert (outcome.result, outcome.exit_code) == ("undone", 3)
    assert "1 of 2 new instances healthy" in outcome.sentence and "bluegreen heal shop" in outcome.next
    assert stage.running() == {"A": 4, "B": 3} and stage.weights() == {"A": 0, "B": 100}
    assert stage.record().goal is None
    stage.eyes.on_step = lambda step: None
    assert stage.heal().result == "healed"
    whole(stage)


def test_no_capacity_takes_the_next_type_and_then_gives_up(stage: Stage) -> None:
    kill(stage, "B")
    stage.engine.faults.add(Fault("RunInstances", 1, "before", "InsufficientInstanceCapacity", "no room", 500))
    stage.engine.faults._seen.clear()
    assert stage.heal().result == "healed"
    assert [step.instance_type for step in stage.eyes.steps if isinstance(step, Launch)] == ["m7i.large", "m6i.large"]
    kill(stage, "B")
    answer(stage, "InsufficientInstanceCapacity", "RunInstances", status=500)
    outcome = stage.heal()
    assert outcome.exit_code == 3 and "no capacity in" in outcome.sentence
    assert stage.running() == {"A": 4, "B": 3}


@pytest.mark.parametrize("kind", [Launch, Register, Deregister, Terminate])
@pytest.mark.parametrize("command", ["resume", "abort", "rollback"])
def test_interrupted_anywhere_every_way_is_open(stage: Stage, kind: type[Step], command: str) -> None:
    stopped = stage.of("B")[0]
    stage.boto.client("ec2").stop_instances(InstanceIds=[stopped])
    stage.clock.time += 60

    def interrupt(step: Step) -> None:
        stage.clock.interrupt = isinstance(step, kind)

    stage.eyes.on_step = interrupt
    with pytest.raises(Interrupted) as caught:
        stage.heal()
    assert "bluegreen resume shop" in caught.value.next and "bluegreen abort shop" in caught.value.next
    stage.eyes.on_step = lambda step: None
    for refused in (stage.gc, stage.heal, lambda: stage.deploy("C")):
        with pytest.raises(Refused, match=r"heal shop-3 .*not finished"):
            refused()
    if command == "resume":
        assert stage.resume().result == "healed"
        whole(stage)
        return
    if command == "abort":
        assert stage.abort().result == "aborted"
    else:
        outcome = stage.rollback()
        assert outcome.result == "rolled-back" and "bluegreen heal shop" in outcome.sentence
        assert stage.weights() == {"A": 100, "B": 0}
    stage.clock.time += 60
    assert stage.gc().exit_code == 0
    assert stage.heal().exit_code == 0
    assert command == "abort" or stage.rollback("shop-2").result == "rolled-back"
    whole(stage)


def test_a_rollback_takes_over_a_heal_under_way(stage: Stage) -> None:
    kill(stage, "B")
    results = during(stage, Register, stage.rollback)
    assert (stage.heal().result, stage.weights()) == ("superseded", {"A": 100, "B": 0})
    assert results[0].result == "rolled-back"  # type: ignore[attr-defined]


def without_journal(stage: Stage, gone: str) -> None:
    journal = stage.records.journal
    stage.records.journal = lambda name: Journal(name, (), (), 0) if name == gone else journal(name)  # type: ignore[method-assign]


def test_a_fleet_whose_journal_is_gone_is_not_guessed_at(stage: Stage) -> None:
    kill(stage, "B")
    without_journal(stage, "shop-2")
    with pytest.raises(Refused, match="not known any more") as caught:
        stage.heal()
    assert "journal of shop-2" in caught.value.where and caught.value.exit_code == 5


def test_a_permission_that_is_missing_halfway_is_undone(stage: Stage) -> None:
    kill(stage, "B")
    answer(stage, "AccessDenied", "RegisterTargets", status=403)
    outcome = stage.heal()
    assert outcome.exit_code == 3 and "AccessDenied" in outcome.sentence + outcome.why
    assert stage.running() == {"A": 4, "B": 3}


def test_a_heal_of_the_second_fleet_that_cannot_begin_says_what_the_first_one_did(stage: Stage) -> None:
    kill(stage, "A")
    kill(stage, "B")
    without_journal(stage, "shop-1")
    with pytest.raises(NeedsHuman, match="1 launched anew") as caught:
        stage.heal()
    assert caught.value.next.startswith("bluegreen deploy FILE"), "to heal it again would be refused"


def test_gc_ends_what_no_group_knows_and_no_member(stage: Stage) -> None:
    live, start = stage.record().live, stage.records.events("shop-2")[0]
    assert live is not None and isinstance(start, Started) and start.goal.launch is not None
    subnet = start.goal.launch.places[0].subnet
    tags = (*fleet_tags("shop", live), (HEAL, "shop-3"))
    late = Launch(subnet, 0, 1, "m7i.large", 1, "late", tags, "a launch of a heal that lands late")
    (stray,) = stage.world.fleets.launch(late, start.goal.launch, b"#!/bin/sh\n")
    stage.clock.time += 60
    assert len(stage.of("B")) == 5
    assert stage.gc().result == "cleaned"
    assert stray not in stage.of("B")
    whole(stage)
    stage.world.traffic.perform(Deregister(live.groups[0], tuple(stage.of("B")), "by hand"))
    stage.clock.time += 60
    assert stage.gc().result == "unchanged" and len(stage.of("B")) == 4, "the whole fleet may be wanted yet"


def test_the_reason_of_an_aborted_heal_stands_in_its_journal(stage: Stage) -> None:
    kill(stage, "B")
    stage.eyes.on_step = lambda step: setattr(stage.clock, "interrupt", isinstance(step, Register))
    with pytest.raises(Interrupted):
        stage.heal()
    stage.eyes.on_step = lambda step: None
    stage.abort()
    assert [e.reason for e in stage.records.events("shop-3") if isinstance(e, Failed)] == ["it was aborted"]
    assert stage.running() == {"A": 4, "B": 3}


@pytest.mark.parametrize("role", ["live", "standby"])
def test_a_healthy_instance_is_never_dead_whatever_the_record_says(stage: Stage, role: str) -> None:
    """A record edited by hand: with a count of 1, three healthy instances used to be ended, called dead."""
    record = stage.record()
    fleet = getattr(record, role)
    edited = replace(record, op_id="edited", **{role: replace(fleet, count=1)})
    stage.records.write(edited, record.epoch, record.op_id)
    notes: list[str] = []
    stage.eyes.note = notes.append  # type: ignore[method-assign]
    for unhealthy in (False, True):
        assert stage.heal(unhealthy=unhealthy).result == "unchanged"
    assert stage.running() == {"A": 4, "B": 4} and not stage.eyes.steps
    assert f"the record says that {fleet.label} has 1, and 4 of it are healthy: none is terminated" in notes
    kill(stage, fleet.version)
    assert stage.heal().exit_code == 0 and len(stage.of(fleet.version)) == 3


def test_one_that_gets_healthy_again_while_it_is_replaced_stays(stage: Stage) -> None:
    sick = stage.of("B")[0]
    stage.sick.add(sick)
    stage.clock.time += 60

    def recover(step: Step) -> None:
        if isinstance(step, Register):
            stage.sick.clear()
            stage.clock.time += 30

    stage.eyes.on_step = recover
    assert stage.heal(unhealthy=True).result == "healed"
    assert sick in stage.of("B") and len(stage.of("B")) == 5
    assert stage.heal(unhealthy=True).result == "unchanged" and len(stage.of("B")) == 5
