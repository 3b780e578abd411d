"""The Docker engine: the one that runs, else one started for this test run; and a bridge whose gateway is ours.

The processes of a run share the engine: the first one starts it, and stops it when no other one has it any more.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import shutil
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import docker
from docker.errors import APIError
from docker.models.networks import Network
from docker.types import IPAMConfig, IPAMPool

from tests.parts.daemon import Daemon, Missing

LABEL = "bluegreen.tests"
SOCKET = "/var/run/docker.sock"
START_S = 60
OTHERS_S = 1200  # that the others of a run may have the engine for longer than who started it
BRIDGES = 5  # subnets that are tried: a run that crashed may have left one
CALL_S = 120  # of one call: removing a container of several hundred megabytes takes its time


@contextlib.contextmanager
def engine(folder: Path) -> Iterator[docker.DockerClient]:
    """A client of the engine on the default socket. `folder` is the same for all processes of a run. Missing, with the
    reason, where none can run."""
    with (folder / "engine.users").open("a") as users, (folder / "engine.door").open("a") as door:
        with _locked(door):
            fcntl.flock(users, fcntl.LOCK_SH)
            started = _start(folder) if _refusal() else None
        client = docker.DockerClient(base_url=f"unix://{SOCKET}", timeout=CALL_S)
        try:
            yield client
        finally:
            client.close()
            fcntl.flock(users, fcntl.LOCK_UN)
            if started:
                with _locked(door):  # nobody comes in
                    _await_nobody(users)
                    started.stop(within_s=60)


@contextlib.contextmanager
def _locked(file: TextIO) -> Iterator[None]:
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


def _await_nobody(users: TextIO) -> None:
    end = time.monotonic() + OTHERS_S
    while time.monotonic() < end:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(0.5)


@contextlib.contextmanager
def bridge(client: docker.DockerClient) -> Iterator[str]:
    """The address of a bridge's gateway: on this machine, and in reach of containers of all other networks, also of those
    that an engine inside them makes: these are of Docker's own pools (172.17/16 to 172.31/16, 192.168/16)."""
    network = _network(client)
    try:
        network.reload()
        yield str(network.attrs["IPAM"]["Config"][0]["Gateway"])
    finally:
        network.remove()


def _network(client: docker.DockerClient) -> Network:
    name = f"bluegreen-tests-{uuid.uuid4().hex[:8]}"
    last: APIError | None = None
    for number in random.sample(range(256), BRIDGES):
        pool = IPAMPool(subnet=f"10.76.{number}.0/24", gateway=f"10.76.{number}.1")
        ipam = IPAMConfig(pool_configs=[pool])
        try:
            return client.networks.create(name, driver="bridge", labels={LABEL: "1"}, ipam=ipam)
        except APIError as error:
            last = error
    raise AssertionError(f"no bridge for the tests: {last}")


def _start(folder: Path) -> Daemon:
    if not shutil.which("dockerd"):
        raise Missing(f"no Docker engine ({_refusal()}), and no dockerd to start (Debian package docker.io)")
    if os.geteuid() != 0:
        raise Missing(f"no Docker engine ({_refusal()}), and only root can start dockerd")
    words = ("dockerd", "--storage-driver=overlay2")
    daemon = Daemon(words, folder / "dockerd.log", lambda: not _refusal(), START_S)
    daemon.start()
    return daemon


def _refusal() -> str:
    """Why the engine does not answer; nothing when it does. (The client of the SDK leaves sockets open when it fails.)"""
    try:
        with socket.socket(socket.AF_UNIX) as asked:
            asked.settimeout(10)
            asked.connect(SOCKET)
            asked.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            answer = asked.recv(64)
    except OSError as error:
        return str(error)
    return "" if b" 200 " in answer else repr(answer)
