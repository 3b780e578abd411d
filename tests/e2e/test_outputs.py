"""Nobody reads what a run says, its disk is full, its terminal is gone: the run goes on, and its exit code stays true."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from program import ROOT, Sandbox

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def run(sandbox: Sandbox, *words: str, **streams: Any) -> int:
    command = [sys.executable, "-m", "bluegreen", *words]
    return subprocess.run(
        command, cwd=ROOT, env=sandbox.env, stdin=subprocess.DEVNULL, timeout=90, **streams
    ).returncode


def closed_pipe() -> int:
    """The writing end of a pipe that nobody reads: EPIPE at the first word."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def test_a_run_whose_words_go_nowhere_ends_as_it_should(sandbox: Sandbox) -> None:
    pipe = closed_pipe()
    assert run(sandbox, *sandbox.deploy_words("A"), "--log-file", "/dev/full", stdout=pipe, stderr=pipe) == 0
    assert sandbox.answers() == {"A"}
    with Path("/dev/full").open("w") as full:
        assert run(sandbox, *sandbox.deploy_words("B"), "--output", "json", stdout=full, stderr=full) == 0
        assert sandbox.answers() == {"B"}
        assert run(sandbox, "rollback", "demo", "--to", "demo-9", stdout=full, stderr=full) == 5
    without_streams = [
        "sh",
        "-c",
        'exec "$@" <&- >&- 2>&-',
        "sh",
        sys.executable,
        "-m",
        "bluegreen",
        "rollback",
        "demo",
    ]
    assert subprocess.run(without_streams, cwd=ROOT, env=sandbox.env, timeout=60).returncode == 0
    assert sandbox.answers() == {"A"}
    os.close(pipe)


def test_a_terminal_that_goes_away_is_a_ctrl_c(sandbox: Sandbox) -> None:
    program = sandbox.start(*sandbox.deploy_words("A"))
    program.until("[0-3]/4 healthy")
    program.send(signal.SIGHUP)
    ended = program.end(15)
    assert ended.code == 130 and "bluegreen resume demo" in ended.err, ended
    assert sandbox.run("abort", "demo").code == 0
