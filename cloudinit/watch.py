"""What the agent sees of the services, by the engine's word and the host's process table."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import table
import verdict
from engine import Engine, Refusal

FRESH_S = 0.5  # checks that come together share one look
ASK_S = 1.5  # for all that one look asks the engine: a load balancer waits 2 s at least
PATIENCE_S = 30.0  # with an engine that does not answer: containers live on while it is started again
FOLDERS = ("/", "/var/lib/docker")


class Watch:
    """Looks at the services, and remembers what only time can tell: workers that ended, and when the engine answered."""

    def __init__(self, document: Mapping[str, Any], folder: Path, engine: Engine) -> None:
        self._services = {service["name"]: service for service in document["services"]}
        self._folder = folder
        self._engine = engine
        self._lock = threading.Lock()
        self._workers: dict[str, set[tuple[int, str]]] = {}
        self._ended: dict[str, int] = {}
        self._known: dict[str, Any] = {}
        self._answered = time.monotonic()
        self._status: dict[str, Any] = {}
        self._looked = 0.0

    def status(self) -> dict[str, Any]:
        with self._lock:
            if not self._status or time.monotonic() - self._looked > FRESH_S:
                self._status = self._look()
                self._looked = time.monotonic()
            return self._status

    def given_up(self) -> bool:
        """Whether a container is down because its log server was away when Docker started it: no restart policy helps."""
        return any(
            "logging driver" in found["State"].get("Error", "") for found in self._known.values() if _down(found)
        )

    def _look(self) -> dict[str, Any]:
        silent = self._ask()
        boot, cause = _boot(self._folder / "boot.log")
        status: dict[str, Any] = {
            "schema": 1,
            **_about(self._folder / "about.json"),
            "services": {name: self._service(name, found) for name, found in self._known.items()},
            "disk": table.disks(*FOLDERS),
            "memory": table.memory(),
            "boot": boot,
        }
        reasons = verdict.reasons(self._services, cause, status)
        if silent > PATIENCE_S:
            reasons.insert(0, f"docker: has not answered for {silent:.0f} s")
        return {"healthy": not reasons, "reasons": reasons, **status}

    def _ask(self) -> float:
        """How long ago the engine last answered, in seconds."""
        until = time.monotonic() + ASK_S
        try:
            known = {name: self._container(name, until - time.monotonic()) for name in self._services}
        except Refusal:
            return time.monotonic() - self._answered
        self._known = {name: found for name, found in known.items() if found}
        self._answered = time.monotonic()
        return 0.0

    def _container(self, name: str, limit_s: float) -> Any:
        try:
            return self._engine.ask("GET", f"/containers/{name}/json", limit_s=max(0.1, limit_s))
        except Refusal as refusal:
            if refusal.status != 404:
                raise
            return None

    def _service(self, name: str, found: Mapping[str, Any]) -> dict[str, Any]:
        state = found["State"]
        return {
            "image": found["Config"]["Image"],
            "state": state["Status"] if not state["Pid"] or table.there(state["Pid"]) else "gone",
            "exit_code": state["ExitCode"],
            "health": (state.get("Health") or {}).get("Status", ""),
            "started": state["StartedAt"],
            "restarts": found["RestartCount"],
            "workers": self._count(name, found["Id"]),
        }

    def _count(self, name: str, container: str) -> dict[str, Any] | None:
        """`ended` are those that were there at one look and not at the next."""
        workers = self._services[name]["workers"]
        if not workers:
            return None
        alive = set(table.processes(container, workers["match"]))
        self._ended[name] = self._ended.get(name, 0) + len(self._workers.get(name, set()) - alive)
        self._workers[name] = alive
        return {**workers, "alive": len(alive), "ended": self._ended[name]}


def _down(found: Mapping[str, Any]) -> bool:
    return found["State"]["Status"] in ("created", "exited", "dead")


def _about(path: Path) -> dict[str, Any]:
    """Stack, colour, release and so on, as the boot found them; without a boot that came so far there is nothing."""
    try:
        about: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return about


def _boot(path: Path) -> tuple[list[str], str]:
    """What the boot said, and the cause if its last run failed."""
    try:
        lines = [line.partition("] ")[2] for line in path.read_text("utf-8", "replace").splitlines()]
    except OSError:
        return [], ""
    cause = ""
    for line in lines:
        if line.startswith("failed: "):
            cause = line.partition(": ")[2]
        elif " ready" in line:
            cause = ""
    return lines, cause
