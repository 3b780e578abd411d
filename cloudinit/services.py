"""PURE: one service of boot.json as Docker's ContainerCreate takes it, the order of starting, and what outdates a container."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from console import BootError

if TYPE_CHECKING:
    from shapes import Health, Service

WAY_OF_RUNNING = 2  # a change of `container` that old containers must follow raises it
NETWORK = "bluegreen"
CONFIG_LABEL = "bluegreen.config"
SECOND = 1_000_000_000  # Docker counts nanoseconds


def in_order(services: Sequence[Service]) -> list[Service]:
    """Every service after those it depends on; otherwise as the file has them."""
    waiting = list(services)
    ordered: list[Service] = []
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


def container(service: Service, stack: str, environment: Mapping[str, str], log: Mapping[str, Any]) -> dict[str, Any]:
    """Fields that the stack file leaves open are left out: then the image's own hold."""
    ports: dict[str, list[dict[str, str]]] = {}
    for port in service["ports"]:
        ports.setdefault(f"{port['container']}/{port['protocol']}", []).append({"HostPort": str(port["host"])})
    restart, _, most = service["restart"].partition(":")
    open_fields = {
        "Cmd": service["command"],
        "Entrypoint": [""] if service["entrypoint"] == [] else service["entrypoint"],  # [""] takes the image's away
        "User": service["user"],
        "WorkingDir": service["working_dir"],
        "Healthcheck": _health(service["healthcheck"]),
    }
    return {
        **{key: value for key, value in open_fields.items() if value is not None},
        "Image": service["image"],
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "Labels": {"bluegreen.stack": stack, CONFIG_LABEL: config_hash(service)},
        "StopTimeout": math.ceil(service["stop_grace_period_s"]),
        "ExposedPorts": {port: {} for port in ports},
        "HostConfig": {
            "NetworkMode": NETWORK,
            "RestartPolicy": {"Name": restart, "MaximumRetryCount": int(most or 0)},
            "PortBindings": ports,
            "Init": service["init"],
            "ReadonlyRootfs": service["read_only"],
            "Ulimits": [
                {"Name": name, "Soft": soft, "Hard": hard} for name, (soft, hard) in service["ulimits"].items()
            ],
            "LogConfig": log,
        },
    }


def health_deadline_s(health: Health | None) -> float:
    """How long a dependency may take to become healthy: its own patience and a minute, or 5 minutes if unknown."""
    if health is None:
        return 300.0
    return health["start_period_s"] + health["retries"] * (health["interval_s"] + health["timeout_s"]) + 60.0


def _health(health: Health | None) -> dict[str, Any] | None:
    if health is None:
        return None
    return {
        "Test": health["test"],
        "Interval": round(health["interval_s"] * SECOND),
        "Timeout": round(health["timeout_s"] * SECOND),
        "Retries": health["retries"],
        "StartPeriod": round(health["start_period_s"] * SECOND),
    }
