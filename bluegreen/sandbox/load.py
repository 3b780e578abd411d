"""Steady traffic for the demo, and an exact account of it: every request that was due ends as a 200 or as a failure.

Requests are sent by the clock, whether or not earlier ones have been answered. Nothing is ever repeated. There is one
forgiveness: a kept-alive connection that the server closed while it was idle is replaced before anything is sent on it.
Once sent, a request has to bring a complete 200 in time; all else counts as failed, with its reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import time
from array import array
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from bluegreen.sandbox.line import Failed, Line

Kind = Literal["kept", "fresh", "slow"]

KINDS: tuple[Kind, ...] = ("kept", "fresh", "slow")
IDLE_S = 20.0  # idle for longer, a connection is not trusted any more: servers close them when they like
LATEST_S = 1.0  # this far behind (the machine slept), what was due is skipped, and counted as such
LOOK_EVERY_S = 0.05
START_LIMIT_S = 10.0
STOP_SPARE_S = 2.0


@dataclass(frozen=True, slots=True)
class Report:
    """`requests` are those that have ended. Latencies are of the answered ones, slow ones less the delay they asked for.
    A second in `versions_over_time` is that in which the requests were sent, counted from `began` (Unix time)."""

    began: float
    seconds: float
    requests: int
    in_flight: int
    skipped: int
    failed: int
    reasons: dict[str, int]
    p50_ms: float
    p99_ms: float
    max_ms: float
    requests_by_kind: dict[str, int]
    requests_by_version: dict[str, int]
    versions_over_time: dict[int, dict[str, int]]


class Records:
    """Compact: 17 bytes a request. One thread adds, any thread may read."""

    def __init__(self) -> None:
        self._names: list[str] = [""]  # reasons and versions, by number; 0 is none
        self._numbers: dict[str, int] = {"": 0}
        self._sent = array("d")
        self._latency = array("f")
        self._reason = array("H")
        self._version = array("H")
        self._kind = array("B")  # written last: what it has, all have

    def add(self, kind: Kind, sent: float, latency_s: float, reason: str, version: str) -> None:
        self._sent.append(sent)
        self._latency.append(latency_s)
        self._reason.append(self._number(reason))
        self._version.append(self._number(version))
        self._kind.append(KINDS.index(kind))

    def report(self, began: float, seconds: float, started: int, skipped: int) -> Report:
        count = len(self._kind)
        reasons, versions, times = self._reason[:count], self._version[:count], self._sent[:count]
        answered = sorted(latency for latency, reason in zip(self._latency[:count], reasons, strict=True) if not reason)
        over_time: dict[int, Counter[str]] = {}
        for sent, version in zip(times, versions, strict=True):
            if version:
                over_time.setdefault(int(sent), Counter())[self._names[version]] += 1
        failures = Counter(self._names[reason] for reason in reasons if reason)
        return Report(
            began=began,
            seconds=seconds,
            requests=count,
            in_flight=max(0, started - count),
            skipped=skipped,
            failed=failures.total(),
            reasons=dict(failures.most_common()),
            p50_ms=_quantile_ms(answered, 0.50),
            p99_ms=_quantile_ms(answered, 0.99),
            max_ms=_quantile_ms(answered, 1.00),
            requests_by_kind=dict(Counter(KINDS[kind] for kind in self._kind[:count])),
            requests_by_version=dict(Counter(self._names[version] for version in versions if version)),
            versions_over_time={second: dict(over_time[second]) for second in sorted(over_time)},
        )

    def _number(self, name: str) -> int:
        if name not in self._numbers:
            self._names.append(name)
            self._numbers[name] = len(self._names) - 1
        return self._numbers[name]


class Load:
    """`await run(stop)` in a loop of yours, or start() and stop() for a thread of its own. report() at any time."""

    def __init__(
        self,
        url: str,
        host_header: str = "",
        *,
        rate: float = 200.0,
        fresh_share: float = 0.2,
        slow_per_s: float = 4.0,
        slow_s: float = 2.0,
        timeout_s: float = 10.0,
        at_once: int = 512,
    ) -> None:
        """`url` is http://host:port. `fresh_share` of the requests have a connection each; `at_once` bounds those in
        flight: one more is not sent, and has failed."""
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"{url!r} is not http://host:port")
        if not rate > 0:
            raise ValueError(f"rate={rate}: it has to be above 0")
        self._address = (parts.hostname, parts.port or 80)
        self._host = host_header or parts.netloc
        self._rate = rate
        self._shares: dict[Kind, float] = {"slow": min(slow_per_s / rate, 1.0), "fresh": fresh_share}
        self._slow_s = slow_s
        self._timeout_s = timeout_s
        self._at_once = at_once
        self._records = Records()
        self._idle: deque[Line] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._started = self._skipped = 0
        self._began = self._origin = self._ended = 0.0
        self._thread: threading.Thread | None = None
        self._end: Callable[[], object] | None = None
        self._crash: BaseException | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set and what was in flight then has ended."""
        self._began, self._origin = time.time(), time.monotonic()
        try:
            await self._send_by_the_clock(stop)
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=self._timeout_s + STOP_SPARE_S)
        finally:
            self._ended = time.monotonic()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for line in self._idle:
                line.close()
            self._idle.clear()
            await asyncio.sleep(0)  # the connections close in the loop's next turn

    def start(self) -> None:
        """In a thread with its own event loop."""
        ready = threading.Event()
        self._thread = threading.Thread(target=self._in_thread, args=(ready,), name="load", daemon=True)
        self._thread.start()
        if not ready.wait(START_LIMIT_S):
            raise RuntimeError("the load did not start")

    def stop(self) -> None:
        """Sends no more, and waits for what is in flight."""
        if self._thread is None or self._end is None:
            return
        with contextlib.suppress(RuntimeError):  # its loop has ended already
            self._end()
        self._thread.join(self._timeout_s + 2 * STOP_SPARE_S)
        if self._thread.is_alive():
            raise RuntimeError("the load did not stop")
        if self._crash is not None:
            raise self._crash

    def report(self) -> Report:
        seconds = (self._ended or time.monotonic()) - self._origin if self._origin else 0.0
        return self._records.report(self._began, seconds, self._started, self._skipped)

    def _in_thread(self, ready: threading.Event) -> None:
        async def run() -> None:
            stop, loop = asyncio.Event(), asyncio.get_running_loop()
            self._end = lambda: loop.call_soon_threadsafe(stop.set)
            ready.set()
            await self.run(stop)

        try:
            asyncio.run(run())
        except BaseException as error:  # noqa: BLE001 - stop() raises it
            self._crash = error
        finally:
            ready.set()

    async def _send_by_the_clock(self, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        began, number = loop.time(), 0
        while not stop.is_set():
            late = loop.time() - began - number / self._rate
            if late < 0:
                await asyncio.sleep(min(-late, LOOK_EVERY_S))
                continue
            missed = int(late * self._rate) if late > LATEST_S else 0
            self._skipped += missed
            task = asyncio.create_task(self._one(self._kind(number)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            number += 1 + missed

    def _kind(self, number: int) -> Kind:
        """Each share evenly over time."""
        for kind, share in self._shares.items():
            if int((number + 1) * share) > int(number * share):
                return kind
        return "kept"

    async def _one(self, kind: Kind) -> None:
        began = time.monotonic()
        self._started += 1
        reason = version = ""
        try:
            async with asyncio.timeout(self._timeout_s):
                status, version = await self._ask(kind)
            reason = "" if status == 200 else f"status {status}"
        except Failed as failure:
            reason, version = failure.reason, failure.version
        except TimeoutError:
            reason = f"no complete response within {self._timeout_s:g} s"
        except BaseException as error:
            reason = "given up when the load was stopped" if isinstance(error, asyncio.CancelledError) else repr(error)
            raise
        finally:
            latency_s = time.monotonic() - began - (self._slow_s if kind == "slow" else 0.0)
            self._records.add(kind, began - self._origin, max(latency_s, 0.0), reason, version)

    async def _ask(self, kind: Kind) -> tuple[int, str]:
        """(status, version) of a complete response."""
        if len(self._tasks) > self._at_once:
            raise Failed(f"not sent: {self._at_once} requests were in flight")
        line = (None if kind == "fresh" else self._kept_line()) or await Line.open(*self._address)
        path = f"/slow?seconds={self._slow_s:g}" if kind == "slow" else "/"
        connection = "close" if kind == "fresh" else "keep-alive"
        keep = False
        try:
            response = await line.ask(
                f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\nConnection: {connection}\r\n\r\n".encode("latin-1")
            )
            keep = kind != "fresh" and not response.last
        finally:
            if keep:
                self._idle.append(line)
            else:
                line.close()
        return response.status, response.version

    def _kept_line(self) -> Line | None:
        """In turn, so that all of them stay in use."""
        while self._idle:
            line = self._idle.popleft()
            if line.trusted(IDLE_S):
                return line
            line.close()
        return None


def _quantile_ms(ordered: list[float], share: float) -> float:
    """Nearest rank; 0 of nothing."""
    return round(ordered[math.ceil(share * len(ordered)) - 1] * 1000, 2) if ordered else 0.0
