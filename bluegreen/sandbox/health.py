"""The load balancer's health checks, made for real: GET to every target of every group in use, reported to the engine.

The engine counts passes and failures and decides what is healthy; here is only what one check saw. The first check of a
target comes at once (spread over 0.3 s, so that a fleet is not checked in step), then one every interval. Draining
targets, groups that no rule names, and instances without an address are not checked.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import aiohttp

from bluegreen.sandbox.model import Group, Routes, Target

LOOK_EVERY_S = 0.2
SPREAD_S = 0.3
STOP_LIMIT_S = 2.0
AGENT = "ELB-HealthChecker/2.0"

Key = tuple[str, str, int]  # group ARN, target id, port
log = logging.getLogger(__name__)


class HealthChecker:
    def __init__(self, routes: Routes, *, look_every_s: float = LOOK_EVERY_S) -> None:
        self._routes = routes
        self._look_every_s = look_every_s
        self._wanted: dict[Key, tuple[Group, Target]] = {}
        self._checks: dict[Key, asyncio.Task[None]] = {}
        self._looking: asyncio.Task[None] | None = None
        self._session: aiohttp.ClientSession | None = None
        self._engine = ThreadPoolExecutor(1, thread_name_prefix="health")  # it locks: the event loop must not wait

    async def start(self) -> None:
        connector = aiohttp.TCPConnector(force_close=True, limit=0)
        self._session = aiohttp.ClientSession(connector=connector, headers={"User-Agent": AGENT}, auto_decompress=False)
        self._looking = asyncio.create_task(self._look(), name="health: look")

    async def stop(self) -> None:
        tasks = [task for task in (self._looking, *self._checks.values()) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_LIMIT_S)
        if self._session is not None:
            await self._session.close()
        self._engine.shutdown(wait=False, cancel_futures=True)

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                groups = await loop.run_in_executor(self._engine, self._routes.groups)
            except Exception:
                log.exception("the engine does not tell its target groups")
            else:
                self._follow(groups)
            await asyncio.sleep(self._look_every_s)

    def _follow(self, groups: tuple[Group, ...]) -> None:
        """One task per target to check; a changed group or address is what the next check of it uses."""
        self._wanted = {
            (group.arn, target.id, target.port): (group, target)
            for group in groups
            if group.in_use
            for target in group.targets
            if target.state != "draining" and target.address is not None
        }
        for key in self._checks.keys() - self._wanted.keys():
            self._checks.pop(key).cancel()
        for key in self._wanted.keys() - self._checks.keys():
            self._checks[key] = asyncio.create_task(self._check_always(key), name=f"health: {key[1]}")

    async def _check_always(self, key: Key) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + _fraction(key) * SPREAD_S
        while True:
            await asyncio.sleep(max(due - loop.time(), 0.0))
            group, target = self._wanted[key]
            try:
                passed, reason = await self._check(group, target)
                await loop.run_in_executor(self._engine, self._routes.report_check, *key, passed, reason)
            except Exception:
                log.exception("a check of %s could not be made or reported", key)
            due = max(due + group.interval_s, loop.time())

    async def _check(self, group: Group, target: Target) -> tuple[bool, str]:
        """Whether it passed, and ELB's reason code with its words."""
        if self._session is None or target.address is None:
            return False, "Target.FailedHealthChecks: Health checks failed"
        host, port = target.checked or target.address
        try:
            async with self._session.get(
                f"http://{host}:{port}{group.path}",
                timeout=aiohttp.ClientTimeout(total=group.timeout_s),
                allow_redirects=False,
            ) as answer:
                status = answer.status
        except TimeoutError:
            return False, "Target.Timeout: Request timed out"
        except (aiohttp.ClientError, OSError, ValueError):
            return False, "Target.FailedHealthChecks: Health checks failed"
        if matches(group.matcher, status):
            return True, ""
        return False, f"Target.ResponseCodeMismatch: Health checks failed with these codes: [{status}]"


def matches(matcher: str, status: int) -> bool:
    """ELB's list of codes and ranges: "200", "200,202", "200-299,301"."""
    return any(low <= status <= high for low, high in _ranges(matcher))


@lru_cache(maxsize=64)
def _ranges(matcher: str) -> tuple[tuple[int, int], ...]:
    parts = (part.strip().partition("-") for part in matcher.split(","))
    return tuple((int(low), int(high or low)) for low, _, high in parts)


def _fraction(key: Key) -> float:
    """0 to 1, always the same for the same target."""
    return zlib.crc32(repr(key).encode()) / 2**32
