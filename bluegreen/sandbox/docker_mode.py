"""Docker mode, as the command line sees it: can it run here, its images, and what a crash left. Imports the Docker SDK.

Instances as containers need an engine on this very machine, since the balancer talks to their addresses, and Linux.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from urllib.parse import urlsplit

import docker
from docker.errors import DockerException

from bluegreen.errors import Refused
from bluegreen.sandbox import bare_host, container, leftover_containers

ANSWER_LIMIT_S = 5
CALL_LIMIT_S = 300


def trouble() -> str:
    """Why no sandbox in docker mode can run here; empty if one can."""
    if sys.platform != "linux":
        return "it needs Linux: elsewhere the containers' addresses cannot be reached"
    if urlsplit(os.environ.get("DOCKER_HOST", "unix://")).scheme not in ("unix", ""):
        return f"DOCKER_HOST is {os.environ['DOCKER_HOST']}: the engine must be on this machine"
    try:
        client = docker.DockerClient.from_env(timeout=ANSWER_LIMIT_S)
    except DockerException as error:
        return f"no Docker engine answers: {error}"
    try:
        client.ping()
    except (DockerException, OSError) as error:
        return f"no Docker engine answers: {error}"
    finally:
        client.close()
    return ""


def images(say: Callable[[str], None], *, bare: bool = False) -> dict[str, str]:
    """The tags of the host's and the demo's image, both in the engine. `bare`: hosts without Docker in them. Raises
    Refused if no engine answers or an image cannot be built."""
    if why := trouble():
        raise Refused("the sandbox cannot run in docker mode", why=why, next=bare_host.OTHER_MODE)
    client = docker.DockerClient.from_env(timeout=CALL_LIMIT_S)
    try:
        host = bare_host.ensure(client, "bare" if bare else "present", say)
        return {"host": host, "python": bare_host.ensure(client, "python", say)}
    finally:
        client.close()


def clean_up(token: str) -> int:
    """Removes what the sandbox of this token left in the engine. How many containers were met; 0 without an engine."""
    return _with_engine(lambda client: leftover_containers.remove(client, token))


def clean_up_all(living: set[str]) -> int:
    """The same for every sandbox of this user but those with a living server."""

    def remove(client: docker.DockerClient) -> int:
        tokens = leftover_containers.tokens(client, f"{container.OWNER}={os.getuid()}")
        return sum(leftover_containers.remove(client, token) for token in sorted(tokens - living))

    return _with_engine(remove)


def _with_engine(act: Callable[[docker.DockerClient], int]) -> int:
    if trouble():
        return 0
    client = docker.DockerClient.from_env(timeout=CALL_LIMIT_S)
    try:
        return act(client)
    finally:
        client.close()
