"""The host's agent: what it counts, what it calls unhealthy, how it answers, and what the plugin makes of that."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from machine import CLOUDINIT

from tests.parts.serving import Serving

IMAGE = "registry.example.com/shop/app@sha256:" + "1" * 64
APP = {"name": "app", "image": IMAGE, "restart": "unless-stopped", "workers": {"match": "worker:", "count": 2}}
WEB = {"name": "web", "image": IMAGE, "restart": "unless-stopped", "workers": None}


class Docker:
    """The engine as the agent asks it: `containers` by name; `silent` when it is down."""

    def __init__(self, refusal: type[Exception]) -> None:
        self.refusal = refusal
        self.containers: dict[str, dict[str, Any]] = {}
        self.silent = False

    def ask(self, method: str, path: str, limit_s: float) -> Any:
        if self.silent:
            raise self.refusal(0, "no such socket")
        assert method == "GET" and limit_s <= 1.5
        name = path.split("/")[2]
        if name not in self.containers:
            raise self.refusal(404, "no such container")
        return self.containers[name]


class Host:
    def __init__(self, programs: Callable[[str], ModuleType], folder: Path, *services: dict[str, Any]) -> None:
        self.folder = folder
        self.proc = folder / "proc"
        self.proc.mkdir()
        self.docker = Docker(programs("engine").Refusal)
        self.table, self.module = programs("table"), programs("watch")
        self.time = 0.0
        self.free = 50
        document = {"services": services or (APP, WEB), "agent": {"port": 0}}
        for name in [service["name"] for service in document["services"]]:
            self.docker.containers[name] = container(name)
        self.watch = self.module.Watch(document, folder, self.docker)

    def process(self, pid: int, words: str, state: str = "S", of: str = "app", started: int = 100) -> None:
        here = self.proc / str(pid)
        here.mkdir(exist_ok=True)
        (here / "cgroup").write_text(f"1:name=systemd:/docker/{of}-id\n")
        (here / "cmdline").write_bytes(words.replace(" ", "\0").encode() + b"\0")
        (here / "stat").write_text(f"{pid} (a ) b) {state} " + " ".join("0" for _ in range(18)) + f" {started} 0\n")

    def workers(self, *pids: int) -> None:
        for pid in pids:
            self.process(pid, "gunicorn worker: shop")


def container(name: str, **state: Any) -> dict[str, Any]:
    base = {"Status": "running", "ExitCode": 0, "Pid": 1, "StartedAt": "2026-01-01T00:00:00Z", "Error": ""}
    return {"Id": f"{name}-id", "Config": {"Image": IMAGE}, "RestartCount": 0, "State": {**base, **state}}


@pytest.fixture
def host(programs: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(programs, tmp_path)
    processes, proc = host.table.processes, host.proc
    (proc / "1").mkdir()
    disk = {"size_bytes": 100 << 20}
    monkeypatch.setattr(host.table, "processes", lambda name, match: processes(name, match, proc))
    monkeypatch.setattr(host.table, "there", lambda pid: (proc / str(pid)).exists())
    monkeypatch.setattr(host.table, "disks", lambda *folders: {"/": {**disk, "free_bytes": host.free << 20}})
    monkeypatch.setattr(host.table, "memory", lambda: {**disk, "free_bytes": 50 << 20})
    monkeypatch.setattr(host.module.time, "monotonic", lambda: host.time)
    host.watch._answered = 0.0
    host.workers(11, 12)
    return host


def later(host: Host, seconds: float = 1.0) -> list[str]:
    host.time += seconds
    status = host.watch.status()
    assert status["healthy"] == (not status["reasons"])
    return list(status["reasons"])


def test_a_host_with_all_that_it_should_have_is_healthy(host: Host) -> None:
    assert later(host) == []
    app, web = (host.watch.status()["services"][name] for name in ("app", "web"))
    assert app["workers"] == {"match": "worker:", "count": 2, "alive": 2, "ended": 0}
    assert web["workers"] is None and web["state"] == "running" and web["image"] == IMAGE


def test_workers_are_counted_in_their_container_alive_and_by_their_words(host: Host) -> None:
    later(host)
    host.process(13, "gunicorn worker: shop", of="web")
    host.process(14, "gunicorn master: shop")
    host.process(11, "gunicorn worker: shop", state="T")
    assert later(host) == ["app: 1 of 2 workers"]
    host.process(11, "gunicorn worker: shop", state="Z")
    assert later(host) == ["app: 1 of 2 workers"]
    host.workers(15)
    assert later(host) == []
    assert host.watch.status()["services"]["app"]["workers"]["ended"] == 1


def test_a_worker_that_was_replaced_between_two_looks_is_counted_by_its_start(host: Host) -> None:
    later(host)
    host.process(12, "gunicorn worker: shop", started=200)
    assert later(host) == []
    assert host.watch.status()["services"]["app"]["workers"]["ended"] == 1


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({"Status": "exited", "ExitCode": 3}, "web: is exited, exit code 3, 0 restarts"),
        ({"Status": "exited", "ExitCode": 0}, "web: is exited, exit code 0, 0 restarts"),
        ({"Status": "restarting", "ExitCode": 1}, "web: is restarting, exit code 1, 0 restarts"),
        ({"Health": {"Status": "starting"}}, "web: is starting"),
        ({"Health": {"Status": "unhealthy"}}, "web: is unhealthy"),
        ({"Pid": 999}, "web: is gone, exit code 0, 0 restarts"),
        ({"Health": {"Status": "healthy"}}, None),
        ({"Health": {"Status": "none"}}, None),
    ],
)
def test_the_state_of_a_container(host: Host, state: dict[str, Any], told: str | None) -> None:
    host.docker.containers["web"] = container("web", **state)
    assert later(host) == ([told] if told else [])


def test_another_image_and_no_container_are_told(host: Host) -> None:
    host.docker.containers["web"]["Config"] = {"Image": "shop/web:latest"}
    del host.docker.containers["app"]
    assert later(host) == ["app: has no container", "web: runs shop/web:latest"]


def test_a_service_that_may_end_has_done_its_work(programs: Callable[[str], ModuleType], host: Host) -> None:
    verdict = programs("verdict")
    seen = {"image": IMAGE, "state": "exited", "exit_code": 0, "restarts": 0, "health": "", "workers": None}
    assert [bool(verdict.of_service({**WEB, "restart": how}, seen)) for how in ("no", "on-failure:3", "always")] == [
        False,
        False,
        True,
    ]
    assert verdict.of_service({**WEB, "restart": "no"}, {**seen, "exit_code": 1})


def test_a_full_disk_is_told(host: Host) -> None:
    host.free = 1
    assert later(host) == ["disk /: 1 of 100 MiB free"]


def test_an_engine_that_is_started_again_costs_no_health_but_a_dead_one_does(host: Host) -> None:
    assert later(host) == []
    host.docker.silent = True
    assert later(host, 20) == []
    (host.proc / "1").rmdir()  # the containers' own process
    assert later(host) == [f"{name}: is gone, exit code 0, 0 restarts" for name in ("app", "web")]
    (host.proc / "1").mkdir()
    assert later(host, 10) == ["docker: has not answered for 31 s"]
    host.docker.silent = False
    assert later(host) == []


def test_a_boot_that_failed_is_told_until_one_is_ready(host: Host) -> None:
    log = host.folder / "boot.log"
    log.write_text("[bluegreen] 0.0 start, 9 s after the machine\n[bluegreen] failed: no such secret\n")
    assert later(host) == ["boot: no such secret"]
    assert host.watch.status()["boot"][0] == "0.0 start, 9 s after the machine"
    log.write_text(log.read_text() + "[bluegreen] 9.0 ready app web\n")
    assert later(host) == []


def test_a_container_that_docker_cannot_start_for_its_log_server_asks_for_another_boot(host: Host) -> None:
    later(host)
    assert not host.watch.given_up()
    error = "failed to initialize logging driver: dial tcp 10.0.0.9:514: connect: connection refused"
    host.docker.containers["web"] = container("web", Status="exited", ExitCode=128, Error=error)
    later(host)
    assert host.watch.given_up()
    host.docker.containers["web"] = container("web", Error=error)
    later(host)
    assert not host.watch.given_up()


class Server(Serving, ThreadingHTTPServer):
    """The agent's own HTTP answers, with the watch of `host`."""

    def __init__(self, agent: ModuleType, host: Host) -> None:
        agent.Handler.watch = host.watch
        super().__init__(("127.0.0.1", 0), agent.Handler)
        self.begin()

    def ask(self, method: str, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server_port, timeout=5)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()


@pytest.fixture
def server(programs: Callable[[str], ModuleType], host: Host) -> Iterator[Server]:
    server = Server(programs("agent"), host)
    yield server
    server.stop()


def test_the_answers(server: Server, host: Host) -> None:
    later(host)
    assert server.ask("GET", "/health") == (200, "healthy\n")
    assert server.ask("HEAD", "/health") == (200, "")
    host.docker.containers["web"] = container("web", Health={"Status": "unhealthy"})
    later(host)
    assert server.ask("GET", "/health?x=1") == (503, "web: is unhealthy\n")
    code, text = server.ask("GET", "/status")
    assert code == 200 and json.loads(text)["reasons"] == ["web: is unhealthy"]
    assert server.ask("GET", "/")[0] == 404
    assert server.ask("POST", "/health")[0] == 501


def test_many_that_only_connect_do_not_stop_a_check(server: Server, host: Host) -> None:
    later(host)
    idle = [socket.create_connection(("127.0.0.1", server.server_port)) for _ in range(20)]
    try:
        assert server.ask("GET", "/health")[0] == 200
    finally:
        for one in idle:
            one.close()


def plugin(port: int) -> tuple[int, str]:
    words = [sys.executable, "-B", str(CLOUDINIT / "check.py"), str(port)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_the_plugin(server: Server, host: Host) -> None:
    (host.folder / "about.json").write_text(json.dumps({"stack": "shop", "colour": "blue", "version": "1.4"}))
    later(host)
    data = "app_restarts=0c app_workers=2;;2: web_restarts=0c '/_free'=52428800B"
    assert plugin(server.server_port) == (0, f"BLUEGREEN OK - shop blue 1.4: app 2/2 workers, web | {data}\n")
    host.process(11, "gunicorn worker: shop", state="Z")
    later(host)
    code, text = plugin(server.server_port)
    assert code == 2 and text.startswith("BLUEGREEN CRITICAL - shop blue 1.4: app: 1 of 2 workers | ")


def test_the_plugin_without_an_agent(server: Server) -> None:
    server.stop()
    code, text = plugin(server.server_port)
    assert code == 3 and text.startswith(
        f"BLUEGREEN UNKNOWN - the agent at port {server.server_port} does not answer: "
    )


def test_the_process_table_of_this_machine(programs: Callable[[str], ModuleType]) -> None:
    """On the real /proc: our own child, by the group that it shares with us."""
    mark = uuid.uuid4().hex
    group = Path("/proc/self/cgroup").read_text().strip().splitlines()[-1]
    child = subprocess.Popen([sys.executable, "-c", "input()", mark], stdin=subprocess.PIPE)
    try:
        found = list(programs("table").processes(group, mark))
        assert [pid for pid, _ in found] == [child.pid] and int(found[0][1]) > 0
    finally:
        child.communicate(b"\n", timeout=10)
    assert not list(programs("table").processes(group, mark))
