"""HealthChecker: every target of every group in use is asked in time, and what it did is reported in ELB's words."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bluegreen.sandbox.health import HealthChecker, matches
from bluegreen.sandbox.model import Group, Listener, Target

GROUP = Group("arn:tg/1", "/health?deep=1", 0.2, 0.1, 2, 2, "200-299", in_use=True, targets=())


class Engine:
    """Routes with one group that a test changes; reports are kept with their time."""

    def __init__(self, *targets: Target, **change: object) -> None:
        self.reports: list[tuple[float, str, int, bool, str]] = []
        self.known: tuple[Group, ...] = (with_targets(*targets, **change),)
        self.broken = False

    def listeners(self) -> tuple[Listener, ...]:
        return ()

    def groups(self) -> tuple[Group, ...]:
        if self.broken:
            raise RuntimeError("the engine has a bug")
        return self.known

    def report_check(self, group_arn: str, target_id: str, port: int, passed: bool, reason: str) -> None:
        assert group_arn == GROUP.arn
        self.reports.append((now(), target_id, port, passed, reason))

    def outcomes(self) -> set[tuple[bool, str]]:
        return {(passed, reason) for _, _, _, passed, reason in self.reports}


def now() -> float:
    return time.monotonic()


def with_targets(*targets: Target, **change: object) -> Group:
    fields = {name: getattr(GROUP, name) for name in Group.__slots__}
    return Group(**{**fields, "targets": targets, **change})


def target(address: tuple[str, int] | None, name: str = "i-1", state: str = "initial") -> Target:
    return Target(name, 8080, state, address)  # type: ignore[arg-type]


class Application:
    """Answers with `status` after `delay_s`, and remembers the request lines and headers."""

    def __init__(self) -> None:
        self.status = 200
        self.delay_s = 0.0
        self.requests: list[str] = []
        self.address = ("127.0.0.1", 0)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
            await asyncio.sleep(self.delay_s)
            writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\nLocation: /elsewhere\r\n\r\n" % self.status)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def application() -> AsyncIterator[Application]:
    app = Application()
    server = await asyncio.start_server(app.answer, "127.0.0.1", 0)
    app.address = server.sockets[0].getsockname()[:2]
    try:
        yield app
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def checking(engine: Engine) -> AsyncIterator[HealthChecker]:
    checker = HealthChecker(engine, look_every_s=0.02)
    await checker.start()
    try:
        yield checker
    finally:
        await checker.stop()


async def reports(engine: Engine, count: int, within_s: float = 5.0) -> None:
    async with asyncio.timeout(within_s):
        while len(engine.reports) < count:
            await asyncio.sleep(0.01)


def test_a_port_of_its_own_for_checks_is_the_one_that_is_asked() -> None:
    async def run() -> None:
        async with application() as served, application() as agent:
            one = Target("i-1", 8080, "initial", served.address, checked=agent.address)
            async with checking(engine := Engine(one)):
                await reports(engine, 1)
            assert engine.outcomes() == {(True, "")}
            assert engine.reports[0][1:3] == ("i-1", 8080)
            assert (len(served.requests), len(agent.requests) > 0) == (0, True)

    asyncio.run(run())


def test_the_first_check_comes_at_once_and_then_one_every_interval() -> None:
    async def run() -> None:
        async with application() as app:
            engine = Engine(target(app.address))
            began = now()
            async with checking(engine):
                await reports(engine, 5)
            times = [report[0] for report in engine.reports]
            assert times[0] - began < 0.5
            assert all(0.1 < later - earlier < 0.3 for earlier, later in itertools.pairwise(times))
            assert engine.outcomes() == {(True, "")}
            assert app.requests[0].startswith("GET /health?deep=1 HTTP/1.1\r\n")
            assert "User-Agent: ELB-HealthChecker/2.0" in app.requests[0]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("status", "delay_s", "outcome"),
    [
        (204, 0.0, (True, "")),
        (503, 0.0, (False, "Target.ResponseCodeMismatch: Health checks failed with these codes: [503]")),
        (302, 0.0, (False, "Target.ResponseCodeMismatch: Health checks failed with these codes: [302]")),
        (200, 1.0, (False, "Target.Timeout: Request timed out")),
    ],
)
def test_what_a_target_does_is_told_in_the_words_of_elb(status: int, delay_s: float, outcome: tuple[bool, str]) -> None:
    async def run() -> None:
        async with application() as app:
            app.status, app.delay_s = status, delay_s
            engine = Engine(target(app.address))
            async with checking(engine):
                await reports(engine, 2)
            assert engine.outcomes() == {outcome}

    asyncio.run(run())


def test_a_target_that_does_not_answer_fails() -> None:
    async def run() -> None:
        async with application() as app:
            gone = app.address
        engine = Engine(target(gone))
        async with checking(engine):
            await reports(engine, 2)
        assert engine.outcomes() == {(False, "Target.FailedHealthChecks: Health checks failed")}

    asyncio.run(run())


def test_draining_unused_and_addressless_targets_are_not_checked() -> None:
    async def run() -> None:
        async with application() as app:
            group = with_targets(target(app.address, state="draining"), target(None, "i-2"))
            engine = Engine()
            engine.known = (group, with_targets(target(app.address), in_use=False))
            async with checking(engine):
                await asyncio.sleep(0.5)
            assert engine.reports == []
            assert app.requests == []

    asyncio.run(run())


def test_checks_follow_what_is_registered() -> None:
    async def run() -> None:
        async with application() as app:
            engine = Engine(target(app.address, "i-1"))
            async with checking(engine):
                await reports(engine, 1)
                engine.known = (with_targets(target(app.address, "i-2"), matcher="418"),)
                await asyncio.sleep(0.1)
                engine.reports.clear()
                await reports(engine, 2)
            assert {report[1] for report in engine.reports} == {"i-2"}
            assert not next(iter(engine.outcomes()))[0]

    asyncio.run(run())


def test_targets_are_not_checked_in_step() -> None:
    async def run() -> None:
        async with application() as app:
            engine = Engine(*(target(app.address, f"i-{number}") for number in range(12)), interval_s=5.0)
            began = now()
            async with checking(engine):
                await reports(engine, 12)
            times = sorted(report[0] for report in engine.reports)
            assert times[-1] - times[0] > 0.1
            assert times[-1] - began < 1.0

    asyncio.run(run())


def test_an_engine_in_trouble_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        async with application() as app:
            engine = Engine(target(app.address))
            engine.broken = True
            async with checking(engine):
                await asyncio.sleep(0.1)
                engine.broken = False
                await reports(engine, 1)

    asyncio.run(run())
    assert "the engine has a bug" in caplog.text


@pytest.mark.parametrize(
    ("matcher", "status", "passes"),
    [
        ("200", 200, True),
        ("200", 201, False),
        ("200-299,301", 301, True),
        ("200-299,301", 300, False),
        ("200, 204", 204, True),
    ],
)
def test_the_matcher_is_read_as_elb_writes_it(matcher: str, status: int, passes: bool) -> None:
    assert matches(matcher, status) is passes
