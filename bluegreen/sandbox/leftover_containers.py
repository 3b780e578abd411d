"""What a sandbox in docker mode made in the Docker engine, found by its label and removed: also after a crash."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import docker
from docker.errors import APIError, NotFound

from bluegreen.sandbox.container import SANDBOX

AT_ONCE = 8
log = logging.getLogger(__name__)


def remove(engine: docker.DockerClient, token: str) -> int:
    """All that bears the token of one sandbox: containers, then volumes, then networks. How many containers it met."""
    wanted = {"label": [f"{SANDBOX}={token}"]}
    met = [each["Id"] for each in engine.api.containers(all=True, filters=wanted)]
    _each(met, lambda one: engine.api.remove_container(one, force=True, v=True))
    volumes = engine.api.volumes(filters=wanted)["Volumes"] or []
    _each([each["Name"] for each in volumes], lambda one: engine.api.remove_volume(one, force=True))
    _each([each["Id"] for each in engine.api.networks(filters=wanted)], engine.api.remove_network)
    return len(met)


def tokens(engine: docker.DockerClient, owner: str) -> set[str]:
    """Of all sandboxes of this user that have something in the engine."""
    wanted = {"label": [SANDBOX, owner]}
    made: list[dict[str, Any]] = [
        *engine.api.containers(all=True, filters=wanted),
        *(engine.api.volumes(filters=wanted)["Volumes"] or []),
        *engine.api.networks(filters=wanted),
    ]
    return {each["Labels"][SANDBOX] for each in made}


def _each(names: list[str], remove_one: Callable[[str], Any]) -> None:
    def attempt(name: str) -> None:
        try:
            remove_one(name)
        except NotFound:
            return
        except APIError as error:
            log.warning("%s is not removed: %s", name, error)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(attempt, names))
