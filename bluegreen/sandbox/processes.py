"""The server's end of the keeper (keeper.py): start a program, signal it, learn its end. Used from one event loop only.

The keeper is started with the first program, and again if it was killed: its children died with it, which is reported
as their end by SIGKILL.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bluegreen
from bluegreen.sandbox.keeper import messages, packed

SEND_LIMIT_S = 2.0
ROOT = Path(bluegreen.__file__).resolve().parent.parent
_PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from bluegreen.sandbox.keeper import main; main(sys.argv[2:])"


class StartError(Exception):
    """The system would not start the program; the text says why."""


@dataclass(frozen=True, slots=True)
class Child:
    """`ended` holds the exit code, or minus the signal's number."""

    pid: int
    ended: asyncio.Future[int]


class Processes:
    def __init__(self, record: Path, token: str) -> None:
        self._record = record
        self._token = token
        self._link: socket.socket | None = None
        self._keeper: subprocess.Popen[bytes] | None = None
        self._buffer = bytearray()
        self._starting: dict[str, asyncio.Future[int]] = {}
        self._running: dict[str, asyncio.Future[int]] = {}

    async def start(self, key: str, argv: Sequence[str], env: Mapping[str, str], cwd: Path, output: int) -> Child:
        """`key` is free again when the child has ended. `output` (a descriptor) is the child's stdout and stderr."""
        loop = asyncio.get_running_loop()
        started = self._starting[key] = loop.create_future()
        ended = self._running[key] = loop.create_future()
        message = {"do": "spawn", "key": key, "argv": list(argv), "env": dict(env), "cwd": str(cwd)}
        try:
            self._send(message, output)
            return Child(await started, ended)
        except StartError:
            self._running.pop(key, None)
            raise
        finally:
            self._starting.pop(key, None)
            if started.done() and not started.cancelled():
                started.exception()  # has been seen, whether or not it was awaited

    def ended(self, key: str) -> asyncio.Future[int] | None:
        """The end of what runs under `key`, also while it is being started; None if nothing does."""
        return self._running.get(key)

    def signal(self, key: str, number: int) -> None:
        """To the whole group. Nothing happens if it has ended."""
        if self._link is not None and key in self._running:
            self._send({"do": "signal", "key": key, "number": int(number)})

    async def close(self, within_s: float = 2.0) -> None:
        """Ends the keeper and with it whatever still runs."""
        keeper = self._keeper
        self._lost()
        if keeper is None:
            return
        deadline = asyncio.get_running_loop().time() + within_s
        while keeper.poll() is None and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)
        if keeper.poll() is None:
            keeper.kill()
            await asyncio.to_thread(keeper.wait, 1.0)

    def _send(self, message: dict[str, Any], output: int | None = None) -> None:
        link = self._link or self._launch()
        data = packed(message)
        extra = [] if output is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [output]))]
        try:
            sent = link.sendmsg([data], extra)
            link.sendall(data[sent:])
        except OSError as error:
            self._lost()
            raise StartError(f"the sandbox's keeper of processes does not answer: {error}") from None

    def _launch(self) -> socket.socket:
        """-I -S: no site-packages, no user settings; it needs the standard library and this package's folder."""
        if self._keeper is not None:  # it has closed its end: it is ending, or hangs and must not stay
            self._keeper.kill()
            self._keeper.wait(SEND_LIMIT_S)
        ours, theirs = socket.socketpair()
        with theirs:
            words = [str(ROOT), str(theirs.fileno()), str(self._record), self._token]
            self._keeper = subprocess.Popen(
                [sys.executable, "-I", "-S", "-X", "utf8", "-c", _PROGRAM, *words],
                stdin=subprocess.DEVNULL,
                env={},
                start_new_session=True,
                pass_fds=[theirs.fileno()],
            )
        ours.settimeout(SEND_LIMIT_S)
        asyncio.get_running_loop().add_reader(ours, self._receive)
        self._link = ours
        return ours

    def _receive(self) -> None:
        if self._link is None:
            return
        try:
            data = self._link.recv(65536, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lost()
            return
        self._buffer += data
        for message in messages(self._buffer):
            self._hear(message)

    def _hear(self, message: dict[str, Any]) -> None:
        key = message["key"]
        match message["event"]:
            case "started" if key in self._starting:
                _resolve(self._starting[key], message["pid"])
            case "refused" if key in self._starting and not self._starting[key].done():
                self._starting[key].set_exception(StartError(message["why"]))
            case "exited" if key in self._running:
                _resolve(self._running.pop(key), message["code"])

    def _lost(self) -> None:
        """The link is closed, by us or by the keeper's end. Either way its children are no more."""
        if self._link is not None:
            asyncio.get_running_loop().remove_reader(self._link)
            self._link.close()
            self._link = None
        if self._keeper is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._keeper.wait(0)
        self._buffer.clear()
        for started in self._starting.values():
            if not started.done():
                started.set_exception(StartError("the sandbox's keeper of processes has ended"))
        for ended in self._running.values():
            _resolve(ended, -signal.SIGKILL)
        self._running.clear()


def _resolve(future: asyncio.Future[int], value: int) -> None:
    if not future.done():
        future.set_result(value)
