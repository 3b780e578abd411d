"""The images of stacks/django, built as its README says, without a network."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import subprocess
import sys
from pathlib import Path

import docker

from tests.parts.daemon import Missing
from tests.parts.engine import LABEL

FOLDER = Path(__file__).parents[2] / "stacks" / "django"
NAME = "bluegreen-tests"
PREPARE_S = 300


def receipt(secret: str, order: int) -> str:
    """What /receipts/ORDER says where SECRET_KEY is `secret`: Django's own way to sign."""
    key = hashlib.sha256(b"django.core.signing.Signersigner" + secret.encode()).digest()
    signature = base64.urlsafe_b64encode(hmac.digest(key, str(order).encode(), "sha256"))
    return f"{order}:{signature.decode().rstrip('=')}"


class Shop:
    """base and deps stay in the engine for the next run; app and web are the run's own."""

    def __init__(self, client: docker.DockerClient) -> None:
        self._client = client
        words = [str(FOLDER / "prepare")]
        made = subprocess.run(
            words, env={**os.environ, "PYTHON": sys.executable}, capture_output=True, text=True, timeout=PREPARE_S
        )
        if made.returncode:
            raise Missing(f"{words[0]} failed: {made.stderr[-1000:]}")
        self._build("base", "latest")
        self._build("deps", "latest", BASE=f"{NAME}/base")

    def app(self, version: str) -> str:
        """The name of the application's image; its pages say `version`."""
        return self._build("app", version, BASE=f"{NAME}/deps", VERSION=version)

    def web(self, version: str) -> str:
        return self._build("web", version, BASE=f"{NAME}/base")

    def _build(self, image: str, tag: str, **arguments: str) -> str:
        name = f"{NAME}/{image}:{tag}"
        self._client.images.build(
            path=str(FOLDER / image),
            buildargs=arguments,
            tag=name,
            network_mode="none",
            labels={LABEL: "1"},
            rm=True,
            forcerm=True,
        )
        return name
