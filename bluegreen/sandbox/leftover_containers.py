"""What a sandbox in docker mode made in the Docker engine, found by its label and removed: also after a crash."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import docker
from docker.errors import APIError, DockerException, NotFound

from bluegreen.sandbox.container import SANDBOX

AT_ONCE = 8
EMPTY_LIMIT_S = 25.0
LOOK_EVERY_S = 0.1
EMPTY_ALL = 'for each in /v/*; do rm -rf "$each"/* & done; wait'
log = logging.getLogger(__name__)


def remove(engine: docker.DockerClient, token: str) -> int:
    """All that bears the token of one sandbox: containers, then volumes, then networks. How many containers it met."""
    wanted = {"label": [f"{SANDBOX}={token}"]}
    met = engine.api.containers(all=True, filters=wanted)
    _each([each["Id"] for each in met], lambda one: engine.api.remove_container(one, force=True, v=True))
    volumes = [each["Name"] for each in engine.api.volumes(filters=wanted)["Volumes"] or []]
    if len(volumes) > 1 and met:
        _empty(engine, volumes, met[0]["ImageID"], token)
    _each(volumes, lambda one: engine.api.remove_volume(one, force=True))
    _each([each["Id"] for each in engine.api.networks(filters=wanted)], engine.api.remove_network)
    return len(met)


def _empty(engine: docker.DockerClient, volumes: list[str], image: str, token: str) -> None:
    """The engine removes one volume after another, and each holds the files of all its host's images: so they are emptied
    first, all at once, by a container of a host's image. What that does not do in time the engine does."""
    config = {
        "Image": image,
        "Entrypoint": ["/bin/sh", "-c", EMPTY_ALL],
        "Cmd": [],
        "NetworkDisabled": True,
        "Labels": {SANDBOX: token},
        "HostConfig": {"Binds": [f"{name}:/v/{number}" for number, name in enumerate(volumes)]},
    }
    try:
        made = engine.api.create_container_from_config(config)["Id"]
        try:
            engine.api.start(made)
            until = time.monotonic() + EMPTY_LIMIT_S
            while engine.api.inspect_container(made)["State"]["Running"] and time.monotonic() < until:
                time.sleep(LOOK_EVERY_S)
        finally:
            engine.api.remove_container(made, force=True)
    except (DockerException, OSError) as error:
        log.warning("%d volumes are not emptied beforehand: %s", len(volumes), error)


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
