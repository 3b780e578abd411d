"""What the instances of a world stand on, one class per mode: where they answer, and what serves them beside AWS.

`processes`: nothing but the hosts. `docker`: a bridge with the VPC's network, the metadata service at its gateway, and a
base layer for the demo's images. World takes either and does not look inside.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from bluegreen.sandbox import state
from bluegreen.sandbox.hosts import ProcessHosts
from bluegreen.sandbox.model import Boot, Hosts
from bluegreen.sandbox.registry import Base
from bluegreen.sandbox.seed import NETWORK


class ClosableHosts(Hosts, Protocol):
    def close(self) -> None: ...


class Ground(Protocol):
    """`gateway` is an address for the AWS endpoint and the registry beside loopback, if there is one."""

    @property
    def network(self) -> str: ...

    @property
    def gateway(self) -> str | None: ...

    @property
    def base(self) -> Base | None: ...

    @property
    def hosts(self) -> ClosableHosts: ...

    async def start(self, registry_port: int) -> None:
        """The registry has its port now; no instance has booted yet."""

    async def stop(self) -> None: ...


class Processes:
    def __init__(self, folder: Path, secret: Callable[[str], str]) -> None:
        self.network, self.gateway, self.base = NETWORK, None, None
        self.hosts = ProcessHosts(folder / state.HOSTS, token=state.token_of(folder), secret=secret)

    async def start(self, registry_port: int) -> None:
        return

    async def stop(self) -> None:
        return


class Containers:
    """`images` are docker_mode's. Makes the bridge at once."""

    def __init__(self, folder: Path, aws_port: int, images: dict[str, str]) -> None:
        from bluegreen.sandbox import base_layer, container, containers
        from bluegreen.sandbox.metadata_server import MetadataServer

        self._token, self._user, self._aws_port = state.token_of(folder), os.getuid(), aws_port
        self._engine = containers.client()
        bridge = containers.Bridge(self._engine, self._token, self._user)
        self.network, self.gateway = bridge.cidr, bridge.gateway
        (folder / state.HOSTS).mkdir(mode=0o700, exist_ok=True)
        labels = container.labels(self._token, self._user)
        self.base = base_layer.export(self._engine, images["python"], folder / state.HOSTS, labels)
        self._metadata = MetadataServer(bridge.gateway, self._who)
        site = container.Site(self._token, self._user, bridge.name, bridge.gateway, aws_port)
        self._containers = containers.ContainerHosts(self._engine, site, images["host"])
        self.hosts = self._containers

    async def start(self, registry_port: int) -> None:
        self._containers.serve(await self._metadata.start(), registry_port)

    async def stop(self) -> None:
        await self._metadata.stop()

    def _who(self, address: str) -> Boot | None:
        return self._containers.who(address)
