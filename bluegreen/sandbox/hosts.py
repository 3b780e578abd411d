"""The machines behind the instances, as processes of this one: model.Hosts for threads, over one event loop of its own.

Every instance is a group of processes with its own address (addresses.py), its files below `folder`, and the keeper as
their parent (keeper.py says how none of them outlives the sandbox). Nothing here knows AWS.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

from bluegreen.sandbox.addresses import Addresses
from bluegreen.sandbox.console import BootError, Console
from bluegreen.sandbox.leftovers import RECORD
from bluegreen.sandbox.machine import Machine, Site
from bluegreen.sandbox.model import Boot
from bluegreen.sandbox.processes import Processes

PULLS_AT_ONCE = 8
CONSOLES_KEPT = 100  # of instances that have ended; AWS keeps them for about an hour
CLOSE_LIMIT_S = 6.0


class ProcessHosts:
    def __init__(
        self,
        folder: Path,
        *,
        token: str,
        secret: Callable[[str], str] | None = None,
        own_addresses: bool = True,
    ) -> None:
        """`token` marks this sandbox's processes: another sandbox has another. `secret` resolves references."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._addresses = Addresses(own_addresses=own_addresses)
        self._consoles: dict[str, Console] = {}
        self._machines: dict[str, Machine] = {}
        self._endings: dict[str, asyncio.Task[None]] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._processes = Processes(folder / RECORD, token)
        self._site = Site(
            folder, self._processes, self._addresses, secret or _no_secret, asyncio.Semaphore(PULLS_AT_ONCE)
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="hosts", daemon=True)
        self._thread.start()

    def start(self, boot: Boot) -> None:
        if not re.fullmatch(r"[\w-]+", boot.instance_id):
            raise ValueError(f"{boot.instance_id!r} is no instance id")
        with self._lock:
            if self._closed:
                return
            console = Console()
            self._loop.call_soon_threadsafe(self._begin, boot, console)
            self._consoles.pop(boot.instance_id, None)
            self._consoles[boot.instance_id] = console

    def stop(self, instance_id: str) -> None:
        with self._lock:
            if not self._closed:
                self._loop.call_soon_threadsafe(self._end, instance_id)

    def end(self, instance_id: str) -> None:
        """A process mode's instance has no disk that a stop could keep."""
        self.stop(instance_id)

    def console(self, instance_id: str) -> str:
        """Also for some time after the end of the instance; empty if there never was one."""
        with self._lock:
            console = self._consoles.get(instance_id)
        return console.text() if console is not None else ""

    def address(self, instance_id: str, port: int) -> tuple[str, int]:
        return self._addresses.of(instance_id, port)

    def pids(self, instance_id: str) -> dict[str, int]:
        """Service → pid of what runs on the instance now, for whoever wants to see one die."""
        machine = self._machines.get(instance_id)
        return machine.pids() if machine is not None else {}

    def close(self) -> None:
        """Ends every machine, all at once, and waits for it: no process and no file of theirs is left."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        try:
            asyncio.run_coroutine_threadsafe(self._end_all(), self._loop).result(CLOSE_LIMIT_S)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(1.0)
            if not self._thread.is_alive():
                self._loop.close()
            self._addresses.close()
            shutil.rmtree(self._folder, ignore_errors=True)

    def _begin(self, boot: Boot, console: Console) -> None:
        if boot.instance_id not in self._machines:
            machine = self._machines[boot.instance_id] = Machine(boot, console, self._site)
            machine.begin(self._endings.get(boot.instance_id))

    def _end(self, instance_id: str) -> None:
        machine = self._machines.pop(instance_id, None)
        if machine is None:
            return
        task = self._endings[instance_id] = asyncio.ensure_future(machine.stop())
        task.add_done_callback(lambda done: self._forget(instance_id, done))

    def _forget(self, instance_id: str, done: asyncio.Task[None]) -> None:
        if self._endings.get(instance_id) is done:
            del self._endings[instance_id]
        with self._lock:
            ended = [name for name in self._consoles if name not in self._machines]
            for name in ended[:-CONSOLES_KEPT]:
                del self._consoles[name]

    async def _end_all(self) -> None:
        for instance_id in list(self._machines):
            self._end(instance_id)
        if self._endings:
            await asyncio.wait(list(self._endings.values()), timeout=CLOSE_LIMIT_S - 2.5)
        await self._processes.close()


def _no_secret(reference: str) -> str:
    raise BootError(f"{reference} cannot be fetched: this sandbox has no parameter store")
