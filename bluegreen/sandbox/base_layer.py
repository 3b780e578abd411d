"""The layer below the demo application in docker mode: the flattened file system of the python image, as one tar."""

from __future__ import annotations

import hashlib
from pathlib import Path

import docker

from bluegreen.sandbox.registry import Base


def export(engine: docker.DockerClient, image: str, folder: Path, labels: dict[str, str]) -> Base:
    """Takes a second for 100 MB. The file lives as long as `folder`."""
    container = engine.api.create_container(image, ["true"], labels=labels)["Id"]
    digest, size, path = hashlib.sha256(), 0, folder / "python.tar"
    try:
        with path.open("wb") as file:
            for chunk in engine.api.export(container):
                digest.update(chunk)
                size += file.write(chunk)
    finally:
        engine.api.remove_container(container, force=True)
    return Base(path, f"sha256:{digest.hexdigest()}", size)
