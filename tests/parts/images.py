"""Images without a distribution: a static busybox and the files that a test gives, built here, pushed to a registry."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import docker
from docker.errors import ImageNotFound

from tests.parts.daemon import Missing
from tests.parts.engine import LABEL
from tests.parts.registry import Registry

CERTIFICATES = Path("/etc/docker/certs.d")
LAYERS = "FROM scratch\nCOPY root /\nENTRYPOINT {entrypoint}\nLABEL {label}=1\n"


class Images:
    """What it built and pushed, and what anybody pushed to a registry that it trusts, leaves the engine with `clear`."""

    def __init__(self, client: docker.DockerClient) -> None:
        self._client = client
        self._names: set[str] = set()
        self._trusted: dict[str, Path] = {}

    def busybox(self, name: str, entrypoint: Sequence[str], files: Mapping[str, str | bytes] | None = None) -> str:
        """Its id. /bin holds busybox's programs; `files` (absolute path → content) are there, too, all executable."""
        found = shutil.which("busybox")
        if not found:
            raise Missing("there is no busybox (Debian package busybox-static)")
        contents = {"/bin/busybox": Path(found).read_bytes(), **(files or {})}
        names = subprocess.run((found, "--list"), capture_output=True, check=True, text=True, timeout=30).stdout.split()
        dockerfile = LAYERS.format(entrypoint=json.dumps(list(entrypoint)), label=LABEL)
        context = _context(dockerfile, contents, [one for one in names if one != "busybox"])
        built, _ = self._client.images.build(fileobj=context, custom_context=True, tag=name, rm=True)
        self._names.add(name)
        return str(built.id)

    def push(self, name: str, registry: Registry, repository: str, tag: str) -> str:
        """As registry.host/repository:tag; the name by which it is pinned, host/repository@sha256:…"""
        self.trust(registry)
        target = f"{registry.host}/{repository}"
        self._client.images.get(name).tag(target, tag)
        self._names |= {name, f"{target}:{tag}"}
        login = {"username": registry.username, "password": registry.password}
        answers = self._client.images.push(target, tag, auth_config=login, stream=True, decode=True)
        digests = []
        for answer in answers:
            if "error" in answer:
                raise AssertionError(f"push of {target}:{tag}: {answer['error']}")
            digests += [answer["aux"]["Digest"]] if "aux" in answer else []
        return f"{target}@{digests[-1]}"

    def clear(self) -> None:
        for name in sorted(self._names):
            with contextlib.suppress(ImageNotFound):
                self._client.images.remove(name, force=True)
        remove_images(self._client, *(f"{host}/" for host in self._trusted))
        for folder in self._trusted.values():
            shutil.rmtree(folder)

    def trust(self, registry: Registry) -> None:
        """The engine reads this folder at each call; a registry on loopback it trusts unseen."""
        folder = CERTIFICATES / registry.host
        if registry.host in self._trusted or registry.address.startswith("127."):
            return
        if not os.access(CERTIFICATES.parent, os.W_OK):
            raise Missing(f"{CERTIFICATES} cannot be written: the engine would not trust the registry")
        folder.mkdir(parents=True)
        self._trusted[registry.host] = folder
        shutil.copyfile(registry.ca, folder / "ca.crt")


def remove_images(client: docker.DockerClient, *starts: str) -> None:
    """Those whose name starts with one of `starts`. Others may remove images meanwhile: the engine's list is read as it
    is, since docker's `images.list` asks for each image anew and fails when one is gone."""
    for image in client.api.images():
        for name in (*(image["RepoTags"] or ()), *(image["RepoDigests"] or ())):
            if name.startswith(starts):
                with contextlib.suppress(ImageNotFound):
                    client.images.remove(name, force=True)


def _context(dockerfile: str, contents: Mapping[str, str | bytes], programs: Sequence[str]) -> io.BytesIO:
    """A tar that is the same for the same content, so that the engine finds its cache."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in {"Dockerfile": dockerfile, **{f"root{k}": v for k, v in contents.items()}}.items():
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o755
            tar.addfile(member, io.BytesIO(data))
        for program in programs:
            link = tarfile.TarInfo(f"root/bin/{program}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    buffer.seek(0)
    return buffer
