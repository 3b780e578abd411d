"""Target groups in the sandbox: health, draining, being in use."""

from __future__ import annotations

from typing import Any

import pytest
from engine_world import Machines, World, code, refused


@pytest.fixture
def world() -> World:
    return World()


def in_use(world: World, count: int = 2) -> tuple[str, list[str]]:
    """A group behind the demo's rule, with `count` targets that were registered just now."""
    group, ids = world.group(), world.running(count)
    world.forward({group: 1})
    world.register(group, ids)
    return group, ids


def test_one_passed_check_is_health(world: World) -> None:
    group, (one, two) = in_use(world)
    assert world.health(group)[one] == ("initial", "Elb.InitialHealthChecking")
    world.later(4.9)
    assert world.health(group)[one][0] == "initial"
    world.later(0.2)
    assert world.health(group) == {one: ("healthy", ""), two: ("healthy", "")}


def test_failures_in_a_row_make_unhealthy_and_passes_in_a_row_make_healthy(world: World) -> None:
    """Interval 5 s, both thresholds 2."""
    group, (one, two) = in_use(world)
    world.later(5.0)
    world.health(group)
    world.sick = {one}
    states = []
    for _ in range(2):
        world.later(5.0)
        states.append(world.health(group)[one][0])
    assert states == ["healthy", "unhealthy"]
    assert world.health(group)[one] == ("unhealthy", "Target.FailedHealthChecks")
    assert world.health(group)[two] == ("healthy", "")
    world.sick = set()
    states = []
    for _ in range(2):
        world.later(5.0)
        states.append(world.health(group)[one][0])
    assert states == ["unhealthy", "healthy"]


def test_never_healthy(world: World) -> None:
    """A target that fails from the beginning is unhealthy after as many failures; then one pass is not enough."""
    group, (one,) = in_use(world, 1)
    world.sick = {one}
    world.later(5.0)
    assert world.health(group)[one][0] == "initial"
    world.later(5.0)
    assert world.health(group)[one][0] == "unhealthy"
    world.sick = set()
    world.later(5.0)
    assert world.health(group)[one][0] == "unhealthy"
    world.later(5.0)
    assert world.health(group)[one][0] == "healthy"


def test_a_port_of_its_own_for_checks_is_told_to_the_checker() -> None:
    world = World(hosts=Machines(), probe=None)
    group, (one,) = in_use(world, 1)
    assert [target.checked for known in world.engine.groups() for target in known.targets] == [None]
    world.elbv2.modify_target_group(TargetGroupArn=group, HealthCheckPort="8717")
    (target,) = [target for known in world.engine.groups() for target in known.targets]
    assert (target.id, target.address, target.checked) == (one, ("127.77.0.1", 80), ("127.77.0.1", 8717))


def test_checks_that_are_reported() -> None:
    """With hosts, health is what the health checker says; its words are shown."""
    world = World(hosts=Machines(), probe=None)
    group, (one,) = in_use(world, 1)
    world.later(100.0)
    assert world.health(group)[one][0] == "initial"
    for _ in range(2):
        world.engine.report_check(group, one, 80, False, "Target.Timeout: Request timed out")
    (told,) = world.elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    assert told["Target"] == {"Id": one, "Port": 80}
    assert told["HealthCheckPort"] == "80"
    assert told["TargetHealth"] == {
        "State": "unhealthy",
        "Reason": "Target.Timeout",
        "Description": "Request timed out",
    }
    for _ in range(2):
        world.engine.report_check(group, one, 80, True, "")
    assert world.health(group)[one] == ("healthy", "")


def test_reports_of_targets_that_do_not_count() -> None:
    """Unknown, not in use, draining: nothing happens."""
    world = World(hosts=Machines(), probe=None)
    group, (one,) = in_use(world, 1)
    world.engine.report_check(group, "i-00000000000000001", 80, True, "")
    world.engine.report_check("arn:unknown", one, 80, True, "")
    world.engine.report_check(group, one, 81, True, "")
    world.deregister(group, [one])
    world.engine.report_check(group, one, 80, True, "")
    world.register(group, [one])
    assert world.health(group)[one][0] == "initial"


def test_a_group_that_no_rule_names_is_not_checked(world: World) -> None:
    group, (one,) = world.group(), world.running()
    world.register(group, [one])
    world.later(100.0)
    assert world.health(group)[one] == ("unused", "Target.NotInUse")
    world.forward({group: 0})
    assert world.health(group)[one] == ("initial", "Elb.InitialHealthChecking")
    world.later(5.0)
    assert world.health(group)[one] == ("healthy", "")


def test_weight_zero_is_in_use(world: World) -> None:
    """The standby's group at weight 0 stays checked; taken out of the action, it is not, and begins anew after."""
    live, standby = world.group("live"), world.group("standby")
    ids = world.running(2)
    world.register(live, ids[:1])
    world.register(standby, ids[1:])
    world.forward({live: 100, standby: 0})
    world.later(5.0)
    assert world.health(standby)[ids[1]][0] == "healthy"
    world.forward({live: 100})
    assert world.health(standby)[ids[1]] == ("unused", "Target.NotInUse")
    world.forward({live: 100, standby: 0})
    assert world.health(standby)[ids[1]][0] == "initial"


def test_draining_takes_the_delay(world: World) -> None:
    group, (one, two) = in_use(world)
    delay = [{"Key": "deregistration_delay.timeout_seconds", "Value": "60"}]
    world.elbv2.modify_target_group_attributes(TargetGroupArn=group, Attributes=delay)
    world.deregister(group, [one])
    assert world.health(group)[one] == ("draining", "Target.DeregistrationInProgress")
    world.later(59.0)
    assert world.health(group)[one][0] == "draining"
    world.later(1.0)
    assert list(world.health(group)) == [two]
    assert world.health(group, one) == {one: ("unused", "Target.NotRegistered")}


def test_draining_and_back_again(world: World) -> None:
    group, (one, _) = in_use(world)
    world.later(5.0)
    world.deregister(group, [one])
    world.deregister(group, [one])
    world.later(200.0)
    world.register(group, [one])
    assert world.health(group)[one][0] == "initial"
    world.later(200.0)
    assert world.health(group)[one][0] == "healthy"


def test_deregistering_what_is_not_registered_succeeds(world: World) -> None:
    group, (one, _) = in_use(world)
    world.deregister(group, ["i-00000000000000001"])
    world.elbv2.deregister_targets(TargetGroupArn=group, Targets=[{"Id": one, "Port": 8000}])
    assert world.health(group)[one][0] == "initial"


def test_registering_twice_changes_nothing(world: World) -> None:
    group, ids = in_use(world)
    world.later(5.0)
    world.register(group, ids)
    assert {state for state, _ in world.health(group).values()} == {"healthy"}


def test_one_instance_on_two_ports(world: World) -> None:
    group, (one,) = in_use(world, 1)
    world.elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": one, "Port": 8080}])
    answer = world.elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    assert [each["Target"]["Port"] for each in answer] == [80, 8080]


def test_only_running_instances_of_the_vpc_can_be_registered(world: World) -> None:
    group = world.group()
    (pending,) = world.launch()
    told, words = refused(lambda: world.register(group, [pending]))
    assert told == "InvalidTarget"
    assert pending in words
    world.later(1.0)
    assert code(lambda: world.register(group, [pending, "i-00000000000000001"])) == "InvalidTarget"
    assert world.health(group) == {}
    abroad = world.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    other = world.group("abroad", VpcId=abroad)
    assert code(lambda: world.register(other, [pending])) == "InvalidTarget"


def test_terminated_instances_leave_by_themselves(world: World) -> None:
    group, (one, two) = in_use(world)
    world.ec2.terminate_instances(InstanceIds=[one])
    assert world.health(group)[one][0] == "draining"
    world.later(1.0)
    assert list(world.health(group)) == [two]


def test_stopped_instances_are_unused(world: World) -> None:
    group, (one,) = in_use(world, 1)
    world.ec2.stop_instances(InstanceIds=[one])
    world.later(1.0)
    assert world.health(group)[one] == ("unused", "Target.InvalidState")


def test_a_jump_in_time_is_settled_at_once(world: World) -> None:
    group, ids = in_use(world)
    world.later(30 * 86_400.0)
    assert {state for state, _ in world.health(group).values()} == {"healthy"}
    assert len(ids) == 2


def test_create_target_group_is_idempotent(world: World) -> None:
    first = world.group()
    assert world.group() == first
    assert code(lambda: world.group(Port=81)) == "DuplicateTargetGroupName"
    assert code(lambda: world.group(HealthCheckPath="/other")) == "DuplicateTargetGroupName"


def test_create_with_the_defaults_named(world: World) -> None:
    plain = {"Name": "plain", "Protocol": "HTTP", "Port": 80, "VpcId": world.seed.vpc}
    first = world.elbv2.create_target_group(**plain)["TargetGroups"][0]
    again = world.elbv2.create_target_group(**plain, HealthCheckIntervalSeconds=30, HealthyThresholdCount=5)
    assert again["TargetGroups"][0] == first
    assert (first["HealthCheckTimeoutSeconds"], first["UnhealthyThresholdCount"]) == (5, 2)


def test_create_after_modify(world: World) -> None:
    """The same settings means the settings of now."""
    arn = world.group()
    world.elbv2.modify_target_group(TargetGroupArn=arn, HealthCheckPath="/ready", HealthCheckIntervalSeconds=10)
    assert world.group(HealthCheckPath="/ready", HealthCheckIntervalSeconds=10) == arn
    assert code(world.group) == "DuplicateTargetGroupName"


@pytest.mark.parametrize(
    "wrong",
    [
        {"Name": "x" * 33},
        {"Name": "under_score"},
        {"Name": "-hyphen"},
        {"Name": "hyphen-"},
        {"HealthCheckIntervalSeconds": 4, "HealthCheckTimeoutSeconds": 3},
        {"HealthCheckIntervalSeconds": 301},
        {"HealthCheckTimeoutSeconds": 1},
        {"HealthCheckTimeoutSeconds": 5},  # not smaller than the interval
        {"HealthyThresholdCount": 1},
        {"UnhealthyThresholdCount": 11},
        {"HealthCheckPath": "health"},
        {"Matcher": {"HttpCode": "199"}},
        {"Matcher": {"HttpCode": "ok"}},
        {"VpcId": "vpc-00000000000000000"},
        {"Tags": [{"Key": "aws:x", "Value": "y"}]},
    ],
)
def test_target_groups_that_aws_refuses(world: World, wrong: dict[str, object]) -> None:
    assert code(lambda: world.group(**wrong)) == "ValidationError"
    assert world.elbv2.describe_target_groups()["TargetGroups"] == []


def test_modify_checks_the_same_ranges(world: World) -> None:
    arn = world.group()

    def change(**what: Any) -> Any:
        return world.elbv2.modify_target_group(TargetGroupArn=arn, **what)

    assert code(lambda: change(HealthCheckTimeoutSeconds=5)) == "ValidationError"
    assert code(lambda: change(HealthCheckIntervalSeconds=4)) == "ValidationError"
    assert change(Matcher={"HttpCode": "200-299"})["TargetGroups"][0]["Matcher"] == {"HttpCode": "200-299"}


@pytest.mark.parametrize("value", ["0", "60", "3600"])
def test_deregistration_delays(world: World, value: str) -> None:
    arn = world.group()
    wanted = [{"Key": "deregistration_delay.timeout_seconds", "Value": value}]
    told = world.elbv2.modify_target_group_attributes(TargetGroupArn=arn, Attributes=wanted)["Attributes"]
    assert wanted[0] in told
    assert wanted[0] in world.elbv2.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("deregistration_delay.timeout_seconds", "3601"),
        ("deregistration_delay.timeout_seconds", "abc"),
        ("deregistration_delay.timeout_seconds", "-1"),
        ("slow_start.duration_seconds", "10"),
        ("no.such.attribute", "1"),
    ],
)
def test_attributes_that_aws_refuses(world: World, key: str, value: str) -> None:
    """All or none."""
    arn = world.group()
    good = {"Key": "stickiness.enabled", "Value": "true"}
    wanted = [good, {"Key": key, "Value": value}]
    change = world.elbv2.modify_target_group_attributes
    assert code(lambda: change(TargetGroupArn=arn, Attributes=wanted)) == "ValidationError"
    assert good not in world.elbv2.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]


def test_as_many_tags_as_aws_allows(world: World) -> None:
    """moto would stop at ten; the record that is mirrored in tags may need more."""
    arn = world.group(Tags=[{"Key": "a", "Value": "1"}])

    def add(*names: str) -> None:
        tags = [{"Key": name, "Value": "2"} for name in names]
        world.elbv2.add_tags(ResourceArns=[arn], Tags=tags)

    add(*(f"k{number}" for number in range(25)))
    add(*(f"k{number}" for number in range(49)), "a")
    (told,) = world.elbv2.describe_tags(ResourceArns=[arn])["TagDescriptions"]
    assert {tag["Key"]: tag["Value"] for tag in told["Tags"]} == dict.fromkeys(
        ["a", *(f"k{number}" for number in range(49))], "2"
    )
    assert code(lambda: add("one-more")) == "TooManyTags"
    assert code(lambda: add("x", "x")) == "DuplicateTagKeys"
    assert code(lambda: add("aws:x")) == "ValidationError"


def test_delete_while_referenced(world: World) -> None:
    group, ids = in_use(world)
    other = world.group("other")
    assert code(lambda: world.elbv2.delete_target_group(TargetGroupArn=group)) == "ResourceInUse"
    world.forward({other: 1})
    world.elbv2.delete_target_group(TargetGroupArn=group)
    world.elbv2.delete_target_group(TargetGroupArn=group)
    assert code(lambda: world.health(group)) == "TargetGroupNotFound"
    assert code(lambda: world.register(group, ids)) == "TargetGroupNotFound"
    assert world.group() != group


def test_groups_as_the_health_checker_sees_them() -> None:
    world = World(hosts=Machines(), probe=None)
    group, (one,) = in_use(world, 1)
    (told,) = world.engine.groups()
    assert (told.arn, told.path, told.matcher, told.in_use) == (group, "/health", "200", True)
    assert (told.interval_s, told.timeout_s, told.healthy, told.unhealthy) == (5.0, 4.0, 2, 2)
    assert [(each.id, each.port, each.state, each.address) for each in told.targets] == [
        (one, 80, "initial", ("127.77.0.1", 80))
    ]
    world.ec2.terminate_instances(InstanceIds=[one])
    (told,) = world.engine.groups()
    assert [(each.state, each.address) for each in told.targets] == [("draining", None)]
