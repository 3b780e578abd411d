"""A small OCI registry, read-only, with the demo's images: all that is ours is made in memory, always of the same bytes.

One layer holds the demo application (app.py), so A, B and broken differ only in their config, as releases of one image
do. The gzip layer is written by hand in stored blocks: compressors differ between machines, digests must not.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import struct
import tarfile
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from bluegreen.sandbox import loopback

REPOSITORY = "demo/web"
ARCHITECTURES = ("amd64", "arm64")
CREATED = "2024-01-01T00:00:00Z"
STOP_LIMIT_S = 0.2
STORED_BLOCK = 65535
HISTORY = ("python3 of the distribution", "COPY app.py /app/app.py")

Json = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class _Kind:
    """The media types of one family."""

    index: str
    manifest: str
    config: str
    layer: str


OCI = _Kind(
    index="application/vnd.oci.image.index.v1+json",
    manifest="application/vnd.oci.image.manifest.v1+json",
    config="application/vnd.oci.image.config.v1+json",
    layer="application/vnd.oci.image.layer.v1.tar+gzip",
)
DOCKER = _Kind(
    index="application/vnd.docker.distribution.manifest.list.v2+json",
    manifest="application/vnd.docker.distribution.manifest.v2+json",
    config="application/vnd.docker.container.image.v1+json",
    layer="application/vnd.docker.image.rootfs.diff.tar.gzip",
)


@dataclass(frozen=True, slots=True)
class Base:
    """A tar that goes below the application in all images, so that they run on an engine. `size` in bytes."""

    path: Path
    digest: str
    size: int


class Shelf:
    """What the registry holds: bytes or a file by digest, the media types of manifests, digests by tag."""

    def __init__(self, base: Base | None = None) -> None:
        self._base = base
        self.blobs: dict[str, bytes | Path] = {base.digest: base.path} if base else {}
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.tags: dict[str, str] = {}

    def add_image(self, tag: str, version: str, kind: _Kind, files: dict[str, bytes]) -> None:
        archive = _tar(files)
        layers = [{"mediaType": kind.layer, **self._blob(_gzip(archive))}]
        below = []
        if self._base is not None:
            plain = kind.layer.removesuffix("+gzip").removesuffix(".gzip")
            layers.insert(0, {"mediaType": plain, "size": self._base.size, "digest": self._base.digest})
            below = [self._base.digest]
        platforms = []
        for architecture in ARCHITECTURES:
            config = {
                "mediaType": kind.config,
                **self._blob(_json(_config(architecture, version, [*below, _digest(archive)]))),
            }
            platform = {"architecture": architecture, "os": "linux"}
            image = {"schemaVersion": 2, "mediaType": kind.manifest, "config": config, "layers": layers}
            platforms.append({**self._manifest(kind.manifest, image), "platform": platform})
        index = {"schemaVersion": 2, "mediaType": kind.index, "manifests": platforms}
        self.tags[tag] = self._manifest(kind.index, index)["digest"]

    def manifest(self, reference: str) -> tuple[str, str, bytes] | None:
        """(digest, media type, bytes) of a tag or digest."""
        digest = self.tags.get(reference, reference)
        found = self.manifests.get(digest)
        return (digest, *found) if found is not None else None

    def _blob(self, content: bytes) -> Json:
        digest = _digest(content)
        self.blobs[digest] = content
        return {"size": len(content), "digest": digest}

    def _manifest(self, media_type: str, value: Json) -> Json:
        content = _json(value)
        digest = _digest(content)
        self.manifests[digest] = (media_type, content)
        return {"mediaType": media_type, "size": len(content), "digest": digest}


class DemoRegistry:
    """Serves from the running event loop. Port 0 is any free one."""

    def __init__(
        self, host: str = loopback.HOST, port: int = 5601, *, also: str | None = None, base: Base | None = None
    ) -> None:
        """`also` is a second address to listen at, on the same port."""
        self._host = host
        self._also = also
        self._port = port
        self._shelf = demo_images(base)
        self._runner: web.AppRunner | None = None

    @property
    def address(self) -> str:
        """host:port, as image references begin; with the real port once it is started."""
        return f"{self._host}:{self._port}"

    async def start(self) -> None:
        """Raises Refused when the port is taken."""
        self._runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=STOP_LIMIT_S)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self.stop()
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            raise loopback.refusal(self._port, "the registry", "--registry-port", error) from None
        self._port = self._runner.addresses[0][1]
        if self._also is not None:
            await web.TCPSite(self._runner, self._also, self._port).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[_in_registry_words])
        app.router.add_get("/v2/", self._version)
        app.router.add_get("/v2/{name:.+}/manifests/{reference}", self._manifest)
        app.router.add_get("/v2/{name:.+}/blobs/{digest}", self._blob)
        app.router.add_get("/v2/{name:.+}/tags/list", self._tags)
        return app

    async def _version(self, _: web.Request) -> web.Response:
        return web.json_response({})

    async def _manifest(self, request: web.Request) -> web.Response:
        if request.match_info["name"] != REPOSITORY:
            return _unknown_name(request)
        reference = request.match_info["reference"]
        found = self._shelf.manifest(reference)
        if found is None:
            return _error(404, "MANIFEST_UNKNOWN", "manifest unknown to registry", {"reference": reference})
        digest, media_type, content = found
        return _content(digest, media_type, content)

    async def _blob(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["name"] != REPOSITORY:
            return _unknown_name(request)
        digest = request.match_info["digest"]
        content = self._shelf.blobs.get(digest)
        if content is None:
            return _error(404, "BLOB_UNKNOWN", "blob unknown to registry", {"digest": digest})
        if isinstance(content, Path):
            return web.FileResponse(content, headers=_headers(digest, "application/octet-stream"))
        return _content(digest, "application/octet-stream", content)

    async def _tags(self, request: web.Request) -> web.Response:
        """In pages of `n` after `last`, when asked for."""
        if request.match_info["name"] != REPOSITORY:
            return _unknown_name(request)
        tags = [tag for tag in sorted(self._shelf.tags) if tag > request.query.get("last", "")]
        wanted = request.query.get("n", "")
        count = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 10 else len(tags)
        answer = web.json_response({"name": REPOSITORY, "tags": tags[:count]})
        if 0 < count < len(tags):
            answer.headers["Link"] = f'</v2/{REPOSITORY}/tags/list?n={count}&last={tags[count - 1]}>; rel="next"'
        return answer


def demo_images(base: Base | None = None) -> Shelf:
    """demo/web: A, B and broken for OCI clients, A-docker the same as Docker stores it."""
    shelf = Shelf(base)
    files = {"app/app.py": Path(__file__).with_name("app.py").read_bytes()}
    for version in ("A", "B", "broken"):
        shelf.add_image(version, version, OCI, files)
    shelf.add_image("A-docker", "A", DOCKER, files)
    return shelf


@web.middleware
async def _in_registry_words(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Errors as the distribution specification words them, and its header on everything."""
    response: web.StreamResponse
    try:
        response = await handler(request)
    except web.HTTPMethodNotAllowed as error:
        response = _error(405, "UNSUPPORTED", "this registry can only be read", {})
        response.headers["Allow"] = error.headers["Allow"]
    except web.HTTPNotFound:
        response = _error(404, "NAME_UNKNOWN", "no such place in this registry", {"path": request.path})
    response.headers["Docker-Distribution-API-Version"] = "registry/2.0"
    return response


def _content(digest: str, media_type: str, content: bytes) -> web.Response:
    return web.Response(body=content, headers=_headers(digest, media_type))


def _headers(digest: str, media_type: str) -> dict[str, str]:
    return {"Content-Type": media_type, "Docker-Content-Digest": digest, "ETag": f'"{digest}"'}


def _unknown_name(request: web.Request) -> web.Response:
    return _error(404, "NAME_UNKNOWN", "repository name not known to registry", {"name": request.match_info["name"]})


def _error(status: int, code: str, message: str, detail: Json) -> web.Response:
    return web.json_response({"errors": [{"code": code, "message": message, "detail": detail}]}, status=status)


def _config(architecture: str, version: str, layers: list[str]) -> Json:
    return {
        "created": CREATED,
        "architecture": architecture,
        "os": "linux",
        "config": {
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", f"VERSION={version}"],
            "Cmd": ["python3", "/app/app.py"],
            "WorkingDir": "/app",
            "ExposedPorts": {"8000/tcp": {}},
            "Labels": {
                "org.opencontainers.image.title": "bluegreen demo",
                "org.opencontainers.image.version": version,
            },
        },
        "rootfs": {"type": "layers", "diff_ids": layers},
        "history": [{"created": CREATED, "created_by": made} for made in HISTORY[-len(layers) :]],
    }


def _tar(files: dict[str, bytes]) -> bytes:
    """Owned by root, without times; folders before what is in them."""
    folders = sorted({str(folder) for path in files for folder in list(Path(path).parents)[:-1]})
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for folder in folders:
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for path, content in sorted(files.items()):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _gzip(content: bytes) -> bytes:
    """RFC 1952 around stored blocks of RFC 1951."""
    starts = range(0, len(content), STORED_BLOCK)
    packed = bytearray(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff")
    for start in starts:
        block = content[start : start + STORED_BLOCK]
        packed += struct.pack("<BHH", start == starts[-1], len(block), len(block) ^ 0xFFFF) + block
    return bytes(packed + struct.pack("<II", zlib.crc32(content), len(content) & 0xFFFFFFFF))


def _json(value: Json) -> bytes:
    return json.dumps(value, indent=2).encode()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
