"""The images of the docker mode, built once by the engine and kept under a tag that is a hash of all they are made of.

`present` and `bare` are hosts, with Docker in them and without; `python` is what the demo application runs on. The base
is ubuntu:24.04 where the engine can pull it, else Debian bookworm by mmdebstrap.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

import docker
from docker.errors import APIError, BuildError, ImageNotFound

from bluegreen.errors import Refused
from bluegreen.sandbox.container import SANDBOX

Kind = Literal["present", "bare", "python"]
PUBLIC = "ubuntu:24.04"
SUITE = "bookworm"
BUILD_LIMIT_S = 600
UNWANTED = ("doc", "man", "locale", "info")
MACHINE = ("cloud-init", "iproute2", "iptables", "ca-certificates", "python3", "curl", "procps")
PACKAGES: Mapping[Kind, tuple[str, ...]] = {
    "present": (*MACHINE, "docker.io"),
    "bare": MACHINE,
    "python": ("python3",),
}
OTHER_MODE = "bluegreen sandbox up --mode process needs no image"
LAYERS = ("Dockerfile", "cloud.cfg", "dmidecode", "entry.sh", "keep-limits")
INSTALL = """\
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends {packages} \\
    && rm -rf /var/lib/apt/lists/*
"""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Recipe:
    """`layers` are the files that go on top of the packages (name → content), the Dockerfile among them."""

    kind: Kind
    packages: tuple[str, ...]
    layers: Mapping[str, bytes]

    @property
    def tag(self) -> str:
        parts = [self.kind, SUITE, PUBLIC, *self.packages, *UNWANTED]
        parts += [f"{name}:{hashlib.sha256(content).hexdigest()}" for name, content in sorted(self.layers.items())]
        return f"bluegreen-sandbox/{self.kind}:{hashlib.sha256(chr(10).join(parts).encode()).hexdigest()[:16]}"


def recipe(kind: Kind) -> Recipe:
    folder = files("bluegreen.sandbox") / "bare"
    layers = {} if kind == "python" else {name: (folder / name).read_bytes() for name in LAYERS}
    return Recipe(kind, PACKAGES[kind], layers)


def ensure(client: docker.DockerClient, kind: Kind, say: Say) -> str:
    """The image's tag; it is in the engine then. Raises Refused where it cannot be built, with what to do."""
    wanted = recipe(kind)
    try:
        client.images.get(wanted.tag)
    except ImageNotFound:
        say(f"building the image {wanted.tag}, once: it takes a minute or more")
        _build(client, wanted)
    return wanted.tag


def _build(client: docker.DockerClient, wanted: Recipe) -> None:
    try:
        client.images.pull(*PUBLIC.split(":"))
        start = f"FROM {PUBLIC}\n" + INSTALL.format(packages=" ".join(wanted.packages))
        base = None
    except (APIError, ImageNotFound):
        base = _debian(client, wanted)
        start = f"FROM {base}\n"
    layers = dict(wanted.layers)
    layers["Dockerfile"] = start.encode() + layers.get("Dockerfile", b"")
    try:
        client.images.build(
            fileobj=_context(layers), custom_context=True, tag=wanted.tag, rm=True, labels={SANDBOX: "image"}
        )
    except (APIError, BuildError) as error:
        raise Refused(f"the image {wanted.tag} could not be built", why=str(error), next=OTHER_MODE) from None
    finally:
        if base is not None:
            client.images.remove(base, noprune=True)


def _debian(client: docker.DockerClient, wanted: Recipe) -> str:
    """The image of a root file system with the packages, by mmdebstrap."""
    if shutil.which("mmdebstrap") is None:
        raise Refused(
            "the host image of the sandbox's docker mode cannot be built",
            why=f"the engine cannot pull {PUBLIC}, and this machine has no mmdebstrap",
            next=f"apt-get install mmdebstrap; or give the engine a way to its registry; or: {OTHER_MODE}",
        )
    with tempfile.TemporaryDirectory(prefix="bluegreen-image-") as folder:
        archive = Path(folder) / "root.tar"
        words = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(wanted.packages)}"]
        words += [f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in UNWANTED]
        try:
            done = subprocess.run(
                [*words, SUITE, str(archive)], capture_output=True, text=True, errors="replace", timeout=BUILD_LIMIT_S
            )
        except subprocess.TimeoutExpired:
            raise Refused(f"mmdebstrap was not ready within {BUILD_LIMIT_S} s", next=OTHER_MODE) from None
        if done.returncode != 0:
            raise Refused("mmdebstrap failed", why="\n".join(done.stderr.splitlines()[-8:]), next=OTHER_MODE)
        repository, _, tag = wanted.tag.partition(":")
        base = f"{repository}-base"
        client.api.import_image(str(archive), repository=base, tag=tag)
        return f"{base}:{tag}"


def _context(layers: Mapping[str, bytes]) -> io.BytesIO:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in layers.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    buffer.seek(0)
    return buffer
