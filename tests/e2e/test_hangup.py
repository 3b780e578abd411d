"""A terminal that closes while a command with processes of its own runs: nothing of it is left."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from program import BLUEGREEN, KEYS, Program

from bluegreen.sandbox import pids, state

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]
NOHUP = ("sh", "-c", "trap '' HUP; exec \"$@\"", "sh")


@pytest.fixture
def demo(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Program]:
    """The demo, when its first instances are healthy."""
    by = getattr(request, "param", ())
    words = (*by, *BLUEGREEN)
    program = Program(("demo",), {**os.environ, **KEYS, "TMPDIR": str(tmp_path)}, words)
    program.until("4/4 healthy")
    yield program
    if program.process.poll() is None:
        program.send(signal.SIGTERM)
        program.end()


def processes(tmp_path: Path) -> list[pids.Identity]:
    """Those of the demo's sandbox: its server, and what the server started."""
    return [
        process
        for home in tmp_path.glob("bluegreen-demo-*/sandbox")
        for mark in (pids.MARK, state.SERVER_MARK)
        for process in pids.marked(f"{state.token_of(home)}:", mark)
    ]


@pytest.mark.parametrize("signals", [(signal.SIGHUP,), (signal.SIGHUP, signal.SIGHUP), (signal.SIGINT, signal.SIGINT)])
def test_the_demo_ends_all_that_it_started(demo: Program, tmp_path: Path, signals: tuple[signal.Signals, ...]) -> None:
    """A hangup comes twice, from the shell and from the kernel; an impatient user presses Ctrl-C twice."""
    started = processes(tmp_path)
    assert len(started) > 4
    for number in signals:
        demo.send(number)
        time.sleep(0.3)
    ended = demo.end(40)
    assert ended.code == 130 and "its sandbox is gone" in ended.err, ended
    assert [process for process in started if pids.runs(process)] == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("demo", [NOHUP], indirect=True)
def test_under_nohup_the_demo_goes_on(demo: Program, tmp_path: Path) -> None:
    demo.send(signal.SIGHUP)
    time.sleep(2)
    assert demo.process.poll() is None and processes(tmp_path)
