"""What a service runs as a process of this machine: words, environment and folder, from its image and its declaration.

As `docker run` would: a declared entrypoint also drops the image's command. Without a container the image's paths are
mapped: an absolute path that exists in the image becomes its place under the instance's folder, and python becomes the
Python that runs the sandbox. The environment holds PATH, the image's, the service's, and nothing of this machine.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bluegreen.core.stack import Service
from bluegreen.sandbox.console import BootError
from bluegreen.sandbox.pull import Image
from bluegreen.sandbox.unpack import inside

PYTHON = re.compile(r"(/usr(/local)?/bin/)?python(3(\.\d+)?)?")
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Command:
    argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    folder: Path


def command(service: Service, image: Image, environment: Mapping[str, str], own: Mapping[str, str]) -> Command:
    """`environment` is the service's with its secrets in place; `own` is what the sandbox adds, and it wins."""
    words = _words(service, image)
    if not words:
        raise BootError(f"{service.name}: command not found: neither the image nor the service names one")
    from_image = {name: _mapped(image.root, value) for name, value in image.environment}
    path = _path(image.root, from_image.pop("PATH", SYSTEM_PATH))
    return Command(
        argv=(_program(words[0], image.root, path), *(_mapped(image.root, word) for word in words[1:])),
        environment=tuple({"PATH": path, **from_image, **environment, **own}.items()),
        folder=_folder(image.root, service.working_dir or image.working_dir),
    )


def _words(service: Service, image: Image) -> tuple[str, ...]:
    if service.entrypoint is not None:
        return service.entrypoint + (service.command or ())
    return image.entrypoint + (service.command or image.command)


def _program(word: str, root: Path, path: str) -> str:
    mapped = _mapped(root, word)
    if mapped != word:
        return mapped
    if PYTHON.fullmatch(word):
        return sys.executable
    if "/" in word:
        return word
    found = (os.path.join(folder, word) for folder in path.split(":"))  # noqa: PTH118 - folder may be empty
    return next((place for place in found if os.access(place, os.X_OK)), word)


def _mapped(root: Path, word: str) -> str:
    if not word.startswith("/") or word == "/":
        return word
    place = inside(root, word)
    return str(place) if place is not None and os.path.lexists(place) else word


def _path(root: Path, image_path: str) -> str:
    """The image's folders that exist in it, then the machine's own."""
    mapped = (_mapped(root, folder) for folder in image_path.split(":"))
    return ":".join([*(folder for folder in mapped if folder.startswith(str(root))), SYSTEM_PATH])


def _folder(root: Path, working_dir: str) -> Path:
    folder = inside(root, working_dir)
    if folder is None:
        raise BootError(f"the working directory {working_dir} leads out of the image")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BootError(f"the working directory {working_dir} cannot be made: {error.strerror}") from None
    return folder
