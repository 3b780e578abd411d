"""Docker mode: instances are hosts of their own, booted by the real cloud-init, two at a time; and none is left behind."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import docker
import pytest
from program import Sandbox

pytestmark = pytest.mark.e2e

BOOT_S = 150
SCRIPT = """#!/bin/sh
boots=$(cat /root/boots 2>/dev/null || echo 0)
echo $((boots + 1)) >/root/boots
echo "boot $(cat /root/boots) of $(hostname), docker $(docker info --format '{{.Driver}}')" >/dev/console
"""
USER_DATA = f"""#cloud-config
write_files:
  - path: /var/lib/cloud/scripts/per-boot/mark
    permissions: "0755"
    content: |
      {SCRIPT.replace(chr(10), chr(10) + "      ")}
"""


@pytest.fixture(scope="module")
def sandbox(docker_engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("docker-mode") / "sandbox"
    box = Sandbox(folder, "--mode", "docker")
    try:
        assert box.known["mode"] == "docker"
        yield box
    finally:
        down = box.start("sandbox", "down").end(within_s=120)
        assert down.code == 0, down.err
        assert not folder.exists(), "the sandbox left files behind"


def launch(sandbox: Sandbox, count: int) -> list[dict[str, Any]]:
    answer = sandbox.client("ec2").run_instances(
        ImageId="ami-0240400000000a064",
        InstanceType="m7i.large",
        MinCount=count,
        MaxCount=count,
        SubnetId="subnet-0a11ce0000000000a",
        SecurityGroupIds=["sg-0a11ce00000000001"],
        IamInstanceProfile={"Name": "demo-web"},
        UserData=USER_DATA,
    )
    return list(answer["Instances"])


def eventually(look: Callable[[], Any], within_s: float, what: str) -> Any:
    deadline = time.monotonic() + within_s
    while not (seen := look()):
        assert time.monotonic() < deadline, f"{what}: not within {within_s:.0f} s"
        time.sleep(0.2)
    return seen


def console(sandbox: Sandbox, instance_id: str) -> str:
    return str(sandbox.client("ec2").get_console_output(InstanceId=instance_id).get("Output", ""))


def booted(sandbox: Sandbox, instance_id: str) -> str:
    try:
        eventually(lambda: "[host] booted" in console(sandbox, instance_id), BOOT_S, f"the boot of {instance_id}")
    except AssertionError as late:
        raise AssertionError(f"{late}\n{console(sandbox, instance_id)}") from None
    return console(sandbox, instance_id)


def ours(engine: docker.DockerClient, instance_id: str) -> list[Any]:
    wanted = {"label": [f"bluegreen.instance={instance_id}"]}
    volumes = engine.api.volumes(filters=wanted)["Volumes"] or []
    return [*engine.api.containers(all=True, filters=wanted), *volumes]


def on(engine: docker.DockerClient, instance_id: str, *words: str) -> str:
    (found,) = engine.containers.list(filters={"label": f"bluegreen.instance={instance_id}"})
    code, output = found.exec_run(list(words))
    return f"{code} {output.decode()}".strip()


def test_the_life_of_hosts(sandbox: Sandbox, docker_engine: docker.DockerClient) -> None:
    """Boot, metadata, stop and start, terminate: one sequence, because a boot takes its time."""
    one, two = launch(sandbox, 2)
    ids = [one["InstanceId"], two["InstanceId"]]
    for each in (one, two):
        hostname = "ip-" + each["PrivateIpAddress"].replace(".", "-")
        assert f"boot 1 of {hostname}, docker overlay2" in booted(sandbox, each["InstanceId"])

    where = "http://169.254.169.254/latest"
    assert on(docker_engine, ids[0], "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", f"{where}/user-data") == (
        "0 401"
    )
    ask = f"T=$(curl -sSf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' {where}/api/token) && "
    ask += f'curl -sSf -H "X-aws-ec2-metadata-token: $T" {where}/meta-data/instance-id'
    assert [on(docker_engine, each, "sh", "-c", ask) for each in ids] == [f"0 {each}" for each in ids]
    assert on(docker_engine, ids[0], "hostname", "-i") == f"0 {one['PrivateIpAddress']}"

    ec2 = sandbox.client("ec2")
    ec2.stop_instances(InstanceIds=ids[:1])
    states = {"stopped": "exited", "running": "running"}

    def is_now(state: str) -> bool:
        (found,) = ec2.describe_instances(InstanceIds=ids[:1])["Reservations"][0]["Instances"]
        containers = docker_engine.api.containers(all=True, filters={"label": [f"bluegreen.instance={ids[0]}"]})
        return found["State"]["Name"] == state and [c["State"] for c in containers] == [states[state]]

    eventually(lambda: is_now("stopped"), 60, "the stop")
    ec2.start_instances(InstanceIds=ids[:1])
    eventually(lambda: "boot 2 of" in console(sandbox, ids[0]), BOOT_S, "the second boot")
    assert "boot 1 of" not in console(sandbox, ids[0])
    assert is_now("running")

    ec2.terminate_instances(InstanceIds=ids)
    eventually(lambda: not any(ours(docker_engine, each) for each in ids), 90, "the end of containers and volumes")
    assert "boot 2 of" in console(sandbox, ids[0])


def test_a_crash_leaves_nothing_that_the_next_up_does_not_remove(
    sandbox: Sandbox, docker_engine: docker.DockerClient
) -> None:
    (one,) = launch(sandbox, 1)
    instance_id = one["InstanceId"]
    eventually(lambda: len(ours(docker_engine, instance_id)) == 2, 60, "container and volume")
    os.kill(sandbox.known["pid"], signal.SIGKILL)
    crashed = sandbox.run("sandbox", "status")
    assert crashed.code == 7, crashed.out
    assert ours(docker_engine, instance_id)
    sandbox.up()
    assert not ours(docker_engine, instance_id)
