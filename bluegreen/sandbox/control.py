"""Up, down and status of the sandbox, for the command line. Light: neither moto nor aiohttp is imported here.

The server (server.py) is a daemon of its own: it outlives the command that started it. Only processes that we started
are ever ended: known by pid and start time, or by our mark in their environment. Every wait has a deadline.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bluegreen.errors import Held, Refused
from bluegreen.sandbox import launch, pids, state
from bluegreen.sandbox.leftovers import clean_up
from bluegreen.sandbox.state import SandboxState

ENDPOINT_PORT = 5600
REGISTRY_PORT = 5601
READY_LIMIT_S = 30.0
END_LIMIT_S = 4.0  # the server gives itself 3
CONTAINERS_END_LIMIT_S = 45.0  # and 40 in docker mode
LOCK_LIMIT_S = 45.0
LAST_LINES = 12
NEEDED = ("moto", "aiohttp", "werkzeug", "yaml", "docker")


@dataclass(frozen=True, slots=True)
class Crashed:
    """There was a sandbox, and its process is gone without a goodbye. `at` is when it was last seen, epoch seconds."""

    folder: str
    pid: int  # 0 if its state file cannot be read
    at: float
    log: str
    last_lines: tuple[str, ...]

    def sentence(self) -> str:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.at))
        who = f"pid {self.pid} is gone" if self.pid else "its state file cannot be read"
        return f"crashed at {when}; {who}; run `bluegreen sandbox up`, which cleans up first"


@dataclass(frozen=True, slots=True)
class Ended:
    """What `down` did. `killed`: the server did not end by itself. `leftovers`: processes met after its end."""

    folder: str
    was: Literal["running", "crashed", "absent"]
    killed: bool
    leftovers: int


def up(
    *,
    port: int = ENDPOINT_PORT,
    registry_port: int = REGISTRY_PORT,
    deadline_s: float = READY_LIMIT_S,
    folder: Path | None = None,
    images: dict[str, str] | None = None,
) -> SandboxState:
    """The running sandbox: the one that runs already, whatever its ports, or a new one once it is ready. In docker mode
    with `images` (docker_mode.images), else in process mode."""
    home = state.runtime_folder(folder)
    require_extra()
    made = not home.exists()
    with _locked(home):
        before = status(home)
        if isinstance(before, SandboxState):
            return before
        made = made or _was_made(home)
        _clean(home)
        if images:
            _mark(home)
        try:
            return launch.launch(
                home, port=port, registry_port=registry_port, made=made, deadline_s=deadline_s, images=images
            )
        except Refused:  # the message says it all
            _remove(home, made)
            raise
        except BaseException:
            _clean(home, keep_log=True)
            raise


def status(folder: Path | None = None) -> SandboxState | Crashed | None:
    home = state.runtime_folder(folder)
    try:
        known = state.read(home)
    except (OSError, ValueError):
        return _crashed(home, 0)
    if known is None:
        return None
    return known if pids.runs(known.process) else _crashed(home, known.pid)


def silent_s(running: SandboxState) -> float:
    """Since when the sandbox has not said that it lives. It does so every second: more than a few is a hang."""
    return max(time.time() - state.seen_at(Path(running.folder)), 0.0)


def down(*, all: bool = False, folder: Path | None = None) -> tuple[Ended, ...]:
    """Ends the sandbox of this folder, or (`all`) every sandbox of this user; no process, port or file is left."""
    homes = {state.runtime_folder(folder)}
    if all:
        homes |= {Path(home) for home in running_folders()}
    ended = tuple(_down(home) for home in sorted(homes))
    if all and _sdk():
        from bluegreen.sandbox import docker_mode

        docker_mode.clean_up_all({state.token_of(Path(home)) for home in running_folders()})
    return ended


def running_folders() -> set[str]:
    """The folders of all sandbox servers of this user that run now. Linux only; elsewhere none is found."""
    marks = (pids.mark_of(process.pid, state.SERVER_MARK) for process in pids.marked("", state.SERVER_MARK))
    return {mark.partition(":")[2] for mark in marks if mark}


def require_extra() -> None:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise Refused(
            "the sandbox is an extra that is not installed",
            why=f"this Python has no {', '.join(missing)}",
            next="pip install 'bluegreen[sandbox]'",
        )


def _down(home: Path) -> Ended:
    if not home.is_dir():
        return Ended(str(home), "absent", killed=False, leftovers=0)
    with _locked(home):
        before = status(home)
        made = _was_made(home)
        killed: list[pids.Identity] = []
        if isinstance(before, SandboxState):
            killed = pids.end([before.process], CONTAINERS_END_LIMIT_S if before.mode == "docker" else END_LIMIT_S)
        leftovers = _remove(home, made)
    was: Literal["running", "crashed", "absent"] = (
        "running" if isinstance(before, SandboxState) else "absent" if before is None else "crashed"
    )
    return Ended(str(home), was, killed=bool(killed), leftovers=leftovers)


def _remove(home: Path, made: bool) -> int:
    met = _clean(home)
    if made:
        with contextlib.suppress(OSError):  # somebody else's files are in it
            home.rmdir()
    return met


def _clean(home: Path, *, keep_log: bool = False) -> int:
    """Everything of ours but the folder. How many processes had been left behind."""
    marked = (home / state.CONTAINERS).exists()
    met = _end_strays(home) + clean_up(home / state.HOSTS, state.token_of(home))
    if marked and _sdk():
        from bluegreen.sandbox import docker_mode

        met += docker_mode.clean_up(state.token_of(home))
    (home / state.CONTAINERS).unlink(missing_ok=True)
    state.remove(home)
    if not keep_log:
        with contextlib.suppress(OSError):
            (home / state.LOG).unlink()
    return met


def _mark(home: Path) -> None:
    """Whoever cleans up is to look into the Docker engine too, even if all else in this folder is lost."""
    (home / state.CONTAINERS).touch(mode=0o600)


def _sdk() -> bool:
    return importlib.util.find_spec("docker") is not None


def _end_strays(home: Path) -> int:
    """Servers of this folder that no state file tells of: they were starting, or somebody removed the file."""
    strays = list(pids.marked(f"{state.token_of(home)}:", state.SERVER_MARK))
    pids.end(strays, END_LIMIT_S)
    return len(strays)


def _crashed(home: Path, pid: int) -> Crashed:
    log = home / state.LOG
    return Crashed(str(home), pid, state.seen_at(home), str(log), launch.last_lines(log, LAST_LINES))


def _was_made(home: Path) -> bool:
    try:
        known = state.read(home)
    except (OSError, ValueError):
        return False
    return known is not None and known.made_folder


@contextlib.contextmanager
def _locked(home: Path) -> Iterator[None]:
    """One command at a time. The folder itself is the lock, so that no file has to be left for it."""
    deadline = time.monotonic() + LOCK_LIMIT_S
    while (handle := _try_lock(home)) is None:
        if time.monotonic() >= deadline:
            raise Held(
                "another `bluegreen sandbox` command is at work",
                where=str(home),
                why=f"it has held the folder for {LOCK_LIMIT_S:.0f} s",
                next="wait for it, or end it; `bluegreen sandbox status` needs no lock",
            )
        time.sleep(0.05)
    try:
        yield
    finally:
        os.close(handle)


def _try_lock(home: Path) -> int | None:
    """The descriptor that holds the lock. Whoever had it before us may have removed the folder: then not this time."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(home, os.O_RDONLY)
    with contextlib.suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(handle), home.stat()):
            return handle
    os.close(handle)
    return None
