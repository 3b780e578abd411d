"""The Docker engine: the one that runs, else one started for this test run; and a bridge whose gateway is ours."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
from docker.types import IPAMConfig, IPAMPool

from tests.parts.daemon import Daemon, Missing

LABEL = "bluegreen.tests"
SOCKET = "/var/run/docker.sock"
START_S = 60
CALL_S = 120  # of one call: removing a container of several hundred megabytes takes its time


@contextlib.contextmanager
def engine(folder: Path) -> Iterator[docker.DockerClient]:
    """A client of the engine on the default socket. Missing, with the reason, where none can run."""
    started = _start(folder) if _refusal() else None
    client = docker.DockerClient(base_url=f"unix://{SOCKET}", timeout=CALL_S)
    try:
        yield client
    finally:
        client.close()
        if started:
            started.stop(within_s=60)


@contextlib.contextmanager
def bridge(client: docker.DockerClient) -> Iterator[str]:
    """The address of a bridge's gateway: on this machine, and in reach of containers of all other networks, also of those
    that an engine inside them makes: these are of Docker's own pools (172.17/16 to 172.31/16, 192.168/16)."""
    name = uuid.uuid4().hex[:8]
    subnet = f"10.78.{int(name[:2], 16)}"
    pool = IPAMConfig(pool_configs=[IPAMPool(subnet=f"{subnet}.0/24", gateway=f"{subnet}.1")])
    network = client.networks.create(f"bluegreen-tests-{name}", driver="bridge", labels={LABEL: "1"}, ipam=pool)
    try:
        network.reload()
        yield str(network.attrs["IPAM"]["Config"][0]["Gateway"])
    finally:
        network.remove()


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
