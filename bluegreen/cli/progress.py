"""The live view of a run: one line that changes on a terminal (rich), plain lines elsewhere, and the JSON log.

The watcher must not raise: a closed pipe or a full disk never stops a switch.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

from bluegreen.core import event as ev
from bluegreen.core.decision import Wait
from bluegreen.core.event import Event
from bluegreen.core.plain import to_plain
from bluegreen.core.step import Step, Write
from bluegreen.ports import Watcher


class Lines:
    """A line for each step, and for each change of what is waited for."""

    def __init__(self, started: float | None = None) -> None:
        self.started = time.monotonic() if started is None else started
        self.waiting = ""

    def step(self, step: Step) -> None:
        if not isinstance(step, Write) or step.promote:
            self.line(step.why)

    def wait(self, wait: Wait) -> None:
        if wait.why != self.waiting:
            self.waiting = wait.why
            self.line(f"waiting: {wait.why}")

    def event(self, event: Event) -> None:
        match event:
            case ev.Started():
                self.line(f"{event.goal.kind} {event.goal.deployment}")
            case ev.Failed():
                self.line(f"failed: {event.reason}")
            case ev.Launched():
                self.line(f"launched {', '.join(event.instances)}")
            case _:
                return

    def note(self, text: str) -> None:
        self.line(text)

    def line(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"[{time.monotonic() - self.started:6.1f} s] {text}\n")
            sys.stderr.flush()


_live: list[Live] = []  # what may still spin


def stop_spinning() -> None:
    """Before anything else is printed, and before the process ends: a spinner hides the cursor."""
    for live in _live:
        with contextlib.suppress(OSError, ValueError):
            live.status.stop()


class Live(Lines):
    """On a terminal: the same lines, and a spinner with what is waited for."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console

        self.console = Console(stderr=True, highlight=False)
        self.status = self.console.status("", spinner="dots")
        _live.append(self)

    def wait(self, wait: Wait) -> None:
        with contextlib.suppress(OSError, ValueError):  # a terminal that has hung up answers EIO
            self.status.update(f"{wait.why}, {max(0, wait.until - time.time()):.0f} s left")
            self.status.start()

    def line(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self.status.stop()
            mark = "red" if text.startswith("failed") else "cyan"
            self.console.print(f"[{mark}]{time.monotonic() - self.started:6.1f} s[/]  ", end="")
            self.console.print(text, markup=False)


class Quiet(Lines):
    def line(self, text: str) -> None:
        return


class Logged:
    """Passes on to another watcher, and writes each call as one JSON line with structlog."""

    def __init__(self, inner: Watcher, path: str) -> None:
        import structlog

        self.inner = inner
        self.file = Path(path).open("a", encoding="utf-8", buffering=1)  # noqa: SIM115 - open for the whole run
        self.log: Any = structlog.wrap_logger(
            structlog.PrintLogger(self.file),
            processors=[structlog.processors.TimeStamper(fmt="iso", utc=True), structlog.processors.JSONRenderer()],
        )

    def step(self, step: Step) -> None:
        self._write("step", step=type(step).__name__, why=step.why)
        self.inner.step(step)

    def wait(self, wait: Wait) -> None:
        self._write("wait", why=wait.why, until=wait.until)
        self.inner.wait(wait)

    def event(self, event: Event) -> None:
        fields = {} if isinstance(event, ev.Started) else to_plain(event)
        self._write("event", kind=type(event).__name__, **fields)
        self.inner.event(event)

    def note(self, text: str) -> None:
        self._write("note", text=text)
        self.inner.note(text)

    def _write(self, event: str, **fields: Any) -> None:
        with contextlib.suppress(OSError, ValueError):
            self.log.msg(event, **fields)


def watcher(options: Namespace) -> Watcher:
    """For a terminal, for a pipe, and with --log-file for a file too. Raises UsageError for a file we cannot write."""
    shown: Watcher = Live() if sys.stderr.isatty() and os.environ.get("TERM") != "dumb" else Lines()
    if not options.log_file:
        return shown
    try:
        return Logged(shown, options.log_file)
    except OSError as error:
        from bluegreen.errors import UsageError

        raise UsageError(f"--log-file {options.log_file} cannot be written", why=str(error)) from error
