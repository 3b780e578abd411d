"""What the tests of traffic share: targets whose every byte is written by the test, a fake engine, and patience."""

from __future__ import annotations

import asyncio
import functools
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from bluegreen.sandbox.model import FixedResponse, Forward, Group, Listener, ListenerRule, Target

LIMIT_S = 20.0


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Runs an async test in an event loop of its own, with a deadline."""

    @functools.wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*arguments, **named), LIMIT_S))

    return run


async def until(look: Callable[[], Any], within_s: float = 5.0) -> Any:
    """The first true answer of `look`."""
    deadline = asyncio.get_running_loop().time() + within_s
    while not (seen := look()):
        assert asyncio.get_running_loop().time() < deadline, "it never came true"
        await asyncio.sleep(0.005)
    return seen


class Call:
    """One request as it arrived, and the raw way to answer it."""

    def __init__(self, head: str, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.line, *lines = head.split("\r\n")
        self.headers = [tuple(line.split(": ", 1)) for line in lines if line]
        self.body = b""
        self.number = number  # which request it is on its connection, from 1
        self.reader = reader
        self.writer = writer

    def header(self, name: str) -> list[str]:
        return [value for known, value in self.headers if known.lower() == name.lower()]

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def ok(self, body: bytes = b"ok", *headers: str) -> None:
        lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers, "", ""]
        await self.say("\r\n".join(lines).encode() + body)

    async def silence(self) -> None:
        """Until the other side closes."""
        await self.reader.read()

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Answer = Callable[[Call], Awaitable[None]]


class Service:
    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.calls: list[Call] = []
        self.connections = 0
        self.address = ("127.0.0.1", 0)
        self._open: dict[asyncio.Task[Any] | None, asyncio.StreamWriter] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        self._open[task] = writer
        try:
            number = 0
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                number += 1
                call = Call(head, number, reader, writer)
                call.body = await _body(reader, call)
                self.calls.append(call)
                await self.answer(call)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the other side closed, or the test is over
        finally:
            writer.close()
            del self._open[task]

    @property
    def open(self) -> int:
        return len(self._open)

    async def end(self) -> None:
        for task in list(self._open):
            if task is not None:
                task.cancel()
                await asyncio.wait([task], timeout=5)


async def _body(reader: asyncio.StreamReader, call: Call) -> bytes:
    if call.header("Transfer-Encoding"):
        body = b""
        while size := int(await reader.readuntil(b"\r\n"), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readexactly(2)
        return body
    return await reader.readexactly(int((call.header("Content-Length") or ["0"])[0]))


async def say_ok(call: Call) -> None:
    await call.ok()


def says(version: str) -> Answer:
    async def answer(call: Call) -> None:
        await call.ok(version.encode(), f"X-Version: {version}")

    return answer


@asynccontextmanager
async def service(answer: Answer = say_ok) -> AsyncIterator[Service]:
    target = Service(answer)
    server = await asyncio.start_server(target.serve, "127.0.0.1", 0, limit=2**20)
    target.address = server.sockets[0].getsockname()
    try:
        yield target
    finally:
        server.close()
        await target.end()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Engine:
    """model.Routes, set by hand: one load balancer whose default rule forwards by `weights`."""

    def __init__(self, weights: dict[str, int] | None = None, **groups: list[Target]) -> None:
        self.rules: tuple[ListenerRule, ...] = ()
        self.weights = weights or dict.fromkeys(groups, 1)
        self.targets = groups
        self.listening = {"arn:listener": 80}
        self.default: Forward | FixedResponse | None = None
        self.broken = False

    def listeners(self) -> tuple[Listener, ...]:
        if self.broken:
            raise RuntimeError("the engine has a bug")
        last = ListenerRule("arn:default", (), self.default or Forward(tuple(self.weights.items())))
        return tuple(Listener(arn, "shop", port, (*self.rules, last)) for arn, port in self.listening.items())

    def groups(self) -> tuple[Group, ...]:
        return tuple(
            Group(arn, "/health", 5, 2, 2, 2, "200", in_use=True, targets=tuple(targets))
            for arn, targets in self.targets.items()
        )

    def report_check(self, group_arn: str, target_id: str, port: int, passed: bool, reason: str) -> None:
        raise AssertionError("a balancer reports no checks")


def target(place: Service | tuple[str, int] | None, state: Any = "healthy", name: str = "i-1") -> Target:
    return Target(name, 80, state, place.address if isinstance(place, Service) else place)


Seen = tuple[int, Any, bytes]


async def fetch(port: int, path: str = "/", method: str = "GET", **more: Any) -> Seen:
    """(status, headers, body) over a connection of its own, exactly as it came."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True),
        timeout=aiohttp.ClientTimeout(total=10),
        auto_decompress=False,
        skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent"),
    ) as session:
        url = f"http://127.0.0.1:{port}{path}"
        async with session.request(method, url, allow_redirects=False, **more) as answer:
            return answer.status, answer.headers, await answer.read()
