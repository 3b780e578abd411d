"""One request to one target, and its answer back: the balancer's client side. HTTP/1.1 as aiohttp speaks it.

No failure is hidden and none is made up. Only a GET, HEAD or OPTIONS without a body travels on a kept-alive connection;
if that one had served before and ends without an answer (a target closes idle ones when it likes), the target is asked
once more, on a fresh connection. Everything else has a fresh connection and one try. An answer that breaks midway is
broken for the client too, by RST: neither a short body nor an early end can pass for a whole one.
"""

from __future__ import annotations

import logging
import socket
import struct
from typing import ClassVar
from weakref import WeakSet

import aiohttp
from aiohttp import web
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

CONNECT_LIMIT_S = 10.0
IDLE_S = 15.0  # targets keep idle connections for longer, as AWS advises
LONGEST_LINE = 16 * 1024
REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})
HOP_BY_HOP = frozenset(
    {
        "connection",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
RESET = struct.pack("ii", 1, 0)

log = logging.getLogger(__name__)


class Upstream:
    def __init__(self, answer_limit_s: float) -> None:
        """`answer_limit_s` is the longest silence of a target, before its answer or within."""
        limits = aiohttp.ClientTimeout(total=None, connect=CONNECT_LIMIT_S, sock_read=answer_limit_s)
        self._kept = _session(aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_S), limits)
        self._fresh = _session(aiohttp.TCPConnector(limit=0, force_close=True), limits)

    async def close(self) -> None:
        await self._kept.close()
        await self._fresh.close()

    async def carry(self, request: web.BaseRequest, address: tuple[str, int], port: int) -> web.StreamResponse:
        """The target's answer, passed on; `port` is the listener's. Raises NoAnswer."""
        url = URL(f"http://{address[0]}:{address[1]}{request.rel_url.raw_path_qs}", encoded=True)
        try:
            answer = await self._ask(request, url, _forwarded(request, port))
        except TimeoutError as error:
            raise NoAnswer(504, f"{request.method} {url}: silent for too long") from error
        except (_BrokenOff, aiohttp.ClientError, OSError) as error:
            raise NoAnswer(502, f"{request.method} {url}: {error}") from error
        return await _relay(request, answer)

    async def _ask(self, request: web.BaseRequest, url: URL, headers: CIMultiDict[str]) -> aiohttp.ClientResponse:
        if request.body_exists or request.method not in REPEATABLE:
            _go_on(request)
            body = request.content if request.body_exists else None
            return await self._fresh.request(request.method, url, headers=headers, data=body, allow_redirects=False)
        try:
            return await self._kept.request(request.method, url, headers=headers, allow_redirects=False)
        except _BrokenOff as broken:
            if not broken.reused:
                raise
        except aiohttp.ClientConnectionResetError:
            log.debug("%s closed the connection in the moment of its reuse", url)
        return await self._fresh.request(request.method, url, headers=headers, allow_redirects=False)


class NoAnswer(Exception):
    """Nothing has been sent to the client yet. `status` is what ALB says then: 502 broken or unreachable, 504 silent."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class _BrokenOff(Exception):
    """The connection ended before the answer's headers did. No aiohttp error, since those it repeats by itself."""

    def __init__(self, cause: Exception, *, reused: bool) -> None:
        super().__init__(str(cause) or type(cause).__name__)
        self.reused = reused


class _Answer(aiohttp.ClientResponse):
    """Knows whether its connection had served before, and how it ended."""

    _served: ClassVar[WeakSet[ResponseHandler]] = WeakSet()
    _line: ResponseHandler | None = None

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        self._line = connection.protocol
        reused = self._line in self._served
        try:
            await super().start(connection)
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            raise _BrokenOff(error, reused=reused) from error
        if self._line is not None:
            self._served.add(self._line)
        return self

    def reset(self) -> bool:
        """Whether a body without a length, which ends with its connection, was cut off by an error of that."""
        unmeasured = "Content-Length" not in self.headers and "Transfer-Encoding" not in self.headers
        return unmeasured and self._line is not None and isinstance(self._line.exception(), aiohttp.ClientOSError)


def _session(connector: aiohttp.TCPConnector, limits: aiohttp.ClientTimeout) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
        timeout=limits,
        response_class=_Answer,
        max_line_size=LONGEST_LINE,
        max_field_size=LONGEST_LINE,
    )


def _forwarded(request: web.BaseRequest, port: int) -> CIMultiDict[str]:
    headers = _end_to_end(request.headers)
    before = [*headers.popall("X-Forwarded-For", ()), request.remote or ""]
    headers["X-Forwarded-For"] = ", ".join(filter(None, before))
    headers["X-Forwarded-Proto"] = "https" if port == 443 else "http"
    headers["X-Forwarded-Port"] = str(port)
    return headers


def _end_to_end(headers: CIMultiDictProxy[str] | CIMultiDict[str]) -> CIMultiDict[str]:
    """Without those that concern one connection only: the known ones, and what Connection names."""
    named = {name.strip().lower() for line in headers.getall("Connection", ()) for name in line.split(",")}
    dropped = HOP_BY_HOP | named if named else HOP_BY_HOP
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in dropped)


def _go_on(request: web.BaseRequest) -> None:
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


async def _relay(request: web.BaseRequest, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=_end_to_end(answer.headers))
    try:
        await response.prepare(request)
        async for chunk in answer.content.iter_any():
            await response.write(chunk)
        broken = isinstance(answer, _Answer) and answer.reset()
    except (aiohttp.ClientError, TimeoutError, OSError) as error:  # of either side
        log.info("%s %s broke midway: %r", request.method, answer.url, error)
        broken = True
    finally:
        answer.close()
    if broken:
        _break(request)
    else:
        await response.write_eof()
    return response


def _break(request: web.BaseRequest) -> None:
    if request.transport is not None and (connection := request.transport.get_extra_info("socket")) is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        request.transport.abort()
