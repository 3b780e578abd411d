"""Docker's API on its socket. Values travel as JSON: nothing is quoted, and nothing shows in a command line.

Paths carry no version: the engine then takes its own newest ("Versioning" of the Docker Engine API), and what is asked
for here is the same in all since 1.25.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from console import BootError

SOCKET = "/var/run/docker.sock"
PULL_LIMIT_S = 900.0
SILENCE_S = 120.0  # of a pull
LAST_LINES = 6


class Refusal(BootError):
    """What the engine said no with; status 0: it cannot be reached."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"the Docker engine answered {status or 'nothing'}", message)
        self.status = status
        self.message = message


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, limit_s: float) -> None:
        super().__init__("docker", timeout=limit_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Engine:
    def __init__(self, path: str = "") -> None:
        self._path = path or os.environ.get("BLUEGREEN_DOCKER", SOCKET)

    def ask(self, method: str, path: str, body: Any = None, limit_s: float = 60.0, **query: Any) -> Any:
        """The answer's JSON, or None if it has none. Raises Refusal."""
        data = self._send(method, path, body, {}, limit_s, query)
        return json.loads(data) if data[:1] in (b"{", b"[") else None

    def knows(self, path: str) -> bool:
        """Whether there is such an image, network or container."""
        try:
            self.ask("GET", path)
        except Refusal as refusal:
            if refusal.status != 404:
                raise
            return False
        return True

    def pull(self, image: str, login: Mapping[str, str] | None) -> None:
        """Raises Refusal, also for an error that comes after the engine has begun to answer."""
        repository, _, digest = image.partition("@")
        packed = base64.urlsafe_b64encode(json.dumps(login or {}).encode()).decode()
        words = {"fromImage": repository, "tag": digest}
        data = self._send("POST", "/images/create", None, {"X-Registry-Auth": packed}, SILENCE_S, words)
        for line in data.splitlines():
            if b'"errorDetail"' in line:
                raise Refusal(500, str(json.loads(line)["error"]))

    def last_words(self, container: str) -> str:
        """The end of its log. Without a terminal each piece has a header of eight bytes, the last four its length."""
        try:
            words = {"stdout": 1, "stderr": 1, "tail": LAST_LINES}
            data = self._send("GET", f"/containers/{quote(container)}/logs", None, {}, 20.0, words)
        except Refusal as refusal:
            return refusal.message
        text = b""
        while len(data) >= 8:
            length = int.from_bytes(data[4:8], "big")
            text, data = text + data[8 : 8 + length], data[8 + length :]
        return text.decode("utf-8", "replace")

    def _send(
        self, method: str, path: str, body: Any, headers: Mapping[str, str], limit_s: float, query: Mapping[str, Any]
    ) -> bytes:
        connection = _Connection(self._path, limit_s)
        try:
            text = None if body is None else json.dumps(body)
            kind = {"Content-Type": "application/json"} if text else {}
            connection.request(method, path + ("?" + urlencode(query) if query else ""), text, {**headers, **kind})
            answer = connection.getresponse()
            data = _whole(answer, time.monotonic() + PULL_LIMIT_S)
        except (OSError, http.client.HTTPException) as error:
            raise Refusal(0, str(error) or type(error).__name__) from None
        finally:
            connection.close()
        if answer.status >= 400:
            raise Refusal(answer.status, _message(data))
        return data


def _whole(answer: http.client.HTTPResponse, until: float) -> bytes:
    data = b""
    while part := answer.read1(1 << 16):
        data += part
        if time.monotonic() > until:
            raise OSError(f"not done after {PULL_LIMIT_S:.0f} s")
    return data


def _message(data: bytes) -> str:
    try:
        return str(json.loads(data)["message"])
    except (ValueError, KeyError, TypeError):
        return data.decode("utf-8", "replace")
