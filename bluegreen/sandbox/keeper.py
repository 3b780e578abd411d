"""The parent of all instance processes: when the sandbox is gone, for whatever reason, they are gone too.

Why a process of its own, and not one exec helper per child, or a lifeline pipe in each?
- The sandbox holds the other end of this process's socket. SIGKILL of the sandbox closes it, and the keeper kills all
  groups. No application has to play along, and what an application forked (workers) ends with it.
- It has one thread, so that `preexec_fn` is safe here; in the server, with its threads, it is not. There each child
  asks for PR_SET_PDEATHSIG: a killed keeper takes it along. (The signal is bound to the parent thread; this one lives.)
- It is a subreaper: what left its group (a daemon) comes back to the keeper, and the mark in its environment tells it.
- It is small (12 MB once, not per instance).
Left over is what survives when both are killed at one moment: the next `up` or `down` finds that by `record` and mark.

A service of an instance is treated as a container: when its first process ends, the rest of its group is killed.
Imports the standard library and pids.py only. Messages: 4 bytes of length, then JSON; a spawn comes with a descriptor.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bluegreen.sandbox import pids

LENGTH = struct.Struct("!I")
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


class LinkClosedError(Exception):
    """The sandbox has closed its end, or somebody asked the keeper to end."""


class Keeper:
    def __init__(self, link: socket.socket, record: Path, token: str) -> None:
        self._link = link
        self._record = record
        self._token = token
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._buffer = bytearray()
        self._outputs: list[int] = []
        self._myself = pids.identify(os.getpid())
        self._before_exec = _bind_to_parent()
        self._woken, self._alarm = socket.socketpair()

    def run(self) -> None:
        self._alarm.setblocking(False)
        self._woken.setblocking(False)
        signal.set_wakeup_fd(self._alarm.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, _ended)
        self._note()
        try:
            while True:
                ready, _, _ = select.select([self._link, self._woken], [], [])
                if self._woken in ready:
                    self._woken.recv(4096)
                    self._reap()
                if self._link in ready:
                    self._receive()
        except LinkClosedError:
            self._end_all()

    def _receive(self) -> None:
        try:
            data, extra, _, _ = self._link.recvmsg(65536, socket.CMSG_SPACE(8 * array.array("i").itemsize))
        except OSError:
            raise LinkClosedError from None
        if not data:
            raise LinkClosedError
        for level, kind, content in extra:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                numbers = array.array("i")
                numbers.frombytes(content[: len(content) - len(content) % numbers.itemsize])
                self._outputs += numbers
        self._buffer += data
        for message in messages(self._buffer):
            self._obey(message)

    def _obey(self, message: dict[str, Any]) -> None:
        if message["do"] == "spawn":
            self._spawn(message, self._outputs.pop(0))
        else:
            self._signal(message["key"], message["number"])

    def _spawn(self, message: dict[str, Any], output: int) -> None:
        os.set_inheritable(output, False)
        try:
            child = subprocess.Popen(
                message["argv"],
                env={**message["env"], pids.MARK: pids.mark(self._token, message["key"])},
                cwd=message["cwd"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=self._before_exec,  # noqa: PLW1509 - safe: this process has one thread
            )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            missing = isinstance(error, FileNotFoundError) and error.filename == message["argv"][0]
            self._say("refused", message["key"], why="command not found" if missing else str(error))
            return
        finally:
            os.close(output)
        self._children[message["key"]] = child
        self._note()
        self._say("started", message["key"], pid=child.pid)

    def _signal(self, key: str, number: int) -> None:
        if child := self._children.get(key):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, number)  # not reaped yet, so the number still is ours

    def _reap(self) -> None:
        for key, child in _ended_children(self._children):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            code = child.wait()
            del self._children[key]
            pids.kill_marked(pids.mark(self._token, key))
            self._note()
            self._say("exited", key, code=code)

    def _note(self) -> None:
        known = (pids.identify(child.pid) for child in self._children.values())
        with contextlib.suppress(OSError):  # the folder is gone: the sandbox is being removed under us
            pids.write_record(self._record, [p for p in (self._myself, *known) if p is not None])

    def _say(self, event: str, key: str, **more: Any) -> None:
        with contextlib.suppress(OSError):  # nobody listens any more: the next read says so
            self._link.sendall(packed({"event": event, "key": key, **more}))

    def _end_all(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for key in self._children:
            self._signal(key, signal.SIGKILL)
        for child in self._children.values():
            child.wait()
        pids.kill_marked(pids.mark(self._token))
        self._record.unlink(missing_ok=True)


def packed(message: dict[str, Any]) -> bytes:
    body = json.dumps(message).encode()
    return LENGTH.pack(len(body)) + body


def messages(buffer: bytearray) -> list[dict[str, Any]]:
    """Takes the whole messages out of `buffer`."""
    found = []
    while len(buffer) >= LENGTH.size:
        end = LENGTH.size + LENGTH.unpack_from(buffer)[0]
        if len(buffer) < end:
            break
        found.append(json.loads(buffer[LENGTH.size : end]))
        del buffer[:end]
    return found


def _ended(*_: object) -> None:
    raise LinkClosedError


def _ended_children(children: dict[str, subprocess.Popen[bytes]]) -> list[tuple[str, subprocess.Popen[bytes]]]:
    """Those that have ended, not reaped yet where the system can look without reaping; strays are reaped on the way."""
    if not hasattr(os, "waitid"):
        return [(key, child) for key, child in children.items() if child.poll() is not None]
    ended: list[tuple[str, subprocess.Popen[bytes]]] = []
    for key, child in children.items():
        if os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            ended.append((key, child))
    ours = {child.pid for child in children.values()}
    while (first := _first_zombie()) is not None and first not in ours:
        os.waitpid(first, os.WNOHANG)
    return ended


def _first_zombie() -> int | None:
    try:
        result = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return result.si_pid if result is not None else None


def _bind_to_parent() -> Callable[[], None] | None:
    """Makes this process a subreaper, and gives what makes a child die with it. Linux only."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    keeper = os.getpid()

    def before_exec() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != keeper:  # it died between the fork and the line above
            os._exit(1)

    return before_exec


def main(arguments: list[str]) -> None:
    descriptor, record, token = arguments
    Keeper(socket.socket(fileno=int(descriptor)), Path(record), token).run()


if __name__ == "__main__":
    main(sys.argv[1:])
