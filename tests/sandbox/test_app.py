"""The demo application, run as the images run it: small, honest about its version, and polite when it is told to end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bluegreen.sandbox import app

PROGRAM = Path(app.__file__)
MIB = 1024


@dataclass
class Running:
    process: subprocess.Popen[str]
    said: str
    port: int

    def connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=5)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def get(self, path: str, method: str = "GET") -> tuple[int, dict[str, str], str]:
        with self.connect() as connection:
            connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            return parsed(everything(connection))

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(5)


@contextmanager
def running(version: str = "A", **environment: str) -> Iterator[Running]:
    env = {"BLUEGREEN_BIND": "127.0.0.1:0", "VERSION": version, "INSTANCE_ID": "i-1", **environment}
    process = subprocess.Popen([sys.executable, PROGRAM], env=env, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process, process.stdout:
        try:
            said = process.stdout.readline()
            yield Running(process, said, int(said.rpartition(":")[2]))
        finally:
            process.kill()


@pytest.fixture(scope="module")
def site() -> Iterator[Running]:
    with running() as site:
        yield site


def everything(connection: socket.socket) -> bytes:
    data = b""
    while piece := connection.recv(65536):
        data += piece
    return data


def answer(connection: socket.socket) -> tuple[int, dict[str, str], str]:
    """The next one of a kept connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(1)
        assert piece, f"closed after {data!r}"
        data += piece
    length = int(parsed(data)[1]["Content-Length"])
    while length:
        data += (piece := connection.recv(length))
        length -= len(piece)
    return parsed(data)


def parsed(data: bytes) -> tuple[int, dict[str, str], str]:
    head, _, body = data.decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    return int(first.split()[1]), dict(line.split(": ", 1) for line in lines), body


def test_it_says_once_where_it_listens(site: Running) -> None:
    assert site.said == f"bluegreen demo A listens on 127.0.0.1:{site.port}\n"


def test_it_tells_its_version_and_instance(site: Running) -> None:
    status, headers, body = site.get("/?x=1")
    assert (status, json.loads(body)) == (200, {"version": "A", "instance": "i-1"})
    assert headers == {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "X-Version": "A",
        "Connection": "close",
    }


def test_it_is_healthy_unless_it_is_broken(site: Running) -> None:
    assert site.get("/health")[::2] == (200, "ok\n")
    with running("broken") as broken:
        assert broken.get("/health")[0] == 500
        status, headers, body = broken.get("/")
    assert (status, headers["X-Version"], json.loads(body)["version"]) == (200, "broken", "broken")


def test_a_connection_serves_many_requests_also_sent_at_once(site: Running) -> None:
    with site.connect() as connection:
        for _ in range(3):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            status, headers, _ = answer(connection)
            assert status == 200
            assert "Connection" not in headers
        connection.sendall(
            b"GET /slow?seconds=0.05 HTTP/1.1\r\n\r\nGET /health HTTP/1.1\r\n\r\nHEAD / HTTP/1.0\r\n\r\n"
        )
        assert "version" in answer(connection)[2]
        assert answer(connection)[2] == "ok\n"
        head = parsed(everything(connection))
    assert (head[0], head[1]["Content-Length"], head[2]) == (200, "36", "")


def test_a_slow_answer_holds_up_nobody(site: Running) -> None:
    with site.connect() as slow, site.connect() as quick:
        began = time.monotonic()
        slow.sendall(b"GET /slow?seconds=0.4 HTTP/1.1\r\n\r\n")
        for _ in range(20):
            quick.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert answer(quick)[0] == 200
        assert time.monotonic() - began < 0.4
        assert answer(slow)[0] == 200
        assert 0.4 <= time.monotonic() - began < 2


def test_a_slow_answer_has_a_bound() -> None:
    page = app.Pages("A", "i-1").page("/slow?seconds=9999")
    assert 29 < page.at - time.monotonic() <= 30


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /nowhere HTTP/1.1\r\n\r\n", 404),
        (b"GET /slow?seconds=nan HTTP/1.1\r\n\r\n", 400),
        (b"GET /slow?seconds=-1 HTTP/1.1\r\n\r\n", 400),
        (b"GET /slow?seconds=soon HTTP/1.1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 405),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 17_000, 431),
    ],
)
def test_what_it_does_not_do(site: Running, request_: bytes, status: int) -> None:
    with site.connect() as connection:
        connection.sendall(request_)
        assert answer(connection)[0] == status


def test_a_request_may_come_in_pieces(site: Running) -> None:
    with site.connect() as connection:
        for byte in b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhiGET / HTTP/1.1\r\nConnection: close\r\n\r\n":
            connection.sendall(bytes([byte]))
        assert answer(connection)[0] == 405
        assert parsed(everything(connection))[0] == 200


def test_at_sigterm_it_finishes_what_has_arrived_and_takes_nothing_new() -> None:
    with running() as site, site.connect() as slow, site.connect() as idle, site.connect() as late:
        slow.sendall(b"GET /slow?seconds=0.4 HTTP/1.1\r\n\r\n")
        site.get("/")  # the slow one has been taken: it is served in order of arrival
        site.process.send_signal(signal.SIGSTOP)  # so that a request and SIGTERM arrive together
        late.sendall(b"GET / HTTP/1.1\r\n\r\n")
        waiting = site.connect()
        waiting.sendall(b"GET / HTTP/1.1\r\n\r\n")
        site.process.send_signal(signal.SIGTERM)
        site.process.send_signal(signal.SIGCONT)
        with waiting:
            for connection in (late, waiting):
                assert parsed(everything(connection))[0] == 200
        assert everything(idle) == b""
        with pytest.raises(ConnectionRefusedError):
            site.connect()
        status, headers, _ = parsed(everything(slow))
        assert (status, headers["Connection"]) == (200, "close")
        assert site.process.wait(5) == 0


def test_at_sigterm_it_ends_at_once_when_nothing_is_in_flight() -> None:
    with running() as site, site.connect():
        began = time.monotonic()
        assert site.end() == 0
        assert time.monotonic() - began < 2


def test_what_never_ends_does_not_keep_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, with a short limit: a request whose head never comes to an end."""
    monkeypatch.setattr(app, "STOP_LIMIT_S", 0.1)
    wake, alarm = os.pipe()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        with socket.create_connection(listener.getsockname()) as connection:
            connection.sendall(b"GET / HT")
            os.write(alarm, b"x")
            app.Server(listener, app.Pages("A", "i-1")).run(wake)
            with suppress(ConnectionResetError):
                assert connection.recv(1) == b""
    os.close(wake)
    os.close(alarm)


def test_idle_connections_are_closed_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "IDLE_S", 0.05)
    here, there = socket.socketpair()
    with here, there:
        client = _client(there)
        assert client.due() - time.monotonic() <= 0.05


def _client(connection: socket.socket) -> Any:
    class Unix:
        """TCP_NODELAY is unknown to a Unix socket."""

        def setblocking(self, flag: bool) -> None:
            connection.setblocking(flag)

        def setsockopt(self, *_: int) -> None:
            pass

    return app.Client(Unix(), app.Pages("A", "i-1"))  # type: ignore[arg-type]


def test_its_names_are_safe_in_headers_and_json() -> None:
    with running('A\r\nX-Evil: "1"\\é') as site:
        _, headers, body = site.get("/")
    assert headers["X-Version"] == json.loads(body)["version"] == "AX-Evil:1"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_it_is_lean(site: Running) -> None:
    """About 11 MiB, of which Python itself is 8.5; a demo runs a dozen."""
    site.get("/")
    status = Path(f"/proc/{site.process.pid}/status").read_text()
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    assert resident < 14 * MIB
