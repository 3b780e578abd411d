"""A stack file to a Stack, or to all of its mistakes at once. Reads the file and the authorities that it names: no AWS, no
environment."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bluegreen.core import stack as core
from bluegreen.stackfile.authority import read_ca
from bluegreen.stackfile.check import check
from bluegreen.stackfile.image_check import image_specs
from bluegreen.stackfile.kinds import BAD, Reading
from bluegreen.stackfile.log_keys import read_logging
from bluegreen.stackfile.mistake import Mistakes
from bluegreen.stackfile.nodes import read_nodes
from bluegreen.stackfile.schema import FILE

Found = Mapping[str, Any]


def load(path: Path, variables: Mapping[str, str], *, placeholders: bool = False) -> core.Stack:
    """The stack that the file declares, `variables` put in for ${NAME}. With `placeholders`, a variable that is not set
    is no mistake. Raises StackFileError, whose `mistakes` are all that were found, with line and column."""
    mistakes = Mistakes(str(path))
    root = read_nodes(path)
    found = FILE.read(root, "", Reading(mistakes, variables, placeholders))
    mistakes.raise_any()
    assert found is not BAD
    check(found, root, mistakes)
    registry_ca, logging_ca = (read_ca(found, of, root, mistakes, path.parent) for of in ("registry", "logging"))
    mistakes.raise_any()
    return _stack(found, registry_ca)._replace(logging=read_logging(found, logging_ca), source=str(path))


def _stack(found: Found, ca: str) -> core.Stack:
    rollout = found.get("rollout", {})
    return core.Stack(
        name=found["stack"],
        region=found["region"],
        account=found["account"],
        fleet=_fleet(found["fleet"]),
        traffic=tuple(_traffic(item) for item in found["traffic"]),
        registry=_registry(found["registry"], ca),
        services=tuple(_service(name, item) for name, item in found["services"].items()),
        rollout=core.Rollout(
            int(rollout.get("boot_timeout", 300)), int(rollout.get("bake", 0)), rollout.get("rollback") == "unsafe"
        ),
        images=image_specs(found),
    )


def _fleet(found: Found) -> core.FleetShape:
    disk = found.get("disk", {})
    return core.FleetShape(
        count=found["count"],
        ami=found["ami"],
        instance_types=found["instance_types"],
        subnets=found["subnets"],
        security_groups=found["security_groups"],
        instance_profile=found.get("instance_profile"),
        disk=core.Disk(disk.get("size_gib", 20), disk.get("throughput_mibps")),
        docker=found.get("docker", "distribution"),
    )


def _traffic(found: Found) -> core.Traffic:
    rule, health = found.get("rule", {}), found.get("health", {})
    interval = int(health.get("interval", 5))
    agent = health.get("path") == "agent"
    return core.Traffic(
        load_balancer=found["load_balancer"],
        listener=found["listener"],
        port=found["port"],
        rule=core.Rule(rule.get("host"), rule.get("path")),
        health=core.Health(
            path="/health" if agent else health.get("path", "/"),
            interval_s=interval,
            timeout_s=int(health.get("timeout", min(5, interval - 1))),
            healthy=health.get("healthy", 2),
            unhealthy=health.get("unhealthy", 2),
            matcher=health.get("matcher", "200"),
            port=core.AGENT_PORT if agent else None,
        ),
        drain_s=int(found.get("drain", 60)),
    )


def _registry(found: Found, ca: str) -> core.Registry:
    auth = found.get("auth")
    if auth is None or auth == "ecr":
        return core.Registry(found["host"], ca=ca, ecr=auth == "ecr")
    return core.Registry(found["host"], core.Login(auth["username"], auth["password"]), ca)


def _service(name: str, found: Found) -> core.Service:
    optional = {key: found[key] for key in ("restart", "user", "working_dir", "init", "read_only") if key in found}
    return core.Service(
        name=name,
        image=found["image"],
        command=words(found.get("command")),
        entrypoint=words(found.get("entrypoint")),
        environment=environment(found.get("environment", {})),
        ports=tuple(port(text) for text in found.get("ports", ())),
        depends_on=tuple(core.DependsOn(*pair) for pair in depends_on(found.get("depends_on", ()))),
        healthcheck=_healthcheck(found.get("healthcheck")),
        stop_grace_period_s=found.get("stop_grace_period", 10.0),
        ulimits=tuple(core.Ulimit(limit, *limits(value)) for limit, value in found.get("ulimits", {}).items()),
        workers=core.Workers(**found["x-workers"]) if "x-workers" in found else None,
        **optional,
    )


def _healthcheck(found: Found | None) -> core.ContainerHealth | None:
    if found is None:
        return None
    test = found["test"]
    return core.ContainerHealth(
        test=("CMD-SHELL", test) if isinstance(test, str) else test,
        interval_s=found.get("interval", 30.0),
        timeout_s=found.get("timeout", 30.0),
        retries=found.get("retries", 3),
        start_period_s=found.get("start_period", 0.0),
    )


def limits(found: Any) -> tuple[int, int]:
    """Soft and hard."""
    return (found["soft"], found["hard"]) if isinstance(found, Mapping) else (found, found)


def words(found: Any) -> tuple[str, ...] | None:
    return tuple(shlex.split(found)) if isinstance(found, str) else found


def environment(found: Any) -> tuple[tuple[str, str], ...]:
    if isinstance(found, Mapping):
        return tuple(found.items())
    return tuple((name, value) for name, _, value in (item.partition("=") for item in found))


def port(text: str) -> core.Port:
    numbers, _, protocol = text.partition("/")
    host, _, container = numbers.partition(":")
    return core.Port(int(host), int(container), protocol or "tcp")


def depends_on(found: Any) -> tuple[tuple[str, str], ...]:
    if isinstance(found, Mapping):
        return tuple((name, item["condition"]) for name, item in found.items())
    return tuple((name, "service_started") for name in found)
