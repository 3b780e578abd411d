"""What a running sandbox says of itself: one file, sandbox.json, in a folder of the user's. Standard library only.

$BLUEGREEN_SANDBOX_DIR, else $XDG_STATE_HOME/bluegreen, else ~/.local/state/bluegreen. The file appears when the sandbox
is ready, is touched every second while it lives, and goes when it ends. A file whose process is gone tells of a crash.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bluegreen.sandbox.pids import Identity

FILE = "sandbox.json"
LOG = "sandbox.log"
HOSTS = "hosts"
CONTAINERS = "containers"  # an empty file: this sandbox is or was in docker mode
SERVER_MARK = "BLUEGREEN_SANDBOX_SERVER"  # in the environment of the server: token:folder

Mode = Literal["process", "docker"]


@dataclass(frozen=True, slots=True)
class SandboxState:
    """`listeners` maps "load balancer:port" to the port of 127.0.0.1 where it answers; an instance has `id`, `name`, `state`
    and, while it runs, `address`. `started` goes with `pid`."""

    pid: int
    started: str
    started_at: str  # ISO 8601, UTC
    version: str
    mode: Mode
    region: str
    account: str
    endpoint: str  # http://127.0.0.1:5600
    registry: str  # 127.0.0.1:5601
    listeners: Mapping[str, int]
    instances: Sequence[Mapping[str, str]]
    folder: str
    made_folder: bool  # by us: then `down` removes it
    log: str

    @property
    def process(self) -> Identity:
        return Identity(self.pid, self.started)


def runtime_folder(given: Path | None = None) -> Path:
    """Absolute; it need not exist."""
    if given is not None:
        return given.absolute()
    if named := os.environ.get("BLUEGREEN_SANDBOX_DIR"):
        return Path(named).expanduser().absolute()
    state_home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state_home).expanduser().absolute() / "bluegreen"


def token_of(folder: Path) -> str:
    """The mark of this folder's sandbox: its processes can be told even if all its files are lost."""
    return hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]


def write(state: SandboxState) -> None:
    """Whole or not at all; for the owner's eyes."""
    path = Path(state.folder) / FILE
    draft = path.with_suffix(".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(dataclasses.asdict(state), file, indent=1)
    draft.replace(path)


def read(folder: Path) -> SandboxState | None:
    """None if there is no file. ValueError if it is not such a file (another version wrote it, or somebody else)."""
    try:
        text = (folder / FILE).read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    plain = json.loads(text)
    names = {field.name for field in dataclasses.fields(SandboxState)}
    if not isinstance(plain, dict) or not names <= plain.keys():
        raise ValueError("it does not hold what this version of bluegreen writes")
    return SandboxState(**{name: plain[name] for name in names})


def touch(folder: Path) -> bool:
    """Says "alive now". False if the file is gone, and nobody could find the sandbox any more."""
    try:
        os.utime(folder / FILE)
    except OSError:
        return False
    return True


def seen_at(folder: Path) -> float:
    """When the sandbox last said so, in seconds since the epoch; 0 if never."""
    try:
        return (folder / FILE).stat().st_mtime
    except OSError:
        return 0.0


def remove(folder: Path) -> None:
    for name in (FILE, Path(FILE).with_suffix(".new").name):
        with contextlib.suppress(OSError):
            (folder / name).unlink()
