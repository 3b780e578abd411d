"""What may stand between an engine and a registry: a proxy with TLS that passes everything on, and breaks what it is told to."""

from __future__ import annotations

import contextlib
import http.client
import ssl
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.parts.authority import Authority
from tests.parts.registry import Registry
from tests.parts.serving import Serving

HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}
Fault = Callable[["Handler"], None]


def status(code: int) -> Fault:
    """Instead of the registry's answer."""
    return lambda handler: handler.answer(code, {}, b"")


def cut_off(handler: Handler) -> None:
    """The registry gets half of what was sent, and nobody an answer."""
    half = handler.body[: len(handler.body) // 2]
    with contextlib.suppress(OSError, http.client.HTTPException):
        upstream = handler.server.upstream()
        upstream.putrequest(handler.command, handler.path, skip_host=True, skip_accept_encoding=True)
        for name, value in handler.passed():
            upstream.putheader(name, value)
        upstream.putheader("Content-Length", str(len(handler.body)))
        upstream.endheaders(half)
        upstream.close()
    handler.hang_up()


def wrong_digest(handler: Handler) -> None:
    code, headers, body = handler.ask()
    handler.answer(code, {**headers, "Docker-Content-Digest": "sha256:" + "0" * 64}, body)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy
    body: bytes

    def log_message(self, *_: object) -> None:
        pass

    def handle_one_request(self) -> None:
        """As the base does it, but for any method."""
        with contextlib.suppress(OSError):
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline:
                self.close_connection = True
                return
            if self.parse_request():
                self.body = b"".join(self._body())
                fault = self.server.fault_for(self.command, self.path)
                fault(self) if fault else self.answer(*self.ask())
                self.wfile.flush()
            return
        self.close_connection = True

    def _body(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding", "") != "chunked":
            yield self.rfile.read(int(self.headers.get("Content-Length", "0")))
            return
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def passed(self) -> list[tuple[str, str]]:
        return [(name, value) for name, value in self.headers.items() if name.lower() not in HOP]

    def ask(self) -> tuple[int, dict[str, str], bytes]:
        """The registry's answer."""
        upstream = self.server.upstream()
        try:
            upstream.request(self.command, self.path, self.body, dict(self.passed()))
            reply = upstream.getresponse()
            kept = {name: value for name, value in reply.headers.items() if name.lower() not in HOP}
            if self.command == "HEAD":
                kept["Content-Length"] = reply.headers.get("Content-Length", "0")
            return reply.status, kept, reply.read()
        finally:
            upstream.close()

    def answer(self, code: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self) -> None:
        self.close_connection = True


class Proxy(Serving, ThreadingHTTPServer):
    """Stands for `registry` at a host of its own. `fault` is what breaks requests of `method` whose path has `part` in it."""

    def __init__(self, registry: Registry, authority: Authority) -> None:
        super().__init__((registry.address, 0), Handler)
        self.registry = registry
        self.address, self.port = registry.address, self.server_port
        self.host = f"{self.address}:{self.port}"
        self.ca, self.username, self.password = registry.ca, registry.username, registry.password
        certificate = authority.certificate(self.address)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.chain, certificate.key)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self._trust = ssl.create_default_context(cafile=str(registry.ca))
        self._fault: tuple[str, str, Fault] | None = None
        self.met = 0
        self.begin()

    def handle_error(self, request: object, client_address: object) -> None:
        pass

    @contextlib.contextmanager
    def broken(self, method: str, part: str, fault: Fault) -> Iterator[None]:
        """Every such request, while this lasts; there has to be one."""
        self._fault, self.met = (method, part, fault), 0
        try:
            yield
        finally:
            self._fault = None
        assert self.met, f"nobody sent {method} …{part}…"

    def fault_for(self, method: str, path: str) -> Fault | None:
        if self._fault is None or method != self._fault[0] or self._fault[1] not in path:
            return None
        self.met += 1
        return self._fault[2]

    def upstream(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self.registry.host, context=self._trust, timeout=30)
