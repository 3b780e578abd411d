"""PURE: one service of boot.json as `docker run` takes it, the order of starting, and what makes a container outdated.

How this differs from Compose: `docker run` knows a health check only as a shell line, so the words of a CMD test are
quoted and joined (shlex.join) and run by the image's /bin/sh; an image without a shell cannot be checked this way.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import TypedDict

from console import BootError

WAY_OF_RUNNING = 1  # a change of run_arguments that old containers must follow raises it
NETWORK = "bluegreen"
CONFIG_LABEL = "bluegreen.config"

# Names that steer the docker command itself, the Go runtime or the loader when they stand in its environment.
_STEERING = re.compile(r"DOCKER_.*|LD_.*|GO[A-Z]+|GLIBC_TUNABLES|PATH|HOME|TMPDIR|OTEL_.*", re.DOTALL)


class Port(TypedDict):
    host: int
    container: int
    protocol: str


class DependsOn(TypedDict):
    service: str
    condition: str


class Health(TypedDict):
    test: list[str]
    interval_s: float
    timeout_s: float
    retries: int
    start_period_s: float


class Service(TypedDict):
    name: str
    image: str
    command: list[str] | None
    entrypoint: list[str] | None
    environment: dict[str, str]
    ports: list[Port]
    depends_on: list[DependsOn]
    healthcheck: Health | None
    restart: str
    user: str | None
    working_dir: str | None
    init: bool
    read_only: bool
    stop_grace_period_s: float


def in_order(services: Sequence[Service]) -> list[Service]:
    """Every service after those it depends on; otherwise as the file has them."""
    waiting, ordered = list(services), list[Service]()
    while waiting:
        started = {service["name"] for service in ordered}
        free = [one for one in waiting if all(need["service"] in started for need in one["depends_on"])]
        if not free:
            names = ", ".join(service["name"] for service in waiting)
            raise BootError(f"these services wait for each other or for one that is not there: {names}")
        ordered.append(free[0])
        waiting.remove(free[0])
    return ordered


def config_hash(service: Service) -> str:
    """Of the digest and every setting, with references in the place of secrets: another hash, another container."""
    canonical = json.dumps([WAY_OF_RUNNING, service], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def environment(service: str, values: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The text of docker's env file, and what it cannot hold: values with line breaks, for the command's environment.

    Docker takes an env file byte for byte, without quotes or escapes; only a line break ends a value.
    """
    broken = {name: value for name, value in values.items() if "\n" in value or "\r" in value}
    for name in broken:
        if _STEERING.fullmatch(name):
            raise BootError(f"{service}: {name} steers the docker command itself and must not hold a line break")
    return "".join(f"{name}={value}\n" for name, value in values.items() if name not in broken), broken


def run_arguments(
    service: Service, stack: str, env_file: str, from_environment: Sequence[str], logging: Sequence[str]
) -> list[str]:
    """The words after `docker`. Values stand behind an equals sign, so that none is taken for an option."""
    entrypoint = service["entrypoint"]
    return [
        *("run", "--detach", "--pull=never", f"--network={NETWORK}", f"--name={service['name']}"),
        *(f"--label=bluegreen.stack={stack}", f"--label={CONFIG_LABEL}={config_hash(service)}"),
        *(f"--restart={service['restart']}", f"--stop-timeout={math.ceil(service['stop_grace_period_s'])}"),
        *logging,
        *(f"--publish={port['host']}:{port['container']}/{port['protocol']}" for port in service["ports"]),
        *([] if service["user"] is None else [f"--user={service['user']}"]),
        *([] if service["working_dir"] is None else [f"--workdir={service['working_dir']}"]),
        *(["--init"] if service["init"] else []),
        *(["--read-only"] if service["read_only"] else []),
        *_health_options(service["healthcheck"]),
        f"--env-file={env_file}",
        *(f"--env={name}" for name in from_environment),
        *([] if entrypoint is None else [f"--entrypoint={entrypoint[0] if entrypoint else ''}"]),
        service["image"],
        *(entrypoint or [])[1:],
        *(service["command"] or []),
    ]


def health_deadline_s(health: Health | None) -> float:
    """How long a dependency may take to become healthy: its own patience and a minute, or 5 minutes if unknown."""
    if health is None:
        return 300.0
    return health["start_period_s"] + health["retries"] * (health["interval_s"] + health["timeout_s"]) + 60.0


def _health_options(health: Health | None) -> list[str]:
    if health is None:
        return []
    kind, *words = health["test"]
    if kind == "NONE":
        return ["--no-healthcheck"]
    return [
        f"--health-cmd={shlex.join(words) if kind == 'CMD' else ' '.join(words)}",
        f"--health-interval={_duration(health['interval_s'])}",
        f"--health-timeout={_duration(health['timeout_s'])}",
        f"--health-retries={health['retries']}",
        f"--health-start-period={_duration(health['start_period_s'])}",
    ]


def _duration(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
