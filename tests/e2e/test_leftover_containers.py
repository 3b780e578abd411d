"""What a sandbox left in the engine goes by its label, whatever state it is in; and nothing else goes."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import docker
import pytest

from bluegreen.sandbox import leftover_containers
from bluegreen.sandbox.container import SANDBOX
from tests.parts.engine import LABEL
from tests.parts.images import Images

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def image(small_images: Images) -> str:
    return small_images.busybox("bluegreen-tests/leftover", ["/bin/sh", "-c", "echo kept >/data/file; exec sleep 300"])


@pytest.fixture
def token(docker_engine: docker.DockerClient) -> Iterator[str]:
    token = uuid.uuid4().hex[:16]
    yield token
    leftover_containers.remove(docker_engine, token)


def host(engine: docker.DockerClient, image: str, token: str, name: str) -> str:
    """A container with a volume, as the sandbox makes them: the volume's name."""
    labels = {SANDBOX: token, LABEL: "1"}
    volume = engine.volumes.create(f"bluegreen-tests-{token}-{name}", labels=labels).name
    binds = {volume: {"bind": "/data", "mode": "rw"}}
    made = engine.containers.run(image, detach=True, labels=labels, volumes=binds, network_mode="none")
    assert made.exec_run(["/bin/sh", "-c", "until [ -e /data/file ]; do sleep 0.1; done"]).exit_code == 0
    return str(volume)


def left(engine: docker.DockerClient, token: str) -> list[str]:
    wanted = {"label": [f"{SANDBOX}={token}"]}
    containers = [each["Id"] for each in engine.api.containers(all=True, filters=wanted)]
    return containers + [each["Name"] for each in engine.api.volumes(filters=wanted)["Volumes"] or []]


@pytest.mark.parametrize("count", [1, 3])
def test_nothing_of_one_sandbox_stays_and_all_of_another(
    docker_engine: docker.DockerClient, image: str, token: str, count: int
) -> None:
    other = token[::-1] + "0"
    for number in range(count):
        host(docker_engine, image, token, str(number))
    host(docker_engine, image, other, "other")
    try:
        assert leftover_containers.remove(docker_engine, token) == count
        assert left(docker_engine, token) == []
        assert len(left(docker_engine, other)) == 2
    finally:
        leftover_containers.remove(docker_engine, other)
    assert leftover_containers.remove(docker_engine, token) == 0


def test_volumes_are_empty_before_the_engine_removes_them(
    docker_engine: docker.DockerClient, image: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    volumes = [host(docker_engine, image, token, str(number)) for number in range(2)]
    monkeypatch.setattr(docker_engine.api, "remove_volume", lambda name, force: None)
    leftover_containers.remove(docker_engine, token)
    monkeypatch.undo()
    binds = {name: {"bind": f"/v/{number}", "mode": "ro"} for number, name in enumerate(volumes)}
    look = ["/bin/sh", "-c", "ls /v/0 /v/1"]
    seen = docker_engine.containers.run(image, entrypoint=look, volumes=binds, remove=True, labels={LABEL: "1"})
    assert seen.split() == [b"/v/0:", b"/v/1:"]


def test_what_cannot_be_emptied_is_removed_all_the_same(
    docker_engine: docker.DockerClient, image: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2):
        host(docker_engine, image, token, str(number))
    monkeypatch.setattr(leftover_containers, "EMPTY_ALL", "exec sleep 300")
    monkeypatch.setattr(leftover_containers, "EMPTY_LIMIT_S", 0.5)
    leftover_containers.remove(docker_engine, token)
    assert left(docker_engine, token) == []
