"""One instance: from user data to running services, and to its end. Its methods stand in the order of what happens.

A failed boot leaves the machine on, as a real one would: the console has the cause, and the load balancer's check never
passes. Lives in the hosts' event loop; pulling and unpacking happen in threads that end when the machine stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bluegreen.core import secret_ref
from bluegreen.core.stack import Service
from bluegreen.sandbox.addresses import Addresses, taken
from bluegreen.sandbox.command import command
from bluegreen.sandbox.console import BootError, Console
from bluegreen.sandbox.model import Boot
from bluegreen.sandbox.processes import Processes
from bluegreen.sandbox.pull import Image, Puller, split
from bluegreen.sandbox.service import Running, ending
from bluegreen.sandbox.userdata import Document, boot_document

LISTEN_LIMIT_S = 30.0
LOOK_EVERY_S = 0.05
SETTLE_S = 0.3
GRACE_S = 2.0
KILL_S = 1.0
THREADS_S = 1.0

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Site:
    """What the machines of one sandbox share. `secret` gives the value of a reference (ssm:/path, secretsmanager:NAME);
    it may block."""

    folder: Path
    processes: Processes
    addresses: Addresses
    secret: Callable[[str], str]
    pulls: asyncio.Semaphore


class Machine:
    def __init__(self, boot: Boot, console: Console, site: Site) -> None:
        self._boot = boot
        self._console = console
        self._site = site
        self._folder = site.folder / boot.instance_id
        self._services: dict[str, Running] = {}
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._task: asyncio.Task[None] | None = None
        self._former: asyncio.Task[None] | None = None

    def begin(self, former: asyncio.Task[None] | None) -> None:
        """`former` is the end of this instance's former run, if that still goes on: names and ports are the same."""
        self._former = former
        self._task = asyncio.create_task(self._run())

    def pids(self) -> dict[str, int]:
        """Service → pid of those that run now."""
        return {service.name: service.pid for service in self._services.values() if service.pid is not None}

    async def _run(self) -> None:
        try:
            if self._former is not None:
                await asyncio.wait([self._former])
            document = boot_document(self._boot.user_data)
            self._console.say("start", f"{self._boot.instance_id} of {document.stack}")
            self._say_what_is_ignored(document)
            self._folder.mkdir(mode=0o700, parents=True)
            images = await self._pull_all(document)
            for service in document.services:
                await self._start(service, images[service.name])
            for service in document.services:
                await self._settle(self._services[service.name])
            self._console.say("ready", " ".join(service.name for service in document.services))
        except BootError as failure:
            self._console.failed(failure)
        except Exception as error:
            log.exception("the boot of %s failed unexpectedly", self._boot.instance_id)
            self._console.failed(BootError(f"unexpected {type(error).__name__}: {error}"))

    def _say_what_is_ignored(self, document: Document) -> None:
        if document.logging:
            self._console.say("ignored", f"logging {document.logging}: here every line goes to this console")
        for service in document.services:
            if service.workers:
                self._console.say(
                    "ignored", f"x-workers of {service.name}: this host has no agent that would count them"
                )
            if service.ulimits:
                self._console.say("ignored", f"ulimits of {service.name}: its processes have this machine's")

    async def _pull_all(self, document: Document) -> dict[str, Image]:
        login: tuple[str, str] | None = None
        if document.login is not None:
            self._console.say("login", f"{document.registry} as {document.login.username}")
            login = (document.login.username, await self._secret(document.login.password))
        async with asyncio.TaskGroup() as group:
            tasks = {one.name: group.create_task(self._pull(one, document, login)) for one in document.services}
        outcomes = {name: task.result() for name, task in tasks.items()}
        for outcome in outcomes.values():
            if isinstance(outcome, BootError):
                raise outcome
        return {name: outcome for name, outcome in outcomes.items() if isinstance(outcome, Image)}

    async def _pull(self, service: Service, document: Document, login: tuple[str, str] | None) -> Image | BootError:
        """A failure is returned, so that it does not cancel the other pulls half-way and hide behind a group."""
        try:
            host, repository, digest = split(service.image)
            puller = Puller(host, login if host == document.registry else None, self._check)
            root = self._folder / service.name / "root"
            root.parent.mkdir()
            async with self._site.pulls:
                self._console.say("pull", f"{service.name} {service.image}")
                image = await self._in_thread(lambda: puller.pull(repository, digest, root))
        except BootError as failure:
            return BootError(f"{service.name}: {failure.cause}")
        self._console.say("pulled", f"{service.name} {image.layers} layers, {image.size / 1024:.0f} KiB")
        return image

    async def _start(self, service: Service, image: Image) -> None:
        for need in service.depends_on:
            if need.condition == "service_healthy":
                await self._settle(self._services[need.service])
        values = {
            name: await self._secret(value) if secret_ref.is_one(value) else value
            for name, value in service.environment
        }
        addresses = [self._address(port.host) for port in service.ports if port.protocol == "tcp"]
        for host, port in addresses:
            if why := taken(host, port):
                raise BootError(f"{service.name}: port {port} of {host} is taken: {why}")
        own = {"INSTANCE_ID": self._boot.instance_id}
        if addresses:
            own["BLUEGREEN_BIND"] = ":".join(map(str, addresses[0]))
        running = Running(
            service.name,
            f"{self._boot.instance_id}/{service.name}",
            command=command(service, image, values, own),
            restart=service.restart,
            address=addresses[0] if addresses else None,
            console=self._console,
            processes=self._site.processes,
        )
        self._console.say("run", f"{service.name} {own.get('BLUEGREEN_BIND', '')}")
        self._services[service.name] = running
        await running.start()

    async def _settle(self, running: Running) -> None:
        """A program that dies at once is the commonest failure, and a load balancer could only say "unhealthy".
        What has a port is well when it listens there, anything else when it has lasted a moment."""
        loop = asyncio.get_running_loop()
        limit_s = SETTLE_S if running.address is None else LISTEN_LIMIT_S
        deadline = loop.time() + limit_s
        while loop.time() < deadline:
            if running.code:
                cause = f"{running.name} ended with {ending(running.code)} (restarted {running.restarts} times)"
                raise BootError(cause, running.last_words())
            if running.address is not None and await _accepts(*running.address):
                return
            await asyncio.sleep(LOOK_EVERY_S)
        if running.address is not None and running.code is None:
            where = ":".join(map(str, running.address))
            cause = f"{running.name} does not listen on {where} after {limit_s:.0f} s; it should bind $BLUEGREEN_BIND"
            raise BootError(cause, running.last_words())

    def _address(self, port: int) -> tuple[str, int]:
        return self._site.addresses.of(self._boot.instance_id, port)

    async def _secret(self, reference: str) -> str:
        self._console.say("secret", reference)
        return await self._in_thread(lambda: self._site.secret(reference))

    def _check(self) -> None:
        if self._stopping.is_set():
            raise BootError("the machine was stopped")

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """In a daemon thread, which unlike an executor's never holds up the end of the sandbox."""
        loop = asyncio.get_running_loop()
        result: asyncio.Future[T] = loop.create_future()

        def deliver(outcome: T | None, error: BaseException | None) -> None:
            if result.done():
                return  # the boot was cancelled meanwhile
            if error is not None:
                result.set_exception(error)
            else:
                result.set_result(outcome)  # type: ignore[arg-type]

        def run() -> None:
            outcome, error = None, None
            try:
                outcome = work()
            except Exception as raised:  # noqa: BLE001 - it is raised again where the result is awaited
                error = raised
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(deliver, outcome, error)

        thread = threading.Thread(target=run, name=f"boot {self._boot.instance_id}", daemon=True)
        self._threads.append(thread)
        thread.start()
        return await result

    async def stop(self) -> None:
        """SIGTERM to every group, SIGKILL after 2 s, then the folder goes. Bounded, whatever the processes do."""
        self._stopping.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._former is not None:
            await asyncio.wait([self._former])
        for running in self._services.values():
            await running.stop_restarting()
        await self._end_processes(signal.SIGTERM, GRACE_S)
        await self._end_processes(signal.SIGKILL, KILL_S)
        for running in self._services.values():
            running.stop_reading()
        deadline = asyncio.get_running_loop().time() + THREADS_S
        while any(thread.is_alive() for thread in self._threads) and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(LOOK_EVERY_S)
        await self._in_thread(lambda: shutil.rmtree(self._folder, ignore_errors=True))
        self._console.say("stopped")

    async def _end_processes(self, number: int, within_s: float) -> None:
        keys = [running.key for running in self._services.values()]
        ends = [end for key in keys if (end := self._site.processes.ended(key)) is not None]
        for key in keys:
            self._site.processes.signal(key, number)
        if ends:
            await asyncio.wait(ends, timeout=within_s)


async def _accepts(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 1.0)
    except OSError:  # TimeoutError is one
        return False
    writer.close()
    return True
