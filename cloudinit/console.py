"""What the boot says: a line for each phase, on the machine's console and in cloud-init's log. No secret is ever said.

[bluegreen] 12.3 pull host/repo@sha256:…     seconds since the boot began
[bluegreen] failed: the cause in one line    and under it the last lines of evidence
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import sys
import threading
from pathlib import Path

EVIDENCE_LINES = 8
WIDTH = 300


class BootError(Exception):
    """The boot cannot go on: the cause in one line, and what a program wrote about it."""

    def __init__(self, cause: str, evidence: str = "") -> None:
        super().__init__(cause)
        self.cause = cause
        self.evidence = evidence


def tenths() -> int:
    """Tenths of a second since the machine's first process started: in a container that is not the kernel's own start."""
    first = Path("/proc/1/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[19]  # proc(5): starttime
    up = float(Path("/proc/uptime").read_text("ascii").split()[0])
    return int((up - int(first) / os.sysconf("SC_CLK_TCK")) * 10)


class Console:
    def __init__(self, device: str, began: int, log: str = os.devnull) -> None:
        """`log` is a file that keeps the lines for the agent."""
        self._device = device
        self._began = began
        self._log = log
        self._hidden: list[str] = []
        self._lock = threading.Lock()

    def hide(self, secret: str) -> None:
        """From now on `secret`, its lines and the forms in which programs quote it read ***."""
        forms = {secret, *secret.splitlines(), json.dumps(secret)[1:-1], base64.b64encode(secret.encode()).decode()}
        self._hidden += [form for form in forms if len(form) >= 4]
        self._hidden.sort(key=len, reverse=True)

    def say(self, phase: str, text: str = "") -> None:
        passed = max(tenths() - self._began, 0)
        self._write(f"{passed // 10}.{passed % 10} {phase} {text}".rstrip())

    def failed(self, failure: BootError) -> None:
        self._write(f"failed: {failure.cause}")
        self.evidence(failure.evidence)

    def evidence(self, text: str) -> None:
        lines = [line for line in self._redact(text).splitlines() if line.strip()]
        for line in lines[-EVIDENCE_LINES:]:
            self._write(f"  | {line}")

    def _redact(self, text: str) -> str:
        for form in self._hidden:
            text = text.replace(form, "***")
        return text

    def _write(self, text: str) -> None:
        text = "".join(c if c.isprintable() else "?" for c in self._redact(text))
        line = f"[bluegreen] {text}"[:WIDTH] + "\n"
        with self._lock:  # two pulls may end at once, and both places keep one order
            with contextlib.suppress(OSError):  # a full disk or a closed pipe does not stop a boot
                sys.stdout.write(line)
                sys.stdout.flush()
            for path, more in ((self._device, os.O_NOCTTY | os.O_NONBLOCK), (self._log, os.O_CREAT)):
                with contextlib.suppress(OSError):  # a container has no console
                    _append(path, more, line.encode("utf-8", "replace"))


def _append(path: str, more: int, line: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_APPEND | more, 0o600)
    try:
        os.write(file, line)
    finally:
        os.close(file)
