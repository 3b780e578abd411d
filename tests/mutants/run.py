"""Running the tests against one mutant after another. A warm process has imported everything; for each mutant it forks a child
that changes its functions in place and runs the tests that reach the line, the last killers first and then the fastest.
What stands outside functions (limits, tables, default values) is loaded anew in a child that has not imported it yet."""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import pytest
from _pytest.runner import runtestprotocol

from tests.mutants.loading import Functions, functions, install, swap
from tests.mutants.operators import Mutant
from tests.mutants.record import QUIET, Test, settle_hypothesis, silence

MEMORY = 4 << 30
NOT_IN_PLACE, UNSOUND, CAUGHT, NOT_CAUGHT = 9, 8, 1, 0
HEAVY = (
    "boto3",
    "botocore.session",
    "moto",
    "moto.backends",
    "moto.ec2.models",
    "moto.elbv2.models",
    "hypothesis",
    "yaml",
    "jinja2",
)


@dataclass(frozen=True)
class Result:
    """`by` is the test that noticed; "" when none did. `tests` is how many were run at most, `of` how many reach the line."""

    key: str
    status: str  # killed, late (by its time limit), survived, unreached, unsound (the test fails without a mutant too)
    by: str
    tests: int
    of: int
    seconds: float


Job = tuple[Mutant, list[Test], int]  # what to change, which tests to run, of how many


class Warm:
    """A pytest plugin that runs no tests but for mutants."""

    def __init__(self, root: Path, jobs: Sequence[Job], told: Callable[[Result], None]) -> None:
        self.root = root
        self.jobs = jobs
        self.told = told
        self.sound: dict[str, bool] = {}  # whether a test that noticed passes without a mutant
        self.later: list[Job] = []  # what cannot be changed in place

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        known = functions(self.root)
        gc.collect()
        gc.freeze()
        for mutant, tests, of in _killers_first(self.jobs, lambda: self.newest):
            self.newest: tuple[str, str] = ("", "")
            code, by, seconds = forked(lambda write, m=mutant, t=tests: _in_place(known, self.root, m, t, items, write))
            if code == NOT_IN_PLACE:
                self.later.append((mutant, tests, of))
                continue
            if by and code != NOT_CAUGHT:
                self.newest = (f"{mutant.path}{mutant.where}", by)
                if by not in self.sound:
                    self.sound[by] = forked(lambda write, by=by: _passes(items[by]))[0] == NOT_CAUGHT
                if not self.sound[by]:
                    code = UNSOUND
            self.told(_result(mutant, code, by, tests, of, seconds))
        return True


def _killers_first(jobs: Iterable[Job], newest: Callable[[], tuple[str, str]]) -> Iterable[Job]:
    """What noticed another mutant of the same function is asked first."""
    killers: dict[str, list[str]] = {}
    for mutant, tests, of in jobs:
        mine = killers.get(f"{mutant.path}{mutant.where}", [])
        yield mutant, sorted(tests, key=lambda t, mine=mine: (-mine.index(t.id) if t.id in mine else 1, t.seconds)), of
        where, by = newest()
        if by:
            before = killers.setdefault(where, [])
            if by in before:
                before.remove(by)
            before.append(by)


def forked(work: Callable[[IO[str]], int]) -> tuple[int, str, float]:
    """Runs `work` in a child: its exit code (a signal's is negative), the last test it began, and how long it took."""
    reading, writing = os.pipe()
    began = time.monotonic()
    child = os.fork()
    if not child:
        os.close(reading)
        code = CAUGHT
        try:
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            silence()
            code = work(os.fdopen(writing, "w", buffering=1))
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        lines = pipe.read().splitlines()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), lines[-1] if lines else "", time.monotonic() - began


def _in_place(
    known: Functions, root: Path, mutant: Mutant, tests: list[Test], items: dict[str, pytest.Item], write: IO[str]
) -> int:
    if not swap(known, str(root / mutant.path), mutant.tree):
        return NOT_IN_PLACE
    for test in tests:
        item = items.get(test.id)
        if item is None:
            continue
        write.write(f"{test.id}\n")
        signal.setitimer(signal.ITIMER_REAL, limit(test))
        if any(report.failed for report in runtestprotocol(item, log=False, nextitem=None)):
            return CAUGHT
    return NOT_CAUGHT


def _passes(item: pytest.Item) -> int:
    return CAUGHT if any(report.failed for report in runtestprotocol(item, log=False, nextitem=None)) else NOT_CAUGHT


def limit(test: Test) -> float:
    """Who takes so much longer turns in a circle."""
    return 3.0 + 6 * test.seconds


def anew(root: Path, mutant: Mutant, tests: list[Test], write: IO[str]) -> int:
    """Loads the changed file in this process, and runs the tests until one notices."""

    class Watch:
        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
            write.write(f"{item.nodeid}\n")
            signal.setitimer(signal.ITIMER_REAL, next((limit(t) for t in tests if t.id == item.nodeid), 60.0))
            return (yield)

    install(root, lambda path: mutant.tree if path == mutant.path else None)
    settle_hypothesis()
    signal.setitimer(signal.ITIMER_REAL, 60.0)
    files = dict.fromkeys(test.file for test in tests)
    ids = [test.id for test in tests] if len(tests) < 300 else list(files)
    return int(pytest.main([*QUIET, "-x", *ids], plugins=[Watch()])) and CAUGHT


def _result(mutant: Mutant, code: int, by: str, tests: list[Test], of: int, seconds: float) -> Result:
    if not tests:
        return Result(mutant.key, "unreached", "", 0, 0, 0.0)
    if code == NOT_CAUGHT:
        return Result(mutant.key, "survived", "", len(tests), of, round(seconds, 2))
    if code == UNSOUND:
        return Result(mutant.key, "unsound", by, len(tests), of, round(seconds, 2))
    status = "late" if code == -signal.SIGALRM else "killed"
    return Result(mutant.key, status, by or "import", len(tests), of, round(seconds, 2))


def run(root: Path, jobs: list[Job], store: Path, told: Callable[[Result], None], processes: int) -> None:
    """All jobs, in `processes` at a time; `told` is called here with each result as it comes."""
    bare = [job for job in jobs if not job[1]]
    for mutant, tests, of in bare:
        told(_result(mutant, NOT_CAUGHT, "", tests, of, 0.0))
    rest = [job for job in jobs if job[1]]
    for name in HEAVY:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    parts = [rest[i::processes] for i in range(processes)]
    pipes = [os.pipe() for _ in parts]
    for part, (_, writing) in zip(parts, pipes, strict=True):
        if not os.fork():
            _worker(root, part, writing)
        os.close(writing)
    _gather([reading for reading, _ in pipes], told)
    for _ in parts:
        os.wait()


def _worker(root: Path, jobs: list[Job], writing: int) -> None:
    os.set_inheritable(writing, True)
    keep = os.dup(writing)
    code = 1
    try:
        with os.fdopen(keep, "w", buffering=1) as pipe:

            def told(result: Result) -> None:
                pipe.write(json.dumps(asdict(result)) + "\n")

            later = [job for job in jobs if not job[0].function]
            inside = [job for job in jobs if job[0].function]
            if inside:
                reading, there = os.pipe()
                if not os.fork():
                    _warm(root, inside, told, there)
                os.close(there)
                with os.fdopen(reading) as back:
                    numbers = json.loads(back.read() or "[]")
                os.wait()
                later += [inside[number] for number in numbers]
            for mutant, tests, of in later:
                result, by, seconds = forked(lambda write, m=mutant, t=tests: anew(root, m, t, write))
                told(_result(mutant, result, by, tests, of, seconds))
        code = 0
    finally:
        os._exit(code)


def _warm(root: Path, jobs: list[Job], told: Callable[[Result], None], there: int) -> None:
    silence()
    settle_hypothesis()
    plugin = Warm(root, jobs, told)
    files = sorted({test.file for _, tests, _ in jobs for test in tests})
    pytest.main([*QUIET, "--capture=no", *files], plugins=[plugin])
    numbers = [jobs.index(next(j for j in jobs if j[0] is job[0])) for job in plugin.later]
    os.write(there, json.dumps(numbers).encode())
    os._exit(0)


def _gather(pipes: list[int], told: Callable[[Result], None]) -> None:
    import selectors

    with selectors.DefaultSelector() as selector:
        rests: dict[int, bytes] = dict.fromkeys(pipes, b"")
        for pipe in pipes:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                data = os.read(key.fd, 1 << 16)
                if not data:
                    selector.unregister(key.fd)
                    continue
                *lines, rests[key.fd] = (rests[key.fd] + data).split(b"\n")
                for line in lines:
                    told(Result(**json.loads(line)))
    sys.stdout.flush()
