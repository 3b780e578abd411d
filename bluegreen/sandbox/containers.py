"""The machines behind the instances, as containers: model.Hosts for the docker mode.

Each instance has a worker of its own that does one thing after another with its container (boot, stop, end), so that
one slow or failing call of the Docker engine holds up neither AWS nor another instance. Nothing here knows moto.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import docker
from docker.errors import APIError

from bluegreen.sandbox import container, leftover_containers
from bluegreen.sandbox.console import Console
from bluegreen.sandbox.container import Site
from bluegreen.sandbox.host import Host
from bluegreen.sandbox.model import Boot

CALL_LIMIT_S = 60.0
CONNECTIONS = 32
CONSOLES_KEPT = 100
NETWORKS = tuple(f"10.{number}.0.0/16" for number in range(77, 255))
NETWORK_TRIES = 64


def client() -> docker.DockerClient:
    return docker.DockerClient.from_env(timeout=int(CALL_LIMIT_S), max_pool_size=CONNECTIONS)


class Bridge:
    """The VPC's network as a Docker bridge, with the first CIDR that nothing on this machine uses."""

    def __init__(self, engine: docker.DockerClient, token: str, user: int) -> None:
        routes = Path("/proc/net/route").read_text("ascii")
        free = [cidr for cidr in NETWORKS if not container.overlaps(cidr, routes)]
        for cidr in free[:NETWORK_TRIES]:
            try:
                engine.networks.create(**container.network(token, user, cidr))
            except APIError as error:
                if "overlaps" not in str(error):
                    raise
                continue
            self.name, self.cidr, self.gateway = (
                container.network(token, user, cidr)["name"],
                cidr,
                container.gateway(cidr),
            )
            return
        raise OSError("no network 10.N.0.0/16 is free for the sandbox's bridge")


class ContainerHosts:
    def __init__(self, engine: docker.DockerClient, site: Site, image: str) -> None:
        self._engine = engine
        self._site = site
        self._image = image
        self._bounding = container.bounding_set(Path("/proc/self/status").read_text("ascii"))
        self._hosts: dict[str, Host] = {}
        self._boots: dict[str, Boot] = {}  # by address
        self._consoles: dict[str, Console] = {}
        self._lock = threading.Lock()
        self._closed = False

    def serve(self, metadata_port: int, registry_port: int) -> None:
        """Where the hosts find both, known before the first of them boots."""
        self._site = replace(self._site, metadata_port=metadata_port, registry_port=registry_port)

    def start(self, boot: Boot) -> None:
        with self._lock:
            if self._closed:
                return
            host = self._hosts.get(boot.instance_id)
            if host is None:
                host = self._hosts[boot.instance_id] = Host(self._engine, self._body(boot), boot.instance_id)
            self._boots[boot.address] = boot
            self._consoles.pop(boot.instance_id, None)
            self._consoles[boot.instance_id] = host.begin()

    def stop(self, instance_id: str) -> None:
        self._tell(instance_id, Host.stop)

    def end(self, instance_id: str) -> None:
        self._tell(instance_id, Host.end)
        with self._lock:
            self._hosts.pop(instance_id, None)
            self._boots = {address: boot for address, boot in self._boots.items() if boot.instance_id != instance_id}
            ended = [name for name in self._consoles if name not in self._hosts]
            for name in ended[:-CONSOLES_KEPT]:
                del self._consoles[name]

    def console(self, instance_id: str) -> str:
        with self._lock:
            console = self._consoles.get(instance_id)
        return console.text() if console is not None else ""

    def address(self, instance_id: str, port: int) -> tuple[str, int]:
        with self._lock:
            boots = [boot for boot in self._boots.values() if boot.instance_id == instance_id]
        return boots[0].address if boots else self._site.gateway, port

    def who(self, address: str) -> Boot | None:
        """Whose address it is, for the metadata service."""
        with self._lock:
            return self._boots.get(address)

    def close(self) -> None:
        """Removes every container, volume and network of this sandbox."""
        with self._lock:
            self._closed = True
            hosts = list(self._hosts.values())
        for host in hosts:
            host.forget()
        leftover_containers.remove(self._engine, self._site.token)
        self._engine.close()

    def _tell(self, instance_id: str, act: Callable[[Host], None]) -> None:
        with self._lock:
            host = None if self._closed else self._hosts.get(instance_id)
        if host is not None:
            act(host)

    def _body(self, boot: Boot) -> container.Body:
        return container.host(self._site, boot, self._image, self._bounding)
