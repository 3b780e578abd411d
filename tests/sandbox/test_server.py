"""The whole sandbox from outside: AWS calls in, real processes and real traffic out, and nothing left behind."""

from __future__ import annotations

import json
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest
from image_shelf import ImageShelf
from instances import eventually, service, user_data

from bluegreen.sandbox import control, pids, state
from bluegreen.sandbox.control import Crashed
from bluegreen.sandbox.state import SandboxState

for part in ("engine", "balancer", "registry", "seed"):
    pytest.importorskip(f"bluegreen.sandbox.{part}")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

AMI = "ami-0240400000000a064"
SUBNET = "subnet-0a11ce0000000000a"
VPC = "vpc-0a11ce00000000001"


class Account:
    def __init__(self, running: SandboxState) -> None:
        key = {"aws_access_key_id": "sandbox", "aws_secret_access_key": "sandbox"}
        self._client = {"endpoint_url": running.endpoint, "region_name": running.region, **key}
        self.ec2: Any = boto3.client("ec2", **self._client)
        self.elb: Any = boto3.client("elbv2", **self._client)
        self.ssm: Any = boto3.client("ssm", **self._client)
        self.secrets: Any = boto3.client("secretsmanager", **self._client)

    def launch(self, data: bytes, count: int = 1) -> list[str]:
        answer = self.ec2.run_instances(
            ImageId=AMI, InstanceType="m7i.large", MinCount=count, MaxCount=count, SubnetId=SUBNET, UserData=data
        )
        ids = [instance["InstanceId"] for instance in answer["Instances"]]
        eventually(lambda: set(self.states(ids)) == {"running"})
        return ids

    def states(self, ids: list[str]) -> list[str]:
        pages = self.ec2.describe_instances(InstanceIds=ids)["Reservations"]
        return [instance["State"]["Name"] for page in pages for instance in page["Instances"]]

    def group(self, name: str) -> str:
        """A target group behind port 80, checked as often as ELB may."""
        answer = self.elb.create_target_group(
            Name=name,
            Protocol="HTTP",
            Port=8080,
            VpcId=VPC,
            HealthCheckPath="/health",
            HealthCheckIntervalSeconds=5,
            HealthCheckTimeoutSeconds=2,
            HealthyThresholdCount=2,
            UnhealthyThresholdCount=2,
        )
        arn: str = answer["TargetGroups"][0]["TargetGroupArn"]
        balancer = self.elb.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
        listeners = self.elb.describe_listeners(LoadBalancerArn=balancer)["Listeners"]
        (listener,) = [one["ListenerArn"] for one in listeners if one["Port"] == 80]
        self.elb.modify_listener(ListenerArn=listener, DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}])
        return arn

    def health(self, group: str) -> list[str]:
        answer = self.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return [one["TargetHealth"].get("Reason", one["TargetHealth"]["State"]) for one in answer]

    def console(self, instance: str) -> str:
        return str(self.ec2.get_console_output(InstanceId=instance).get("Output", ""))


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxState]:
    monkeypatch.setenv("BLUEGREEN_SANDBOX_DIR", str(tmp_path / "sandbox"))
    yield control.up(port=0, registry_port=0)
    control.down()
    assert processes(tmp_path / "sandbox") == set()
    assert not (tmp_path / "sandbox").exists()


@pytest.fixture
def shelf() -> Iterator[ImageShelf]:
    with closing(ImageShelf()) as shelf:
        yield shelf


def processes(folder: Path) -> set[pids.Identity]:
    token = pids.mark(state.token_of(folder))
    return {*pids.marked(token, state.SERVER_MARK), *pids.marked(token)}


def ask(port: int) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_from_run_instances_to_an_answer_through_the_load_balancer(running: SandboxState, shelf: ImageShelf) -> None:
    account = Account(running)
    port = running.listeners["demo-alb:80"]
    assert ask(port)[0] == 503
    account.ssm.put_parameter(Name="/shop/key", Value="from-ssm", Type="SecureString")
    group = account.group("web-blue")
    account.secrets.create_secret(Name="shop/login", SecretString='{"user": "from-secrets-manager"}')
    environment = {"KEY": "ssm:/shop/key", "USER_KEY": "secretsmanager:shop/login#user"}
    web = service(shelf.server_image(), environment=environment)
    ids = account.launch(user_data(web), 2)
    account.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": each} for each in ids])
    began = time.monotonic()
    eventually(lambda: account.health(group) == ["healthy"] * 2, 20)
    assert time.monotonic() - began < 7, "two checks, the first of them at once"
    eventually(lambda: ask(port)[0] == 200, 1.0)  # the balancer looks every 0.05 s
    answers: list[tuple[int, bytes]] = []

    def who_answers() -> set[str]:
        answers.extend(ask(port) for _ in range(20))
        return {json.loads(body)["env"]["INSTANCE_ID"] for _, body in answers}

    eventually(lambda: who_answers() == set(ids), 1.0)  # it may have seen only one of them at its last look
    assert {status for status, _ in answers} == {200}
    answered = [json.loads(body)["env"] for _, body in answers]
    assert {(env["KEY"], env["USER_KEY"]) for env in answered} == {("from-ssm", "from-secrets-manager")}
    assert "ready web" in account.console(ids[0])
    assert "from-s" not in account.console(ids[0])

    account.ec2.terminate_instances(InstanceIds=ids[:1])
    eventually(lambda: len(processes(Path(running.folder))) == 2)
    assert eventually(lambda: ask(port)[0] == 200)


def test_a_failing_application_is_seen_by_its_health_and_a_failing_boot_by_its_console(
    running: SandboxState, shelf: ImageShelf
) -> None:
    account = Account(running)
    group = account.group("web-green")
    sick = account.launch(user_data(service(shelf.server_image(), environment={"STATUS": "503"})))
    broken = account.launch(b"#cloud-config\n{}")
    targets = [{"Id": each} for each in sick + broken]
    account.elb.register_targets(TargetGroupArn=group, Targets=targets)
    expected = ["Target.FailedHealthChecks", "Target.ResponseCodeMismatch"]
    eventually(lambda: sorted(account.health(group)) == expected, 20)
    assert "[bluegreen] failed: bad user data" in account.console(broken[0])


def test_a_killed_sandbox_leaves_no_process_and_the_next_up_starts_afresh(
    running: SandboxState, shelf: ImageShelf
) -> None:
    account = Account(running)
    (instance,) = account.launch(user_data(service(shelf.server_image())))
    eventually(lambda: "ready web" in account.console(instance))
    folder = Path(running.folder)
    assert len(processes(folder)) == 2
    pids.send(running.process, signal.SIGKILL)
    eventually(lambda: not processes(folder), 3.0)
    assert isinstance(control.status(), Crashed)
    again = control.up(port=0, registry_port=0)
    assert Account(again).ec2.describe_instances()["Reservations"] == []
    assert list((folder / "hosts").iterdir()) == []


def test_an_end_while_machines_boot_is_clean_and_quick(running: SandboxState, shelf: ImageShelf) -> None:
    stubborn = ["python3", "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"]
    account = Account(running)
    account.launch(user_data(service(shelf.server_image(), entrypoint=stubborn, ports=[])), 4)
    began = time.monotonic()
    (ended,) = control.down()
    assert time.monotonic() - began < 4.0
    assert (ended.killed, ended.leftovers) == (False, 0)
