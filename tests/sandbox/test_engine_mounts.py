"""Both ways into the engine, what is logged of a call, faults, and what the sandbox does not know."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError
from engine_world import PLAIN, World, code, refused
from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server

from bluegreen.sandbox.faults import Fault


@cache
def plain_session() -> boto3.Session:
    """One for all tests: reading the models takes longer than the tests."""
    return boto3.Session("any", "thing", region_name="eu-west-1")


@dataclass
class Served:
    """A world, and a client of another process as it were."""

    world: World
    url: str

    def client(self, name: str) -> Any:
        return plain_session().client(name, endpoint_url=self.url, config=PLAIN)

    def ask(self, path: str, method: str = "GET") -> Any:
        request = urllib.request.Request(f"{self.url}/_sandbox/{path}", method=method)
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def served(world: World) -> Iterator[Served]:
    server = make_server("127.0.0.1", 0, world.engine.wsgi(), threaded=True, request_handler=MotoRequestHandler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield Served(world, f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()


def test_both_mounts_are_one_world(served: Served) -> None:
    """What is launched through one is seen through the other, with all behaviour of the sandbox."""
    world = served.world
    ec2, elbv2 = served.client("ec2"), served.client("elbv2")
    (one,) = (each["InstanceId"] for each in ec2.run_instances(**world.request(ClientToken="t"))["Instances"])
    assert world.launch(ClientToken="t") == [one]
    world.later(1.0)
    assert world.instances() == {one: "running"}
    group = world.group()
    elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": one}])
    told = elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    assert told[0]["TargetHealth"]["Reason"] == "Target.NotInUse"
    assert code(lambda: ec2.run_instances(**world.request(UserData="x" * 16_385))) == "InvalidParameterValue"
    assert code(lambda: elbv2.delete_rule(RuleArn=world.seed.rules[80] + "x")) == "RuleNotFound"


def test_the_account_is_the_seeds_in_both_mounts(served: Served) -> None:
    for sts in (served.world.client("sts"), served.client("sts")):
        told = sts.get_caller_identity()
        assert told["Account"] == served.world.seed.account == "123456789012"
        assert ":123456789012:" in told["Arn"]


def test_all_services_through_the_server(served: Served) -> None:
    """The wire protocols: query, EC2's, JSON and CBOR."""
    assert served.client("ec2").describe_instances()["Reservations"] == []
    assert served.client("elbv2").describe_load_balancers()["LoadBalancers"][0]["LoadBalancerName"] == "demo-alb"
    assert served.client("dynamodb").list_tables()["TableNames"] == []
    assert served.client("cloudwatch").describe_alarms()["MetricAlarms"] == []
    told = served.client("ssm").get_parameter(Name=PARAMETER)["Parameter"]
    assert told["Value"] == served.world.seed.images["24.04", "amd64"]
    operations = [(record.service, record.operation) for record in served.world.engine.calls]
    assert operations == [
        ("ec2", "DescribeInstances"),
        ("elbv2", "DescribeLoadBalancers"),
        ("dynamodb", "ListTables"),
        ("cloudwatch", "DescribeAlarms"),
        ("ssm", "GetParameter"),
    ]


def test_every_call_is_logged(world: World) -> None:
    (one,) = world.running()
    world.ec2.terminate_instances(InstanceIds=[one])
    code(lambda: world.ec2.terminate_instances(InstanceIds=["i-00000000000000001"]))
    code(lambda: world.client("dynamodb").get_item(TableName="none", Key={"a": {"S": "b"}}))
    records = list(world.engine.calls)
    assert [(record.operation, record.status, record.error, record.resource) for record in records[1:]] == [
        ("TerminateInstances", 200, "", one),
        ("TerminateInstances", 400, "InvalidInstanceID.NotFound", "i-00000000000000001"),
        ("GetItem", 400, "ResourceNotFoundException", "none"),
    ]
    assert records[-1].at == world.now
    assert world.engine.calls.operations("ec2") == ["RunInstances", "TerminateInstances", "TerminateInstances"]
    world.engine.calls.clear()
    assert len(world.engine.calls) == 0


def test_the_log_holds_no_secret(world: World) -> None:
    world.client("ssm").put_parameter(Name="/shop/key", Value="s3cret", Type="SecureString")
    world.launch(UserData="s3cret")
    assert "s3cret" not in repr(list(world.engine.calls))


def test_the_log_over_http(served: Served) -> None:
    served.client("sts").get_caller_identity()
    code(lambda: served.client("elbv2").describe_rules(RuleArns=["arn:aws:x:y:z:none"]))
    assert served.ask("health") == {"status": "ok", "account": "123456789012", "calls": 2}
    (sts, elbv2) = served.ask("calls")["calls"]
    assert (sts["service"], sts["operation"], sts["status"]) == ("sts", "GetCallerIdentity", 200)
    assert (elbv2["error"], elbv2["resource"]) == ("RuleNotFound", "none")
    assert served.ask("calls?service=ec2&service=sts")["calls"] == [sts]
    assert served.ask("calls?operation=DescribeRules")["calls"] == [elbv2]
    assert served.ask("calls/clear", "POST") == {"status": "ok"}
    assert served.ask("calls")["calls"] == []


@pytest.mark.parametrize(
    ("service", "operation", "question"),
    [
        ("ec2", "get_spot_placement_scores", {"TargetCapacity": 1}),
        ("elbv2", "get_trust_store_revocation_content", {"TrustStoreArn": "x", "RevocationId": 1}),
        ("ssm", "list_ops_metadata", {}),
        ("dynamodb", "list_global_tables", {}),
        ("braket", "search_jobs", {"filters": []}),
    ],
)
def test_what_the_sandbox_does_not_know(served: Served, service: str, operation: str, question: dict[str, Any]) -> None:
    """A clear refusal in the service's own words, in both mounts, and no second try of botocore's."""
    for client in (served.world.session.client(service), served.client(service)):
        with pytest.raises(ClientError) as caught:
            getattr(client, operation)(**question)
        told = caught.value.response
        assert told["Error"]["Code"] == "NotImplemented"
        assert told["Error"]["Message"].startswith(f"not implemented in the sandbox: {service}")
        assert told["ResponseMetadata"]["HTTPStatusCode"] == 501
        assert told["ResponseMetadata"]["RetryAttempts"] == 0


def test_filters_that_moto_does_not_know(world: World) -> None:
    world.launch()
    told, words = refused(lambda: world.instances(Filters=[{"Name": "launch-time", "Values": ["x"]}]))
    assert told == "NotImplemented"
    assert "launch-time" in words


def test_throttled_and_broken_calls_have_no_effect(world: World) -> None:
    world.engine.faults.add(
        Fault("RunInstances", 1, "throttle"),
        Fault("RunInstances", 2, "before", code="InsufficientInstanceCapacity", message="none left", status=500),
    )
    with pytest.raises(ClientError) as caught:
        world.launch()
    assert caught.value.response["Error"]["Code"] == "RequestLimitExceeded"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert refused(world.launch) == ("InsufficientInstanceCapacity", "none left")
    assert world.instances() == {}
    assert len(world.launch()) == 1


def test_a_lost_answer_has_its_effect(served: Served) -> None:
    """In both mounts; and the same token then makes no second instance."""
    world = served.world
    for token, launch in (("a", world.ec2.run_instances), ("b", served.client("ec2").run_instances)):
        world.engine.faults.clear()
        world.engine.faults.add(Fault("RunInstances", 1, "after"))
        with pytest.raises(ConnectionClosedError):
            launch(**world.request(ClientToken=token))
        launch(**world.request(ClientToken=token))
    assert len(world.instances()) == 2


def test_botocores_own_retries_meet_the_faults(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two answers are lost and one call throttled; botocore tries on, and its token keeps it to one launch."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    world.engine.faults.add(
        Fault("RunInstances", 1, "after"), Fault("RunInstances", 2, "after"), Fault("RunInstances", 3, "throttle")
    )
    client = world.session.client("ec2", config=Config(retries={"mode": "standard", "total_max_attempts": 4}))
    answer = client.run_instances(**world.request(2))
    assert answer["ResponseMetadata"]["RetryAttempts"] == 3
    assert len(world.instances()) == 2


def test_secrets_are_shown_only_decrypted(world: World) -> None:
    ssm = world.client("ssm")
    ssm.put_parameter(Name="/shop/key", Value="s3cret", Type="SecureString")
    ssm.put_parameter(Name="/shop/plain", Value="open", Type="String")
    read = ssm.get_parameter(Name="/shop/key", WithDecryption=True)["Parameter"]
    assert (read["Value"], read["Type"]) == ("s3cret", "SecureString")
    assert "s3cret" not in ssm.get_parameter(Name="/shop/key")["Parameter"]["Value"]
    told = ssm.get_parameters(Names=["/shop/key", "/shop/plain"])["Parameters"]
    assert sorted("s3cret" in each["Value"] for each in told) == [False, False]
    assert {"open"} < {each["Value"] for each in ssm.get_parameters_by_path(Path="/shop")["Parameters"]}
    assert ssm.get_parameter_history(Name="/shop/key")["Parameters"][0]["Value"] != "s3cret"


def test_the_environment_does_not_lead_a_session_astray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    assert World().client("sts").get_caller_identity()["Account"] == "123456789012"


PARAMETER = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"
