"""What an instance's serial console would show: the phases of its boot and what its programs write. Bounded.

The words are those of a real machine's boot (cloudinit/console.py), so that whoever reads the one can read the other:
[bluegreen] 0.42 pull web host/repo@sha256:…     seconds since the boot began
[bluegreen] failed: the cause in one line        and under it the last lines of evidence
web: a line that the service wrote
"""

from __future__ import annotations

import threading
import time
from collections import deque

LIMIT = 64 * 1024
WIDTH = 1000
EVIDENCE_LINES = 8


class BootError(Exception):
    """The boot cannot go on: the cause in one line, and what a program wrote about it."""

    def __init__(self, cause: str, evidence: tuple[str, ...] = ()) -> None:
        super().__init__(cause)
        self.cause = cause
        self.evidence = evidence


class Console:
    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._began = time.monotonic()
        self._lines: deque[str] = deque()
        self._size = 0
        self._lock = threading.Lock()

    def say(self, phase: str, text: str = "") -> None:
        self._write(f"[bluegreen] {time.monotonic() - self._began:.2f} {phase} {text}".rstrip())

    def failed(self, failure: BootError) -> None:
        self._write(f"[bluegreen] failed: {failure.cause}")
        for line in failure.evidence[-EVIDENCE_LINES:]:
            self._write(f"[bluegreen]   | {line}")

    def line(self, service: str, text: str) -> None:
        self._write(f"{service}: {text}")

    def add(self, line: str) -> None:
        """A line as a machine wrote it."""
        self._write(line)

    def text(self) -> str:
        """The newest lines, as many as fit the limit."""
        with self._lock:
            return "".join(self._lines)

    def _write(self, text: str) -> None:
        line = "".join(c if c.isprintable() or c == "\t" else "?" for c in text[:WIDTH]) + "\n"
        with self._lock:
            self._lines.append(line)
            self._size += len(line)
            while self._size > self._limit:
                self._size -= len(self._lines.popleft())
