"""From boot.json to running containers: secrets, login, pull by digest, network, then each service after its needs.

Every step looks first whether it is done, so a second run changes nothing and needs no registry. Secrets live in memory
and in /run/bluegreen (a tmpfs, root only), and what is there goes away with this program.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypedDict

import services
from console import BootError, Console, tenths
from engine import Engine
from services import Service
from ssm import REFERENCE, Secrets

SCHEMA = 1
PULLS_AT_ONCE = 4
PULL_LIMIT_S = 900.0
SETTLE_S = 2.0
ALIVE = ("running", "restarting", "paused")


class Login(TypedDict):
    username: str
    password: str


class Registry(TypedDict):
    host: str
    login: Login | None
    ca: str


class Document(TypedDict):
    schema: int
    stack: str
    region: str
    registry: Registry
    services: list[Service]


def main(arguments: Sequence[str]) -> int:
    console = Console(
        os.environ.get("BLUEGREEN_CONSOLE", "/dev/console"), int(os.environ.get("BLUEGREEN_BEGAN") or tenths())
    )
    pause_s = float(os.environ.get("BLUEGREEN_PAUSE_S", "1"))
    try:
        with _private_folder(Path(os.environ.get("BLUEGREEN_RUN_DIR", "/run/bluegreen"))) as folder:
            document = read(Path(arguments[0]))
            Boot(document, console, Engine(str(folder / "docker"), pause_s), folder, pause_s).run()
    except BootError as failure:
        console.failed(failure)
        return 1
    except Exception as error:  # noqa: BLE001 - nobody is there to read a traceback: the console gets a line
        console.failed(BootError(f"unexpected {type(error).__name__}: {error}"))
        return 1
    return 0


def read(path: Path) -> Document:
    try:
        document: Document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BootError(f"{path} cannot be read: {error}") from None
    if document.get("schema") != SCHEMA:
        raise BootError(f"{path} has schema {document.get('schema')}; this boot knows {SCHEMA}")
    return document


@contextmanager
def _private_folder(folder: Path) -> Iterator[Path]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    login = folder / "docker"
    login.mkdir(mode=0o700, exist_ok=True)
    try:
        yield folder
    finally:
        shutil.rmtree(login)


class Boot:
    """One run. Its methods stand in the order in which they happen."""

    def __init__(self, document: Document, console: Console, engine: Engine, folder: Path, pause_s: float) -> None:
        self._document = document
        self._console = console
        self._engine = engine
        self._folder = folder
        self._pause_s = pause_s
        self._secrets = Secrets(document["region"], pause_s)
        self._authorities = Path(os.environ.get("BLUEGREEN_AUTHORITIES", "/etc/docker/certs.d"))
        self._started: list[str] = []

    def run(self) -> None:
        ordered = services.in_order(self._document["services"])
        self._pull(sorted({service["image"] for service in ordered}))
        if not self._engine.knows("network", services.NETWORK):
            self._console.say("network", services.NETWORK)
            self._engine.run("network", "create", services.NETWORK)
        present = self._present()
        for service in ordered:
            for need in service["depends_on"]:
                if need["condition"] == "service_healthy":
                    self._await_healthy(need["service"])
            self._start(service, present.get(service["name"]))
        self._settle()
        self._console.say("ready", " ".join(service["name"] for service in ordered))

    def _pull(self, images: Sequence[str]) -> None:
        """Only what is not there: a machine that starts again needs no registry."""
        missing = [image for image in images if not self._engine.knows("image", image)]
        if not missing:
            return
        self._trust()
        self._login()
        with ThreadPoolExecutor(PULLS_AT_ONCE) as pool:
            for _ in pool.map(self._pull_one, missing):
                pass

    def _trust(self) -> None:
        """Docker's own place for the authority of one registry; the engine reads it at each call."""
        registry = self._document["registry"]
        if not registry["ca"]:
            return
        self._console.say("trust", registry["host"])
        folder = self._authorities / registry["host"]
        try:
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            (folder / "ca.crt").write_text(registry["ca"], "ascii")
        except OSError as error:
            raise BootError(f"the authority of {registry['host']} cannot be written: {error}") from None

    def _login(self) -> None:
        registry = self._document["registry"]
        login = registry["login"]
        if login is None:
            return
        self._console.say("login", f"{registry['host']} as {login['username']}")
        words = ("login", f"--username={login['username']}", "--password-stdin", registry["host"])
        self._engine.persist(f"login at {registry['host']}", *words, stdin=self._secret(login["password"]))

    def _pull_one(self, image: str) -> None:
        self._console.say("pull", image)
        self._engine.persist(f"pull {image}", "pull", "--quiet", image, limit_s=PULL_LIMIT_S)
        self._console.say("pulled", image)

    def _secret(self, reference: str) -> str:
        self._console.say("secret", reference)
        value = self._secrets.fetch(reference)
        self._console.hide(value)
        return value

    def _present(self) -> dict[str, tuple[str, str]]:
        """Name → (state, config hash) of every container on this machine."""
        line = '{{.Names}}\t{{.State}}\t{{.Label "' + services.CONFIG_LABEL + '"}}'
        text = self._engine.run("container", "ls", "--all", "--no-trunc", f"--format={line}")
        rows = [row.split("\t") for row in text.splitlines()]
        return {name: (state, config) for name, state, config in rows}

    def _start(self, service: Service, present: tuple[str, str] | None) -> None:
        """A container with the same digest and settings is left alone, or woken; any other of the name is replaced."""
        name = service["name"]
        state, config = present or ("", "")
        if config == services.config_hash(service) and state not in ("dead", "removing"):
            if state in ALIVE:
                self._console.say("keep", name)
                return
            self._console.say("wake", name)
            self._engine.run("container", "start", name)
            self._started.append(name)
            return
        if present:
            self._console.say("replace", name)
            if state in ALIVE:
                self._engine.run("container", "stop", name, limit_s=service["stop_grace_period_s"] + 60)
            self._engine.run("container", "rm", "--force", name)
        self._console.say("run", name)
        self._run(service)
        self._started.append(name)

    def _run(self, service: Service) -> None:
        values = {
            key: self._secret(value) if value.startswith(REFERENCE) else value
            for key, value in service["environment"].items()
        }
        text, broken = services.environment(service["name"], values)
        env_file = self._folder / f"env.{service['name']}"
        try:
            with os.fdopen(os.open(env_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(text.encode())
            words = services.run_arguments(
                service, self._document["stack"], str(env_file), sorted(broken), self._logging()
            )
            self._engine.run(*words, env=broken, limit_s=120)
        finally:
            env_file.unlink(missing_ok=True)

    def _logging(self) -> list[str]:
        """Docker's own default keeps logs without end; a machine whose engine is set up otherwise is left as it is."""
        driver = self._engine.run("info", "--format={{.LoggingDriver}}").strip()
        return ["--log-opt=max-size=10m", "--log-opt=max-file=3"] if driver == "json-file" else []

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
            if status == "unhealthy" or state["Status"] in ("exited", "dead") or passed_s >= limit_s:
                cause = f"{name} is {state['Status']} and {status} after {passed_s:.0f} s"
                raise BootError(cause, self._engine.last_words(name) + _last_check(health))
            time.sleep(min(self._pause_s, 1.0))

    def _settle(self) -> None:
        """A container that dies at once is the commonest failure, and a load balancer could only say "unhealthy"."""
        time.sleep(SETTLE_S * min(self._pause_s, 1.0) if self._started else 0)
        for name in self._started:
            restarts, state = self._state(name)
            ended = state["Status"] == "exited" and state["ExitCode"] != 0
            if ended or state["Status"] == "restarting" or restarts > 1:
                cause = f"{name} ended with exit code {state['ExitCode']} (restarted {restarts} times)"
                raise BootError(cause, self._engine.last_words(name))

    def _state(self, name: str) -> tuple[int, Mapping[str, Any]]:
        """How often docker has restarted the container, and `State` as docker's API has it."""
        line = "--format={{.RestartCount}} {{json .State}}"
        restarts, _, state = self._engine.run("container", "inspect", line, name).partition(" ")
        return int(restarts), json.loads(state)


def _last_check(health: Mapping[str, Any]) -> str:
    checks = health.get("Log") or [{}]
    return "\n" + str(checks[-1].get("Output", ""))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
