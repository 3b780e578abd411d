"""The docker command line: argument lists, never a shell; every call has a deadline; a failure keeps what docker said.

Secrets go in on standard input, in an env file or in the command's own environment: never as an argument.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence

from console import BootError

TRIES = 5
LONGEST_PAUSE_S = 15.0


class Engine:
    """`config` is docker's own folder (DOCKER_CONFIG), where `docker login` leaves the password: keep it on a tmpfs."""

    def __init__(self, config: str, pause_s: float = 1.0, sleep: Callable[[float], None] = time.sleep) -> None:
        self._config = config
        self._pause_s = pause_s
        self._sleep = sleep

    def run(
        self, *words: str, stdin: str | None = None, env: Mapping[str, str] | None = None, limit_s: float = 60.0
    ) -> str:
        """What `docker WORDS` writes to standard output. Raises BootError when it fails or is late."""
        return self._call(words, stdin, env or {}, limit_s)[0]

    def last_words(self, container: str) -> str:
        """The end of a container's log: of its standard output, then of its standard error."""
        try:
            return "\n".join(self._call(("container", "logs", "--tail=6", container), None, {}, 20.0))
        except BootError as failure:
            return failure.cause

    def _call(self, words: Sequence[str], stdin: str | None, env: Mapping[str, str], limit_s: float) -> tuple[str, str]:
        what = f"docker {words[0]}" + (f" {words[1]}" if words[0] in ("container", "image", "network") else "")
        try:
            done = subprocess.run(
                ["docker", *words],
                input=(stdin or "").encode(),
                env={**os.environ, **env, "DOCKER_CONFIG": self._config},
                capture_output=True,
                check=False,
                timeout=limit_s,
            )
        except subprocess.TimeoutExpired as late:
            raise BootError(
                f"{what} took longer than {limit_s:.0f} s", _text(late.stdout) + _text(late.stderr)
            ) from None
        except OSError as error:
            raise BootError(f"{what} cannot be started: {error.strerror}") from None
        if done.returncode != 0:
            raise BootError(f"{what} failed with exit code {done.returncode}", _text(done.stdout) + _text(done.stderr))
        return _text(done.stdout), _text(done.stderr)

    def knows(self, kind: str, name: str) -> bool:
        """Whether the engine has this image or network."""
        try:
            self.run(kind, "inspect", "--format={{.Id}}", name)
        except BootError:
            return False
        return True

    def persist(self, what: str, *words: str, stdin: str | None = None, limit_s: float = 60.0) -> str:
        """`run`, tried again with growing pauses: registries and networks have bad moments while a machine boots."""
        for attempt in range(TRIES):
            try:
                return self.run(*words, stdin=stdin, limit_s=limit_s)
            except BootError as failure:
                if attempt == TRIES - 1:
                    raise BootError(f"{what}: {failure.cause}, {TRIES} times", failure.evidence) from None
                self._sleep(min(self._pause_s * 2**attempt, LONGEST_PAUSE_S))
        raise AssertionError("the last attempt returns or raises")


def _text(output: bytes | None) -> str:
    return (output or b"").decode("utf-8", "replace")
