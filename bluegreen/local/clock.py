"""The real clock, and the one place where a signal becomes an `Interrupted`: between calls, never inside one."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType
from typing import Any

from bluegreen.errors import Interrupted

AGREE_S = 2.0  # an answer of AWS tells whole seconds, and takes a moment
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
DEFAULTS = (signal.SIG_DFL, signal.default_int_handler)


class SystemClock:
    """The Clock port. `listen` makes the first SIGINT, SIGTERM or SIGHUP end the next sleep, and the second end the process,
    or go where it went before. A second SIGHUP does nothing, for a terminal that closes sends it twice."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._before: dict[int, Any] = {}
        self._offset = time.time() - self.ticks()
        self._follows = False

    def now(self) -> float:
        """The wall clock as it was at the start, and the time since: a clock that is set meanwhile bends no deadline."""
        return self._offset + self.ticks()

    def ticks(self) -> float:
        """CLOCK_BOOTTIME counts while the machine sleeps; macOS has no such clock, its monotonic one does that."""
        return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))

    def follow(self, other: float) -> None:
        """Once: where the wall clock differs from `other` (seconds since 1970, of AWS) by more than AGREE_S, that one counts.
        The ages in the ledger come from many machines, and all of them talk to AWS."""
        if not self._follows:
            self._follows = True
            if abs(other - self.now()) > AGREE_S:
                self._offset = other - self.ticks()

    def sleep(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            self._stop.clear()
            raise Interrupted("interrupted")

    def listen(self) -> None:
        for number in SIGNALS:
            if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue  # nohup: we shall outlive the terminal
            self._before[number] = signal.signal(number, self._on_signal)

    def stop_listening(self) -> None:
        """Signals go where they went before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stop.set()
        for again, before in self._before.items():
            second = signal.SIG_DFL if before in DEFAULTS else before
            signal.signal(again, signal.SIG_IGN if number == again == signal.SIGHUP else second)
