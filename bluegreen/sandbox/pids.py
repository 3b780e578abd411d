"""Who a process is: its pid and when it started, so that a reused pid is never taken for ours. Only such are signalled.

Linux answers from /proc. Elsewhere `ps` tells the start; a stranger's environment cannot be read there, so `marked`
finds nothing and only recorded processes are known.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

MARK = "BLUEGREEN_SANDBOX"  # in the environment of every process of every instance: token:instance/service:
PROC = Path("/proc")
LOOK_EVERY_S = 0.02


@dataclass(frozen=True, slots=True)
class Identity:
    """`started` is the system's own figure: equal for the same process, different for the next that gets its pid."""

    pid: int
    started: str


def identify(pid: int) -> Identity | None:
    """None when no such process runs; one that has ended and waits for its parent (a zombie) does not run."""
    if not PROC.joinpath("self").exists():
        return _identify_by_ps(pid)
    try:
        stat = (PROC / str(pid) / "stat").read_text("ascii", "replace")
    except OSError:
        return None
    fields = stat[stat.rindex(")") + 2 :].split()  # the name may hold spaces and parentheses; proc(5) counts from 1
    return None if fields[0] in "ZX" else Identity(pid, fields[19])


def _identify_by_ps(pid: int) -> Identity | None:
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    state, _, started = answer.stdout.strip().partition(" ")
    return Identity(pid, started.strip()) if state and not state.startswith("Z") else None


def runs(process: Identity) -> bool:
    return identify(process.pid) == process


def send(process: Identity, number: int) -> bool:
    """Signal exactly this process. False if it is gone, or may not be signalled."""
    try:
        if not hasattr(os, "pidfd_open"):
            if not runs(process):
                return False
            os.kill(process.pid, number)
            return True
        handle = os.pidfd_open(process.pid)
    except OSError:
        return False
    try:  # the handle stays with the process that had the pid when it was opened, so the check cannot go stale
        if not runs(process):
            return False
        signal.pidfd_send_signal(handle, number)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(handle)


def mark(*names: str) -> str:
    """The value of a mark: whole names, so that no name is the beginning of another."""
    return "".join(f"{name}:" for name in names)


def mark_of(pid: int, name: str = MARK) -> str:
    """The value of the mark in that process's environment; empty if there is none, or it cannot be read."""
    try:
        items = (PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return ""
    value = next((item for item in items if item.startswith(f"{name}=".encode())), b"")
    return os.fsdecode(value.partition(b"=")[2])


def marked(beginning: str, name: str = MARK) -> Iterator[Identity]:
    """Every running process of ours whose environment has `name`=`beginning`…, wherever it hangs in the tree."""
    wanted = os.fsencode(f"{name}={beginning}")
    for entry in PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended, or it is somebody else's
            if any(item.startswith(wanted) for item in (entry / "environ").read_bytes().split(b"\0")):
                process = identify(int(entry.name))
                if process is not None and process.pid != os.getpid():
                    yield process


def kill_marked(beginning: str, within_s: float = 1.0) -> int:
    """SIGKILL all of them, again until none is left (one may fork meanwhile). How many were met."""
    met: set[Identity] = set()
    deadline = time.monotonic() + within_s
    while found := set(marked(beginning)):
        met |= found
        for process in found:
            send(process, signal.SIGKILL)
        if time.monotonic() >= deadline:
            break
        time.sleep(LOOK_EVERY_S / 4)
    return len(met)


def end(processes: Iterable[Identity], grace_s: float, kill_s: float = 2.0) -> list[Identity]:
    """SIGTERM, wait, SIGKILL, wait. The answer holds those that had to be killed."""
    left = [process for process in processes if send(process, signal.SIGTERM)]
    stubborn = _outlast(left, grace_s)
    for process in stubborn:
        send(process, signal.SIGKILL)
    _outlast(stubborn, kill_s)
    return stubborn


def _outlast(processes: list[Identity], within_s: float) -> list[Identity]:
    deadline = time.monotonic() + within_s
    left = [process for process in processes if runs(process)]
    while left and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY_S)
        left = [process for process in left if runs(process)]
    return left


def write_record(path: Path, processes: Iterable[Identity]) -> None:
    """The recorded processes, each the leader of its own group, for whoever has to clean up after a crash."""
    draft = path.with_name(path.name + ".new")
    draft.write_text("".join(f"{process.pid} {process.started}\n" for process in processes), "ascii")
    draft.replace(path)


def read_record(path: Path) -> list[Identity]:
    try:
        lines = path.read_text("ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    fields = (line.partition(" ") for line in lines)
    return [Identity(int(pid), started) for pid, _, started in fields if pid.isdigit() and started]


def kill_recorded(path: Path) -> int:
    """SIGKILL the group of every recorded process that still is the one recorded. How many groups there were."""
    groups = [process for process in read_record(path) if runs(process)]
    for process in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    return len(groups)
