"""deploy, rollback, resume and abort on the sandbox's engine, with the real adapters and a clock that we turn."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bluegreen.controller import commands
from bluegreen.controller.history import past
from bluegreen.core.chain import Lineage, Link
from bluegreen.core.step import Launch, MakeGroup, Register, SetWeights, Step
from bluegreen.errors import BluegreenError, Held, Interrupted, Refused
from tests.controller.stage import Stage, shop


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_first_deployment_serves_and_has_no_standby(stage: Stage) -> None:
    outcome = stage.deploy("A")
    assert (outcome.result, outcome.exit_code) == ("deployed", 0)
    assert stage.weights() == {"A": 100}
    assert stage.running() == {"A": 4}
    assert stage.record().goal is None and stage.record().owner is None


def test_second_deployment_keeps_the_first_as_standby(stage: Stage) -> None:
    stage.deploy("A")
    assert stage.deploy("B").result == "deployed"
    assert stage.weights() == {"A": 0, "B": 100}
    assert stage.running() == {"A": 4, "B": 4}
    assert stage.status().not_ready == "" and stage.status().well


def test_third_deployment_retires_the_older_standby_whole(stage: Stage) -> None:
    for version in "ABC":
        assert stage.deploy(version).exit_code == 0
    assert stage.weights() == {"B": 0, "C": 100}
    assert stage.running() == {"B": 4, "C": 4}
    groups = stage.boto.client("elbv2").describe_target_groups()["TargetGroups"]
    assert len(groups) == 2


def test_the_standby_stays_attached_and_healthy_while_the_next_one_is_deployed(stage: Stage) -> None:
    stage.deploy("A")
    stage.deploy("B")
    seen: list[dict[str, int]] = []
    stage.eyes.on_step = lambda step: seen.append(stage.weights()) if isinstance(step, Register) else None
    stage.deploy("C")
    assert seen and all(w["A"] == 0 and w["B"] == 100 for w in seen)


@pytest.mark.parametrize(("port", "told"), [(None, "traffic-port"), (8717, "8717")])
def test_the_checks_may_go_to_a_port_of_their_own(stage: Stage, port: int | None, told: str) -> None:
    (binding,) = shop("A").traffic
    assert stage.deploy("A", traffic=(binding._replace(health=binding.health._replace(port=port)),)).exit_code == 0
    (group,) = stage.boto.client("elbv2").describe_target_groups()["TargetGroups"]
    assert (group["Port"], group["HealthCheckPort"], group["HealthCheckPath"]) == (8080, told, "/health")


def test_colours_take_turns(stage: Stage) -> None:
    for version, colour in (("A", "blue"), ("B", "green"), ("C", "blue")):
        stage.deploy(version)
        live = stage.record().live
        assert live is not None and live.colour == colour


def test_deploying_what_is_live_changes_nothing(stage: Stage) -> None:
    stage.deploy("A")
    before = stage.record()
    assert stage.deploy("A").result == "unchanged"
    assert stage.record() == before


def test_one_switch_is_one_modify_rule_with_absolute_weights(stage: Stage) -> None:
    stage.deploy("A")
    stage.eyes.steps.clear()
    stage.deploy("B")
    shifts = [s for s in stage.eyes.steps if isinstance(s, SetWeights) and s.shift]
    assert len(shifts) == 1 and sorted(weight for _, weight in shifts[0].weights) == [0, 100]


def test_rollback_is_one_modify_rule_and_no_ec2_call(stage: Stage) -> None:
    stage.deploy("A")
    stage.deploy("B")
    stage.engine.calls.clear()
    outcome = stage.rollback()
    assert outcome.result == "rolled-back"
    calls = stage.calls()
    assert [op for _, op in calls].count("ModifyRule") == 1
    assert not [call for call in calls if call[0] == "ec2"]
    first_write = [op for _, op in calls].index("ModifyRule")
    assert "DescribeRules" in [op for _, op in calls[first_write + 1 :]], "the switch was not read back"
    assert stage.weights() == {"A": 100, "B": 0}
    assert stage.running() == {"A": 4, "B": 4}


def test_a_second_plain_rollback_changes_nothing_and_a_named_one_goes_forward_again(stage: Stage) -> None:
    stage.deploy("A")
    stage.deploy("B")
    stage.rollback()
    record = stage.record()
    again = stage.rollback()
    assert again.result == "unchanged" and again.exit_code == 0
    assert "rolled back already from green shop-2 (B) to blue shop-1 (A)" in again.sentence
    assert "user/ann" in again.sentence, "by whom"
    assert again.next == "bluegreen rollback shop --to shop-2"
    assert stage.weights() == {"A": 100, "B": 0} and stage.record() == record
    assert stage.rollback("shop-2").result == "rolled-back"
    assert stage.weights() == {"A": 0, "B": 100}


def test_a_plain_rollback_of_what_somebody_else_moved_puts_the_traffic_back(stage: Stage) -> None:
    stage.deploy("A")
    stage.deploy("B")
    stage.rollback()
    (binding,) = stage.world.traffic.bindings(stage.record().bindings)
    weights = tuple((arn, 100 - weight) for arn, weight in binding.weights or ())
    stage.world.traffic.perform(SetWeights(binding.ref, weights, "somebody else", shift=True))
    assert stage.rollback().result == "rolled-back"
    assert stage.weights() == {"A": 100, "B": 0}


def test_rollback_without_a_standby_is_refused(stage: Stage) -> None:
    stage.deploy("A")
    with pytest.raises(Refused, match="no standby"):
        stage.rollback()


def test_rollback_to_a_sick_standby_is_refused_and_touches_nothing(stage: Stage) -> None:
    stage.deploy("A")
    stage.deploy("B")
    stage.broken.add("A")
    stage.clock.time += 60
    outcome = stage.rollback()
    assert outcome.result == "refused" and "0 of 4 instances" in outcome.sentence
    assert stage.weights() == {"A": 0, "B": 100}
    assert stage.record().live is not None and stage.record().live.version == "B"


def test_a_standby_as_good_as_what_serves_is_good_enough(stage: Stage) -> None:
    stage.deploy("A")
    stage.deploy("B")
    ids = [i.id for i in stage.world.fleets.look("shop")]
    stage.sick |= {next(i for i in ids if stage._version(i) == "A"), *[i for i in ids if stage._version(i) == "B"][:2]}
    stage.clock.time += 60
    assert stage.rollback().result == "rolled-back"


def test_a_broken_version_never_gets_traffic_and_leaves_nothing(stage: Stage) -> None:
    stage.deploy("A")
    stage.broken.add("bad")
    seen: list[int] = []
    stage.eyes.on_step = lambda step: seen.append(max(stage.weights().values()) if stage.weights()["A"] == 100 else -1)
    outcome = stage.deploy("bad")
    assert (outcome.result, outcome.exit_code) == ("undone", 3)
    assert "0 of 4 instances healthy" in outcome.sentence
    assert set(seen) == {100}
    assert stage.weights() == {"A": 100} and stage.running() == {"A": 4}
    assert len(stage.boto.client("elbv2").describe_target_groups()["TargetGroups"]) == 1
    assert stage.record().goal is None


def test_a_broken_first_deployment_puts_the_fixed_response_back(stage: Stage) -> None:
    stage.broken.add("bad")
    before = stage.boto.client("elbv2").describe_rules(RuleArns=[_rule(stage)])["Rules"][0]["Actions"]
    assert stage.deploy("bad").result == "undone"
    assert stage.boto.client("elbv2").describe_rules(RuleArns=[_rule(stage)])["Rules"][0]["Actions"] == before
    assert stage.running() == {}


def _rule(stage: Stage) -> str:
    return stage.world.traffic.find(shop("A").traffic[0]).binding.ref.arn


def test_a_fleet_that_falls_ill_in_the_bake_is_put_back(stage: Stage) -> None:
    stage.deploy("A")

    def fall_ill(step: Step) -> None:
        if isinstance(step, SetWeights) and step.shift:
            stage.broken.add("B")

    stage.eyes.on_step = fall_ill
    outcome = stage.deploy("B", shop("B", bake_s=120))
    assert outcome.result == "undone" and "baking" in outcome.sentence
    assert stage.weights() == {"A": 100} and stage.running() == {"A": 4}


@pytest.mark.parametrize("kind", [MakeGroup, Launch, Register, SetWeights])
@pytest.mark.parametrize("command", ["resume", "abort"])
def test_interrupted_anywhere_the_old_fleet_serves_and_both_ways_are_open(
    stage: Stage, kind: type[Step], command: str
) -> None:
    stage.deploy("A")

    def interrupt(step: Step) -> None:
        if isinstance(step, kind):
            stage.clock.interrupt = True

    stage.eyes.on_step = interrupt
    with pytest.raises(Interrupted) as caught:
        stage.deploy("B")
    assert caught.value.exit_code == 130 and "bluegreen resume shop" in caught.value.next
    assert stage.weights()["A"] == 100
    stage.eyes.on_step = lambda step: None
    with pytest.raises(Refused, match="not finished"):
        stage.deploy("C")
    if command == "resume":
        assert stage.resume().result == "deployed"
        assert stage.weights() == {"A": 0, "B": 100} and stage.running() == {"A": 4, "B": 4}
    else:
        assert stage.abort().result == "aborted"
        assert stage.weights() == {"A": 100} and stage.running() == {"A": 4}


def test_rollback_stops_a_deployment_that_has_not_moved_traffic(stage: Stage) -> None:
    stage.deploy("A")
    stage.deploy("B")
    stage.eyes.on_step = lambda step: setattr(stage.clock, "interrupt", isinstance(step, Register))
    with pytest.raises(Interrupted):
        stage.deploy("C")
    stage.eyes.on_step = lambda step: None
    outcome = stage.rollback()
    assert outcome.result == "rolled-back" and "--to shop-1" in outcome.sentence
    assert stage.weights() == {"A": 0, "B": 100} and stage.running() == {"A": 4, "B": 4}
    assert stage.rollback("shop-1").result == "rolled-back"
    assert stage.weights() == {"A": 100, "B": 0}


def test_a_deployer_that_was_taken_over_stops(stage: Stage) -> None:
    stage.deploy("A")
    stage.deploy("B")
    taken: list[str] = []

    def take_over(step: Step) -> None:
        if isinstance(step, Register) and not taken:
            taken.append("now")
            stage.eyes.on_step = lambda step: None
            taken.append(stage.rollback().result)

    stage.eyes.on_step = take_over
    outcome = stage.deploy("C")
    assert taken == ["now", "rolled-back"]
    assert (outcome.result, outcome.exit_code) == ("superseded", 6)
    assert stage.weights() == {"A": 0, "B": 100}


def test_a_second_deploy_is_told_who_holds_the_stack(stage: Stage) -> None:
    stage.deploy("A")
    errors: list[BluegreenError] = []

    def second(step: Step) -> None:
        if isinstance(step, Register) and not errors:
            with pytest.raises(Held) as caught:
                stage.deploy("C")
            errors.append(caught.value)

    stage.eyes.on_step = second
    assert stage.deploy("B").result == "deployed"
    assert errors[0].exit_code == 4 and "laptop pid 1" in errors[0].where and "shop-2" in errors[0].what


def test_foreign_weights_before_the_switch_end_the_deployment(stage: Stage) -> None:
    stage.deploy("A")
    live = stage.record().live
    assert live is not None

    def meddle(step: Step) -> None:
        if isinstance(step, Register):
            (binding,) = stage.world.traffic.bindings(stage.record().bindings)
            groups = [{"TargetGroupArn": arn, "Weight": 7} for arn in binding.by_group]
            action = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups[:1]}}
            stage.boto.client("elbv2").modify_rule(RuleArn=_rule(stage), Actions=[action])

    stage.eyes.on_step = meddle
    outcome = stage.deploy("B")
    assert outcome.result == "undone" and "somebody else changed" in outcome.sentence
    assert stage.running() == {"A": 4}


def test_drift_refuses_a_deploy_and_shows_in_status(stage: Stage) -> None:
    stage.deploy("A")
    stage.deploy("B")
    (binding,) = stage.world.traffic.bindings(stage.record().bindings)
    groups = [{"TargetGroupArn": arn, "Weight": 50} for arn in binding.by_group]
    action = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
    stage.boto.client("elbv2").modify_rule(RuleArn=_rule(stage), Actions=[action])
    assert "somebody changed the weights" in stage.status().drift[0]
    with pytest.raises(Refused, match="not ours") as caught:
        stage.deploy("C")
    assert "--to shop-2" in caught.value.next
    assert stage.rollback("shop-2").exit_code == 0
    assert stage.weights() == {"A": 0, "B": 100} and not stage.status().drift


def test_status_tells_of_a_dead_live_instance_and_of_a_standby_that_is_gone(stage: Stage) -> None:
    stage.deploy("A")
    stage.deploy("B")
    ids = {
        version: [i.id for i in stage.world.fleets.look("shop") if stage._version(i.id) == version] for version in "AB"
    }
    ec2 = stage.boto.client("ec2")
    ec2.terminate_instances(InstanceIds=ids["B"][:1])
    ec2.terminate_instances(InstanceIds=ids["A"])
    stage.clock.time += 60
    seen = stage.status()
    live, standby = seen.fleets
    assert (live.healthy, standby.healthy) == (3, 0)
    assert not seen.well and "0 of 4 instances of blue shop-1 (A)" in seen.not_ready


def test_status_shows_the_fleet_of_a_deployment_that_is_not_finished(stage: Stage) -> None:
    stage.deploy("A")

    def interrupt(step: Step) -> None:
        if isinstance(step, SetWeights) and step.shift:
            stage.clock.interrupt = True

    stage.eyes.on_step = interrupt
    with pytest.raises(Interrupted):
        stage.deploy("B", shop("B", bake_s=30))
    seen = stage.status()
    assert [(f.role, f.fleet.version, f.weight, f.healthy) for f in seen.fleets] == [
        ("new", "B", 100, 4),
        ("live", "A", 0, 4),
    ]
    assert not seen.not_ready
    stage.sick |= {i.id for i in stage.world.fleets.look("shop") if stage._version(i.id) == "A"}
    stage.clock.time += 60
    assert "0 of 4 instances of blue shop-1 (A)" in stage.status().not_ready


def test_another_type_is_taken_when_there_is_no_capacity(stage: Stage) -> None:
    from bluegreen.aws.instances import Ec2Fleets
    from bluegreen.errors import NoCapacity

    tried: list[str] = []

    class Scarce(Ec2Fleets):
        def launch(self, step, spec, user_data):  # type: ignore[no-untyped-def]
            tried.append(step.instance_type)
            if step.instance_type == "m7i.large":
                raise NoCapacity("no room", code="InsufficientInstanceCapacity")
            return super().launch(step, spec, user_data)

    object.__setattr__(stage.world, "fleets", Scarce(stage.aws))
    assert stage.deploy("A").result == "deployed"
    assert tried == ["m7i.large"] * 3 + ["m6i.large"] * 3
    assert stage.running() == {"A": 4}


def test_launch_sends_imdsv2_encrypted_root_and_tags(stage: Stage) -> None:
    stage.deploy("A")
    found = stage.boto.client("ec2").describe_instances()["Reservations"][0]["Instances"][0]
    tags = {tag["Key"]: tag["Value"] for tag in found["Tags"]}
    assert found["MetadataOptions"]["HttpTokens"] == "required"
    assert tags["bluegreen:stack"] == "shop" and tags["bluegreen:version"] == "A"
    volume = found["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    assert stage.boto.client("ec2").describe_volumes(VolumeIds=[volume])["Volumes"][0]["Encrypted"]


def test_the_lineage_of_its_images_is_in_the_journal(stage: Stage) -> None:
    link = Link("app", "a" * 64, f"127.0.0.1:5601/shop/app@sha256:{'b' * 64}", "os@sha256:1")
    lineage = Lineage((link,), "c" * 40, dirty=True)
    job = replace(stage.job("A", shop("A")), lineage=lineage)
    assert commands.deploy(stage.world, job).result == "deployed"
    assert past(stage.records.journal("shop-1")).lineage == lineage
