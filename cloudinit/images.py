"""The images of the services: pulled by digest, a few at once, with bounded tries. What is there needs no registry."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import causes
from aws import Aws
from console import BootError, Console
from engine import Engine, Refusal

AT_ONCE = 4


class Images:
    def __init__(
        self,
        engine: Engine,
        registry: Mapping[str, Any],
        console: Console,
        secret: Callable[[str], str],
        pause_s: float,
    ) -> None:
        self._engine = engine
        self._registry = registry
        self._console = console
        self._secret = secret
        self._pause_s = pause_s
        self._login: dict[str, str] | None = None

    def pull(self, images: Sequence[str], aws: Aws) -> None:
        missing = [image for image in images if not self._engine.knows(f"/images/{image}/json")]
        if not missing:
            return
        self._trust()
        self._log_in(missing[0], aws)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for _ in pool.map(self._pull, missing):
                pass

    def _trust(self) -> None:
        """Docker's own place for the authority of one registry; the engine reads it at each call."""
        host, ca = self._registry["host"], self._registry["ca"]
        if not ca:
            return
        self._console.say("trust", host)
        folder = Path(os.environ.get("BLUEGREEN_AUTHORITIES", "/etc/docker/certs.d")) / host
        try:
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            (folder / "ca.crt").write_text(ca, "ascii")
        except OSError as error:
            raise BootError(f"the authority of {host} cannot be written: {error}") from None

    def _log_in(self, image: str, aws: Aws) -> None:
        """A wrong password is one clear answer here, and no answer at all to some pulls."""
        host, login = self._registry["host"], self._registry["login"]
        if login is None:
            return
        if "ecr" in login:
            user, password = aws.registry_login(host)
            self._console.hide(password)
        else:
            user, password = login["username"], self._secret(login["password"])
        self._console.say("login", f"{host} as {user}")
        words = {"username": user, "password": password, "serveraddress": host}
        self._persist(image, lambda: self._engine.ask("POST", "/auth", words))
        self._login = words

    def _pull(self, image: str) -> None:
        self._console.say("pull", image)
        self._persist(image, lambda: self._engine.pull(image, self._login))
        self._console.say("pulled", image)

    def _persist(self, image: str, action: Callable[[], object]) -> None:
        host, login = self._registry["host"], self._registry["login"]
        for tried, pause in enumerate((*causes.PAUSES, 0)):
            try:
                action()
                return
            except Refusal as refusal:
                cause, more = causes.of_registry(refusal.message, host, image, login)
                if tried >= more:
                    raise BootError(cause, refusal.message) from None
                time.sleep(self._pause_s * pause)
