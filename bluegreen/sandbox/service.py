"""One service of one instance as a process that is started again as its restart policy says. Lives in the hosts' loop.

What it writes goes to the console line by line. Back-off between starts: 0.2 s, doubling to 5 s, and from the beginning
again once it has run for 10 s.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
from collections import deque

from bluegreen.sandbox.command import Command
from bluegreen.sandbox.console import EVIDENCE_LINES, BootError, Console
from bluegreen.sandbox.processes import Child, Processes, StartError

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0
STEADY_S = 10.0
LAST_WORDS_S = 0.3
LINE = 4096


class Running:
    """`code` is the exit code of the latest end, None before the first; `restarts` how often it was started again;
    `address` where its first published port answers."""

    def __init__(
        self,
        name: str,
        key: str,
        *,
        command: Command,
        restart: str,
        address: tuple[str, int] | None,
        console: Console,
        processes: Processes,
    ) -> None:
        self.name = name
        self.key = key
        self.address = address
        self.code: int | None = None
        self.restarts = 0
        self.pid: int | None = None
        self._command = command
        self._restart = restart
        self._console = console
        self._processes = processes
        self._output: _Output | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        try:
            child = await self._spawn()
        except StartError as error:
            raise BootError(f"{self.name}: {error}: {self._command.argv[0]}") from None
        self._task = asyncio.create_task(self._supervise(child))

    async def stop_restarting(self) -> None:
        """Ending the process itself is the caller's."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def stop_reading(self) -> None:
        if self._output is not None:
            self._output.close()

    def last_words(self) -> tuple[str, ...]:
        return tuple(self._output.newest) if self._output is not None else ()

    async def _spawn(self) -> Child:
        command = self._command
        reading, writing = os.pipe()
        try:
            self._output = _Output(reading, self.name, self._console)
            child = await self._processes.start(
                self.key, command.argv, dict(command.environment), command.folder, writing
            )
        except BaseException:
            if self._output is not None:
                self._output.close()
            raise
        finally:
            os.close(writing)
        self.pid = child.pid
        return child

    async def _supervise(self, child: Child) -> None:
        loop = asyncio.get_running_loop()
        pause_s = FIRST_PAUSE_S
        while True:
            began = loop.time()
            code = await asyncio.shield(child.ended)  # who stops the machine waits for the same end
            self.pid = None
            if self._output is not None:
                await self._output.ended(LAST_WORDS_S)
            self.code = code
            if loop.time() - began >= STEADY_S:
                pause_s = FIRST_PAUSE_S
            if not self._again(code):
                self._console.say("ended", f"{self.name} with {ending(code)}")
                return
            self._console.say("restart", f"{self.name} in {pause_s:.1f} s, after {ending(code)}")
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
            self.restarts += 1
            try:
                child = await self._spawn()
            except StartError as error:
                self._console.failed(BootError(f"{self.name}: {error}: {self._command.argv[0]}"))
                return

    def _again(self, code: int) -> bool:
        policy, _, limit = self._restart.partition(":")
        if policy == "on-failure":
            return code != 0 and (not limit or self.restarts < int(limit))
        return policy in ("always", "unless-stopped")


class _Output:
    """Reads a pipe as it fills, and says each line on the console. `newest` are the last lines."""

    def __init__(self, descriptor: int, name: str, console: Console) -> None:
        self.newest: deque[str] = deque(maxlen=EVIDENCE_LINES)
        self._descriptor: int | None = descriptor
        self._name = name
        self._console = console
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._part = ""
        self._done = asyncio.Event()
        os.set_blocking(descriptor, False)
        asyncio.get_running_loop().add_reader(descriptor, self._read)

    async def ended(self, within_s: float) -> None:
        """Waits for the end of the pipe, so that the last words are not lost; then stops reading in any case."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._done.wait(), within_s)
        self.close()

    def close(self) -> None:
        if self._descriptor is not None:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None
            if self._part:
                self._say(self._part)
            self._done.set()

    def _read(self) -> None:
        if self._descriptor is None:
            return
        try:
            data = os.read(self._descriptor, 65536)
        except BlockingIOError:
            return
        if not data:
            self.close()
            return
        *lines, self._part = (self._part + self._decoder.decode(data)).split("\n")
        for line in lines:
            self._say(line.rstrip("\r"))
        if len(self._part) > LINE:
            self._say(self._part)
            self._part = ""

    def _say(self, line: str) -> None:
        self.newest.append(line[:LINE])
        self._console.line(self._name, line)


def ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code}"
