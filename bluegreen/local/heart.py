"""The heartbeat: a thread that calls `beat` every second, so that a slow call does not let the lease lapse."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from bluegreen.errors import CloudError, Refused, Superseded

LOOK_S = 1.0
END_S = 10.0


@contextlib.contextmanager
def beating(beat: Callable[[], None]) -> Iterator[None]:
    """While the context lasts. A lost hold is found by the next fence, and a passing error by the next beat."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(LOOK_S):
            try:
                beat()
            except Superseded:
                return
            except (CloudError, Refused):  # credentials that expired are the loop's to tell
                continue

    thread = threading.Thread(target=run, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(END_S)
