"""Listeners and rules in the sandbox: weights are validated, order is by priority, and reads are as AWS writes them."""

from __future__ import annotations

from typing import Any

import pytest
from engine_world import World, code, refused, tuples

from bluegreen.sandbox.model import FixedResponse, Forward, ListenerRule

NOTHING = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}


@pytest.fixture
def world() -> World:
    return World()


def action(weights: dict[str, int], **config: Any) -> dict[str, Any]:
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": tuples(weights), **config}}


def host(name: str) -> dict[str, Any]:
    return {"Field": "host-header", "HostHeaderConfig": {"Values": [name]}}


def test_weights_are_kept_and_read_back(world: World) -> None:
    blue, green = world.group("blue"), world.group("green")
    written = world.forward({blue: 999, green: 0})
    (read,) = world.elbv2.describe_rules(RuleArns=[world.seed.rules[80]])["Rules"]
    assert read == written
    assert read["Actions"][0]["ForwardConfig"]["TargetGroups"] == tuples({blue: 999, green: 0})
    assert "TargetGroupArn" not in read["Actions"][0]


@pytest.mark.parametrize("short", [True, False])
def test_a_forward_to_one_group_is_read_back_in_both_forms(world: World, short: bool) -> None:
    blue = world.group("blue")
    given = {"Type": "forward", "TargetGroupArn": blue} if short else action({blue: 1})
    world.elbv2.modify_listener(ListenerArn=world.seed.listeners[80], DefaultActions=[given])
    (listener,) = world.elbv2.describe_listeners(ListenerArns=[world.seed.listeners[80]])["Listeners"]
    assert listener["DefaultActions"] == [
        {
            "Type": "forward",
            "TargetGroupArn": blue,
            "ForwardConfig": {"TargetGroups": tuples({blue: 1}), "TargetGroupStickinessConfig": {"Enabled": False}},
        }
    ]


@pytest.mark.parametrize("where", ["CreateRule", "ModifyRule", "CreateListener", "ModifyListener"])
def test_weights_that_aws_refuses(world: World, where: str) -> None:
    groups = [world.group(f"g{n}") for n in range(6)]
    blue, green = groups[:2]

    def put(*actions: dict[str, Any]) -> None:
        if where == "CreateRule":
            world.elbv2.create_rule(
                ListenerArn=world.seed.listeners[80], Priority=5, Conditions=[host("x")], Actions=list(actions)
            )
        elif where == "ModifyRule":
            world.elbv2.modify_rule(RuleArn=world.seed.rules[80], Actions=list(actions))
        elif where == "CreateListener":
            world.elbv2.create_listener(
                LoadBalancerArn=world.seed.load_balancer_arn, Protocol="HTTP", Port=81, DefaultActions=list(actions)
            )
        else:
            world.elbv2.modify_listener(ListenerArn=world.seed.listeners[80], DefaultActions=list(actions))

    before = world.engine.listeners()
    assert refused(lambda: put(action({blue: 1000, green: 1}))) == (
        "ValidationError",
        "The weight for each target group must be between 0 and 999, inclusive",
    )
    assert code(lambda: put(action({blue: -1, green: 1}))) == "ValidationError"
    assert code(lambda: put(action(dict.fromkeys(groups, 1)))) == "TooManyTargetGroups"
    no_weight = {"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": g} for g in groups[:2]]}}
    assert code(lambda: put(no_weight)) == "ValidationError"
    twice = {"Type": "forward", "ForwardConfig": {"TargetGroups": tuples({blue: 1}) * 2}}
    assert code(lambda: put(twice)) == "ValidationError"
    assert code(lambda: put(action({blue: 1, blue[:-1] + "x": 1}))) == "TargetGroupNotFound"
    sticky = {"TargetGroupStickinessConfig": {"Enabled": True}}
    assert code(lambda: put(action({blue: 1, green: 1}, **sticky))) == "ValidationError"
    contrary = {**action({blue: 1, green: 1}), "TargetGroupArn": blue}
    assert code(lambda: put(contrary)) == "ValidationError"
    assert world.engine.listeners() == before


def test_groups_that_do_not_fit_the_balancer(world: World) -> None:
    vpc = world.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    assert code(lambda: world.forward({world.group("abroad", VpcId=vpc): 1})) == "InvalidConfigurationRequest"
    tcp = {"Name": "tcp", "Protocol": "TCP", "Port": 80, "VpcId": world.seed.vpc}
    arn = world.elbv2.create_target_group(**tcp)["TargetGroups"][0]["TargetGroupArn"]
    assert code(lambda: world.forward({arn: 1})) == "IncompatibleProtocols"


def test_a_group_belongs_to_one_balancer(world: World) -> None:
    blue = world.group("blue")
    world.forward({blue: 1})
    world.forward({blue: 1}, port=8080)  # another rule of the same one
    second = world.elbv2.create_load_balancer(Name="second", Subnets=list(world.seed.subnets))["LoadBalancers"][0]

    def create() -> None:
        world.elbv2.create_listener(
            LoadBalancerArn=second["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=[action({blue: 1})]
        )

    assert code(create) == "TargetGroupAssociationLimit"
    (told,) = world.elbv2.describe_target_groups(TargetGroupArns=[blue])["TargetGroups"]
    assert told["LoadBalancerArns"] == [world.seed.load_balancer_arn]
    for port in (80, 8080):
        world.forward({world.group("green"): 1}, port=port)
    create()
    (told,) = world.elbv2.describe_target_groups(TargetGroupArns=[blue])["TargetGroups"]
    assert told["LoadBalancerArns"] == [second["LoadBalancerArn"]]


def test_the_default_rule_is_changed_through_the_listener_only(world: World) -> None:
    rules = world.elbv2.describe_rules(ListenerArn=world.seed.listeners[80])["Rules"]
    default = rules[-1]
    assert default["IsDefault"]
    change = {"RuleArn": default["RuleArn"], "Actions": default["Actions"]}
    assert code(lambda: world.elbv2.modify_rule(**change)) == "OperationNotPermitted"
    assert code(lambda: world.elbv2.delete_rule(RuleArn=default["RuleArn"])) == "OperationNotPermitted"


def test_rules_come_by_priority_and_the_default_last(world: World) -> None:
    listener = world.seed.listeners[80]
    for priority in (200, 7, 50):
        world.elbv2.create_rule(
            ListenerArn=listener, Priority=priority, Conditions=[host(f"h{priority}")], Actions=[NOTHING]
        )
    told = [rule["Priority"] for rule in world.elbv2.describe_rules(ListenerArn=listener)["Rules"]]
    assert told == ["7", "10", "50", "200", "default"]
    first = world.engine.listeners()[0]
    assert [rule.conditions[0][2] for rule in first.rules[:-1]] == [("h7",), ("shop.example.com",), ("h50",), ("h200",)]
    assert first.rules[-1].conditions == ()


def test_priorities_change_places(world: World) -> None:
    listener = world.seed.listeners[80]

    def create(priority: int) -> Any:
        return world.elbv2.create_rule(
            ListenerArn=listener, Priority=priority, Conditions=[host("x")], Actions=[NOTHING]
        )

    other = create(20)["Rules"][0]["RuleArn"]
    assert code(lambda: create(20)) == "PriorityInUse"
    assert code(lambda: create(50_001)) == "ValidationError"
    swap = [{"RuleArn": world.seed.rules[80], "Priority": 20}, {"RuleArn": other, "Priority": 10}]
    world.elbv2.set_rule_priorities(RulePriorities=swap)
    told = [rule["RuleArn"] for rule in world.elbv2.describe_rules(ListenerArn=listener)["Rules"][:-1]]
    assert told == [other, world.seed.rules[80]]
    taken = [{"RuleArn": other, "Priority": 20}]
    assert code(lambda: world.elbv2.set_rule_priorities(RulePriorities=taken)) == "PriorityInUse"


def test_conditions_are_read_back_in_both_forms(world: World) -> None:
    (rule,) = world.elbv2.create_rule(
        ListenerArn=world.seed.listeners[80],
        Priority=5,
        Conditions=[
            host("a.example.com"),
            {"Field": "path-pattern", "Values": ["/api/*"]},
            {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Preview", "Values": ["1", "2"]}},
        ],
        Actions=[NOTHING],
    )["Rules"]
    assert rule["Conditions"][0]["Values"] == rule["Conditions"][0]["HostHeaderConfig"]["Values"] == ["a.example.com"]
    assert rule["Conditions"][1]["Values"] == rule["Conditions"][1]["PathPatternConfig"]["Values"] == ["/api/*"]
    assert world.engine.listeners()[0].rules[0].conditions == (
        ("host-header", "", ("a.example.com",)),
        ("path-pattern", "", ("/api/*",)),
        ("http-header", "X-Preview", ("1", "2")),
    )


def test_conditions_that_the_balancer_cannot_match_are_refused(world: World) -> None:
    wanted = {
        "ListenerArn": world.seed.listeners[80],
        "Priority": 5,
        "Conditions": [{"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.0/8"]}}],
        "Actions": [NOTHING],
    }
    told, words = refused(lambda: world.elbv2.create_rule(**wanted))
    assert (told, "not implemented in the sandbox" in words) == ("NotImplemented", True)


def test_listeners_as_the_balancer_sees_them(world: World) -> None:
    blue, green = world.group("blue"), world.group("green")
    world.forward({blue: 90, green: 10})
    first, second = world.engine.listeners()
    assert (first.arn, first.load_balancer, first.port) == (world.seed.listeners[80], "demo-alb", 80)
    assert second.port == 8080
    assert first.rules[0] == ListenerRule(
        world.seed.rules[80],
        (("host-header", "", ("shop.example.com",)),),
        Forward(((blue, 90), (green, 10))),
    )
    assert first.rules[1].action == FixedResponse(503, "text/plain", "no fleet yet")


def test_unknown_listeners_and_rules(world: World) -> None:
    arn = world.seed.rules[80][:-1] + "f"
    assert code(lambda: world.elbv2.modify_rule(RuleArn=arn, Actions=[NOTHING])) == "RuleNotFound"
    assert code(lambda: world.elbv2.delete_rule(RuleArn=arn)) == "RuleNotFound"
    listener = world.seed.listeners[80][:-1] + "f"
    assert code(lambda: world.elbv2.modify_listener(ListenerArn=listener)) == "ListenerNotFound"


def test_create_listener_is_idempotent(world: World) -> None:
    wanted = {"LoadBalancerArn": world.seed.load_balancer_arn, "Protocol": "HTTP", "Port": 81}
    first = world.elbv2.create_listener(**wanted, DefaultActions=[NOTHING])["Listeners"]
    assert world.elbv2.create_listener(**wanted, DefaultActions=[NOTHING])["Listeners"] == first
    other = action({world.group(): 1})
    assert code(lambda: world.elbv2.create_listener(**wanted, DefaultActions=[other])) == "DuplicateListener"


def test_create_load_balancer_is_idempotent(world: World) -> None:
    wanted = {"Name": "second", "SecurityGroups": [world.seed.security_group]}
    subnets = list(world.seed.subnets)
    first = world.elbv2.create_load_balancer(**wanted, Subnets=subnets)["LoadBalancers"][0]
    again = world.elbv2.create_load_balancer(**wanted, Subnets=subnets[::-1])["LoadBalancers"][0]
    assert again["LoadBalancerArn"] == first["LoadBalancerArn"]
    create = world.elbv2.create_load_balancer
    assert code(lambda: create(**wanted, Subnets=subnets[:2])) == "DuplicateLoadBalancerName"
    assert code(lambda: create(Name="third", Subnets=subnets[:1])) == "ValidationError"
