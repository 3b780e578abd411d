"""The load's account: what was due was sent, what failed is counted with its reason, and nothing is forgiven twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

import pytest
from wires import Call, Service, free_port, in_loop, says, service, until

from bluegreen.sandbox.load import Load, Records, Report

OK = b"HTTP/1.1 200 OK\r\nX-Version: A\r\nContent-Length: 10\r\n\r\n"


def load_of(place: Service | tuple[str, int], **settings: Any) -> Load:
    host, port = place.address if isinstance(place, Service) else place
    return Load(f"http://{host}:{port}", "shop.test", **{"rate": 100, "slow_per_s": 0, **settings})


@asynccontextmanager
async def sending(load: Load) -> AsyncIterator[None]:
    stop = asyncio.Event()
    running = asyncio.create_task(load.run(stop))
    try:
        yield
    finally:
        stop.set()
        await running


async def after(load: Load, requests: int) -> Report:
    """Its report in the end, when at least so many requests had ended."""
    async with sending(load):
        await until(lambda: load.report().requests >= requests)
    report = load.report()
    assert report.in_flight == 0
    return report


@in_loop
async def test_it_sends_by_the_clock_on_kept_and_fresh_connections() -> None:
    async with service(says("A")) as place:
        load = load_of(place, rate=200, fresh_share=0.25)
        async with sending(load):
            await asyncio.sleep(0.5)
        report = load.report()
        fresh = [call for call in place.calls if call.header("Connection") == ["close"]]
    assert 80 <= report.requests <= 120
    assert (report.failed, report.reasons, report.in_flight, report.skipped) == (0, {}, 0, 0)
    assert len(fresh) == report.requests_by_kind["fresh"] == report.requests // 4
    assert all(call.number == 1 for call in fresh)
    assert place.connections < len(fresh) + 20
    assert {call.line for call in place.calls} == {"GET / HTTP/1.1"}
    assert {call.header("Host")[0] for call in place.calls} == {"shop.test"}
    assert report.requests_by_version == {"A": report.requests}
    assert 0 < report.p50_ms <= report.p99_ms <= report.max_ms < 1000


@in_loop
async def test_slow_requests_come_in_their_share_and_hold_up_nothing() -> None:
    async def answer(call: Call) -> None:
        if "slow" in call.line:
            await asyncio.sleep(0.3)
        await call.ok(b"", "X-Version: A")

    async with service(answer) as place:
        report = await after(load_of(place, rate=200, slow_per_s=20, slow_s=0.3), 100)
        slow = sum(call.line == "GET /slow?seconds=0.3 HTTP/1.1" for call in place.calls)
    assert slow == report.requests_by_kind["slow"] == sum(report.requests_by_kind.values()) // 10
    assert report.failed == 0
    assert report.p50_ms < 100
    assert report.seconds > 0.3


@in_loop
async def test_versions_are_told_by_the_second_of_sending() -> None:
    records = Records()
    for sent, version in ((0.1, "A"), (0.9, "A"), (1.0, "A"), (1.5, "B"), (3.2, "B")):
        records.add("kept", sent, 0.01, "", version)
    records.add("kept", 3.3, 10.0, "closed before the response", "")
    report = records.report(0.0, 4.0, 7, 0)
    assert report.versions_over_time == {0: {"A": 2}, 1: {"A": 1, "B": 1}, 3: {"B": 1}}
    assert report.requests_by_version == {"A": 3, "B": 2}
    assert (report.requests, report.failed, report.in_flight) == (6, 1, 1)
    assert report.max_ms == 10.0  # the failed one has no latency


def test_quantiles_are_those_of_the_answered() -> None:
    records = Records()
    for number in range(1, 101):
        records.add("kept", 0.0, number / 1000, "", "A")
    report = records.report(0.0, 1.0, 100, 0)
    assert (report.p50_ms, report.p99_ms, report.max_ms) == (50.0, 99.0, 100.0)
    nothing = Records().report(0.0, 0.0, 0, 0)
    assert asdict(nothing)["max_ms"] == 0.0


async def say_503(call: Call) -> None:
    await call.say(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")


async def say_500_of_b(call: Call) -> None:
    await call.say(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nX-Version: B\r\n\r\n")


async def close_midway(call: Call) -> None:
    await call.say(OK + b"five.")
    call.close()


async def reset_midway(call: Call) -> None:
    await call.say(OK + b"five.")
    await asyncio.sleep(0.02)  # what is on the way when a reset comes may be lost: let it arrive
    call.reset()


async def close_within_the_head(call: Call) -> None:
    await call.say(OK[:20])
    call.close()


async def close_within_a_chunk(call: Call) -> None:
    await call.say(b"HTTP/1.1 200 OK\r\nX-Version: A\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfive.\r\n")
    call.close()


async def say_nonsense(call: Call) -> None:
    await call.say(b"SSH-2.0-OpenSSH\r\n\r\n")


async def say_nonsense_length(call: Call) -> None:
    await call.say(b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n")


async def close(call: Call) -> None:
    call.close()


async def reset(call: Call) -> None:
    call.reset()


@pytest.mark.parametrize(
    ("answer", "reason", "version"),
    [
        (say_503, "status 503", "?"),
        (say_500_of_b, "status 500", "B"),
        (close, "closed before the response", None),
        (reset, "reset before the response", None),
        (close_midway, "closed midway", "A"),
        (reset_midway, "reset midway", "A"),
        (close_within_the_head, "closed midway", None),
        (close_within_a_chunk, "closed midway", "A"),
        (say_nonsense, "malformed response", None),
        (say_nonsense_length, "malformed response", "?"),
        (Call.silence, "no complete response within 0.1 s", None),
    ],
)
@in_loop
async def test_every_failure_is_counted_with_its_reason(answer: Any, reason: str, version: str | None) -> None:
    async with service(answer) as place:
        report = await after(load_of(place, timeout_s=0.1), 5)
        assert report.requests == len(place.calls)  # none was sent twice
    assert report.reasons == {reason: report.requests}
    assert report.failed == report.requests
    assert report.requests_by_version == ({version: report.requests} if version else {})


@in_loop
async def test_nobody_there_is_a_failure() -> None:
    report = await after(load_of(("127.0.0.1", free_port())), 5)
    assert report.reasons == {"cannot connect: connection refused": report.requests}


@in_loop
async def test_failures_among_successes_are_exactly_counted() -> None:
    broken = 0

    async def answer(call: Call) -> None:
        nonlocal broken
        if len(place.calls) % 7 == 0:
            broken += 1
            await [say_503, close_midway, reset][broken % 3](call)
        else:
            await call.ok(b"", "X-Version: A")

    async with service(answer) as place:
        report = await after(load_of(place, rate=300), 100)
    assert report.failed == broken == sum(report.reasons.values()) > 10
    assert report.reasons.keys() == {"status 503", "closed midway", "reset before the response"}
    assert report.requests == len(place.calls)


@pytest.mark.parametrize("how", ["close", "reset"])
@in_loop
async def test_a_connection_that_is_closed_while_idle_is_no_failure(how: str) -> None:
    async def answer(call: Call) -> None:
        await call.ok(b"", "X-Version: A")
        getattr(call, how)()

    async with service(answer) as place:
        report = await after(load_of(place, fresh_share=0), 10)
        assert place.connections == report.requests
    assert (report.failed, report.reasons) == (0, {})


@in_loop
async def test_but_it_is_one_once_a_request_is_on_it() -> None:
    async def once(call: Call) -> None:
        await (close if call.number > 1 else say_ok_of_a)(call)

    async with service(once) as place:
        report = await after(load_of(place, fresh_share=0), 10)
    assert report.failed == sum(call.number > 1 for call in place.calls) >= 4
    assert report.reasons == {"closed before the response": report.failed}


async def say_ok_of_a(call: Call) -> None:
    await call.ok(b"", "X-Version: A")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nfive.\r\n0\r\nTrailer: 1\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
    ],
)
@in_loop
async def test_whole_answers_of_every_kind_are_whole(answer: bytes) -> None:
    async with service(lambda call: call.say(answer)) as place:
        report = await after(load_of(place, fresh_share=0), 5)
        assert place.connections < report.requests
    assert (report.failed, report.requests_by_version) == (0, {"?": report.requests})


@in_loop
async def test_a_body_may_end_with_its_connection() -> None:
    async def answer(call: Call) -> None:
        await call.say(b"HTTP/1.1 200 OK\r\n\r\nfive.")
        call.close()

    async with service(answer) as place:
        assert (await after(load_of(place), 5)).failed == 0


@in_loop
async def test_what_cannot_be_sent_any_more_has_failed() -> None:
    async with service(Call.silence) as place:
        report = await after(load_of(place, rate=200, at_once=3, timeout_s=0.2), 20)
        sent = len(place.calls)
    assert report.reasons["no complete response within 0.2 s"] == sent
    assert report.reasons["not sent: 3 requests were in flight"] == report.requests - sent > 0


@in_loop
async def test_a_load_that_is_cut_off_says_what_became_of_its_requests() -> None:
    async with service(Call.silence) as place:
        load = load_of(place)
        running = asyncio.create_task(load.run(asyncio.Event()))
        await until(lambda: len(place.calls) >= 3)
        running.cancel()
        await asyncio.wait([running])
    report = load.report()
    assert report.in_flight == 0
    assert report.reasons == {"given up when the load was stopped": report.requests}


@in_loop
async def test_what_was_due_while_the_machine_slept_is_skipped_and_counted() -> None:
    async with service(says("A")) as place:
        load = load_of(place, rate=100)
        async with sending(load):
            await until(lambda: place.calls)
            time.sleep(1.2)  # the loop stands still
            await until(lambda: load.report().skipped)
            await until(lambda: load.report().requests > 10)
        report = load.report()
    assert 100 <= report.skipped < 200
    assert report.failed == 0


def test_it_runs_in_a_thread_of_its_own() -> None:
    @in_loop
    async def scenario() -> None:
        async with service(says("A")) as place:
            load = load_of(place)
            load.start()
            await until(lambda: load.report().requests > 10)
            await asyncio.to_thread(load.stop)
            report = load.report()
            assert (report.failed, report.in_flight) == (0, 0)
            assert report == load.report()
            await asyncio.to_thread(load.stop)

    scenario()


class _Broken(Load):
    async def run(self, stop: asyncio.Event) -> None:
        raise OSError("too many open files")


def test_what_breaks_in_its_thread_is_raised_at_the_end() -> None:
    load = _Broken("http://127.0.0.1:1")
    load.start()
    with pytest.raises(OSError, match="too many open files"):
        load.stop()


@pytest.mark.parametrize("rate", [0, -1.0])
def test_a_rate_is_above_0(rate: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Load("http://127.0.0.1:1", rate=rate)


@pytest.mark.parametrize("url", ["https://127.0.0.1", "127.0.0.1:80", "http://"])
def test_only_http_urls_are_taken(url: str) -> None:
    with pytest.raises(ValueError, match="is not http://host:port"):
        Load(url)
