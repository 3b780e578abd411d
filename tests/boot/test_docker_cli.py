"""What the real docker command makes of our words: it talks to an engine that is only a socket and writes down."""

from __future__ import annotations

import json
import shutil
import socketserver
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from machine import APP, Machine, a_stack, pins
from test_containers import HOSTILE

from bluegreen.core.stack import ContainerHealth, Port

API = "1.41"  # Docker 20.10, as in Debian 12


class Engine(BaseHTTPRequestHandler):
    server: Socket

    def log_message(self, *_: object) -> None:
        pass

    def address_string(self) -> str:
        return "socket"

    def do_HEAD(self) -> None:
        self._reply(200, None)

    def do_GET(self) -> None:
        if "/images/" in self.path:
            return self._reply(200, {"Id": "sha256:1", "RepoDigests": []})
        if self.path.endswith("/_ping"):
            return self._reply(200, None)
        if self.path.endswith("/info"):
            return self._reply(200, {"LoggingDriver": "json-file"})
        if "/networks/" in self.path:
            return self._reply(200 if "bluegreen" in self.server.networks else 404, {"Id": "n", "message": "none"})
        if "/containers/json" in self.path:
            return self._reply(200, [])
        state = {"Status": "running", "ExitCode": 0, "Health": {"Status": "healthy", "Log": []}}
        return self._reply(200, {"Id": "c", "Name": "/app", "RestartCount": 0, "State": state})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = json.loads(body) if body else {}
        if "/networks/create" in self.path:
            self.server.networks.append(asked["Name"])
            return self._reply(201, {"Id": "n"})
        if "/containers/create" in self.path:
            self.server.created.append({"path": self.path, **asked})
            return self._reply(201, {"Id": "c", "Warnings": []})
        return self._reply(204, None)

    def _reply(self, status: int, answer: Any) -> None:
        body = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {"Api-Version": API, "Ostype": "linux", "Content-Type": "application/json"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Socket(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), Engine)
        self.created: list[dict[str, Any]] = []
        self.networks: list[str] = []


@pytest.fixture
def engine() -> Iterator[Socket]:
    folder = tempfile.TemporaryDirectory(prefix="bg")  # a socket's path has 107 characters at most
    server = Socket(Path(folder.name) / "docker.sock")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
    folder.cleanup()


@pytest.mark.parametrize(
    "must",
    [
        pytest.param(False, id="if-installed", marks=pytest.mark.skipif(not shutil.which("docker"), reason="none")),
        pytest.param(True, id="e2e", marks=pytest.mark.e2e),
    ],
)
def test_the_real_command_passes_everything_on(must: bool, machine: Machine, engine: Socket) -> None:
    (machine.bin / "docker").unlink()
    (machine.bin / "docker").symlink_to(shutil.which("docker") or "docker")
    machine.extra["DOCKER_HOST"] = f"unix://{engine.server_address}"
    service = replace(
        APP,
        environment=tuple(HOSTILE.items()),
        command=("--serve", "a b", ""),
        entrypoint=("/bin/tool", "-x"),
        healthcheck=ContainerHealth(("CMD", "curl", "it's"), 2.0, 1.5, 3, 0.25),
        ports=(Port(8080, 8000),),
        init=True,
        read_only=True,
        user="1000:1000",
        working_dir="/srv/a b",
        restart="on-failure:3",
        stop_grace_period_s=2.5,
    )
    done = machine.boot(a_stack(service))
    assert done.returncode == 0, done.stdout
    (created,) = engine.created
    assert created["path"] == f"/v{API}/containers/create?name=app"
    assert sorted(created["Env"]) == sorted(f"{name}={value}" for name, value in HOSTILE.items())
    assert (created["Image"], created["Cmd"]) == (pins(a_stack(service))["app"], ["-x", "--serve", "a b", ""])
    assert (created["Entrypoint"], created["User"], created["WorkingDir"]) == (["/bin/tool"], "1000:1000", "/srv/a b")
    assert created["StopTimeout"] == 3
    second = 1_000_000_000
    assert created["Healthcheck"] == {
        "Test": ["CMD-SHELL", "curl 'it'\"'\"'s'"],
        "Interval": 2 * second,
        "Timeout": 3 * second // 2,
        "Retries": 3,
        "StartPeriod": second // 4,
    }
    host = created["HostConfig"]
    assert host["PortBindings"] == {"8000/tcp": [{"HostIp": "", "HostPort": "8080"}]}
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "3"}
    assert (host["Init"], host["ReadonlyRootfs"], host["NetworkMode"]) == (True, True, "bluegreen")
    assert set(created["Labels"]) == {"bluegreen.stack", "bluegreen.config"}
