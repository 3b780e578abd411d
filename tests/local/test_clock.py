"""The clock that every age and deadline is counted on."""

from __future__ import annotations

import signal
import subprocess
import sys

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


def test_a_first_ctrl_c_ends_the_next_sleep_and_a_second_one_the_process() -> None:
    program = (
        "from bluegreen.errors import Interrupted\n"
        "from bluegreen.local.clock import SystemClock\n"
        "clock = SystemClock()\n"
        "clock.listen()\n"
        "print('listens', flush=True)\n"
        "try:\n"
        "    clock.sleep(60)\n"
        "except Interrupted:\n"
        "    print('interrupted', flush=True)\n"
        "import time\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for said in ("listens", "interrupted"):
            assert process.stdout.readline() == f"{said}\n"
            process.send_signal(signal.SIGINT)
        assert process.wait(20) == -signal.SIGINT
