"""The one background process of the sandbox: `python -m bluegreen.sandbox.server --state FILE`. control.py starts it.

The main thread runs the event loop: balancer, registry, health checks, heartbeat. Threads: AWS requests (werkzeug), the
ticker that lets the engine's time pass, the hosts' loop. Ports are taken before anything slow is imported, so that a
taken one is said at once. SIGTERM stops it all; after a few seconds (STOP_LIMIT_S) the process ends in any case, and the keeper
ends the rest.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bluegreen import __version__
from bluegreen.errors import BluegreenError
from bluegreen.sandbox import loopback, pids, state

if TYPE_CHECKING:
    from bluegreen.sandbox.world import World

STOP_LIMIT_S: dict[state.Mode, float] = {"process": 3.0, "docker": 40.0}
HEARTBEAT_S = 1.0
MISSED = 2  # heartbeats without a state file: somebody removed it, and nobody could find this process any more

log = logging.getLogger("bluegreen.sandbox")


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    if options.detach:
        _detach()
    voice = _Voice(options.ready)
    myself = pids.identify(os.getpid())
    voice.say(pid=os.getpid(), started=myself.started if myself else "")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    try:
        with loopback.listen(options.port, "the AWS endpoint", "--port") as endpoint:
            loopback.listen(options.registry_port, "the registry", "--registry-port").close()
            return _serve(options, endpoint, voice)
    except BluegreenError as error:
        log.error("%s", error)
        voice.say(refused={"what": error.what, "where": error.where, "why": error.why, "next": error.next})
        return error.exit_code


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bluegreen.sandbox.server", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="the state file; all else lives in its folder")
    parser.add_argument("--port", type=int, default=5600, help="of the AWS endpoint; 0 is any free one")
    parser.add_argument("--registry-port", type=int, default=5601, help="of the image registry; 0 is any free one")
    parser.add_argument("--images", type=json.loads, help="of docker mode: JSON of kind to tag, all in the engine")
    parser.add_argument("--ready", type=int, help="a descriptor to speak through, as launch.py expects it")
    parser.add_argument("--detach", action="store_true", help="go on in a process that is nobody's child")
    parser.add_argument("--made-folder", action="store_true", help="the folder is ours: `down` removes it")
    return parser.parse_args(arguments)


def _detach() -> None:
    sys.path[:] = [os.path.abspath(entry) for entry in sys.path]  # noqa: PTH100 - before the folder changes
    if os.fork():
        os._exit(0)
    os.chdir("/")
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _serve(options: argparse.Namespace, endpoint: socket.socket, voice: _Voice) -> int:
    from bluegreen.sandbox.world import World

    async def run() -> None:
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        folder = options.state.parent.absolute()
        world = World(folder, endpoint, options.port, options.registry_port, options.images)
        try:
            await world.start()
            running = _state(options, world)
            state.write(running)
            log.info("ready: AWS at %s, registry at %s", running.endpoint, running.registry)
            voice.say(ready=True)
            await _beat(running, world, stopping)
        finally:
            _end_in_any_case(STOP_LIMIT_S[_mode(options)])
            await world.stop()
            state.remove(folder)
            log.info("stopped")

    asyncio.run(run())
    return 0


async def _beat(running: state.SandboxState, world: World, stopping: asyncio.Event) -> None:
    """Until `stopping`: says once a second that the sandbox lives, and which listeners and instances there are."""
    folder, missed = Path(running.folder), 0
    while not stopping.is_set() and missed < MISSED:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), HEARTBEAT_S)
        missed = 0 if state.touch(folder) else missed + 1
        now = await asyncio.to_thread(_seen, running, world)
        if not missed and now != running:
            running = now
            state.write(running)
    if missed:
        log.warning("%s is gone: nobody could find this sandbox any more, so it ends", folder / state.FILE)


def _seen(running: state.SandboxState, world: World) -> state.SandboxState:
    return dataclasses.replace(running, listeners=world.listeners(), instances=world.instances())


def _state(options: argparse.Namespace, world: World) -> state.SandboxState:
    folder = options.state.parent.absolute()
    myself = pids.identify(os.getpid())
    return state.SandboxState(
        pid=os.getpid(),
        started=myself.started if myself else "",
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        version=__version__,
        mode=_mode(options),
        region=world.region,
        account=world.account,
        endpoint=world.endpoint,
        registry=world.registry,
        listeners=world.listeners(),
        instances=world.instances(),
        folder=str(folder),
        made_folder=options.made_folder,
        log=str(folder / state.LOG),
    )


def _mode(options: argparse.Namespace) -> state.Mode:
    return "docker" if options.images else "process"


def _end_in_any_case(limit_s: float) -> None:
    """Whatever hangs: the keeper sees the end of this process and ends the instances' processes; `down` removes what a
    docker mode leaves."""

    def end() -> None:
        log.error("not stopped within %.0f s: ending as I am", limit_s)
        os._exit(1)

    timer = threading.Timer(limit_s, end)
    timer.daemon = True
    timer.start()


class _Voice:
    """Speaks to the command that started us, if there is one and as long as it listens."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def say(self, **message: Any) -> None:
        if self._descriptor is not None:
            with contextlib.suppress(BrokenPipeError):
                os.write(self._descriptor, json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main())
