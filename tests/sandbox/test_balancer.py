"""The balancer follows the engine, loses no request by it, and says what ALB says when it cannot serve."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from wires import Call, Engine, fetch, free_port, in_loop, says, service, target, until

from bluegreen.sandbox.balancer import Balancer
from bluegreen.sandbox.load import Load
from bluegreen.sandbox.model import FixedResponse, Forward, ListenerRule

LISTENER = "arn:listener"


@asynccontextmanager
async def balancing(engine: Engine, wanted: int = 0, answer_limit_s: float = 10.0) -> AsyncIterator[Balancer]:
    balancer = Balancer(
        engine, prefer=lambda port: wanted and wanted + port, rng=random.Random(1), answer_limit_s=answer_limit_s
    )
    try:
        await balancer.start()
        yield balancer
    finally:
        await asyncio.wait_for(balancer.stop(), 1.0)


async def seen(port: int, times: int) -> Counter[str]:
    return Counter([(await fetch(port))[2].decode() for _ in range(times)])


@in_loop
async def test_requests_are_spread_by_weight_and_over_the_targets_in_turn() -> None:
    async with AsyncExitStack() as stack:
        blue = [await stack.enter_async_context(service(says("blue"))) for _ in range(2)]
        green = await stack.enter_async_context(service(says("green")))
        engine = Engine({"blue": 3, "green": 1, "off": 0}, blue=[target(one) for one in blue], green=[target(green)])
        balancer = await stack.enter_async_context(balancing(engine))
        answers = await seen(balancer.ports()[LISTENER], 200)
    assert answers.total() == 200
    assert 30 < answers["green"] < 70
    assert abs(len(blue[0].calls) - len(blue[1].calls)) <= 1


@in_loop
async def test_rules_are_tried_in_order() -> None:
    async with service(says("blue")) as blue, service(says("preview")) as preview:
        engine = Engine({"blue": 1}, blue=[target(blue)], preview=[target(preview)])
        engine.rules = (
            ListenerRule("r1", (("http-header", "X-Preview", ("yes",)),), Forward((("preview", 1),))),
            ListenerRule("r2", (("path-pattern", "", ("/old/*",)),), FixedResponse(410, "text/html", "<b>gone</b>")),
            ListenerRule("r3", (("host-header", "", ("*.test",)),), Forward((("blue", 1),))),
        )
        engine.default = FixedResponse(404)
        async with balancing(engine) as balancer:
            port = balancer.ports()[LISTENER]
            shop = {"Host": "Shop.TEST:8080"}
            assert (await fetch(port, headers=shop))[2] == b"blue"
            assert (await fetch(port, headers=shop | {"x-preview": "yes"}))[2] == b"preview"
            status, headers, body = await fetch(port, "/old/page?x=1", headers=shop)
            assert (status, headers["Content-Type"], body) == (410, "text/html", b"<b>gone</b>")
            assert (await fetch(port, "/older", headers=shop))[0] == 200
            status, headers, body = await fetch(port)
            assert (status, headers["Content-Type"], body) == (404, "text/plain", b"")
            assert headers["Server"] == "awselb/2.0"


@pytest.mark.parametrize("state", ["initial", "draining", "unused", None])
@in_loop
async def test_a_group_without_a_usable_target_is_503(state: str | None) -> None:
    async with service() as blue:
        engine = Engine({"blue": 1}, blue=[target(blue, state)] if state else [])
        async with balancing(engine) as balancer:
            status, headers, body = await fetch(balancer.ports()[LISTENER])
    assert (status, headers["Server"]) == (503, "awselb/2.0")
    assert b"503 Service Temporarily Unavailable" in body
    assert not blue.calls


@in_loop
async def test_all_weights_zero_is_503_and_a_healthy_target_gets_nothing() -> None:
    async with service() as blue:
        engine = Engine({"blue": 0}, blue=[target(blue)])
        engine.default = Forward((("blue", 0),))
        async with balancing(engine) as balancer:
            assert (await fetch(balancer.ports()[LISTENER]))[0] == 503
    assert not blue.calls


@in_loop
async def test_only_unhealthy_targets_all_get_requests() -> None:
    async with service(says("1")) as one, service(says("2")) as two:
        engine = Engine(blue=[target(one, "unhealthy"), target(two, "unhealthy")])
        async with balancing(engine) as balancer:
            assert await seen(balancer.ports()[LISTENER], 4) == {"1": 2, "2": 2}
            engine.targets = {"blue": [target(one, "unhealthy"), target(two)]}
            await until(lambda: balancer._picture.targets("blue") == (target(two),))
            assert await seen(balancer.ports()[LISTENER], 4) == {"2": 4}


@in_loop
async def test_a_healthy_target_whose_machine_is_gone_is_a_failure_that_can_be_seen() -> None:
    async with balancing(Engine(blue=[target(None)])) as balancer:
        assert (await fetch(balancer.ports()[LISTENER]))[0] == 502


@in_loop
async def test_draining_ends_what_is_in_flight_and_sends_new_requests_elsewhere() -> None:
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def slow(call: Call) -> None:
        arrived.set()
        await go_on.wait()
        await call.ok(b"old")

    async with service(slow) as old, service(says("new")) as new:
        engine = Engine(blue=[target(old)])
        async with balancing(engine) as balancer:
            port = balancer.ports()[LISTENER]
            in_flight = asyncio.create_task(fetch(port))
            await arrived.wait()
            engine.targets = {"blue": [target(old, "draining"), target(new, name="i-2")]}
            await until(lambda: balancer._picture.targets("blue") == (target(new, name="i-2"),))
            assert await seen(port, 3) == {"new": 3}
            assert not in_flight.done()
            go_on.set()
            assert (await in_flight)[::2] == (200, b"old")


@in_loop
async def test_listeners_open_and_close_as_they_come_and_go() -> None:
    async with service() as blue:
        engine = Engine(blue=[target(blue)])
        async with balancing(engine) as balancer:
            first = balancer.ports()[LISTENER]
            engine.listening = {"arn:other": 443}
            await until(lambda: balancer.ports().keys() == {"arn:other"})
            assert (await fetch(balancer.ports()["arn:other"]))[0] == 200
            with pytest.raises(ConnectionError):
                await asyncio.open_connection("127.0.0.1", first)
            assert blue.calls[-1].header("X-Forwarded-Port") == ["443"]
            assert blue.calls[-1].header("X-Forwarded-Proto") == ["https"]


@in_loop
async def test_a_listener_that_goes_lets_its_requests_end() -> None:
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def slow(call: Call) -> None:
        arrived.set()
        await go_on.wait()
        await call.ok()

    async with service(slow) as blue:
        engine = Engine(blue=[target(blue)])
        async with balancing(engine) as balancer:
            in_flight = asyncio.create_task(fetch(balancer.ports()[LISTENER]))
            await arrived.wait()
            engine.listening = {}
            await until(lambda: not balancer.ports())
            go_on.set()
            assert (await in_flight)[0] == 200


@in_loop
async def test_the_wanted_port_is_taken_if_it_is_free() -> None:
    wanted = free_port()
    engine = Engine()
    async with balancing(engine, wanted - 80) as one, balancing(engine, wanted - 80) as two:
        assert one.ports() == {LISTENER: wanted}
        assert two.ports()[LISTENER] not in (0, wanted)


@in_loop
async def test_a_port_that_cannot_be_is_replaced() -> None:
    async with balancing(Engine(), 65_536) as balancer:
        assert balancer.ports()[LISTENER] < 65_536


@in_loop
async def test_while_the_engine_fails_the_last_picture_serves_and_it_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def said() -> int:
        return sum("cannot follow" in record.getMessage() for record in caplog.records)

    async with service(says("1")) as one, service(says("2")) as two:
        engine = Engine(blue=[target(one)])
        async with balancing(engine) as balancer:
            caplog.set_level(logging.INFO)
            engine.broken = True
            await until(said)
            assert await seen(balancer.ports()[LISTENER], 20) == {"1": 20}
            assert said() == 1
            engine.targets, engine.broken = {"blue": [target(two)]}, False
            await until(lambda: balancer._picture.targets("blue") == (target(two),))


@in_loop
async def test_a_change_between_two_readings_is_never_seen_in_halves() -> None:
    """Weights and targets change together while the picture is taken: green has no target before, blue none after."""

    class Changing(Engine):
        def groups(self):
            before = super().groups()
            if self.weights == {"blue": 1}:
                self.weights, self.targets = {"green": 1}, {"green": [target(one)]}
            return before

    async with service() as one:
        engine = Changing({"blue": 1}, blue=[target(one)])
        async with balancing(engine) as balancer:
            assert balancer._picture.targets("green")
            assert (await fetch(balancer.ports()[LISTENER]))[0] == 200


@in_loop
async def test_stop_waits_a_moment_for_what_is_in_flight_and_no_longer() -> None:
    arrived = asyncio.Event()

    async def never(call: Call) -> None:
        arrived.set()
        await call.silence()

    async with service(never) as blue:
        async with balancing(Engine(blue=[target(blue)])) as balancer:
            in_flight = asyncio.create_task(fetch(balancer.ports()[LISTENER]))
            await arrived.wait()
        assert not balancer.ports()
        with pytest.raises(OSError):  # broken off, in whatever way
            await in_flight


@in_loop
async def test_stop_without_start_is_nothing() -> None:
    await Balancer(Engine(), rng=random.Random(1)).stop()


@in_loop
async def test_weights_switched_to_and_fro_under_load_fail_no_request() -> None:
    """The demo in small: slow requests, kept and fresh connections, and a fleet that drains behind each switch."""

    def fleet(version: str):
        async def answer(call: Call) -> None:
            if "/slow" in call.line:
                await asyncio.sleep(0.2)
            await call.ok(b"{}", f"X-Version: {version}")

        return answer

    async with service(fleet("A")) as blue, service(fleet("B")) as green:
        engine = Engine({"blue": 1, "green": 0}, blue=[target(blue)], green=[target(green)])
        async with balancing(engine) as balancer:
            url = f"http://127.0.0.1:{balancer.ports()[LISTENER]}"
            load = Load(url, "shop.test", rate=300, slow_per_s=30, slow_s=0.2)
            stop = asyncio.Event()
            running = asyncio.create_task(load.run(stop))
            for turn in range(8):
                live, standby = ("green", "blue") if turn % 2 == 0 else ("blue", "green")
                engine.targets = {"blue": [target(blue)], "green": [target(green)]}
                engine.weights = {live: 1, standby: 0}
                await until(lambda: balancer._picture.source == (engine.listeners(), engine.groups()))
                engine.targets[standby] = [target(green if standby == "green" else blue, "draining")]
                enough = load.report().requests + 40
                await until(lambda enough=enough: load.report().requests > enough)
            stop.set()
            await running
    report = load.report()
    assert (report.failed, report.reasons, report.in_flight, report.skipped) == (0, {}, 0, 0)
    assert report.requests > 300
    assert min(report.requests_by_version[version] for version in "AB") > 100
    assert set(report.requests_by_kind) == {"kept", "fresh", "slow"}
