"""Starting the server as a daemon and waiting until it is ready, or telling why it is not. Standard library only.

The server has an inherited pipe to speak through, one JSON object a line: {"pid", "started"} as soon as it is a daemon,
then {"ready": true} once sandbox.json is written, or {"refused": {...}} with what is wrong. A pipe that closes without
either is a server that died: its log says why.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bluegreen.errors import BluegreenError, Refused
from bluegreen.sandbox import pids, state
from bluegreen.sandbox.state import SandboxState

LAST_LINES = 12
END_LIMIT_S = 3.0
TAIL = 16 * 1024


def launch(
    home: Path, *, port: int, registry_port: int, made: bool, deadline_s: float, images: dict[str, str] | None = None
) -> SandboxState:
    """`images` (kind → tag) makes it a sandbox in docker mode."""
    deadline = time.monotonic() + deadline_s
    reading, writing = os.pipe()
    speaks, process = _Pipe(reading), None
    try:
        try:
            words = [f"--port={port}", f"--registry-port={registry_port}", f"--ready={writing}"]
            words += ["--made-folder"] if made else []
            words += [f"--images={json.dumps(images)}"] if images else []
            _start_daemon(home, words, writing, deadline_s)
        finally:
            os.close(writing)
        while (message := speaks.line(deadline)) is not None:
            if "pid" in message:
                process = pids.Identity(message["pid"], message["started"])
            if "refused" in message:
                raise Refused(**message["refused"])
            if "ready" in message:
                return _written(home)
        raise _failure(home, process, deadline, deadline_s)
    except BaseException:
        started = set(pids.marked(pids.mark(state.token_of(home)), state.SERVER_MARK))
        pids.end(started if process is None else started | {process}, END_LIMIT_S)
        raise
    finally:
        os.close(reading)


def _start_daemon(home: Path, words: list[str], ready: int, within_s: float) -> None:
    """The first process forks and ends: so the daemon is nobody's child, and nobody's zombie later."""
    log = os.open(home / state.LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    try:
        first = subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-m",
                "bluegreen.sandbox.server",
                f"--state={home / state.FILE}",
                "--detach",
                *words,
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=_environment(home),
            start_new_session=True,
            pass_fds=[ready],
        )
    finally:
        os.close(log)
    try:
        first.wait(within_s)
    except BaseException:
        first.kill()
        first.wait()
        raise


def _environment(home: Path) -> dict[str, str]:
    """Ours, without anything about AWS: no credential, profile or endpoint of the user's has a business in there."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOTO_", "BLUEGREEN_"))}
    return {**ours, state.SERVER_MARK: pids.mark(state.token_of(home)) + str(home)}


def _written(home: Path) -> SandboxState:
    running = state.read(home)
    if running is None:
        raise BluegreenError("the sandbox said that it is ready, and its state file is gone", where=str(home))
    return running


def _failure(home: Path, process: pids.Identity | None, deadline: float, deadline_s: float) -> BluegreenError:
    log = home / state.LOG
    lines = last_lines(log, LAST_LINES)
    hung = time.monotonic() >= deadline
    return BluegreenError(
        f"the sandbox was not ready within {deadline_s:.0f} s" if hung else "the sandbox ended while it started",
        where=f"{log}" if process is None else f"pid {process.pid}, {log}",
        why="\n".join(["its log ends with:", *lines]) if lines else "its log is empty",
        next="bluegreen sandbox up, once the cause is gone; nothing is left of this try but the log",
    )


def last_lines(log: Path, count: int) -> tuple[str, ...]:
    try:
        with log.open("rb") as file:
            file.seek(max(log.stat().st_size - TAIL, 0))
            return tuple(file.read().decode("utf-8", "replace").splitlines()[-count:])
    except OSError:
        return ()


class _Pipe:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._buffer = b""

    def line(self, deadline: float) -> dict[str, Any] | None:
        """The next message; None at the end of the pipe, or when the time is up."""
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([self._descriptor], [], [], max(deadline - time.monotonic(), 0.0))
            data = os.read(self._descriptor, 65536) if ready else b""
            if not data:
                return None
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message
