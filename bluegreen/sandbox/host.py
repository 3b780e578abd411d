"""One instance as a container: its worker does what it is told one after another, and its console is followed.

A call that fails is tried again a few times; what cannot be done then stands on the console, as a machine that does not
boot, or in the sandbox's log, as something that the clean-up by label will find.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import docker
from docker.errors import DockerException, NotFound

from bluegreen.sandbox.console import BootError, Console
from bluegreen.sandbox.container import STOP_GRACE_S, Body

TRIES = 3
PAUSE_S = 1.0

log = logging.getLogger(__name__)


class Host:
    def __init__(self, engine: docker.DockerClient, body: Body, instance_id: str) -> None:
        self._engine = engine
        self._body = body
        self._instance_id = instance_id
        self._worker = ThreadPoolExecutor(1, thread_name_prefix=f"host {instance_id}")

    def begin(self) -> Console:
        """Boots it, for the first time or again; the console of this boot."""
        console = Console()
        self._worker.submit(self._boot, console)
        return console

    def stop(self) -> None:
        self._worker.submit(self._try, "stop", self._stop)

    def end(self) -> None:
        self._worker.submit(self._try, "end", self._end)
        self._worker.shutdown(wait=False)

    def forget(self) -> None:
        """What has not begun is not done any more."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _boot(self, console: Console) -> None:
        since = time.time()
        trouble = self._try("boot", self._create_and_start)
        if trouble:
            console.failed(BootError("the sandbox's Docker engine does not start this host", (trouble,)))
            return
        follower = threading.Thread(
            target=self._follow, args=(console, since), name=f"console {self._instance_id}", daemon=True
        )
        follower.start()

    def _create_and_start(self) -> None:
        try:
            self._engine.api.inspect_container(self._body.name)
        except NotFound:
            self._engine.api.create_volume(self._body.name, labels=self._body.labels)
            self._engine.api.create_container_from_config(self._body.config, self._body.name)
        self._engine.api.start(self._body.name)

    def _stop(self) -> None:
        self._engine.api.stop(self._body.name, timeout=STOP_GRACE_S)

    def _end(self) -> None:
        for remove in (self._engine.api.remove_container, self._engine.api.remove_volume):
            try:
                remove(self._body.name, force=True)
            except NotFound:  # it never came to be, or an earlier try removed it
                continue

    def _try(self, what: str, act: Callable[[], None]) -> str:
        """Why it did not work out; empty if it did."""
        for attempt in range(1, TRIES + 1):
            try:
                act()
            except (DockerException, OSError) as error:
                log.warning("cannot %s %s, try %d of %d: %s", what, self._instance_id, attempt, TRIES, error)
                trouble = str(error)
                time.sleep(PAUSE_S)
            else:
                return ""
        return trouble

    def _follow(self, console: Console, since: float) -> None:
        """Until the container ends, whose output it is."""
        left = ""
        try:
            for part in self._engine.api.logs(self._body.name, stream=True, follow=True, since=since):
                *lines, left = (left + part.decode("utf-8", "replace")).split("\n")
                for line in lines:
                    console.add(line)
        except (DockerException, OSError) as error:
            log.warning("the console of %s breaks off: %s", self._instance_id, error)
