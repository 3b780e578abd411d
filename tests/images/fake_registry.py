"""A registry on loopback that serves what it is told to, asks for a login, and fails on demand."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.parts.serving import Serving

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"

PASSWORD = "s3cr3t-pass"

Fault = Callable[["Handler"], None]


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def answer(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> Fault:
    return lambda handler: handler.reply(status, body, headers or {})


def hang_up(handler: Handler) -> None:
    """Promise more than comes."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"{")
    handler.close_connection = True


def close_unasked(handler: Handler) -> None:
    """As a server does with a connection that was idle for long."""
    handler.close_connection = True


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: FakeRegistry

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _serve(self) -> None:
        registry = self.server
        authorization = self.headers.get("Authorization", "")
        registry.log.append((self.command, self.path, authorization))
        for (method, part), faults in registry.faults.items():
            if method in (self.command, "*") and part in self.path and faults:
                return faults.pop(0)(self)
        path = urlsplit(self.path).path
        if path == "/token":
            return registry.give_token(self, authorization)
        if not registry.lets_in(authorization):
            return self.reply(401, _error("UNAUTHORIZED"), {"WWW-Authenticate": registry.challenge()})
        if path == "/v2/":
            return self.reply(200, b"{}", {})
        return self._content(path)

    def _content(self, path: str) -> None:
        registry = self.server
        repository, _, rest = path.removeprefix("/v2/").partition("/manifests/")
        if rest:
            found = registry.manifests.get((repository, rest))
            if found is None:
                return self.reply(404, _error("MANIFEST_UNKNOWN"), {})
            if self.command == "DELETE":
                registry.manifests = {name: one for name, one in registry.manifests.items() if one != found}
                return self.reply(202, b"", {})
            headers = {"Content-Type": found[0]}
            if registry.names_digests:
                headers["Docker-Content-Digest"] = digest(found[1])
            return self.reply(200, found[1], headers)
        repository, _, blob = path.removeprefix("/v2/").partition("/blobs/")
        if blob:
            found_blob = registry.blobs.get(blob)
            return self.reply(200 if found_blob else 404, found_blob or _error("BLOB_UNKNOWN"), {})
        repository = path.removeprefix("/v2/").removesuffix("/tags/list")
        tags = sorted(tag for name, tag in registry.manifests if name == repository and ":" not in tag)
        if not any(name == repository for name, _ in registry.manifests):  # as registry 2.8 does it
            return self.reply(404, _error("NAME_UNKNOWN"), {})
        query = parse_qs(urlsplit(self.path).query)
        page = [tag for tag in tags if tag > query.get("last", [""])[0]][: registry.page]
        more = {"Link": f'</v2/{repository}/tags/list?n=1000&last={page[-1]}>; rel="next"'}
        return self.reply(
            200, json.dumps({"name": repository, "tags": page}).encode(), more if page[-1:] != tags[-1:] else {}
        )


def _error(code: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": code.lower()}]}).encode()


class FakeRegistry(Serving, ThreadingHTTPServer):
    """`auth` is "", "basic" or "bearer"; `faults[method, part of path]` are used up one by one, first of all."""

    request_queue_size = 64

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.host = f"127.0.0.1:{self.server_port}"
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.blobs: dict[str, bytes] = {}
        self.faults: dict[tuple[str, str], list[Fault]] = {}
        self.log: list[tuple[str, str, str]] = []
        self.auth = ""
        self.login = ("deploy", PASSWORD)
        self.may_pull = True
        self.names_digests = True
        self.page = 1000  # tags a page
        self.realm = f"http://{self.host}/token"
        self.begin()

    def handle_error(self, request: object, client_address: object) -> None:
        pass

    def put(self, repository: str, kind: str, document: dict[str, Any], *tags: str) -> str:
        body = json.dumps({"schemaVersion": 2, "mediaType": kind, **document}).encode()
        for name in (digest(body), *tags):
            self.manifests[repository, name] = (kind, body)
        return digest(body)

    def put_image(
        self,
        repository: str,
        *tags: str,
        architecture: str = "amd64",
        kind: str = OCI_MANIFEST,
        os: str = "linux",
        labels: dict[str, str] | None = None,
    ) -> str:
        about = {"os": os, "architecture": architecture, "tags": tags, "config": {"Labels": labels}}
        config = json.dumps(about).encode()
        self.blobs[digest(config)] = config
        layers = [{"mediaType": "layer", "digest": digest(b"layer"), "size": 1000}]
        parts = {"config": {"mediaType": "config", "digest": digest(config), "size": len(config)}, "layers": layers}
        return self.put(repository, kind, parts, *tags)

    def put_index(self, repository: str, *tags: str, kind: str = OCI_INDEX, **platforms: str) -> str:
        """`platforms` is architecture (with _variant) → digest."""
        entries: list[dict[str, Any]] = [
            {"digest": digest(b"attestation"), "size": 1, "platform": {"os": "unknown", "architecture": "unknown"}}
        ]
        for name, its_digest in platforms.items():
            architecture, _, variant = name.partition("_")
            platform = {"os": "linux", "architecture": architecture, **({"variant": variant} if variant else {})}
            entries.append({"digest": its_digest, "size": 1, "platform": platform})
        return self.put(repository, kind, {"manifests": entries}, *tags)

    def challenge(self) -> str:
        if self.auth == "basic":
            return 'Basic realm="a, \\"quoted\\" realm"'
        return f'Bearer realm="{self.realm}",service="fake",scope="repository:x:pull"'

    def lets_in(self, authorization: str) -> bool:
        if self.auth == "basic":
            return authorization == self._basic()
        return not self.auth or (self.may_pull and authorization == "Bearer t0ken-value")

    def give_token(self, handler: Handler, authorization: str) -> None:
        asked = parse_qs(urlsplit(handler.path).query)
        if authorization != self._basic() or asked["service"] != ["fake"]:
            return handler.reply(401, _error("UNAUTHORIZED"), {})
        return handler.reply(200, b'{"token": "t0ken-value", "expires_in": 60}', {})

    def _basic(self) -> str:
        return "Basic " + base64.b64encode(":".join(self.login).encode()).decode()
