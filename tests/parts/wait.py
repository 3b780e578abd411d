"""To wait for what comes by itself, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(holds: Callable[[], object], within_s: float, told: Callable[[], object] = str, every_s: float = 0.1) -> None:
    """AssertionError with what `told` says when `holds` is not true in time."""
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end, f"not within {within_s:.0f} s: {told()}"
        time.sleep(every_s)
