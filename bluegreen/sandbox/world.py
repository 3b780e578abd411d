"""The parts of one sandbox, joined: engine, hosts, AWS endpoint, registry, balancer, health checks, ticker.

The only file that knows how they start and stop. Importing it imports moto, with the settings that it reads once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import socket
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # 1,291 old ones: 1.4 s of the start; we seed our own

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server

from bluegreen.sandbox import loopback
from bluegreen.sandbox.balancer import Balancer
from bluegreen.sandbox.engine import Engine
from bluegreen.sandbox.ground import Containers, Ground, Processes
from bluegreen.sandbox.health import HealthChecker
from bluegreen.sandbox.parameters import fetch
from bluegreen.sandbox.registry import DemoRegistry
from bluegreen.sandbox.seed import seed

TICK_S = 0.1
POLL_S = 0.05
PART_STOP_LIMIT_S = 1.0

log = logging.getLogger(__name__)


class World:
    def __init__(
        self,
        folder: Path,
        listening: socket.socket,
        port: int,
        registry_port: int,
        images: dict[str, str] | None = None,
    ) -> None:
        """`listening` is the AWS endpoint's socket; `port` what was asked for: with 0 every other port is free too. With
        `images` (docker_mode.images) the instances are containers, else processes."""
        aws_port = listening.getsockname()[1]
        self.endpoint = f"http://{loopback.HOST}:{listening.getsockname()[1]}"
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._ground: Ground = Containers(folder, aws_port, images) if images else Processes(folder, self._secret)
        self._engine = Engine(hosts=self._ground.hosts)
        self._aws = [self._server(loopback.HOST, aws_port, listening.fileno())]
        if self._ground.gateway is not None:
            self._aws.append(self._server(self._ground.gateway, aws_port, None))
        self._registry = DemoRegistry(loopback.HOST, registry_port, also=self._ground.gateway, base=self._ground.base)
        self._balancer = Balancer(
            self._engine,
            bind=loopback.HOST,
            prefer=lambda number: port and port + number,
            rng=random.Random(),  # noqa: S311 - it spreads requests, it guards nothing
        )
        self._health = HealthChecker(self._engine)

    async def start(self) -> None:
        seeded = await asyncio.to_thread(seed, self._engine, network=self._ground.network)
        self.region, self.account = seeded.region, seeded.account
        await self._registry.start()
        self.registry = self._registry.address
        await self._ground.start(int(self.registry.rpartition(":")[2]))
        await self._balancer.start()
        await self._health.start()
        for server in self._aws:
            self._thread("aws", partial(server.serve_forever, POLL_S))
        self._thread("ticker", self._tick)

    async def stop(self) -> None:
        """Everything at once, each part within its time; whatever it answers, the others are stopped too."""
        self._stopping.set()
        parts = {
            "health checks": self._health.stop(),
            "balancer": self._balancer.stop(),
            "registry": self._registry.stop(),
            "AWS endpoint": asyncio.to_thread(self._close_aws),
            "what the hosts stand on": self._ground.stop(),
        }
        bounded = [asyncio.wait_for(part, PART_STOP_LIMIT_S) for part in parts.values()]
        outcomes = await asyncio.gather(asyncio.to_thread(self._ground.hosts.close), *bounded, return_exceptions=True)
        for name, outcome in zip(["hosts", *parts], outcomes, strict=True):
            if isinstance(outcome, BaseException):
                log.error("%s did not stop well", name, exc_info=outcome)

    def listeners(self) -> dict[str, int]:
        """ "load balancer:port" → port of this machine."""
        ports = self._balancer.ports()
        return {
            f"{listener.load_balancer}:{listener.port}": ports[listener.arn]
            for listener in self._engine.listeners()
            if listener.arn in ports
        }

    def instances(self) -> list[dict[str, str]]:
        return self._engine.instances()

    def _close_aws(self) -> None:
        for server in self._aws:
            if self._threads:
                server.shutdown()
            server.server_close()

    def _server(self, host: str, port: int, descriptor: int | None) -> Any:
        return make_server(
            host,
            port,
            self._engine.wsgi(),
            threaded=True,
            request_handler=MotoRequestHandler,
            fd=descriptor,
        )

    def _tick(self) -> None:
        """Lets the engine's time pass. The same trouble is logged once, not ten times a second."""
        said = ""
        while not self._stopping.wait(TICK_S):
            try:
                self._engine.settle()
            except Exception as error:
                if repr(error) != said:
                    said = repr(error)
                    log.exception("the engine cannot settle")

    def _thread(self, name: str, work: Callable[[], Any]) -> None:
        thread = threading.Thread(target=work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _secret(self, reference: str) -> str:
        return fetch(self.endpoint, self.region, reference)
