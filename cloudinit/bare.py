"""From a bare Ubuntu or Debian to a Docker engine that answers. A second run finds the work done."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from console import BootError, Console
from engine import Engine, Refusal

SETTINGS: dict[str, Any] = {  # bounds on its logs, and containers that outlive it
    "live-restore": True,
    "log-driver": "json-file",
    "log-opts": {"max-size": "10m", "max-file": "3"},
}
PAUSES = (2, 4, 8, 16, 0)  # seconds after a try that failed
# waits for dpkg's lock; the lists have their own, hence the tries
APT = (
    *("apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=120", "-o", "Acquire::Retries=3"),
    *("-o", "Acquire::http::Timeout=15", "-o", "Dpkg::Options::=--force-confold"),
)
START_S = 60.0


class Bare:
    """`source` is distribution, or present: where Docker comes from."""

    def __init__(self, source: str, engine: Engine, console: Console, pause_s: float) -> None:
        self._source = source
        self._engine = engine
        self._console = console
        self._pause_s = pause_s

    def prepare(self) -> None:
        settle(Path(os.environ.get("BLUEGREEN_DAEMON_JSON", "/etc/docker/daemon.json")))
        if not shutil.which("dockerd"):
            if self._source == "present":
                raise BootError("there is no Docker on this image, and fleet.docker is present")
            self._install()
        self._start()

    def _install(self) -> None:
        for number, pause in enumerate(PAUSES, 1):
            self._console.say("install", f"docker.io from the distribution, try {number} of {len(PAUSES)}")
            _, lists = run(180, *APT, "update")  # its failure is not final: the lists on the disk may do
            code, text = run(480, *APT, "install", "--no-install-recommends", "docker.io", "ca-certificates")
            if code == 0:
                return
            time.sleep(self._pause_s * pause)
            run(120, "dpkg", "--configure", "-a")  # a call cut short leaves packages half configured
        why = re.search(r"Could not (connect to|resolve|get lock) [^\s,]+", lists + text)
        cause = f"Docker could not be installed from the distribution in {len(PAUSES)} tries"
        raise BootError(f"{cause}: {why[0]}" if why else cause, lists + text)

    def _start(self) -> None:
        version = self._version()
        if not version:
            self._console.say("docker", "starts")
            systemd = Path("/run/systemd/system").is_dir()
            _, text = run(
                90, *(("systemctl", "enable", "--now", "docker") if systemd else ("service", "docker", "start"))
            )
            until = time.monotonic() + START_S * self._pause_s
            while not (version := self._version()):
                if time.monotonic() > until:
                    raise BootError(f"the Docker engine does not answer after {START_S:.0f} s", text)
                time.sleep(min(self._pause_s, 1.0))
        self._console.say("engine", version)

    def _version(self) -> str:
        with contextlib.suppress(Refusal):
            return str(self._engine.ask("GET", "/version", limit_s=10.0)["Version"])
        return ""


def settle(file: Path) -> None:
    """What the machine's own daemon.json says is kept. An engine that runs already is told to read it again; what its
    command line says is left out, for with both it would not start the next time."""
    try:
        theirs = json.loads(file.read_text("utf-8") or "{}") if file.exists() else {}
    except ValueError as error:
        raise BootError(f"{file} is no JSON: {error}") from None
    pid, words = running()
    said = {key for key in SETTINGS if key in theirs or any(word.startswith("--" + key.rstrip("s")) for word in words)}
    said |= {"log-opts"} if "log-driver" in said else set()  # another driver has other options
    if said >= set(SETTINGS):
        return
    merged = {**theirs, **{key: value for key, value in SETTINGS.items() if key not in said}}
    file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    beside = file.with_suffix(".new")
    beside.write_text(json.dumps(merged, indent=2) + "\n", "utf-8")
    beside.replace(file)
    if pid:
        with contextlib.suppress(OSError):  # it has just ended
            os.kill(pid, signal.SIGHUP)


def running() -> tuple[int, list[str]]:
    """The engine's process id and command line; 0 and nothing if it does not run."""
    try:
        pid = int(Path(os.environ.get("BLUEGREEN_DOCKER_PID", "/run/docker.pid")).read_text("ascii"))
        words = Path(f"/proc/{pid}/cmdline").read_text("utf-8", "replace").split("\0")
    except (OSError, ValueError):
        return 0, []
    return (pid, words) if words[0].endswith("dockerd") else (0, [])


def run(limit_s: int, *words: str) -> tuple[int, str]:
    """A program's exit code and what it said; `timeout` ends it softly, as dpkg needs it."""
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1"}
    done = subprocess.run(
        ["timeout", str(limit_s), *words],
        env={**os.environ, **quiet},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.returncode, done.stdout.decode("utf-8", "replace")
