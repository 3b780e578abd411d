"""A request and its answer through the balancer: nothing is lost, changed, made up or mended on the way."""

from __future__ import annotations

import asyncio
import gzip
import io
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from wires import Answer, Call, Engine, Service, fetch, free_port, in_loop, say_ok, service, target, until

from bluegreen.sandbox.balancer import Balancer


@asynccontextmanager
async def through(answer: Answer = say_ok, answer_limit_s: float = 10.0) -> AsyncIterator[tuple[int, Service]]:
    """(the balancer's port, the one target behind it)."""
    async with service(answer) as behind, to(behind.address, answer_limit_s) as port:
        yield port, behind


@asynccontextmanager
async def to(address: tuple[str, int], answer_limit_s: float = 10.0) -> AsyncIterator[int]:
    balancer = Balancer(
        Engine(group=[target(address)]), prefer=lambda _: 0, rng=random.Random(1), answer_limit_s=answer_limit_s
    )
    await balancer.start()
    try:
        yield balancer.ports()["arn:listener"]
    finally:
        await balancer.stop()


async def raw(port: int, request: bytes) -> bytes:
    """All that comes back until the connection ends; ConnectionResetError if it is torn."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


@in_loop
async def test_a_request_arrives_as_it_was_sent_and_says_where_it_comes_from() -> None:
    async with through() as (port, behind):
        await raw(
            port,
            b"GET /a%2Fb//c/../d?x=%20y&z HTTP/1.1\r\nHost: shop.test\r\nX-Forwarded-For: 10.0.0.1\r\nCookie: a=1\r\n"
            b"X-Forwarded-Proto: spoofed\r\nX-Many: 1\r\nX-Many: 2\r\nX-Private: 1\r\nConnection: close, X-Private\r\n"
            b"Keep-Alive: 5\r\nTE: trailers\r\nUpgrade: h2c\r\nProxy-Authorization: x\r\n\r\n",
        )
        call = behind.calls[0]
    assert call.line == "GET /a%2Fb//c/../d?x=%20y&z HTTP/1.1"
    assert sorted(call.headers) == [
        ("Cookie", "a=1"),
        ("Host", "shop.test"),
        ("X-Forwarded-For", "10.0.0.1, 127.0.0.1"),
        ("X-Forwarded-Port", "80"),
        ("X-Forwarded-Proto", "http"),
        ("X-Many", "1"),
        ("X-Many", "2"),
    ]


@in_loop
async def test_an_answer_arrives_as_it_was_given() -> None:
    packed = gzip.compress(b"hello")

    async def answer(call: Call) -> None:
        await call.say(
            b"HTTP/1.1 302 Over There\r\nContent-Length: %d\r\nContent-Encoding: gzip\r\nSet-Cookie: a=1\r\n"
            b"Set-Cookie: b=2\r\nLocation: /x\r\nConnection: X-Private\r\nX-Private: 1\r\nServer: mine\r\n\r\n%s"
            % (len(packed), packed)
        )

    async with through(answer) as (port, behind):
        status, headers, body = await fetch(port)
        await fetch(port)
    assert (status, body) == (302, packed)
    assert headers.getall("Set-Cookie") == ["a=1", "b=2"]
    assert (headers["Location"], headers["Content-Encoding"], headers["Server"]) == ("/x", "gzip", "mine")
    assert "X-Private" not in headers
    assert not behind.calls[1].header("Cookie")


@pytest.mark.parametrize(
    ("method", "answer", "status", "length"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 200, "5"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", 204, None),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n", 304, None),
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "0"),
        ("GET", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "0"),
    ],
)
@in_loop
async def test_answers_without_a_body(method: str, answer: bytes, status: int, length: str | None) -> None:
    async with through(lambda call: call.say(answer)) as (port, behind):
        for _ in range(2):
            got = await fetch(port, method=method)
            assert (got[0], got[1].get("Content-Length"), got[2]) == (status, length, b"")
    assert behind.connections == 1


@pytest.mark.parametrize("chunked", [False, True])
@in_loop
async def test_large_bodies_stream_both_ways(chunked: bool) -> None:
    content = random.Random(1).randbytes(3_000_000)

    async def echo(call: Call) -> None:
        if chunked:
            await call.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for start in range(0, len(call.body), 100_000):
                piece = call.body[start : start + 100_000]
                await call.say(b"%x\r\n%s\r\n" % (len(piece), piece))
            await call.say(b"0\r\n\r\n")
        else:
            await call.ok(call.body)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 70_000):
            yield content[start : start + 70_000]

    async with through(echo) as (port, behind):
        status, headers, body = await fetch(port, method="POST", data=pieces() if chunked else io.BytesIO(content))
    assert (status, body == content) == (200, True)
    assert headers.get("Content-Length") == (None if chunked else "3000000")
    assert behind.calls[0].header("Transfer-Encoding") == (["chunked"] if chunked else [])
    assert behind.calls[0].header("Content-Length") == ([] if chunked else ["3000000"])


@in_loop
async def test_an_answer_is_passed_on_while_it_is_still_being_made() -> None:
    go_on = asyncio.Event()

    async def answer(call: Call) -> None:
        await call.say(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
        await go_on.wait()
        await call.say(b"later")

    async with through(answer) as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readuntil(b"first")).startswith(b"HTTP/1.1 200 OK\r\n")
        go_on.set()
        assert await reader.readexactly(5) == b"later"
        writer.close()


@in_loop
async def test_a_client_that_asks_before_it_sends_is_told_to_go_on() -> None:
    async with through() as (port, behind):
        head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head)
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"hi")
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK\r\n")
        writer.close()
    assert behind.calls[0].body == b"hi"
    assert not behind.calls[0].header("Expect")


@in_loop
async def test_connections_are_kept_on_both_sides() -> None:
    async with through() as (port, behind):
        connector = aiohttp.TCPConnector(limit=1)
        async with aiohttp.ClientSession(connector=connector) as session:
            ports = set()
            for _ in range(5):
                async with session.get(f"http://127.0.0.1:{port}/") as answer:
                    ports.add(answer.connection and answer.connection.transport.get_extra_info("sockname"))
                    await answer.read()
    assert (len(behind.calls), behind.connections) == (5, 1)
    assert len(ports) == 1


@pytest.mark.parametrize("how", ["close", "reset"])
@in_loop
async def test_a_kept_connection_that_the_target_has_given_up_fails_no_request(how: str) -> None:
    """The worst case: it ends in the very moment when the next request is already on it."""

    async def once(call: Call) -> None:
        if call.number == 1:
            await call.ok()
        else:
            getattr(call, how)()

    async with through(once) as (port, behind):
        for _ in range(3):
            assert (await fetch(port))[0] == 200
    assert [call.number for call in behind.calls] == [1, 2, 1, 1]


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
@in_loop
async def test_a_fresh_connection_that_breaks_is_502_after_one_try(how: str, method: str) -> None:
    async def breaks(call: Call) -> None:
        getattr(call, how)()

    async with through(breaks) as (port, behind):
        status, headers, body = await fetch(port, method=method, data=None if method == "GET" else b"x")
    assert (status, headers["Server"]) == (502, "awselb/2.0")
    assert b"502 Bad Gateway" in body
    assert len(behind.calls) == 1


@in_loop
async def test_what_may_not_be_repeated_never_meets_a_kept_connection() -> None:
    async def once(call: Call) -> None:
        if call.number == 1:
            await call.ok()
        else:
            call.close()

    async with through(once) as (port, behind):
        await fetch(port)
        assert (await fetch(port, method="POST", data=b"x"))[0] == 200
        assert (await fetch(port, method="DELETE"))[0] == 200
        assert (await fetch(port, data=b"a GET with a body"))[0] == 200
    assert len(behind.calls) == behind.connections == 4


@in_loop
async def test_nobody_there_is_502() -> None:
    async with to(("127.0.0.1", free_port())) as port:
        assert (await fetch(port))[0] == 502
        assert (await fetch(port, method="POST", data=b"x"))[0] == 502


@pytest.mark.parametrize("words", [b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 2x0 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nConte"])
@in_loop
async def test_what_is_no_answer_is_502(words: bytes) -> None:
    async def answer(call: Call) -> None:
        await call.say(words)
        call.close()

    async with through(answer) as (port, _):
        assert (await fetch(port))[0] == 502


@in_loop
async def test_silence_is_504_and_not_asked_again() -> None:
    async with through(Call.silence, answer_limit_s=0.1) as (port, behind):
        status, headers, _ = await fetch(port)
        assert (status, headers["Server"], len(behind.calls)) == (504, "awselb/2.0", 1)
        await until(lambda: behind.open == 0)


BREAKS = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive.",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfive.\r\n",
    "nothing yet": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
    "until the end": b"HTTP/1.1 200 OK\r\n\r\nfive.",
}


@pytest.mark.parametrize(("kind", "how"), [(kind, how) for kind in BREAKS for how in ("close", "reset")])
@pytest.mark.parametrize("protocol", ["1.0", "1.1"])
@in_loop
async def test_an_answer_that_breaks_midway_breaks_for_the_client_too(kind: str, how: str, protocol: str) -> None:
    """Whatever the client speaks: with HTTP/1.0 the end of the connection is the only sign of the end of the body."""
    go_on = asyncio.Event()

    async def breaks(call: Call) -> None:
        await call.say(BREAKS[kind])
        await go_on.wait()
        getattr(call, how)()

    async with through(breaks) as (port, behind):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET / HTTP/{protocol}\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n" if kind == "nothing yet" else b"five.")
        go_on.set()
        if (kind, how) == ("until the end", "close"):  # this is how such a body ends well
            assert await reader.read() in (b"", b"\r\n0\r\n\r\n")
        else:
            with pytest.raises(ConnectionResetError):
                await reader.read()
        writer.close()
    assert len(behind.calls) == 1


@in_loop
async def test_silence_midway_breaks_the_answer() -> None:
    async def answer(call: Call) -> None:
        await call.say(BREAKS["length"])
        await call.silence()

    async with through(answer, answer_limit_s=0.1) as (port, _):
        with pytest.raises(ConnectionResetError):
            await raw(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")


@in_loop
async def test_a_client_that_goes_takes_its_request_with_it() -> None:
    arrived = asyncio.Event()

    async def slow(call: Call) -> None:
        arrived.set()
        await call.silence()

    async with through(slow) as (port, behind):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await arrived.wait()
        writer.close()
        await until(lambda: behind.open == 0)


@in_loop
async def test_what_is_no_request_is_400_and_reaches_nobody() -> None:
    async with through() as (port, behind):
        assert (await raw(port, b"hello\r\n\r\n")).startswith(b"HTTP/1.0 400")
    assert not behind.calls
