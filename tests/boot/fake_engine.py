"""A Docker engine on a socket of its own: keeps images, networks and containers, writes down every request, and fails on
demand. What it is asked is held against what Docker 20.10 to 28 take; what a real one would do beyond that is left out."""

from __future__ import annotations

import base64
import json
import re
import shutil
import socketserver
import tempfile
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.parts.serving import Serving

Answer = tuple[int, Any]


class Handler(BaseHTTPRequestHandler):
    server: FakeEngine
    protocol_version = "HTTP/1.1"
    timeout = 10

    def address_string(self) -> str:
        return "socket"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        where = urlsplit(self.path)
        query = dict(parse_qsl(where.query, keep_blank_values=True))
        with self.server.lock:
            status, answer = self.server.answer(self.command, unquote(where.path), query, body, dict(self.headers))
        data = answer if isinstance(answer, bytes) else b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if data:
            self.wfile.write(data)

    do_POST = do_GET  # noqa: N815 - the names are http.server's
    do_DELETE = do_GET  # noqa: N815


class FakeEngine(Serving, socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """`fail` is "METHOD /path" → messages that come first, one for each request; `born` is what a new container's fields are,
    `later` in one of them the states that it has at one look after the other."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="bg"))  # a path of 107 bytes at most
        self.path = str(self.folder / "docker.sock")
        super().__init__(self.path, Handler)
        self.lock = threading.Lock()
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []
        self.fail: dict[str, list[str]] = {}
        self.images: list[str] = []
        self.networks: list[str] = []
        self.containers: dict[str, dict[str, Any]] = {}
        self.born: dict[str, dict[str, Any]] = {}
        self.logins: list[dict[str, str]] = []
        self.driver = "json-file"
        self.begin()

    def stop(self) -> None:
        super().stop()
        shutil.rmtree(self.folder)

    def asked(self, pattern: str) -> list[str]:
        """Of all requests, "METHOD /path", those that match."""
        return [f"{method} {path}" for method, path, _, _ in self.requests if re.search(pattern, f"{method} {path}")]

    def created(self, name: str) -> dict[str, Any]:
        """What was asked for when the container was made."""
        body: dict[str, Any] = self.containers[name]["body"]
        return body

    def answer(self, method: str, path: str, query: dict[str, str], body: Any, headers: dict[str, str]) -> Answer:
        self.requests.append((method, path + (f"@{query['tag']}" if "tag" in query else ""), query, body))
        for start, messages in self.fail.items():
            if f"{method} {self.requests[-1][1]}".startswith(start) and messages:
                message = messages.pop(0)
                return (
                    (200, json.dumps({"errorDetail": {}, "error": message}).encode())
                    if path.startswith("/images/create")
                    else (500, {"message": message})
                )
        match method, path.split("/")[1:]:
            case "GET", ["version"]:
                return 200, {"Version": "28.2.2"}
            case "GET", ["info"]:
                return 200, {"LoggingDriver": self.driver}
            case "POST", ["auth"]:
                self.logins.append(body)
                return 200, {"Status": "Login Succeeded", "IdentityToken": ""}
            case "GET", ["images", *rest]:
                return (200, {}) if "/".join(rest[:-1]) in self.images else (404, {"message": "no such image"})
            case "POST", ["images", "create"]:
                self.images.append(f"{query['fromImage']}@{query['tag']}")
                self.logins.append(json.loads(base64.urlsafe_b64decode(headers["X-Registry-Auth"])))
                return 200, b'{"status":"Pulling"}\r\n{"status":"Digest"}\r\n'
            case "GET", ["networks", name]:
                return (200, {}) if name in self.networks else (404, {"message": "no such network"})
            case "POST", ["networks", "create"]:
                self.networks.append(body["Name"])
                return 201, {"Id": "1"}
            case "GET", ["containers", "json"]:
                assert query == {"all": "true"}
                return 200, [
                    {"Names": [f"/{name}"], "State": one["State"]["Status"], "Labels": one["body"].get("Labels", {})}
                    for name, one in self.containers.items()
                ]
            case "POST", ["containers", "create"]:
                return self._create(query["name"], body)
            case _, ["containers", name, *_] if name not in self.containers:
                return 404, {"message": f"No such container: {name}"}
            case _, ["containers", name, *what]:
                return self._container(method, name, what)
        raise AssertionError((method, path))

    def _create(self, name: str, body: dict[str, Any]) -> Answer:
        if name in self.containers:
            return 409, {"message": f'Conflict. The container name "/{name}" is already in use'}
        assert body["Image"] in self.images
        state = {"Status": "created", "ExitCode": 0}
        self.containers[name] = {"body": body, "State": state, "RestartCount": 0, "born": self.born.get(name, {})}
        return 201, {"Id": "1", "Warnings": []}

    def _container(self, method: str, name: str, what: list[str]) -> Answer:
        one = self.containers[name]
        match method, what:
            case "POST", ["start"]:
                one["State"]["Status"] = "running"
                one.update(one.pop("born", {}))
            case "POST", ["stop"]:
                one["State"]["Status"] = "exited"
            case "DELETE", []:
                del self.containers[name]
            case "GET", ["logs"]:
                parts = [(1, one.get("stdout", "")), (2, one.get("stderr", ""))]
                frames = [bytes((kind, 0, 0, 0)) + len(t.encode()).to_bytes(4, "big") + t.encode() for kind, t in parts]
                return 200, b"".join(frames)
            case "GET", ["json"]:
                if one.get("later"):
                    one["State"] = one["later"].pop(0)
                return 200, {"State": one["State"], "RestartCount": one["RestartCount"]}
            case _:
                raise AssertionError((method, name, what))
        return 204, None
