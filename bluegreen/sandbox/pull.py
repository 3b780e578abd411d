"""From a digest to files: manifest, config and layers over the OCI distribution API, each verified, into one folder.

Loopback registries speak plain HTTP, all others TLS. Blocking: meant for a worker thread. `check` is called all the
while and stops the pull by raising. Every failure is a BootError whose cause names the registry and the reason.
"""

from __future__ import annotations

import base64
import hashlib
import json
import platform
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import urllib3

from bluegreen.sandbox.console import BootError
from bluegreen.sandbox.unpack import unpack

TYPES = (
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json, "
    "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json"
)
TIMES = urllib3.Timeout(connect=2.0, read=10.0)
TRIES = urllib3.Retry(total=3, connect=2, read=1, redirect=3, other=0, status=0, backoff_factor=0.1)
LARGEST_JSON = 4 * 1024**2
CHUNK = 64 * 1024
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class Image:
    """What the image's config says to run, and where its files are."""

    root: Path
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    working_dir: str
    layers: int
    size: int


class Puller:
    """Pulls from one registry, with one login (user name, password) or none."""

    def __init__(self, host: str, login: tuple[str, str] | None, check: Callable[[], None]) -> None:
        loopback = host.split(":", maxsplit=1)[0] == "localhost" or host.startswith(("127.", "[::1]"))
        self._host = host
        self._base = f"{'http' if loopback else 'https'}://{host}/v2"
        self._login = login
        self._check = check

    def pull(self, repository: str, digest: str, root: Path) -> Image:
        with urllib3.PoolManager(timeout=TIMES, retries=TRIES) as pool:
            manifest = self._manifest(pool, repository, digest)
            if "manifests" in manifest:
                manifest = self._manifest(pool, repository, _for_this_machine(manifest["manifests"]))
            try:
                config_digest = str(manifest["config"]["digest"])
                layers = [str(layer["digest"]) for layer in manifest["layers"]]
            except (KeyError, TypeError) as error:
                raise BootError(f"{self._host}/{repository}@{digest} is no image manifest ({error})") from None
            config = self._json(pool, f"{repository}/blobs/{config_digest}", config_digest)
            root.mkdir(parents=True)
            size = sum(self._layer(pool, repository, layer, root) for layer in layers)
        return _image(config, root, len(layers), size)

    def _manifest(self, pool: urllib3.PoolManager, repository: str, digest: str) -> dict[str, Any]:
        return self._json(pool, f"{repository}/manifests/{digest}", digest)

    def _json(self, pool: urllib3.PoolManager, path: str, digest: str) -> dict[str, Any]:
        with tempfile.SpooledTemporaryFile(LARGEST_JSON) as file:
            self._fetch(pool, path, digest, file, LARGEST_JSON)
            file.seek(0)
            try:
                value = json.load(file)
            except ValueError:
                value = None
        if not isinstance(value, dict):
            raise BootError(f"{self._host}/{path} is no JSON object")
        return value

    def _layer(self, pool: urllib3.PoolManager, repository: str, digest: str, root: Path) -> int:
        with tempfile.TemporaryFile(dir=root.parent) as file:
            self._fetch(pool, f"{repository}/blobs/{digest}", digest, file, None)
            file.seek(0)
            return unpack(file, root, self._check)

    def _fetch(self, pool: urllib3.PoolManager, path: str, digest: str, file: IO[bytes], limit: int | None) -> None:
        """The bytes at `path` into `file`, if they are those of `digest`."""
        algorithm, _, wanted = digest.partition(":")
        if algorithm != "sha256":
            raise BootError(f"{self._host}/{path}: only sha256 digests are known, not {algorithm!r}")
        seen, size = hashlib.sha256(), 0
        try:
            with pool.request("GET", f"{self._base}/{path}", headers=self._headers(), preload_content=False) as answer:
                if answer.status != 200:
                    raise self._refused(path, answer.status)
                for chunk in answer.stream(CHUNK, decode_content=False):
                    self._check()
                    seen.update(chunk)
                    size += len(chunk)
                    if limit is not None and size > limit:
                        raise BootError(f"{self._host}/{path} is larger than {limit:,} bytes")
                    file.write(chunk)
        except urllib3.exceptions.HTTPError as error:
            raise BootError(f"the registry {self._host} cannot be reached: {_cause(error)}") from None
        if seen.hexdigest() != wanted:
            raise BootError(f"{self._host}/{path} is damaged: its content has the digest sha256:{seen.hexdigest()}")

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": TYPES, "User-Agent": "bluegreen-sandbox"}
        if self._login is not None:
            headers["Authorization"] = "Basic " + base64.b64encode(":".join(self._login).encode()).decode()
        return headers

    def _refused(self, path: str, status: int) -> BootError:
        if status == 404:
            return BootError(f"the registry {self._host} does not have {path} (404): deleted, or never pushed")
        if status in (401, 403):
            login = f"the login as {self._login[0]}" if self._login else "access without a login"
            return BootError(f"the registry {self._host} refuses {login} ({status})")
        return BootError(f"the registry {self._host} answers {status} to {path}")


def split(image: str) -> tuple[str, str, str]:
    """host/repository@sha256:… into its three parts."""
    name, at, digest = image.partition("@")
    host, slash, repository = name.partition("/")
    if not (at and slash and repository and digest.startswith("sha256:")):
        raise BootError(f"bad user data: the image {image!r} is not host/repository@sha256:…")
    return host, repository, digest


def _for_this_machine(manifests: list[Mapping[str, Any]]) -> str:
    """The digest for this machine's kind of processor; a Python program runs from any, so else the first for Linux."""
    machine = MACHINES.get(platform.machine(), platform.machine())
    linux = [one for one in manifests if one.get("platform", {}).get("os") == "linux"]
    fitting = [one for one in linux if one["platform"].get("architecture") == machine] or linux
    if not fitting:
        raise BootError("the image index has nothing for Linux")
    return str(fitting[0].get("digest", ""))


def _image(config: Mapping[str, Any], root: Path, layers: int, size: int) -> Image:
    run = config.get("config") or {}
    pairs = (item.partition("=") for item in run.get("Env") or ())
    return Image(
        root=root,
        entrypoint=tuple(run.get("Entrypoint") or ()),
        command=tuple(run.get("Cmd") or ()),
        environment=tuple((name, value) for name, _, value in pairs),
        working_dir=run.get("WorkingDir") or "/",
        layers=layers,
        size=size,
    )


def _cause(error: Exception) -> str:
    """urllib3 wraps: the reason at the bottom is what helps."""
    while isinstance(reason := getattr(error, "reason", None), Exception):
        error = reason
    text = str(error.args[-1] if error.args else error)
    return text.rpartition("]: ")[2].rpartition("Errno ")[2] if "Errno" in text else " ".join(text.split())[:200]
