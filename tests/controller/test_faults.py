"""Faults of docs/faults.md that no sweep meets: no capacity, quotas, unknown health, other people's hands."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from bluegreen.core.decide.launch import MOST_USED_UP, USED_UP
from bluegreen.core.event import Launching
from bluegreen.core.observation import Group, Target
from bluegreen.core.step import Register, SetWeights
from bluegreen.errors import NeedsHuman, Refused
from bluegreen.sandbox import seed
from bluegreen.sandbox.faults import Fault
from tests.controller.answers import answer, nothing_of_b
from tests.controller.stage import Stage, during, shop


@pytest.fixture
def stage() -> Stage:
    return Stage()


def launches(stage: Stage) -> int:
    return [operation for _, operation in stage.calls()].count("RunInstances")


def test_no_capacity_for_any_type_ends_it_before_the_load_balancer_is_switched(stage: Stage) -> None:
    stage.deploy("A")
    stage.engine.calls.clear()
    answer(stage, "InsufficientInstanceCapacity", "RunInstances", status=500)
    outcome = stage.deploy("B")
    assert (
        outcome.exit_code == 3 and "no capacity in" in outcome.sentence and "m7i.large, m6i.large" in outcome.sentence
    )
    assert launches(stage) == 6, "each zone, each type, once"
    nothing_of_b(stage)


def test_a_token_whose_instances_are_gone_is_not_used_again(stage: Stage) -> None:
    """The launch is not answered, and somebody ends its instances before it is asked again."""
    stage.deploy("A")
    answers = stage.engine.faults.meet

    def meet(operation: str) -> Fault | None:
        if operation == "RunInstances" and not lost:
            lost.append("the answer")
            return Fault(operation, 1, "after")
        return answers(operation)

    def note(text: str) -> None:
        if "no answer" in text:
            ended.extend(stage.of("B"))
            stage.boto.client("ec2").terminate_instances(InstanceIds=ended)
            stage.clock.time += 20

    lost: list[str] = []
    ended: list[str] = []
    stage.engine.faults.meet = meet  # type: ignore[method-assign]
    stage.eyes.note = note  # type: ignore[method-assign]
    outcome = stage.deploy("B")
    assert outcome.exit_code == 0 and ended, outcome
    assert stage.running() == {"A": 4, "B": 4} and stage.weights()["B"] == 100
    attempts = [event for event in stage.records.events("shop-2") if isinstance(event, Launching)]
    assert [a.attempt for a in attempts].count(2) == 1 and len({a.token for a in attempts}) == len(attempts) == 4
    assert len({a.instance_type for a in attempts}) == 1


def test_whoever_goes_on_ending_what_is_launched_ends_the_deployment(stage: Stage) -> None:
    stage.deploy("A")
    stage.engine.calls.clear()
    answer(stage, USED_UP, "RunInstances")
    outcome = stage.deploy("B")
    assert outcome.exit_code == 3 and USED_UP in outcome.sentence
    assert launches(stage) == 3 * (1 + MOST_USED_UP), "each zone, under tokens of its own"
    nothing_of_b(stage)


def test_a_used_up_token_costs_no_instance_type(stage: Stage) -> None:
    """The first zone has no room for the first type, then a used-up token: the second type is still asked for."""
    stage.deploy("A")
    for nth, code in ((1, "InsufficientInstanceCapacity"), (4, USED_UP)):
        stage.engine.faults.add(Fault("RunInstances", nth, "before", code, "so says the test", 400))
    stage.engine.faults._seen.clear()
    assert stage.deploy("B").exit_code == 0
    zone = [event for event in stage.records.events("shop-2") if isinstance(event, Launching)]
    first = [a.instance_type for a in zone if a.subnet == zone[0].subnet]
    assert first == ["m7i.large", "m6i.large", "m6i.large"]


def test_a_zone_without_capacity_ends_what_the_others_launched(stage: Stage) -> None:
    stage.deploy("A")
    for nth in (1, 4):  # the first zone's first type, and its second
        stage.engine.faults.add(Fault("RunInstances", nth, "before", "InsufficientInstanceCapacity", "no room", 500))
    stage.engine.faults._seen.clear()
    outcome = stage.deploy("B")
    assert outcome.exit_code == 3 and "no capacity in" in outcome.sentence
    nothing_of_b(stage)


@pytest.mark.parametrize(
    "code", ["VcpuLimitExceeded", "MaxSpotInstanceCountExceeded", "InsufficientFreeAddressesInSubnet"]
)
def test_a_quota_is_told_by_its_code_and_not_tried_again(stage: Stage, code: str) -> None:
    stage.deploy("A")
    stage.engine.calls.clear()
    answer(stage, code, "RunInstances")
    outcome = stage.deploy("B")
    assert outcome.exit_code == 3 and code in outcome.sentence
    assert launches(stage) == 3, "each zone once"
    nothing_of_b(stage)


def test_an_instance_that_dies_while_it_boots_is_told_with_the_reason_of_ec2(stage: Stage) -> None:
    stage.deploy("A")

    def die() -> None:
        new = next(i.id for i in stage.world.fleets.look("shop") if stage._version(i.id) == "B")
        stage.boto.client("ec2").terminate_instances(InstanceIds=[new])

    during(stage, Register, die)
    outcome = stage.deploy("B")
    assert outcome.exit_code == 3 and "was terminated while it booted: Client.UserInitiatedShutdown" in outcome.sentence
    nothing_of_b(stage)


def blind(stage: Stage, when: Callable[[], bool]) -> None:
    """While `when`, AWS does not tell the health of what is healthy on B."""
    traffic = stage.world.traffic
    real = traffic.groups

    def groups(arns: Sequence[str]) -> dict[str, Group | None]:
        found = real(arns)
        if not when():
            return found
        return {arn: group and (_unknown(group) if "green" in arn else group) for arn, group in found.items()}

    traffic.groups = groups  # type: ignore[method-assign, assignment]


def _unknown(group: Group) -> Group:
    targets = tuple(Target(t.id, "unavailable", "Elb.InternalError") for t in group.targets)
    return Group(group.arn, targets)


def test_unknown_health_before_the_switch_is_no_success(stage: Stage) -> None:
    stage.deploy("A")
    blind(stage, lambda: True)
    outcome = stage.deploy("B")
    assert outcome.exit_code == 3 and "unavailable (Elb.InternalError)" in outcome.sentence
    nothing_of_b(stage)


@pytest.mark.parametrize("bake_s", [0, 60])
def test_unknown_health_after_the_switch_promotes_nothing_and_moves_nothing(stage: Stage, bake_s: int) -> None:
    stage.deploy("A")
    dark: list[bool] = []
    during(stage, SetWeights, lambda: dark.append(True), shift=True)
    blind(stage, lambda: bool(dark))
    outcome = stage.deploy("B", shop("B", bake_s=bake_s))
    assert outcome.exit_code == 7 and "does not tell the health of 4" in outcome.sentence
    assert stage.record().live.version == "A" and stage.running() == {"A": 4, "B": 4}  # type: ignore[union-attr]
    dark.clear()
    assert stage.resume().result == "deployed"
    assert stage.weights() == {"A": 0, "B": 100}


def stick(stage: Stage) -> None:
    (now,) = stage.boto.client("elbv2").describe_rules(RuleArns=[_rule_arn(stage)])["Rules"][0]["Actions"]
    config = {**now["ForwardConfig"], "TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 300}}
    stage.boto.client("elbv2").modify_rule(
        RuleArn=_rule_arn(stage), Actions=[{"Type": "forward", "ForwardConfig": config}]
    )


def _rule_arn(stage: Stage) -> str:
    return stage.record().bindings[0].arn


def test_stickiness_refuses_a_deploy(stage: Stage) -> None:
    stage.deploy("A")
    stick(stage)
    with pytest.raises(Refused, match="target group stickiness"):
        stage.deploy("B")
    assert stage.running() == {"A": 4}


def test_stickiness_turned_on_meanwhile_ends_it_before_the_switch(stage: Stage) -> None:
    stage.deploy("A")
    during(stage, Register, lambda: stick(stage))
    outcome = stage.deploy("B")
    assert outcome.exit_code == 3 and "target group stickiness" in outcome.sentence
    nothing_of_b(stage)


def test_an_action_before_the_forward_is_never_dropped(stage: Stage) -> None:
    stage.deploy("A")
    (forward,) = stage.world.traffic.bindings(stage.record().bindings)
    found = [{"Type": "authenticate-oidc", "Order": 1}, {**json.loads(forward.action)[0], "Order": 2}]
    real = stage.aws.read

    def read(service: str, operation: str, **arguments: Any) -> dict[str, Any]:
        answered = real(service, operation, **arguments)
        if operation == "describe_rules":
            for each in answered["Rules"]:
                if each["RuleArn"] == forward.ref.arn:
                    each["Actions"] = found
        return answered

    stage.aws.read = read  # type: ignore[method-assign]
    with pytest.raises(Refused, match="an action authenticate-oidc before it"):
        stage.deploy("B")


def third(stage: Stage) -> str:
    """Somebody else's group joins the action at weight 0."""
    elbv2 = stage.boto.client("elbv2")
    (now,) = elbv2.describe_rules(RuleArns=[_rule_arn(stage)])["Rules"][0]["Actions"]
    vpc = elbv2.describe_target_groups()["TargetGroups"][0]["VpcId"]
    group = elbv2.create_target_group(Name="theirs", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="instance")
    arn = str(group["TargetGroups"][0]["TargetGroupArn"])
    groups = [*now["ForwardConfig"]["TargetGroups"], {"TargetGroupArn": arn, "Weight": 0}]
    elbv2.modify_rule(
        RuleArn=_rule_arn(stage), Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]
    )
    return arn


def attached(stage: Stage) -> set[str]:
    (binding,) = stage.world.traffic.bindings(stage.record().bindings)
    return set(binding.by_group)


def test_a_third_group_in_the_action_ends_it_before_the_switch_and_stays(stage: Stage) -> None:
    stage.deploy("A")
    theirs: list[str] = []
    during(stage, Register, lambda: theirs.append(third(stage)))
    outcome = stage.deploy("B")
    assert outcome.exit_code == 3 and "somebody else changed" in outcome.sentence
    assert theirs[0] in attached(stage) and stage.running() == {"A": 4}


def test_a_third_group_after_the_switch_is_left_to_a_human(stage: Stage) -> None:
    stage.deploy("A")
    theirs: list[str] = []

    def join() -> None:
        record = stage.record()
        if record.goal and record.goal.fleet and not theirs and stage.weights().get("A") == 0:
            theirs.append(third(stage))

    stage.clock.on_sleep = join
    outcome = stage.deploy("B", shop("B", bake_s=60))
    assert outcome.exit_code == 7 and "somebody else changed" in outcome.sentence
    assert theirs[0] in attached(stage) and stage.running() == {"A": 4, "B": 4}


def test_a_deleted_rule_ends_a_deploy_and_is_never_made_again(stage: Stage) -> None:
    stage.deploy("A")
    arn = _rule_arn(stage)
    during(stage, Register, lambda: stage.boto.client("elbv2").delete_rule(RuleArn=arn))
    outcome = stage.deploy("B")
    assert outcome.exit_code == 7 and "is gone" in outcome.sentence
    assert stage.running() == {"A": 4}, "the new fleet is ended, the old one runs"
    assert not {"CreateRule", "CreateListener"} & {operation for _, operation in stage.calls()}


def test_a_rollback_whose_rule_is_gone_says_what_to_make(stage: Stage) -> None:
    stage.deploy("A")
    stage.deploy("B")
    live = stage.record().live
    assert live is not None
    stage.boto.client("elbv2").delete_rule(RuleArn=_rule_arn(stage))
    outcome = stage.rollback()
    assert outcome.exit_code == 7 and "gone from the load balancer" in outcome.sentence
    assert live.groups[0] in outcome.next, "not the group of the fleet that stands by"
    assert stage.record().goal is None, "a rollback that cannot begin leaves nothing to be finished"
    assert stage.running() == {"A": 4, "B": 4}


def test_what_stands_beside_the_weights_is_read(stage: Stage) -> None:
    stage.deploy("A")
    (binding,) = stage.world.traffic.bindings(stage.record().bindings)
    assert binding.beside == ""
    stick(stage)
    (sticky,) = stage.world.traffic.bindings(stage.record().bindings)
    assert sticky.beside == "target group stickiness" and replace(sticky, beside="", action=binding.action) == binding


def test_a_protected_instance_keeps_the_retired_fleet_and_is_named(stage: Stage) -> None:
    for version in "AB":
        stage.deploy(version)
    old = [i.id for i in stage.world.fleets.look("shop") if stage._version(i.id) == "A"]
    ec2 = stage.boto.client("ec2")
    ec2.modify_instance_attribute(InstanceId=old[0], DisableApiTermination={"Value": True})
    with pytest.raises(NeedsHuman, match=old[0]) as caught:
        stage.deploy("C")
    assert "ec2:TerminateInstances" in caught.value.what and "bluegreen resume shop" in caught.value.next
    assert stage.weights()["C"] == 100 and stage.running()["B"] == 4
    ec2.modify_instance_attribute(InstanceId=old[0], DisableApiTermination={"Value": False})
    assert stage.resume().result == "deployed" and stage.running() == {"B": 4, "C": 4}


def test_what_another_stacks_tag_says_is_not_touched_whatever_its_name(stage: Stage) -> None:
    stage.deploy("A")
    elbv2 = stage.boto.client("elbv2")
    vpc = elbv2.describe_target_groups()["TargetGroups"][0]["VpcId"]
    theirs = [{"Key": "bluegreen:stack", "Value": "shop-api"}, {"Key": "bluegreen:deployment", "Value": "shop-1"}]
    for name, tags in (("shop-blue-9", [{"Key": "team", "Value": "shop"}]), ("shop-api-blue-1", theirs)):
        elbv2.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=vpc, TargetType="instance", Tags=tags)
    assert [group.deployment for group in stage.world.traffic.owned("shop")] == ["shop-1"]
    assert stage.gc().result == "unchanged"
    for version in "BC":
        assert stage.deploy(version).result == "deployed"
    names = {group["TargetGroupName"] for group in elbv2.describe_target_groups()["TargetGroups"]}
    assert {"shop-blue-9", "shop-api-blue-1"} <= names


@pytest.mark.parametrize(("operation", "command"), [("ModifyRule", "rollback"), ("CreateTargetGroup", "deploy")])
def test_a_write_that_fails_on_and_on_has_an_end_and_goes_on_later(stage: Stage, operation: str, command: str) -> None:
    """Reading goes well meanwhile: that is no progress."""
    for version in "AB":
        stage.deploy(version)
    found = answer(stage, "InternalError", operation, status=500)
    began = stage.clock.now()
    with pytest.raises(NeedsHuman, match="errors in a row") as caught:
        stage.rollback() if command == "rollback" else stage.deploy("C")
    assert caught.value.exit_code == 7 and "bluegreen resume shop" in caught.value.next
    assert 60 < stage.clock.now() - began < 600
    found.over = True
    assert stage.resume().exit_code == 0
    assert stage.weights()["A" if command == "rollback" else "C"] == 100


def test_a_load_balancer_of_another_type_is_refused_before_anything_is_changed(stage: Stage) -> None:
    stage.boto.client("elbv2").create_load_balancer(Name="net", Type="network", Subnets=list(seed.SUBNETS))
    stage.engine.calls.clear()
    with pytest.raises(Refused, match="net is a network load balancer: not supported yet"):
        stage.deploy("B", traffic=(shop("B").traffic[0]._replace(load_balancer="net", rule=None),))
    assert not {operation for _, operation in stage.calls()} & {
        "RunInstances",
        "ModifyRule",
        "CreateTargetGroup",
        "PutItem",
    }
