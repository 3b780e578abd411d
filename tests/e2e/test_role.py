"""What a machine does with its role, beside reading secrets: it logs in at ECR, and its engine writes to CloudWatch Logs.

ECR and CloudWatch Logs are the sandbox's; a registry that has the name of an ECR asks for the password that it gives.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import docker
import pytest
from faulty import LIVE, Stand, knowing_the_name
from program import Ended, Sandbox

from bluegreen.sandbox.container import gateway as gateway_of
from bluegreen.sandbox.seed import SUBNETS
from tests.parts.authority import Authority
from tests.parts.images import Images
from tests.parts.registry import Registry
from tests.parts.wait import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

ACCOUNT = "123456789012"
HOST = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com"
PASSWORD = f"{ACCOUNT}-auth-token"  # moto's
HTTPS = 443
SAYS = ("/bin/sh", "-c", "echo it is up; exec httpd -f -p 8000 -h /www")
GROUP = "/shop/machines"


@dataclass(frozen=True)
class Booted:
    ended: Ended
    console: str
    stand: Stand


@pytest.fixture(scope="module")
def booted(
    machines_box: Sandbox,
    docker_engine: docker.DockerClient,
    small_images: Images,
    authority: Authority,
    gateway: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Booted:
    registry = Registry(tmp_path_factory.mktemp("ecr"), authority, gateway, HTTPS, (HOST,), login=("AWS", PASSWORD))
    registry.start()
    try:
        small_images.busybox("bluegreen-tests/ecr", SAYS, {"/www/health": "fine\n"})
        small_images.push("bluegreen-tests/ecr", registry, "faults/web", LIVE)
        machines_box.client("logs").create_log_group(logGroupName=GROUP)
        stand = Stand(machines_box, docker_engine, registry, "faults90", tmp_path_factory.mktemp("stand"))
        stand.make_rule()
        endpoint = _endpoint(machines_box)

        def change(document: dict[str, Any]) -> None:
            document["registry"] = {"host": HOST, "auth": "ecr", "ca": "ca.crt"}
            document["services"]["web"]["image"] = f"{HOST}/faults/web:{LIVE}"
            options = {"awslogs-group": GROUP, "awslogs-endpoint": endpoint}
            document["logging"] = {"driver": "awslogs", "options": options}

        program = stand.start(knowing_the_name(stand, HOST), LIVE, change, "5m")
        program.until(r"launched i-", 60)
        (stand.instance,) = re.findall(r"launched (i-[0-9a-f]+)", "".join(program.lines))
        stand.on_machine(f"echo '{registry.address} {HOST}' >>/etc/hosts")
        ended = program.end(360)
    finally:
        registry.stop()
    output = machines_box.client("ec2").get_console_output(InstanceId=stand.instance)
    return Booted(ended, str(output.get("Output", "")), stand)


def _endpoint(box: Sandbox) -> str:
    """The sandbox's AWS as machines reach it: at the gateway of their VPC."""
    ec2 = box.client("ec2")
    (subnet,) = ec2.describe_subnets(SubnetIds=[SUBNETS[0]])["Subnets"]
    (vpc,) = ec2.describe_vpcs(VpcIds=[subnet["VpcId"]])["Vpcs"]
    return f"http://{gateway_of(vpc['CidrBlock'])}:{urlsplit(box.known['endpoint']).port}"


def test_it_logs_in_at_ecr(booted: Booted) -> None:
    assert booted.ended.code == 0, booted.ended.err + booted.console
    assert f"login {HOST} as AWS" in booted.console
    assert PASSWORD not in booted.console + booted.ended.out + booted.ended.err


def test_its_engine_writes_to_cloudwatch_logs_under_our_tag(booted: Booted, machines_box: Sandbox) -> None:
    logs = machines_box.client("logs")
    lines: list[tuple[str, str]] = []

    def there() -> bool:
        for stream in logs.describe_log_streams(logGroupName=GROUP)["logStreams"]:
            name = stream["logStreamName"]
            found = logs.get_log_events(logGroupName=GROUP, logStreamName=name)["events"]
            lines.extend((name, one["message"]) for one in found)
        return bool(lines)

    until(there, 30, lambda: booted.console)
    (name, said), *_ = lines
    assert said == "it is up"
    assert re.fullmatch(rf"faults90/blue/[0-9a-f]{{12}}/web/{booted.stand.instance}", name)
