"""The images of stacks/django alone, on the engine of this machine: how they answer, work, log and end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Any

import docker
import pytest
from docker.models.containers import Container
from docker.models.networks import Network
from docker.types import EndpointConfig

from tests.parts.engine import LABEL
from tests.parts.shop import Shop, receipt
from tests.parts.wait import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

WORKER, MASTER = "gunicorn: worker", "gunicorn: master"
API = "1.41"
HOST = "shop.example.com"
SECRET = 'it\'s "$(one)" `of` {{many}}'


class Running:
    def __init__(self, network: Network, app: Container, web: Container) -> None:
        self.network, self.app, self.web = network, app, web
        web.reload()
        self.port = web.attrs["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"]

    def get(self, path: str, host: str = HOST) -> Any:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers={"Host": host})
        return urllib.request.urlopen(request, timeout=10)

    def processes(self, title: str) -> list[int]:
        """Ids on this machine of the application's processes that call themselves so."""
        top = self.app.top(ps_args="-eo pid,args")
        return [int(pid) for pid, *words in top["Processes"] if " ".join(words).startswith(title)]


@pytest.fixture(scope="module")
def running(docker_engine: docker.DockerClient, shop: Shop) -> Iterator[Running]:
    names = {"app": shop.app("A"), "web": shop.web("A")}
    network = docker_engine.networks.create(f"bluegreen-tests-{uuid.uuid4().hex[:8]}", labels={LABEL: "1"})
    shared: dict[str, Any] = {"detach": True, "read_only": True, "labels": {LABEL: "1"}}
    made: list[Container] = []
    try:
        for name, image in names.items():
            container = docker_engine.containers.create(
                image,
                **shared,
                network=network.name,
                networking_config={network.name: EndpointConfig(API, aliases=[name])},
                environment={"SECRET_KEY": SECRET} if name == "app" else {},
                ports={"80/tcp": ("127.0.0.1", None)} if name == "web" else {},
            )
            made.append(container)
            container.start()
        both = Running(network, *made)
        _await_answer(both)
        yield both
    finally:
        for container in made:
            container.remove(force=True)
        network.remove()
        for image in names.values():
            with contextlib.suppress(
                docker.errors.ImageNotFound
            ):  # another test of this run has taken its layers' last name
                docker_engine.images.remove(image, force=True)


def _await_answer(both: Running) -> None:
    def answers() -> bool:
        try:
            both.get("/health").close()
        except (urllib.error.URLError, ConnectionError):
            return False
        return True

    until(answers, 30, lambda: (both.app.logs(), both.web.logs()))


def test_pages_come_from_the_application_through_nginx(running: Running) -> None:
    with running.get("/") as page:
        assert b"version A" in page.read()
        assert page.headers["Server"].startswith("nginx") and page.headers["X-Version"] == "A"
        assert page.headers["X-Served-By"] == running.app.id[:12]
    with pytest.raises(urllib.error.HTTPError, match="400"):
        running.get("/", host="elsewhere.example.com")


def test_the_secret_arrives_whole(running: Running) -> None:
    with running.get("/receipts/7") as page:
        assert json.load(page)["receipt"] == receipt(SECRET, 7)


def test_eight_workers_and_their_master_tell_themselves_in_the_process_table(running: Running) -> None:
    """The first answers before the last is forked."""
    until(lambda: len(running.processes(WORKER)) == 8, 10, lambda: running.processes(WORKER))
    assert len(running.processes(MASTER)) == 1


def test_a_worker_that_dies_is_missing_until_its_master_starts_another(running: Running) -> None:
    """What a host that counts eight has to see; the others answer meanwhile."""
    until(lambda: len(running.processes(WORKER)) == 8, 10, lambda: running.processes(WORKER))
    (master,), workers = running.processes(MASTER), running.processes(WORKER)
    os.kill(master, signal.SIGSTOP)
    try:
        os.kill(workers[0], signal.SIGKILL)
        until(lambda: running.processes(WORKER) == workers[1:], 10, lambda: running.processes(WORKER))
        running.get("/health").close()
    finally:
        os.kill(master, signal.SIGCONT)
    until(lambda: len(running.processes(WORKER)) == 8, 10, lambda: running.processes(WORKER))
    assert workers[0] not in running.processes(WORKER)


def test_every_request_is_a_line_on_the_output_of_both(running: Running) -> None:
    running.get("/receipts/4711").close()
    for container in (running.web, running.app):
        until(lambda one=container: b'"GET /receipts/4711 HTTP/1' in one.logs(), 10, container.logs)


def test_another_address_of_the_application_is_found(running: Running, docker_engine: docker.DockerClient) -> None:
    """As after a crash of the container: Docker gives it the next address that is free."""

    def address() -> str:
        running.app.reload()
        return str(running.app.attrs["NetworkSettings"]["Networks"][running.network.name]["IPAddress"])

    before = address()
    running.app.stop()
    squatter = docker_engine.containers.create(
        running.app.image, ["sleep", "60"], entrypoint=["busybox"], labels={LABEL: "1"}, network=running.network.name
    )
    try:
        squatter.start()
        running.app.start()
        assert address() != before, "the test did not bring about what it is for"
        _await_answer(running)
    finally:
        squatter.remove(force=True)
