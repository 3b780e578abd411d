"""The seed is the same in every run, worlds are apart from each other, and a moto that does not fit is found at once."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import boto3
import pytest
from engine_world import World
from moto import mock_aws

from bluegreen.errors import Refused
from bluegreen.sandbox import moto_seams, selfcheck
from bluegreen.sandbox.engine import Engine
from bluegreen.sandbox.seed import seed

SEEDED = """
import json
from dataclasses import asdict
from bluegreen.sandbox.engine import Engine
from bluegreen.sandbox.seed import seed
plain = asdict(seed(Engine()))
plain["images"] = sorted(map(list, plain["images"].items()))
print(json.dumps(plain))
"""


def test_the_seed_is_stable_between_runs() -> None:
    other = json.loads(subprocess.run([sys.executable, "-c", SEEDED], check=True, capture_output=True).stdout)
    mine = asdict(World().seed)
    mine["images"] = sorted(map(list, mine["images"].items()))
    assert other == json.loads(json.dumps(mine))


def test_the_seed_as_aws_tells_it() -> None:
    world = World()
    subnets = world.ec2.describe_subnets(SubnetIds=list(world.seed.subnets))["Subnets"]
    assert [each["AvailabilityZone"] for each in subnets] == ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
    assert {each["VpcId"] for each in subnets} == {world.seed.vpc}
    (group,) = world.ec2.describe_security_groups(GroupIds=[world.seed.security_group])["SecurityGroups"]
    assert group["VpcId"] == world.seed.vpc
    (balancer,) = world.elbv2.describe_load_balancers(Names=["demo-alb"])["LoadBalancers"]
    assert (balancer["State"]["Code"], balancer["Type"]) == ("active", "application")
    assert {zone["SubnetId"] for zone in balancer["AvailabilityZones"]} == set(world.seed.subnets)
    told = world.elbv2.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    assert {each["Port"]: each["ListenerArn"] for each in told} == world.seed.listeners
    (rule, default) = world.elbv2.describe_rules(ListenerArn=world.seed.listeners[80])["Rules"]
    assert rule["Conditions"][0]["Values"] == ["shop.example.com"]
    assert rule["Actions"][0]["FixedResponseConfig"]["MessageBody"] == "no fleet yet"
    assert default["RuleArn"].startswith(world.seed.listeners[80].replace(":listener/", ":listener-rule/"))
    for (series, architecture), ami in world.seed.images.items():
        name = f"/aws/service/canonical/ubuntu/server/{series}/stable/current/{architecture}/hvm/ebs-gp3/ami-id"
        assert world.client("ssm").get_parameter(Name=name)["Parameter"]["Value"] == ami
    images = world.ec2.describe_images(Owners=["099720109477"])["Images"]
    assert {each["ImageId"] for each in images} == set(world.seed.images.values())
    assert world.client("dynamodb").list_tables()["TableNames"] == []


def test_another_region_and_account() -> None:
    engine = Engine(account="210987654321")
    seeded = seed(engine, "us-east-2")
    assert ":us-east-2:210987654321:" in seeded.load_balancer_arn
    told = engine.session("us-east-2").client("elbv2").describe_load_balancers()["LoadBalancers"]
    assert [each["LoadBalancerArn"] for each in told] == [seeded.load_balancer_arn]


def test_worlds_are_apart() -> None:
    """Same account, same ids, and neither sees what the other does. Nor does moto's own mock."""
    first, second = World(), World()
    (one,) = first.running()
    assert second.instances() == {}
    with mock_aws():
        plain = boto3.Session("a", "b", region_name="eu-west-1").client("ec2")
        assert plain.describe_instances()["Reservations"] == []
        reserved = plain.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1)
        assert reserved["Instances"][0]["State"]["Name"] == "pending"
        assert first.instances() == {one: "running"}
        (told,) = plain.describe_instances()["Reservations"]
        assert told["Instances"][0]["State"]["Name"] == "running"  # as moto has it: the engine is not in its way
    assert first.instances() == {one: "running"}
    assert second.running() != [one]
    assert len(first.instances()) == len(second.instances()) == 1


def test_the_check_is_quick() -> None:
    """Once moto has read the services' models, as it must for the first call anyway."""
    selfcheck.check(again=True)
    began = time.process_time()  # not the wall's: other programs may be busy
    selfcheck.check(again=True)
    assert time.process_time() - began < 0.2


def forget(thing: Any, name: str) -> Callable[..., None]:
    """An __init__ that ends without the attribute."""
    own = thing.__init__

    def init(self: Any, *args: Any, **options: Any) -> None:
        own(self, *args, **options)
        self.__dict__[f"renamed_{name}"] = self.__dict__.pop(name)

    return init


@pytest.mark.parametrize(
    ("module", "thing", "attribute"),
    [
        ("moto.ec2.models.instances", "Instance", "_state"),
        ("moto.ec2.models.instances", "Instance", "client_token"),
        ("moto.ec2.models.subnets", "Subnet", "_subnet_ips"),
        ("moto.elbv2.models", "FakeListener", "_non_default_rules"),
        ("moto.elbv2.models", "FakeAction", "data"),
        ("moto.elbv2.models", "FakeTargetGroup", "attributes"),
    ],
)
def test_a_renamed_attribute_is_found(monkeypatch: pytest.MonkeyPatch, module: str, thing: str, attribute: str) -> None:
    kind = getattr(sys.modules[module], thing)
    monkeypatch.setattr(kind, "__init__", forget(kind, attribute))
    with pytest.raises(Refused) as caught:
        selfcheck.check(again=True)
    assert f"moto {moto_seams.VERSION}" in caught.value.where
    assert "seam moto." in caught.value.where
    assert attribute in caught.value.where + caught.value.why


def test_a_moto_that_no_longer_asks_us_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moto.core.responses.BaseResponse._dispatch", lambda self, *_: (200, {}, ""))
    with pytest.raises(Refused, match="does not fit") as caught:
        selfcheck.check(again=True)
    assert "BaseResponse._dispatch" in caught.value.where


def test_ids_that_are_drawn_otherwise_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("moto.ec2.models.subnets.random_subnet_id")
    with pytest.raises(Refused) as caught:
        selfcheck.check(again=True)
    assert "random_subnet_id" in caught.value.why


def test_a_forced_account_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_ACCOUNT_ID", "111111111111")
    with pytest.raises(Refused) as caught:
        selfcheck.check(again=True)
    assert "MOTO_ACCOUNT_ID" in caught.value.where
