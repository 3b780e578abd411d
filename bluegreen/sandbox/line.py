"""One HTTP/1.1 connection of the load client, on raw streams: what happens to it is seen as it is, and never mended.

Whatever keeps a request from a complete response is a Failed, in words that are the same for all alike. What the
response says is not judged here.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import time
from dataclasses import dataclass

LARGEST_HEAD = 64 * 1024


class Failed(Exception):
    """No complete response. `reason` is fit for counting; `version` is whose response broke, if that was seen."""

    def __init__(self, reason: str, version: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.version = version


@dataclass(frozen=True, slots=True)
class Response:
    """`version` is X-Version, "?" without one; `last` is whether the connection ends with it."""

    status: int
    version: str
    last: bool


@dataclass(frozen=True, slots=True)
class _Head:
    status: int
    fields: dict[str, str]
    modern: bool

    @classmethod
    def read(cls, head: bytes) -> _Head:
        """Raises ValueError."""
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        protocol, status, *_ = first.split(" ", 2)
        if protocol not in ("HTTP/1.1", "HTTP/1.0"):
            raise ValueError(protocol)
        fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return cls(int(status), fields, protocol == "HTTP/1.1")

    def response(self) -> Response:
        wish = self.fields.get("connection", "").lower()
        measured = "content-length" in self.fields or self.chunked()
        stays = measured and "close" not in wish and (self.modern or "keep-alive" in wish)
        return Response(self.status, self.fields.get("x-version", "?"), last=not stays)

    def chunked(self) -> bool:
        return self.fields.get("transfer-encoding", "").lower() == "chunked"


class Line:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._since = time.monotonic()

    @classmethod
    async def open(cls, host: str, port: int) -> Line:
        try:
            reader, writer = await asyncio.open_connection(host, port, limit=LARGEST_HEAD)
        except OSError as error:
            why = os.strerror(error.errno).lower() if error.errno else str(error)
            raise Failed(f"cannot connect: {why}") from error
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(reader, writer)

    def trusted(self, idle_s: float) -> bool:
        """Idle for less than `idle_s`, and the server has neither closed it nor said anything: asked of the kernel,
        since this loop may not have heard of it yet."""
        if self._reader.at_eof() or self._writer.is_closing() or time.monotonic() - self._since > idle_s:
            return False
        poll = select.poll()
        poll.register(self._writer.get_extra_info("socket").fileno(), select.POLLIN)
        return not poll.poll(0)

    async def ask(self, request: bytes) -> Response:
        """Raises Failed. After that, and after the last response, the connection is of no use."""
        stage, version = "before the response", ""
        try:
            self._writer.write(request)
            head = _Head(100, {}, modern=True)
            while head.status < 200:
                head = _Head.read(await self._reader.readuntil(b"\r\n\r\n"))
            stage, version = "midway", head.response().version
            await self._body(head)
        except asyncio.IncompleteReadError as error:
            raise Failed(f"closed {'midway' if error.partial else stage}", version) from error
        except (asyncio.LimitOverrunError, ValueError) as error:
            raise Failed("malformed response", version) from error
        except OSError as error:
            raise Failed(f"reset {stage}", version) from error
        self._since = time.monotonic()
        return head.response()

    async def _body(self, head: _Head) -> None:
        if head.status in (204, 304):
            return
        if head.chunked():
            while size := int((await self._reader.readuntil(b"\r\n")).partition(b";")[0], 16):
                await self._reader.readexactly(size + 2)
            while await self._reader.readuntil(b"\r\n") != b"\r\n":
                pass  # trailers
        elif "content-length" in head.fields:
            await self._reader.readexactly(int(head.fields["content-length"]))
        else:
            while await self._reader.read(LARGEST_HEAD):
                pass

    def close(self) -> None:
        """At once: what is still on its way is of no use."""
        self._writer.transport.abort()
