"""The clock that every age and deadline is counted on."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from bluegreen.local.clock import AGREE_S, SystemClock

HOUR_S = 3600.0


def offset(clock: SystemClock) -> float:
    return round(clock.now() - clock.ticks(), 1)


def test_a_clock_that_is_wrong_follows_the_first_answer_of_aws_and_no_later_one() -> None:
    clock = SystemClock()
    theirs = clock.now() - HOUR_S
    clock.follow(theirs)
    assert theirs <= clock.now() < theirs + HOUR_S / 2
    followed = offset(clock)
    clock.follow(clock.now() + HOUR_S)
    assert offset(clock) == followed, "a run has one clock"


def test_a_clock_that_is_right_is_left_alone() -> None:
    clock = SystemClock()
    before = offset(clock)
    clock.follow(clock.now() - AGREE_S / 2)
    assert offset(clock) == before


LISTENS = """
import signal, sys, time
from bluegreen.errors import Interrupted
from bluegreen.local.clock import SystemClock
from bluegreen.local.signals import as_ctrl_c
if "starts processes" in sys.argv:
    as_ctrl_c()
clock = SystemClock()
clock.listen()
print("listens", flush=True)
try:
    try:
        clock.sleep(60)
    except Interrupted:
        print("interrupted", flush=True)  # the second signal may come before the next line
    time.sleep(2)
    print("went on", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("cleaned up", flush=True)
"""


def listening(number: signal.Signals, *words: str) -> tuple[subprocess.Popen[str], list[str]]:
    """A process that has met the signal twice, and what it said after the second."""
    process = subprocess.Popen([sys.executable, "-c", LISTENS, *words], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for said in ("listens", "interrupted"):
        assert process.stdout.readline() == f"{said}\n"
        process.send_signal(number)
    said_last = process.stdout.readline().strip()
    return process, [said_last]


def ended(process: subprocess.Popen[str]) -> int:
    process.kill()
    assert process.stdout is not None
    process.stdout.close()
    return process.wait(20)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_first_ctrl_c_ends_the_next_sleep_and_a_second_one_the_process(number: signal.Signals) -> None:
    process, said = listening(number)
    assert process.wait(20) == -number and said == [""]
    ended(process)


def test_a_second_hangup_does_nothing_for_a_terminal_that_closes_sends_it_twice() -> None:
    process, said = listening(signal.SIGHUP)
    assert said == ["went on"]
    ended(process)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_ctrl_c_does_not_stop_who_has_processes_to_end(number: signal.Signals) -> None:
    process, said = listening(number, "starts processes")
    assert said == ["cleaned up"] and process.wait(20) == 0
    ended(process)
