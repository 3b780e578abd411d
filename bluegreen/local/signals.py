"""Signals for commands that start processes of their own: whatever ends such a command, it first ends what it started."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def as_ctrl_c() -> None:
    """SIGTERM and SIGHUP (a closed terminal) raise KeyboardInterrupt, as Ctrl-C does. SIGHUP stays ignored under nohup."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupted)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _hung_up)


def _interrupted(number: int, frame: FrameType | None) -> None:
    """Not Python's own handler: what listens meanwhile (local/clock.py) leaves a second signal to this one."""
    raise KeyboardInterrupt


def _hung_up(number: int, frame: FrameType | None) -> None:
    """A closed terminal sends it twice, from the shell and from the kernel: the second one may not stop the cleaning up."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    raise KeyboardInterrupt


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """While the context lasts, a second Ctrl-C, SIGTERM or SIGHUP does nothing. For cleaning up that has a deadline."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ENDINGS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
