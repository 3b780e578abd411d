"""A program that runs beside the tests: started until it answers, stopped until it is gone, each with a deadline."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

LAST_WORDS = 2000


class Missing(Exception):
    """A part that cannot run on this machine."""


class Daemon:
    """`answers` says whether it is ready; what it writes goes to `log`, and the end of that into every failure."""

    def __init__(self, words: Sequence[str], log: Path, answers: Callable[[], bool], start_s: float = 20) -> None:
        self._words = list(words)
        self._log = log
        self._answers = answers
        self._start_s = start_s
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """TimeoutError or Missing, with the program's last words, when it does not come up."""
        if self._process:
            return
        try:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(self._words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        except OSError as error:
            raise Missing(f"{self._words[0]}: {error.strerror}") from None
        end = time.monotonic() + self._start_s
        while not self._answers():
            code = self._process.poll()
            if code is not None:
                self._process = None
                raise Missing(f"{self._words[0]} ended with {code}: {self.last_words()}")
            if time.monotonic() > end:
                self.stop()
                raise TimeoutError(f"{self._words[0]} does not answer after {self._start_s:.0f} s: {self.last_words()}")
            time.sleep(0.05)

    def stop(self, number: signal.Signals = signal.SIGTERM, within_s: float = 20) -> None:
        """Nothing when it does not run; killed when it does not go by itself."""
        process, self._process = self._process, None
        if not process:
            return
        process.send_signal(number)
        try:
            process.wait(within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(within_s)

    def last_words(self) -> str:
        return self._log.read_text("utf-8", "replace")[-LAST_WORDS:].strip()


def connects(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True


def free_port(address: str) -> int:
    """Free now, and kept over the restarts of whoever takes it."""
    with socket.socket() as found:
        found.bind((address, 0))
        return int(found.getsockname()[1])
