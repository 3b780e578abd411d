"""The HTTP load balancer's data plane: what ALB does with requests, done for real on ports of this machine.

It checks no health and keeps no configuration: every 0.05 s it takes one consistent picture of the engine, in a thread
because the engine locks, and each request is served by the newest one. Requests in flight never see a newer picture:
they end where they began. routing.py says where a request goes, upstream.py how it gets there and back.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from bluegreen.sandbox.model import FixedResponse, Group, Listener, Routes
from bluegreen.sandbox.routing import Asked, Draw, Picture, host_of
from bluegreen.sandbox.upstream import LONGEST_LINE, NoAnswer, Upstream

LOOK_EVERY_S = 0.05
FIRST_LOOK_LIMIT_S = 10.0
LOOKS = 3
ANSWER_LIMIT_S = 60.0
CLIENT_IDLE_S = 60.0
STOP_LIMIT_S = 0.2  # aiohttp waits for it twice: for the handlers, and for what they leave behind
BACKLOG = 1024
REASONS = {502: "Bad Gateway", 503: "Service Temporarily Unavailable", 504: "Gateway Time-out"}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Door:
    """Where one listener takes connections."""

    port: int
    listening: asyncio.Server
    server: web.Server


class Balancer:
    """One HTTP port per ALB listener. Lives in one event loop."""

    def __init__(
        self,
        routes: Routes,
        *,
        bind: str = "127.0.0.1",
        prefer: Callable[[int], int] = lambda port: port if port >= 1024 else port + 8000,
        rng: random.Random,
        answer_limit_s: float = ANSWER_LIMIT_S,
    ) -> None:
        """`prefer` gives the port wanted here for an ALB's port (0: any); if that one is taken, it is any free one.
        `answer_limit_s` is how long a target may be silent."""
        self._routes = routes
        self._bind = bind
        self._prefer = prefer
        self._rng = rng
        self._answer_limit_s = answer_limit_s
        self._picture = Picture((), ())
        self._turns: Counter[str] = Counter()
        self._doors: dict[str, _Door] = {}
        self._closing: dict[web.Server, asyncio.Task[None]] = {}
        self._looking: asyncio.Task[None] | None = None
        self._upstream: Upstream | None = None

    async def start(self) -> None:
        """When it returns, every listener that there is accepts connections."""
        self._upstream = Upstream(self._answer_limit_s)
        await asyncio.wait_for(self._look(), FIRST_LOOK_LIMIT_S)
        self._looking = asyncio.create_task(self._look_always(), name="balancer: look")

    async def stop(self) -> None:
        """Requests in flight have a moment to end: the whole takes less than half a second."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])
        for arn in list(self._doors):
            self._close_door(arn)
        for server in list(self._closing):
            self._end(server, STOP_LIMIT_S)
        if self._closing:
            await asyncio.wait(self._closing.values(), timeout=3 * STOP_LIMIT_S)
        if self._upstream is not None:
            await self._upstream.close()

    def ports(self) -> dict[str, int]:
        """Listener ARN → port of this machine, of those that are open now."""
        return {arn: door.port for arn, door in self._doors.items()}

    async def _look_always(self) -> None:
        """While the engine cannot be read, the last picture goes on serving; the same trouble is logged once."""
        said = ""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self._look()
                said = ""
            except Exception as error:
                if repr(error) != said:
                    said = repr(error)
                    log.exception("the balancer cannot follow the engine")

    async def _look(self) -> None:
        seen = await asyncio.to_thread(_read, self._routes)
        if seen != self._picture.source:
            self._picture = Picture(*seen)
        for arn in self._doors.keys() - self._picture.listeners.keys():
            self._close_door(arn)
        for arn, listener in self._picture.listeners.items():
            if arn not in self._doors:
                await self._open_door(listener)

    async def _open_door(self, listener: Listener) -> None:
        server = web.Server(
            partial(self._serve, listener.arn),
            handler_cancellation=True,  # when the client goes, its request to the target ends too
            auto_decompress=False,
            access_log=None,
            keepalive_timeout=CLIENT_IDLE_S,
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_LINE,
        )
        wanted = self._prefer(listener.port)
        listening = await _listen(server, self._bind, wanted if 0 < wanted < 2**16 else 0)
        port = listening.sockets[0].getsockname()[1]
        self._doors[listener.arn] = _Door(port, listening, server)
        log.info("%s:%s answers at %s:%s", listener.load_balancer, listener.port, self._bind, port)

    def _close_door(self, arn: str) -> None:
        """No connection is taken from now on; requests in flight end behind."""
        door = self._doors.pop(arn)
        door.listening.close()
        self._end(door.server, self._answer_limit_s)

    def _end(self, server: web.Server, within_s: float) -> None:
        if (former := self._closing.pop(server, None)) is not None:
            former.cancel()
        server.pre_shutdown()
        task = self._closing[server] = asyncio.create_task(server.shutdown(within_s), name="balancer: close")
        task.add_done_callback(lambda done: self._closing.get(server) is done and self._closing.pop(server))

    async def _serve(self, arn: str, request: web.BaseRequest) -> web.StreamResponse:
        picture = self._picture
        action = picture.action(arn, Asked(host_of(request.host), request.rel_url.raw_path, request.headers))
        if isinstance(action, FixedResponse):
            return _own(action)
        group = action.group(self._rng) if isinstance(action, Draw) else None
        targets = picture.targets(group) if group is not None else ()
        if group is None or not targets or self._upstream is None:
            return _refusal(503)
        self._turns[group] += 1
        address = targets[self._turns[group] % len(targets)].address
        if address is None:  # its machine is gone, and no health check has seen it yet
            return _refusal(502)
        try:
            return await self._upstream.carry(request, address, picture.listeners[arn].port)
        except NoAnswer as failure:
            log.info("%s: %s", failure.status, failure)
            return _refusal(failure.status)


def _read(routes: Routes) -> tuple[tuple[Listener, ...], tuple[Group, ...]]:
    """Two questions, one moment: the groups belong to the listeners if those are the same before and after."""
    listeners = routes.listeners()
    for _ in range(LOOKS):
        groups = routes.groups()
        before, listeners = listeners, routes.listeners()
        if before == listeners:
            break
    return listeners, groups


async def _listen(server: web.Server, host: str, port: int) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    try:
        return await loop.create_server(server, host, port, backlog=BACKLOG)
    except OSError as error:
        if port == 0 or error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
    return await loop.create_server(server, host, 0, backlog=BACKLOG)


def _own(fixed: FixedResponse) -> web.Response:
    headers = {"Server": "awselb/2.0", "Content-Type": fixed.content_type or "text/plain"}
    return web.Response(status=fixed.status, body=fixed.body.encode(), headers=headers)


def _refusal(status: int) -> web.Response:
    """In ALB's own words."""
    title = f"{status} {REASONS[status]}"
    page = f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
    headers = {"Server": "awselb/2.0", "Content-Type": "text/html"}
    return web.Response(status=status, reason=REASONS[status], text=f"{page}</body>\r\n</html>\r\n", headers=headers)
