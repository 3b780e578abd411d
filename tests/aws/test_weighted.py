"""What the weighted adapter makes of ELB's answers, and what it asks for: nothing that is not ours is taken for ours."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bluegreen.aws import weighted
from bluegreen.aws.weighted import WeightedTraffic, binding_name, forward, read_weights
from bluegreen.core.fleet import BindingRef, Colour, OwnedGroup
from bluegreen.core.goal import GroupSpec
from bluegreen.core.stack import Rule, Traffic
from bluegreen.core.step import Deregister, MakeGroup, Mark, PutBack, Register, SetWeights
from bluegreen.errors import CloudError, NotFound, Refused
from tests.aws.door import Door

RULE = BindingRef("alb", "listener", "rule", False, "alb:80")
DEFAULT = BindingRef("alb", "listener", "listener", True, "alb:80")
SPEC = GroupSpec("shop-blue-7", "vpc-1", 8080, "/health", 5, 4, 2, 3, "200-299", 30)
TAGS = (("bluegreen:stack", "shop"), ("bluegreen:deployment", "shop-7"))


def tags(arn: str = "tg", **found: str) -> dict[str, Any]:
    return {"ResourceArn": arn, "Tags": [{"Key": f"bluegreen:{key}", "Value": value} for key, value in found.items()]}


# weights


@pytest.mark.parametrize(
    ("actions", "weights"),
    [
        ([{"Type": "forward", "TargetGroupArn": "tg-a"}], (("tg-a", 1),)),
        ([{"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": "tg-a"}]}}], (("tg-a", 1),)),
        ([{"Type": "forward", "TargetGroupArn": "tg-a", "ForwardConfig": {}}], (("tg-a", 1),)),
        ([{"Type": "forward", "TargetGroupArn": "tg-a", "ForwardConfig": {"TargetGroups": []}}], (("tg-a", 1),)),
        ([forward((("tg-a", 0), ("tg-b", 100)))], (("tg-a", 0), ("tg-b", 100))),
        ([forward((("tg-b", 100), ("tg-a", 0)))], (("tg-a", 0), ("tg-b", 100))),
        ([{"Type": "authenticate-oidc"}, {"Type": "forward", "TargetGroupArn": "tg-a"}], (("tg-a", 1),)),
        ([{"Type": "forward", "TargetGroupArn": "tg-a"}, {"Type": "fixed-response"}], None),
        ([{"Type": "fixed-response"}], None),
        ([], None),
    ],
    ids=[
        "a simple forward has all the traffic",
        "so has one group without a weight",
        "so has a simple forward with an empty config",
        "so has one whose config names no group",
        "weights as they are",
        "in one order, so that two looks compare",
        "the last action counts",
        "a forward that is not the last is none",
        "no forward",
        "no action",
    ],
)
def test_the_weights_of_an_action(actions: Any, weights: Any) -> None:
    assert read_weights(actions) == weights


@pytest.mark.parametrize(
    ("actions", "beside"),
    [
        ([forward((("tg-a", 1),))], ""),
        ([{"Type": "authenticate-oidc"}, forward((("tg-a", 1),))], "an action authenticate-oidc before it"),
        (
            [{**forward(()), "ForwardConfig": {"TargetGroupStickinessConfig": {"Enabled": True}}}],
            "target group stickiness",
        ),
        ([{**forward(()), "ForwardConfig": {"TargetGroupStickinessConfig": {"Enabled": False}}}], ""),
        ([], ""),
    ],
)
def test_what_a_write_of_the_weights_would_drop_is_seen(actions: Any, beside: str) -> None:
    door = Door(describe_rules={"Rules": [{"Actions": actions}]})
    (found,) = WeightedTraffic(door).bindings([RULE])
    assert found.beside == beside and found.exists and json.loads(found.action) == actions


@pytest.mark.parametrize("ref", [RULE, DEFAULT], ids=["rule", "default action"])
@pytest.mark.parametrize("gone", ["not found", "an empty answer"])
def test_a_rule_or_listener_that_is_gone_is_told_and_no_error(ref: BindingRef, gone: str) -> None:
    missing: Any = NotFound("gone") if gone == "not found" else {"Rules": [], "Listeners": []}
    (found,) = WeightedTraffic(Door(describe_rules=missing, describe_listeners=missing)).bindings([ref])
    assert not found.exists and found.weights is None and found.action == "[]"


def test_rules_and_default_actions_are_read_and_written_by_their_own_calls() -> None:
    door = Door(
        describe_rules={"Rules": [{"Actions": [forward((("tg-a", 1),))]}]},
        describe_listeners={"Listeners": [{"DefaultActions": [forward((("tg-b", 1),))]}]},
    )
    traffic = WeightedTraffic(door)
    assert [b.weights for b in traffic.bindings([RULE, DEFAULT])] == [(("tg-a", 1),), (("tg-b", 1),)]
    traffic.perform(SetWeights(RULE, (("tg-a", 100),), ""))
    traffic.perform(PutBack(DEFAULT, '[{"Type": "fixed-response"}]', ""))
    assert door.called("modify_rule") == [{"RuleArn": "rule", "Actions": [forward((("tg-a", 100),))]}]
    assert door.called("modify_listener") == [
        {"ListenerArn": "listener", "DefaultActions": [{"Type": "fixed-response"}]}
    ]


# groups


@pytest.mark.parametrize(
    ("found", "ours"),
    [
        ({"stack": "shop"}, True),
        ({"stack": "shop", "deployment": "shop-6"}, True),
        ({"stack": "shop2"}, False),
        ({"deployment": "shop-7"}, False),
        ({}, False),
    ],
    ids=["of this stack", "of an earlier try", "of another stack", "of no stack", "without tags"],
)
def test_a_group_of_that_name_is_used_only_when_it_is_ours(found: Any, ours: bool) -> None:
    door = Door(
        describe_target_groups={"TargetGroups": [{"TargetGroupArn": "tg"}]},
        describe_tags={"TagDescriptions": [tags(**found)]},
    )
    step = MakeGroup(SPEC, 0, TAGS, "")
    if ours:
        assert WeightedTraffic(door).perform(step) == "tg" and not door.called("create_target_group")
    else:
        with pytest.raises(CloudError, match="shop-blue-7 exists and does not belong to stack shop"):
            WeightedTraffic(door).perform(step)
        assert not door.called("modify_target_group_attributes"), "nothing of it is changed"


@pytest.mark.parametrize("missing", [NotFound("no"), {"TargetGroups": []}])
def test_a_group_that_is_not_there_is_made_with_its_checks_and_its_tags(missing: Any) -> None:
    made = {"TargetGroups": [{"TargetGroupArn": "tg"}]}
    door = Door(describe_target_groups=missing, create_target_group=made)
    assert WeightedTraffic(door).perform(MakeGroup(SPEC, 0, TAGS, "")) == "tg"
    (asked,) = door.called("create_target_group")
    assert asked == {
        "Name": "shop-blue-7",
        "Protocol": "HTTP",
        "Port": 8080,
        "VpcId": "vpc-1",
        "TargetType": "instance",
        "HealthCheckProtocol": "HTTP",
        "HealthCheckPort": "traffic-port",
        "HealthCheckPath": "/health",
        "HealthCheckIntervalSeconds": 5,
        "HealthCheckTimeoutSeconds": 4,
        "HealthyThresholdCount": 2,
        "UnhealthyThresholdCount": 3,
        "Matcher": {"HttpCode": "200-299"},
        "Tags": [{"Key": key, "Value": value} for key, value in TAGS],
    }
    (drain,) = door.called("modify_target_group_attributes")
    assert drain["Attributes"] == [{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}]


def test_a_health_check_may_go_to_another_port() -> None:
    assert weighted._group_arguments(SPEC, {})["HealthCheckPort"] == "traffic-port"
    assert (
        weighted._group_arguments(GroupSpec("n", "v", 80, "/", 5, 4, 2, 2, "200", 30, 9000), {})["HealthCheckPort"]
        == "9000"
    )


def test_targets_are_read_with_their_reason_and_a_group_that_is_gone_is_none() -> None:
    item = {
        "Target": {"Id": "i-1"},
        "TargetHealth": {"State": "unhealthy", "Reason": "Target.Timeout", "Description": "late"},
    }
    bare = {"Target": {"Id": "i-2"}, "TargetHealth": {"State": "healthy"}}
    door = Door(describe_target_health=[{"TargetHealthDescriptions": [item, bare]}, NotFound("gone")])
    found = WeightedTraffic(door).groups(["tg-a", "tg-b"])
    assert found["tg-b"] is None
    one = found["tg-a"]
    assert one is not None and [(t.id, t.state, t.reason) for t in one.targets] == [
        ("i-1", "unhealthy", "Target.Timeout: late"),
        ("i-2", "healthy", ""),
    ]


@pytest.mark.parametrize(("number", "calls"), [(1, [1]), (100, [100]), (101, [100, 1]), (0, [])])
def test_targets_are_registered_and_deregistered_a_hundred_at_a_time(number: int, calls: list[int]) -> None:
    ids = tuple(f"i-{i}" for i in range(number))
    door = Door()
    WeightedTraffic(door).perform(Register("tg", 8080, ids, ""))
    WeightedTraffic(door).perform(Deregister("tg", ids, ""))
    asked = [[*door.called(name)] for name in ("register_targets", "deregister_targets")]
    assert [[len(call["Targets"]) for call in each] for each in asked] == [calls, calls]
    if number:
        assert asked[0][0]["Targets"][0] == {"Id": "i-0", "Port": 8080} and asked[1][0]["Targets"][0] == {"Id": "i-0"}
        assert [t["Id"] for call in asked[0] for t in call["Targets"]] == list(ids)


def test_marking_a_fleet_tags_all_its_groups_in_one_call() -> None:
    door = Door()
    WeightedTraffic(door).perform(Mark("shop-7", ("tg-a", "tg-b"), (("bluegreen:live-since", "7"),), ""))
    assert door.called("add_tags") == [
        {"ResourceArns": ["tg-a", "tg-b"], "Tags": [{"Key": "bluegreen:live-since", "Value": "7"}]}
    ]


# what is ours, by its tags


def owned(number: int = 3, **found: str) -> tuple[tuple[OwnedGroup, ...], Door]:
    groups = [{"TargetGroupArn": f"tg-{i:02}", "TargetGroupName": f"shop-blue-{i}"} for i in range(number)]
    groups.append({"TargetGroupArn": "tg-other", "TargetGroupName": "blog-blue-1"})

    def described(ResourceArns: list[str]) -> Any:  # noqa: N803 - the name is boto3's
        return {"TagDescriptions": [tags(arn, **(found or {"stack": "shop"})) for arn in ResourceArns]}

    door = Door(describe_target_groups={"TargetGroups": groups}, describe_tags=described)
    return WeightedTraffic(door).owned("shop"), door


def test_a_group_tells_its_fleet_by_its_tags() -> None:
    arn = "arn:aws:elasticloadbalancing:eu-west-1:1:listener-rule/app/shop/1/2/3"
    told = {"deployment": "shop-7", "colour": "green", "release": "r7", "version": "7.0", "binding": arn}
    (group, *_), _ = owned(**{"stack": "shop", **told, "live-since": "7", "rollback": "unsafe"})
    assert group == OwnedGroup("tg-00", "shop-7", Colour.GREEN, "r7", "7.0", arn, 7, True)
    (bare, *_), _ = owned()
    assert bare == OwnedGroup("tg-00", "", Colour.BLUE, "", "", "", 0, False)
    (safe, *_), _ = owned(stack="shop", rollback="safe")
    assert not safe.rollback_unsafe


def test_groups_of_other_stacks_are_not_ours_and_are_not_asked_for_when_their_name_says_so() -> None:
    found, _ = owned(stack="shop2")
    assert found == ()
    _, door = owned()
    assert all("tg-other" not in call["ResourceArns"] for call in door.called("describe_tags"))


@pytest.mark.parametrize(("number", "calls"), [(20, [20]), (21, [20, 1])])
def test_tags_are_asked_for_twenty_at_a_time(number: int, calls: list[int]) -> None:
    found, door = owned(number)
    assert [len(call["ResourceArns"]) for call in door.called("describe_tags")] == calls
    assert [group.arn for group in found] == sorted(group.arn for group in found) and len(found) == number


# finding a binding

BALANCER = {"LoadBalancerArn": "lb", "Type": "application", "VpcId": "vpc-1"}
LISTENERS = [{"ListenerArn": "listener-80", "Port": 80}, {"ListenerArn": "listener-443", "Port": 443}]
HOST = {"Field": "host-header", "HostHeaderConfig": {"Values": ["shop.test"]}}
OLD_HOST = {"Field": "host-header", "Values": ["old.test"]}
PATH = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/api/*"]}}
METHOD = {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["GET"]}}


def rule(arn: str, *conditions: Any, default: bool = False, groups: tuple[str, ...] = ()) -> Any:
    actions = [forward(tuple((name, 1) for name in groups))] if groups else [{"Type": "fixed-response"}]
    return {"RuleArn": arn, "IsDefault": default, "Conditions": list(conditions), "Actions": actions}


RULES = [
    rule("r-method", HOST, METHOD),
    rule("r-both", HOST, PATH),
    rule("r-host", HOST),
    rule("r-path", PATH),
    rule("r-old", OLD_HOST),
    rule("r-default", default=True, groups=("tg-mine", "tg-foreign")),
]


def find(where: Rule, port: int = 443, **answers: Any) -> Any:
    def described(ResourceArns: list[str]) -> Any:  # noqa: N803 - the name is boto3's
        return {
            "TagDescriptions": [tags(arn, **({"stack": "shop"} if arn == "tg-mine" else {})) for arn in ResourceArns]
        }

    known: Any = {
        "describe_load_balancers": {"LoadBalancers": [BALANCER]},
        "describe_listeners": {"Listeners": LISTENERS},
        "describe_rules": {"Rules": RULES},
        "describe_tags": described,
    }
    return WeightedTraffic(Door(**{**known, **answers})).find(Traffic("shop-alb", port, 8080, where))


@pytest.mark.parametrize(
    ("where", "arn", "name"),
    [
        (Rule(host="shop.test"), "r-host", "shop-alb:443 host shop.test"),
        (Rule(path="/api/*"), "r-path", "shop-alb:443 path /api/*"),
        (Rule("shop.test", "/api/*"), "r-both", "shop-alb:443 host shop.test path /api/*"),
        (Rule(host="old.test"), "r-old", "shop-alb:443 host old.test"),
    ],
)
def test_a_rule_is_the_one_with_exactly_these_conditions(where: Rule, arn: str, name: str) -> None:
    place = find(where)
    ref = place.binding.ref
    assert (ref.arn, ref.listener, ref.default, ref.name) == (arn, "listener-443", False, name)
    assert place.vpc == "vpc-1" and binding_name(Traffic("shop-alb", 443, 1, where)) == name


def test_without_conditions_it_is_the_listeners_default_action_and_whose_groups_it_has_is_told() -> None:
    place = find(Rule())
    assert (place.binding.ref.arn, place.binding.ref.default) == ("listener-443", True)
    assert place.binding.ref.name == "shop-alb:443 default action" and "shop" in place.stacks


@pytest.mark.parametrize(
    ("where", "port", "answers", "words"),
    [
        (Rule(host="other.test"), 443, {}, "no rule of shop-alb:443 has exactly these conditions"),
        (Rule(host="shop.test"), 8443, {}, "has no listener on port 8443; it has 80, 443"),
        (Rule(), 443, {"describe_listeners": {"Listeners": []}}, "it has none"),
        (Rule(), 443, {"describe_load_balancers": NotFound("no")}, "there is no load balancer shop-alb in eu-west-1"),
        (Rule(), 443, {"describe_load_balancers": {"LoadBalancers": []}}, "there is no load balancer shop-alb"),
        (
            Rule(),
            443,
            {"describe_load_balancers": {"LoadBalancers": [{**BALANCER, "Type": "network"}]}},
            "network load balancer",
        ),
    ],
)
def test_what_is_not_there_is_refused_by_name(where: Rule, port: int, answers: Any, words: str) -> None:
    with pytest.raises(Refused, match=words) as caught:
        find(where, port, **answers)
    assert caught.value.next and caught.value.where.startswith("traffic.")


@pytest.mark.parametrize("sticky", [True, False])
def test_a_binding_whose_action_has_more_than_weights_is_refused(sticky: bool) -> None:
    action = {**forward((("tg", 1),))}
    if sticky:
        action["ForwardConfig"]["TargetGroupStickinessConfig"] = {"Enabled": True}
    actions = [action] if sticky else [{"Type": "authenticate-oidc"}, action]
    with pytest.raises(Refused) as caught:
        find(Rule(host="shop.test"), describe_rules={"Rules": [{**rule("r", HOST), "Actions": actions}]})
    assert ("clients would stay" in caught.value.why) is sticky
