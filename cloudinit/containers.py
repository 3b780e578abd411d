"""From boot.json to running containers: engine, login, pull by digest, network, then each service after its needs.

Every step looks first whether it is done, so a second run changes nothing and needs no registry. Secrets live in memory
alone, and travel to the engine through its socket.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import causes
import logs
import services
from aws import Aws, is_reference
from bare import Bare
from console import BootError, Console, tenths
from engine import Engine, Refusal
from images import Images

if TYPE_CHECKING:
    from shapes import Document, Service

SCHEMA = 2
SETTLE_S = 2.0
SETTLE_LOOKS = 20
ALIVE = ("running", "restarting", "paused")
UNKNOWN = "-"


def main(arguments: Sequence[str]) -> int:
    folder = Path(os.environ.get("BLUEGREEN_RUN_DIR", "/run/bluegreen"))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = folder / "boot.log"
    log.write_bytes(b"")
    began = tenths()
    console = Console(os.environ.get("BLUEGREEN_CONSOLE", "/dev/console"), began, str(log))
    console.say("start,", f"{began // 10} s after the machine")
    try:
        Boot(read(Path(arguments[0])), console, folder).run()
    except BootError as failure:
        console.failed(failure)
        return 1
    except Exception as error:  # noqa: BLE001 - nobody is there to read a traceback: the console gets a line
        console.failed(BootError(f"unexpected {type(error).__name__}: {error}"))
        return 1
    finally:
        keep(arguments[0])
    return 0


def read(path: Path) -> Document:
    try:
        document: Document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BootError(f"{path} cannot be read: {error}") from None
    if document.get("schema") != SCHEMA:
        raise BootError(f"{path} has schema {document.get('schema')}; this boot knows {SCHEMA}")
    return document


def keep(document: str) -> None:
    """Starts the agent's keeper, if there is none: a boot that failed has an agent that says so."""
    keeper = os.environ.get("BLUEGREEN_KEEPER", str(Path(__file__).parent / "keeper.py"))
    if keeper:
        nothing = subprocess.DEVNULL
        words = [sys.executable, "-B", "-X", "utf8", keeper, document]
        subprocess.Popen(words, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True, cwd="/")


class Boot:
    """One run. Its methods stand in the order in which they happen."""

    def __init__(self, document: Document, console: Console, folder: Path) -> None:
        self._document = document
        self._console = console
        self._folder = folder
        self._pause_s = float(os.environ.get("BLUEGREEN_PAUSE_S", "1"))
        self._engine = Engine()
        self._aws = Aws(document["region"], self._pause_s)
        self._about: dict[str, str] = {}
        self._server_away = False
        self._started: list[str] = []

    def run(self) -> None:
        ordered = services.in_order(self._document["services"])
        Bare(self._document["docker"], self._engine, self._console, self._pause_s).prepare()
        self._about = self._learn()
        pulled = Images(self._engine, self._document["registry"], self._console, self._secret, self._pause_s)
        pulled.pull(sorted({service["image"] for service in ordered}), self._aws)
        if not self._engine.knows(f"/networks/{services.NETWORK}"):
            self._console.say("network", services.NETWORK)
            self._engine.ask("POST", "/networks/create", {"Name": services.NETWORK, "CheckDuplicate": True})
        present = self._present()
        for service in ordered:
            for need in service["depends_on"]:
                if need["condition"] == "service_healthy":
                    self._await_healthy(need["service"])
            self._start(service, present.get(service["name"]))
        self._settle()
        self._console.say("ready", " ".join(service["name"] for service in ordered))

    def _learn(self) -> dict[str, str]:
        """What the instance is, for the agent and for the tags of its logs. A machine that cannot know it serves anyway."""
        try:
            about = {"stack": self._document["stack"], **self._aws.about()}
        except BootError as failure:
            self._console.say("unknown", failure.cause)
            about = {"stack": self._document["stack"]}
        (self._folder / "about.json").write_text(json.dumps(about), "utf-8")
        return about

    def _secret(self, reference: str) -> str:
        self._console.say("secret", reference)
        value = self._aws.fetch(reference)
        self._console.hide(value)
        return value

    def _present(self) -> dict[str, tuple[str, str]]:
        """Name → (state, config hash) of every container on this machine."""
        found = self._engine.ask("GET", "/containers/json", all="true")
        return {one["Names"][0][1:]: (one["State"], one["Labels"].get(services.CONFIG_LABEL, "")) for one in found}

    def _start(self, service: Service, present: tuple[str, str] | None) -> None:
        """A container with the same digest and settings is left alone, or woken; any other of the name is replaced."""
        name = service["name"]
        state, config = present or ("", "")
        same = config == services.config_hash(service)
        if same and state in ALIVE:
            self._console.say("keep", name)
            return
        if same and state in ("created", "exited") and self._wake(name):
            self._started.append(name)
            return
        if present:
            self._console.say("replace", name)
            if state in ALIVE:
                grace = round(service["stop_grace_period_s"])
                self._engine.ask("POST", f"/containers/{name}/stop", t=grace, limit_s=grace + 60.0)
            self._engine.ask("DELETE", f"/containers/{name}", force="true")
        self._console.say("run", name)
        environment = {
            key: self._secret(value) if is_reference(value) else value for key, value in service["environment"].items()
        }
        self._run(service, environment, self._log_config(name))
        self._started.append(name)

    def _wake(self, name: str) -> bool:
        """False when Docker cannot, for its log server is away: it is made anew, with another place for its log."""
        self._console.say("wake", name)
        try:
            self._engine.ask("POST", f"/containers/{name}/start")
        except Refusal as refusal:
            if causes.logging_driver(refusal.message):
                return False
            raise BootError(causes.of_start(name, refusal.message), refusal.message) from None
        return True

    def _run(self, service: Service, environment: Mapping[str, str], log: Mapping[str, Any]) -> None:
        name = service["name"]
        body = services.container(service, self._document["stack"], environment, log)
        try:
            self._engine.ask("POST", "/containers/create", body, name=name)
            self._engine.ask("POST", f"/containers/{name}/start", limit_s=120.0)
        except Refusal as refusal:
            if causes.logging_driver(refusal.message) and log != logs.BOUNDED:
                self._console.say("logging", f"{name}: {refusal.message}: its log stays here, in json-file")
                self._engine.ask("DELETE", f"/containers/{name}", force="true")
                self._run(service, environment, logs.BOUNDED)
                return
            raise BootError(causes.of_start(name, refusal.message), refusal.message) from None

    def _log_config(self, name: str) -> Mapping[str, Any]:
        logging = self._document["logging"]
        if logging is None:
            # Docker's own default keeps logs without end; an engine that is set up otherwise is left so
            own = self._engine.ask("GET", "/info")["LoggingDriver"]
            return logs.BOUNDED if own == "json-file" else {"Type": own}
        if self._server_away:
            return logs.BOUNDED
        if away := logs.away(logging["options"]):
            self._console.say("logging", f"{away}: logs stay here, in json-file")
            self._server_away = True
            return logs.BOUNDED
        parts = [self._about.get(key, UNKNOWN) for key in ("stack", "colour", "release")]
        tag = "/".join([*parts, name, self._about.get("instance", UNKNOWN)])
        return logs.config(logging, tag, self._authority(logging))

    def _authority(self, logging: Mapping[str, Any]) -> str:
        """The file of the log server's authority. Docker reads it at each start of a container, so not in a tmpfs."""
        if not logging["ca"]:
            return ""
        file = Path("/etc/bluegreen/logging-ca.crt")
        file.write_text(logging["ca"], "ascii")
        return str(file)

    def _await_healthy(self, name: str) -> None:
        (service,) = [one for one in self._document["services"] if one["name"] == name]
        limit_s = services.health_deadline_s(service["healthcheck"])
        began = time.monotonic()
        self._console.say("wait", f"until {name} is healthy, at most {limit_s:.0f} s")
        while True:
            _, state = self._state(name)
            health = state.get("Health") or {}
            status = health.get("Status")
            if status == "healthy":
                self._console.say("healthy", name)
                return
            if not health:
                raise BootError(f"{name} has no health check, and another service waits for it to be healthy")
            passed_s = time.monotonic() - began
            ended = state["Status"] in ("exited", "dead")
            if status == "unhealthy" or ended or passed_s >= limit_s:
                words = self._engine.last_words(name)
                cause = causes.of_end(name, words) or f"{name} is {state['Status'] if ended else status}"
                raise BootError(f"{cause} after {passed_s:.0f} s", words + _last_check(health))
            time.sleep(min(self._pause_s, 1.0))

    def _settle(self) -> None:
        """A container that dies at once is the commonest failure, and a load balancer could only say "unhealthy"."""
        time.sleep(SETTLE_S * self._pause_s if self._started else 0)
        for name in self._started:
            restarts, state = self._state(name)
            for _ in range(SETTLE_LOOKS):
                if state["Status"] != "running" or not restarts:
                    break
                time.sleep(self._pause_s / 4)  # started again just now: does it end once more, and how?
                restarts, state = self._state(name)
            ended = state["Status"] == "exited" and state["ExitCode"] != 0
            if ended or state["Status"] == "restarting" or restarts > 1:
                words = self._engine.last_words(name)
                how = f"with exit code {state['ExitCode']}" if state["ExitCode"] else "again and again"
                raise BootError(causes.of_end(name, words) or f"{name}: ended {how} ({restarts} restarts)", words)

    def _state(self, name: str) -> tuple[int, Mapping[str, Any]]:
        """How often docker has restarted the container, and `State` as docker's API has it."""
        found = self._engine.ask("GET", f"/containers/{name}/json")
        return found["RestartCount"], found["State"]


def _last_check(health: Mapping[str, Any]) -> str:
    checks = health.get("Log") or [{}]
    return "\n" + str(checks[-1].get("Output", ""))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
