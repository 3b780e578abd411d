"""A day of the shop on real machines, played once for all tests that ask about it.

Deploy A; then, under load: deploy B, the registry goes away, rollback; then the log server goes away for a minute.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from machines import STACK, Machine, Site
from program import Ended

from bluegreen.sandbox.load import Load, Report
from tests.parts.execs import Execs
from tests.parts.wait import until

RATE = 50.0  # eight hosts, their engines and the load share two cores; 100 was too much for them once in two runs
REQUESTS = 10_000
LOGS_AWAY_S = 60


@dataclass(frozen=True)
class Day:
    """`machines` of both fleets, and the tags under which their services log; `requests_unlogged` were sent while the log
    server was away, and `lines_back` are what it had when it came back; `words` are the command lines of all programs that
    started meanwhile."""

    first: Ended
    second: Ended
    back: Ended
    calls_of_rollback: list[str]
    load: Report
    machines: tuple[Machine, ...]
    log_tags: frozenset[str]
    requests_unlogged: int
    lines_back: int
    words: list[str]
    words_lost: bool


def play(site: Site) -> Day:
    with Execs() as seen:
        first = site.deploy("A")
        assert first.code == 0, first.err
        load = site.load(RATE)
        load.start()
        try:
            second = site.deploy("B")
            assert second.code == 0, second.err
            fleets = (*site.machines("live"), *site.machines("standby"))
            tags = _log_tags(site)
            site.registry.stop()
            try:
                site.box.forget_calls()
                back = site.rollback()
                calls = [f"{call['service']}:{call['operation']}" for call in site.box.calls()]
            finally:
                site.registry.start()
            unlogged, lines = _without_logs(site, load)
            until(lambda: load.report().requests >= REQUESTS, 2 * REQUESTS / RATE, load.report)
        finally:
            load.stop()
    return Day(first, second, back, calls, load.report(), fleets, tags, unlogged, lines, seen.lines, seen.lost)


def _without_logs(site: Site, load: Load) -> tuple[int, int]:
    before = load.report().requests
    site.logs.stop()
    try:
        time.sleep(LOGS_AWAY_S)
        return load.report().requests - before, sum(1 for _ in site.logs.lines())
    finally:
        site.logs.start()


def _log_tags(site: Site) -> frozenset[str]:
    return frozenset(
        f"{STACK}/{fleet['colour']}/{fleet['release']}/{service}/{one['id']}"
        for fleet in (site.fleet("live"), site.fleet("standby"))
        for service in ("web", "app")
        for one in fleet["targets"]
    )
