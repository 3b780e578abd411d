"""What the engine's tests share: a seeded world with a clock that only the test moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from bluegreen.sandbox.engine import Engine
from bluegreen.sandbox.model import Boot
from bluegreen.sandbox.seed import seed

PLAIN = Config(retries={"total_max_attempts": 1}, parameter_validation=False)  # the sandbox refuses, not botocore


class Machines:
    """Hosts that only remember what they were told."""

    def __init__(self) -> None:
        self.booted: list[Boot] = []
        self.stopped: list[str] = []
        self.ended: list[str] = []

    def start(self, boot: Boot) -> None:
        self.booted.append(boot)

    def stop(self, instance_id: str) -> None:
        self.stopped.append(instance_id)

    def end(self, instance_id: str) -> None:
        self.ended.append(instance_id)

    def console(self, instance_id: str) -> str:
        return f"console of {instance_id}\n"

    def address(self, instance_id: str, port: int) -> tuple[str, int]:
        return "127.77.0.1", port


class World:
    def __init__(self, **options: Any) -> None:
        self.now = 1_700_000_000.0
        self.sick: set[str] = set()
        options.setdefault("probe", lambda target_id: target_id not in self.sick)
        self.engine = Engine(lambda: self.now, **options)
        self.seed = seed(self.engine)
        self.session = self.engine.session(self.seed.region)
        self._clients: dict[str, Any] = {}

    def client(self, name: str) -> Any:
        if name not in self._clients:
            self._clients[name] = self.session.client(name, config=PLAIN)
        return self._clients[name]

    @property
    def ec2(self) -> Any:
        return self.client("ec2")

    @property
    def elbv2(self) -> Any:
        return self.client("elbv2")

    def later(self, seconds: float) -> None:
        self.now += seconds

    def launch(self, count: int = 1, **options: Any) -> list[str]:
        """Instances that are pending."""
        answer = self.ec2.run_instances(**self.request(count, **options))
        return [instance["InstanceId"] for instance in answer["Instances"]]

    def request(self, count: int = 1, **options: Any) -> dict[str, Any]:
        return {
            "ImageId": self.seed.images["24.04", "amd64"],
            "InstanceType": "m7i.large",
            "MinCount": count,
            "MaxCount": count,
            "SubnetId": self.seed.subnets[0],
            "SecurityGroupIds": [self.seed.security_group],
            **options,
        }

    def running(self, count: int = 1, **options: Any) -> list[str]:
        ids = self.launch(count, **options)
        self.later(1.0)
        return ids

    def instances(self, **question: Any) -> dict[str, str]:
        """Id → state."""
        pages = self.ec2.get_paginator("describe_instances").paginate(**question)
        return {
            instance["InstanceId"]: instance["State"]["Name"]
            for page in pages
            for reservation in page["Reservations"]
            for instance in reservation["Instances"]
        }

    def group(self, name: str = "shop-blue", **options: Any) -> str:
        wanted = {
            "Name": name,
            "Protocol": "HTTP",
            "Port": 80,
            "VpcId": self.seed.vpc,
            "HealthCheckPath": "/health",
            "HealthCheckIntervalSeconds": 5,
            "HealthCheckTimeoutSeconds": 4,
            "HealthyThresholdCount": 2,
            "UnhealthyThresholdCount": 2,
            **options,
        }
        arn: str = self.elbv2.create_target_group(**wanted)["TargetGroups"][0]["TargetGroupArn"]
        return arn

    def forward(self, weights: dict[str, int], port: int = 80) -> Any:
        """The rule of the demo's host gets these weights."""
        actions = [{"Type": "forward", "ForwardConfig": {"TargetGroups": tuples(weights)}}]
        return self.elbv2.modify_rule(RuleArn=self.seed.rules[port], Actions=actions)["Rules"][0]

    def register(self, group: str, ids: list[str]) -> None:
        self.elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": each} for each in ids])

    def deregister(self, group: str, ids: list[str]) -> None:
        self.elbv2.deregister_targets(TargetGroupArn=group, Targets=[{"Id": each} for each in ids])

    def health(self, group: str, *ids: str) -> dict[str, tuple[str, str]]:
        """Id → (state, reason)."""
        question = {"Targets": [{"Id": each} for each in ids]} if ids else {}
        answer = self.elbv2.describe_target_health(TargetGroupArn=group, **question)
        return {
            each["Target"]["Id"]: (each["TargetHealth"]["State"], each["TargetHealth"].get("Reason", ""))
            for each in answer["TargetHealthDescriptions"]
        }


def tuples(weights: dict[str, int]) -> list[dict[str, Any]]:
    return [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights.items()]


def refused(call: Callable[[], Any]) -> tuple[str, str]:
    """AWS's code and message for a call that must fail."""
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def code(call: Callable[[], Any]) -> str:
    return refused(call)[0]
