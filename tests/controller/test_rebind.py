"""A rule, a listener, a target group or the load balancer was deleted, and perhaps created again: it is told, found again by
its conditions, and there is a command that leads out of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bluegreen.controller import degraded
from bluegreen.core.stack import Rule
from bluegreen.core.step import Register, SetWeights
from bluegreen.core.tags import BINDING
from bluegreen.errors import BluegreenError, Interrupted, Refused
from bluegreen.local.book import LocalBook
from bluegreen.sandbox import seed as seeded
from tests.controller.stage import OWNER, Stage, during, shop

FIXED = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503", "ContentType": "text/plain"}}
MOVED = "moved.example.com"


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """B is live and A stands by; what is told is kept."""
    made = Stage()
    made.said = []  # type: ignore[attr-defined]
    monkeypatch.setattr(made.eyes, "note", made.said.append)  # type: ignore[attr-defined]
    made.deploy("A")
    made.deploy("B")
    made.eyes.steps.clear()
    return made


def elb(stage: Stage) -> Any:
    return stage.boto.client("elbv2")


def rule(stage: Stage) -> str:
    (ref,) = stage.record().bindings or stage.record().goal.bindings  # type: ignore[union-attr]
    return ref.arn


def delete_rule(stage: Stage) -> None:
    elb(stage).delete_rule(RuleArn=rule(stage))


def group(stage: Stage, version: str) -> str:
    (arn,) = next(fleet.groups for fleet in stage.record().fleets if fleet.version == version)
    return arn


def forward(*groups: str) -> dict[str, Any]:
    """As Terraform writes it for one group, or all of them with the same weight."""
    if len(groups) == 1:
        return {"Type": "forward", "TargetGroupArn": groups[0]}
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": g, "Weight": 1} for g in groups]}}


def create_rule(stage: Stage, action: dict[str, Any], host: str = seeded.HOST, priority: int = 77, **more: Any) -> str:
    (ref,) = stage.record().bindings
    conditions = more.get("conditions") or [{"Field": "host-header", "HostHeaderConfig": {"Values": [host]}}]
    made = elb(stage).create_rule(
        ListenerArn=more.get("listener", ref.listener), Priority=priority, Conditions=conditions, Actions=[action]
    )
    stage.clock.time += 60
    return str(made["Rules"][0]["RuleArn"])


def said(stage: Stage) -> str:
    return "\n".join(stage.said)  # type: ignore[attr-defined]


def healthy(stage: Stage) -> list[tuple[str, str, int]]:
    return [(f.role, f.fleet.version, f.healthy) for f in stage.status().fleets]


def test_a_rule_with_the_recorded_conditions_is_used_told_and_recorded(stage: Stage) -> None:
    """`terraform apply -replace` of a listener rule: the deploy used to be refused for good, naming the same rule twice."""
    delete_rule(stage)
    new = create_rule(stage, forward(group(stage, "B")))
    outcome = stage.deploy("C")
    assert outcome.result == "deployed", outcome
    assert rule(stage) == new and f"deleted and created again; using {new}" in said(stage)
    assert stage.weights()["C"] == 100 and sum(stage.weights().values()) == 100
    stage.clock.time += 60
    assert stage.rollback().result == "rolled-back" and stage.weights()["B"] == 100


@pytest.mark.parametrize("command", ["gc", "heal", "deploy"])
def test_a_command_with_nothing_to_do_records_it_too(stage: Stage, command: str) -> None:
    delete_rule(stage)
    new = create_rule(stage, forward(group(stage, "B")))
    before = stage.record()
    outcome = stage.deploy("B") if command == "deploy" else getattr(stage, command)()
    assert outcome.result == "unchanged" and rule(stage) == new
    after = stage.record()
    assert replace(after, bindings=before.bindings, op_id=before.op_id) == before, "nothing else has changed"
    for version in ("A", "B"):
        (tags,) = elb(stage).describe_tags(ResourceArns=[group(stage, version)])["TagDescriptions"]
        assert {"Key": BINDING, "Value": new} in tags["Tags"]


def test_a_rollback_without_the_ledger_finds_the_new_rule_too(stage: Stage, tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("BLUEGREEN_STATE_DIR", str(tmp_path))
    delete_rule(stage)
    create_rule(stage, forward(group(stage, "B")))
    assert stage.deploy("C").result == "deployed"
    assert sum(t["Key"] == BINDING and t["Value"] == rule(stage) for v in "BC" for t in _tags(stage, v)) == 2
    stage.clock.time += 60
    weighted = {"B": group(stage, "B"), "C": group(stage, "C")}
    ref = stage.record().bindings
    stage.drop_table()
    assert degraded.rollback_anyway(stage.world, "shop", OWNER, LocalBook()).exit_code == 0
    (now,) = stage.world.traffic.bindings(ref)
    assert now.by_group[weighted["B"]] == 100 and not now.by_group[weighted["C"]]


def _tags(stage: Stage, version: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = elb(stage).describe_tags(ResourceArns=[group(stage, version)])["TagDescriptions"][0][
        "Tags"
    ]
    return found


def test_a_listener_made_anew_is_found_by_balancer_and_port(stage: Stage) -> None:
    (ref,) = stage.record().bindings
    balancer = elb(stage).describe_load_balancers(Names=[ref.load_balancer])["LoadBalancers"][0]["LoadBalancerArn"]
    elb(stage).delete_listener(ListenerArn=ref.listener)
    listener = elb(stage).create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=[FIXED])
    new = create_rule(stage, forward(group(stage, "B")), listener=listener["Listeners"][0]["ListenerArn"])
    assert stage.gc().result == "unchanged" and rule(stage) == new
    assert stage.record().bindings[0].listener == listener["Listeners"][0]["ListenerArn"] != ref.listener
    assert stage.deploy("C").result == "deployed"


def test_a_default_action_is_found_by_balancer_and_port(stage: Stage) -> None:
    made = Stage()
    stack = shop("A")._replace(traffic=(shop("A").traffic[0]._replace(rule=Rule()),))
    assert made.deploy("A", stack).result == "deployed"
    (ref,) = made.record().bindings
    assert ref.default and ref.port == 80 and ref.arn == ref.listener
    balancer = elb(made).describe_load_balancers(Names=[ref.load_balancer])["LoadBalancers"][0]["LoadBalancerArn"]
    elb(made).delete_listener(ListenerArn=ref.listener)
    (live,) = made.record().live.groups  # type: ignore[union-attr]
    new = elb(made).create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=[forward(live)])[
        "Listeners"
    ][0]["ListenerArn"]
    made.clock.time += 60
    assert made.deploy("B", stack._replace(services=shop("B").services)).result == "deployed"
    assert made.record().bindings[0].arn == new != ref.arn


def old_record(stage: Stage) -> None:
    """As a bluegreen without port and conditions in the record wrote it."""
    record = stage.record()
    refs = tuple(replace(ref, port=0, host="", path="") for ref in record.bindings)
    stage.records.write(replace(record, bindings=refs, op_id="old"), record.epoch, record.op_id)


def test_a_record_without_conditions_finds_the_rule_that_forwards_to_its_groups(stage: Stage) -> None:
    old_record(stage)
    delete_rule(stage)
    create_rule(stage, FIXED, host="other.example.com", priority=5)
    new = create_rule(stage, forward(group(stage, "B")))
    assert stage.deploy("C").result == "deployed" and rule(stage) == new
    assert stage.record().bindings[0].port == 80 and stage.record().bindings[0].host == seeded.HOST


def test_without_conditions_nor_a_rule_that_forwards_to_it_nothing_is_guessed(stage: Stage) -> None:
    old_record(stage)
    delete_rule(stage)
    create_rule(stage, FIXED)
    with pytest.raises(Refused, match="is gone from the load balancer: nothing was ended"):
        stage.gc()
    assert stage.deploy("C").result == "deployed", "the stack file tells what the record does not"


def test_a_rule_of_another_stack_is_never_taken_for_ours(stage: Stage) -> None:
    delete_rule(stage)
    other = elb(stage).create_target_group(Name="other", Protocol="HTTP", Port=80, VpcId=seeded.VPC)
    arn = other["TargetGroups"][0]["TargetGroupArn"]
    elb(stage).add_tags(ResourceArns=[arn], Tags=[{"Key": "bluegreen:stack", "Value": "other"}])
    create_rule(stage, forward(arn))
    for command in (stage.gc, stage.heal):
        with pytest.raises(Refused, match="is gone from the load balancer"):
            command()
    with pytest.raises(Refused, match="belongs to stack other"):
        stage.deploy("C")


def test_a_deploy_moves_to_what_the_stack_file_names_once_the_recorded_rule_is_gone(stage: Stage) -> None:
    delete_rule(stage)
    new = create_rule(stage, forward(group(stage, "B")), host=MOVED)
    stack = shop("C")._replace(traffic=(shop("C").traffic[0]._replace(rule=Rule(host=MOVED)),))
    assert stage.deploy("C", stack).result == "deployed"
    assert rule(stage) == new and stage.record().bindings[0].host == MOVED
    assert f"traffic for shop enters at {seeded.LOAD_BALANCER}:80 host {MOVED} from now on" in said(stage)


def test_a_new_rule_that_forwards_nothing_yet_gets_the_new_fleet(stage: Stage) -> None:
    """As its advice says: "make the rule, with a fixed response for now". What is kept is attached again."""
    delete_rule(stage)
    create_rule(stage, FIXED)
    assert stage.deploy("C").result == "deployed"
    assert stage.weights() == {"C": 100, "B": 0}
    stage.clock.time += 60
    assert stage.status().not_ready == "" and stage.rollback().result == "rolled-back"


def test_foreign_weights_on_a_rule_made_anew_are_refused_as_ever(stage: Stage) -> None:
    delete_rule(stage)
    create_rule(stage, forward(group(stage, "A"), group(stage, "B")))
    with pytest.raises(Refused, match=r"are not ours: .*blue shop-1 .A. 1, green shop-2 .B. 1") as caught:
        stage.deploy("C")
    assert "bluegreen rollback shop --to shop-2" in caught.value.next


def test_while_the_recorded_rule_exists_a_stack_is_not_moved(stage: Stage) -> None:
    create_rule(stage, FIXED, host=MOVED)
    stack = shop("C")._replace(traffic=(shop("C").traffic[0]._replace(rule=Rule(host=MOVED)),))
    with pytest.raises(Refused) as caught:
        stage.deploy("C", stack)
    entry = f"{seeded.LOAD_BALANCER}:80 host"
    assert (
        caught.value.what
        == f"Traffic for shop is on {entry} {seeded.HOST}, but the stack file points to {entry} {MOVED}."
    )
    assert "Moving a stack to another rule is not supported" in caught.value.why and rule(stage) in caught.value.next


def test_two_rules_with_the_same_conditions_are_told_by_their_arn(stage: Stage) -> None:
    """`create_before_destroy`: the new one is there before the old one is gone."""
    new = create_rule(stage, FIXED, priority=1)
    with pytest.raises(Refused, match="two rules have the same conditions") as caught:
        stage.deploy("C")
    assert new in caught.value.where and rule(stage) in caught.value.where


def test_another_number_of_bindings_is_refused(stage: Stage) -> None:
    create_rule(stage, FIXED, host=MOVED)
    two = (shop("C").traffic[0], shop("C").traffic[0]._replace(rule=Rule(host=MOVED)))
    with pytest.raises(Refused, match="enters at 1 binding, but the stack file names 2"):
        stage.deploy("C", shop("C")._replace(traffic=two))


def test_bindings_in_another_order_keep_their_groups(stage: Stage) -> None:
    made = Stage()
    elb(made).create_rule(
        ListenerArn=made.world.traffic.find(shop("A").traffic[0]).binding.ref.listener,
        Priority=3,
        Conditions=[{"Field": "host-header", "HostHeaderConfig": {"Values": [MOVED]}}],
        Actions=[FIXED],
    )
    two = (shop("A").traffic[0], shop("A").traffic[0]._replace(rule=Rule(host=MOVED)))
    assert made.deploy("A", shop("A")._replace(traffic=two)).result == "deployed"
    assert made.deploy("B", shop("B")._replace(traffic=two[::-1])).result == "deployed"
    assert made.rollback().result == "rolled-back"
    (first, second) = made.world.traffic.bindings(made.record().bindings)
    live = made.record().live
    assert live is not None and live.version == "A"
    assert [first.by_group[live.groups[0]], second.by_group[live.groups[1]]] == [100, 100]


def interrupted(stage: Stage, version: str = "C", *, shifted: bool = False) -> None:
    def stop() -> None:
        stage.clock.interrupt = True

    during(stage, SetWeights if shifted else Register, stop, shift=shifted)
    with pytest.raises(Interrupted):
        stage.deploy(version)
    stage.eyes.on_step = lambda step: None


@pytest.mark.parametrize(("command", "result"), [("resume", "deployed"), ("abort", "aborted")])
def test_an_unfinished_deployment_goes_on_or_back_on_the_rule_made_anew(
    stage: Stage, command: str, result: str
) -> None:
    interrupted(stage)
    actions = elb(stage).describe_rules(RuleArns=[rule(stage)])["Rules"][0]["Actions"]
    delete_rule(stage)
    new = create_rule(stage, actions[0])
    outcome = getattr(stage, command)()
    assert outcome.result == result, outcome
    assert rule(stage) == new and stage.record().goal is None
    assert stage.weights()["C" if command == "resume" else "B"] == 100


@pytest.mark.parametrize("shifted", [False, True])
def test_an_unfinished_deployment_whose_rule_is_gone_can_be_given_up(stage: Stage, shifted: bool) -> None:
    """Nothing is ended, and the stack is free: the next deploy leads out of it."""
    interrupted(stage, shifted=shifted)
    delete_rule(stage)
    before = stage.running()
    with pytest.raises(Refused, match="is gone from the load balancer: shop-3 cannot go on") as caught:
        stage.resume()
    assert "bluegreen abort shop" in caught.value.next
    outcome = stage.abort()
    assert outcome.exit_code == 7 and "All instances keep running" in outcome.sentence
    assert stage.record().goal is None and stage.record().owner is None and stage.running() == before
    create_rule(stage, forward(group(stage, "B")))
    assert stage.deploy("D").result == "deployed"
    assert stage.gc().result == "cleaned" and "C" not in stage.running()


def test_what_a_heal_or_a_gc_left_unfinished_can_be_given_up_too(stage: Stage) -> None:
    stage.boto.client("ec2").terminate_instances(InstanceIds=stage.of("B")[:1])
    stage.clock.time += 60
    during(stage, Register, lambda: setattr(stage.clock, "interrupt", True))
    with pytest.raises(Interrupted):
        stage.heal()
    stage.eyes.on_step = lambda step: None
    delete_rule(stage)
    assert stage.abort().exit_code == 7 and stage.record().goal is None
    create_rule(stage, forward(group(stage, "B")))
    assert stage.heal().exit_code == 0 and len(stage.of("B")) == 4


@pytest.mark.parametrize("what", ["rule", "listener", "balancer"])
def test_while_a_binding_is_gone_nothing_is_ended(stage: Stage, what: str) -> None:
    """gc and heal used to go on: which instances receive traffic, nobody could tell."""
    stage.boto.client("ec2").terminate_instances(InstanceIds=stage.of("B")[:1])
    stage.clock.time += 60
    (ref,) = stage.record().bindings
    if what == "rule":
        delete_rule(stage)
    elif what == "listener":
        elb(stage).delete_listener(ListenerArn=ref.listener)
    else:
        balancer = elb(stage).describe_load_balancers(Names=[ref.load_balancer])["LoadBalancers"][0]["LoadBalancerArn"]
        elb(stage).delete_load_balancer(LoadBalancerArn=balancer)
    gone = f"load balancer {ref.load_balancer} is gone" if what == "balancer" else f"{ref.name} is gone"
    before = stage.running(), stage.record()
    for command in (stage.gc, stage.heal, lambda: stage.deploy("C")):
        with pytest.raises(BluegreenError) as caught:
            command()
        assert caught.value.exit_code == 5 and caught.value.next
    assert gone in said(stage) and (stage.running(), stage.record()) == before


def delete_group(stage: Stage, version: str, rest: dict[str, Any]) -> None:
    """A group in use cannot be deleted: it is taken out of the rule first."""
    elb(stage).modify_rule(RuleArn=rule(stage), Actions=[rest])
    elb(stage).delete_target_group(TargetGroupArn=group(stage, version))
    stage.clock.time += 60


def test_without_the_target_group_of_the_standby_a_deploy_goes_on(stage: Stage) -> None:
    delete_group(stage, "A", forward(group(stage, "B")))
    assert stage.deploy("C").result == "deployed"
    assert "the target group of blue shop-1 (A) is gone" in said(stage)
    assert stage.weights()["C"] == 100 and set(stage.running()) == {"B", "C"}


@pytest.mark.parametrize("rest", ["standby", "nothing"])
def test_without_the_target_group_of_the_live_fleet_a_deploy_goes_on(stage: Stage, rest: str) -> None:
    delete_group(stage, "B", forward(group(stage, "A")) if rest == "standby" else FIXED)
    assert stage.deploy("C").result == "deployed"
    assert "the target group of green shop-2 (B) is gone" in said(stage)
    assert stage.weights()["C"] == 100


@pytest.mark.parametrize("gone", ["A", "B"])
def test_heal_heals_the_fleet_that_has_its_target_group_and_names_the_other(stage: Stage, gone: str) -> None:
    other = {"A": "B", "B": "A"}[gone]
    delete_group(stage, gone, forward(group(stage, other)))
    stage.boto.client("ec2").terminate_instances(InstanceIds=stage.of(other)[:1])
    stage.clock.time += 60
    with pytest.raises(BluegreenError) as caught:
        stage.heal()
    assert caught.value.exit_code == 7 and "1 launched anew" in caught.value.what
    assert f"({gone}) is gone" in caught.value.what and "bluegreen deploy FILE" in caught.value.next
    assert len(stage.of(other)) == 4
    with pytest.raises(Refused) as refused:
        stage.heal()
    assert "bluegreen deploy FILE" in refused.value.next
