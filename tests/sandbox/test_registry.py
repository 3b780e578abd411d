"""The demo registry: what clients of both families need, the same bytes every time, and errors in the agreed words."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from wires import in_loop

from bluegreen.errors import Refused
from bluegreen.sandbox import app
from bluegreen.sandbox.pull import Puller
from bluegreen.sandbox.registry import DemoRegistry, demo_images


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Asking:
    def __init__(self, address: str, session: aiohttp.ClientSession) -> None:
        self.address = address
        self._session = session

    async def __call__(self, path: str, method: str = "GET") -> tuple[int, Any, bytes]:
        async with self._session.request(method, f"http://{self.address}/v2/{path}") as answer:
            return answer.status, answer.headers, await answer.read()

    async def json(self, path: str) -> Any:
        status, _, body = await self(path)
        assert status == 200
        return json.loads(body)


@asynccontextmanager
async def serving() -> AsyncIterator[Asking]:
    registry = DemoRegistry(port=0)
    await registry.start()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        yield Asking(registry.address, session)
    await asyncio.wait_for(registry.stop(), 1.0)


@in_loop
async def test_it_says_that_it_is_a_registry() -> None:
    async with serving() as ask:
        status, headers, body = await ask("")
    assert (status, headers["Docker-Distribution-API-Version"], body) == (200, "registry/2.0", b"{}")


@dataclass(frozen=True)
class Family:
    index: str
    manifest: str
    config: str
    layer: str


OCI = Family(
    index="application/vnd.oci.image.index.v1+json",
    manifest="application/vnd.oci.image.manifest.v1+json",
    config="application/vnd.oci.image.config.v1+json",
    layer="application/vnd.oci.image.layer.v1.tar+gzip",
)
DOCKER = Family(
    index="application/vnd.docker.distribution.manifest.list.v2+json",
    manifest="application/vnd.docker.distribution.manifest.v2+json",
    config="application/vnd.docker.container.image.v1+json",
    layer="application/vnd.docker.image.rootfs.diff.tar.gzip",
)


@pytest.mark.parametrize(
    ("tag", "version", "family"),
    [("A", "A", OCI), ("B", "B", OCI), ("broken", "broken", OCI), ("A-docker", "A", DOCKER)],
)
@in_loop
async def test_an_image_is_complete_from_its_tag_to_the_application(tag: str, version: str, family: Family) -> None:
    async with serving() as ask:
        status, headers, body = await ask(f"demo/web/manifests/{tag}")
        assert (status, headers["Content-Type"], json.loads(body)["mediaType"]) == (200, family.index, family.index)
        assert headers["Docker-Content-Digest"] == sha256(body)
        assert (await ask(f"demo/web/manifests/{sha256(body)}"))[2] == body
        images = json.loads(body)["manifests"]
        assert [image["platform"] for image in images] == [
            {"architecture": architecture, "os": "linux"} for architecture in ("amd64", "arm64")
        ]
        for image in images:
            status, headers, body = await ask(f"demo/web/manifests/{image['digest']}")
            assert (headers["Content-Type"], image["mediaType"]) == (family.manifest, family.manifest)
            assert (len(body), sha256(body)) == (image["size"], image["digest"])
            value = json.loads(body)
            assert value["config"]["mediaType"] == family.config
            assert value["layers"][0]["mediaType"] == family.layer
            blobs = []
            for part in (value["config"], *value["layers"]):
                status, headers, blob = await ask(f"demo/web/blobs/{part['digest']}")
                assert (len(blob), sha256(blob)) == (part["size"], part["digest"])
                assert headers["Docker-Content-Digest"] == part["digest"]
                blobs.append(blob)
            check_image(blobs, version, image["platform"]["architecture"])


def check_image(blobs: list[bytes], version: str, architecture: str) -> None:
    config, archive = json.loads(blobs[0]), gzip.decompress(blobs[1])
    assert (config["architecture"], config["os"]) == (architecture, "linux")
    assert config["rootfs"] == {"type": "layers", "diff_ids": [sha256(archive)]}
    run = config["config"]
    assert f"VERSION={version}" in run["Env"]
    assert (run["Cmd"], run["WorkingDir"]) == (["python3", "/app/app.py"], "/app")
    assert run["ExposedPorts"] == {"8000/tcp": {}}
    assert run["Labels"]["org.opencontainers.image.version"] == version
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        assert {(entry.name, entry.mode, entry.mtime, entry.uid) for entry in files} == {
            ("app", 0o755, 0, 0),
            ("app/app.py", 0o644, 0, 0),
        }
        content = files.extractfile("app/app.py")
        assert content is not None
        assert content.read() == Path(app.__file__).read_bytes()


@in_loop
async def test_head_says_what_get_would() -> None:
    async with serving() as ask:
        index = await ask.json("demo/web/manifests/A")
        digest = index["manifests"][0]["digest"]
        config = (await ask.json(f"demo/web/manifests/{digest}"))["config"]["digest"]
        for path in ("manifests/A", f"manifests/{digest}", f"blobs/{config}"):
            _, told, content = await ask(f"demo/web/{path}")
            status, headers, body = await ask(f"demo/web/{path}", "HEAD")
            assert (status, body) == (200, b"")
            assert headers["Content-Length"] == str(len(content))
            for name in ("Content-Type", "Docker-Content-Digest"):
                assert headers[name] == told[name]


@in_loop
async def test_tags_are_listed_also_page_by_page() -> None:
    async with serving() as ask:
        assert await ask.json("demo/web/tags/list") == {"name": "demo/web", "tags": ["A", "A-docker", "B", "broken"]}
        _, headers, body = await ask("demo/web/tags/list?n=3")
        assert json.loads(body)["tags"] == ["A", "A-docker", "B"]
        assert headers["Link"] == '</v2/demo/web/tags/list?n=3&last=B>; rel="next"'
        _, headers, body = await ask("demo/web/tags/list?n=3&last=B")
        assert json.loads(body)["tags"] == ["broken"]
        assert "Link" not in headers


@pytest.mark.parametrize(
    ("path", "method", "status", "code"),
    [
        ("demo/web/manifests/C", "GET", 404, "MANIFEST_UNKNOWN"),
        (f"demo/web/manifests/sha256:{'0' * 64}", "GET", 404, "MANIFEST_UNKNOWN"),
        (f"demo/web/blobs/sha256:{'0' * 64}", "GET", 404, "BLOB_UNKNOWN"),
        ("other/manifests/A", "GET", 404, "NAME_UNKNOWN"),
        (f"other/blobs/sha256:{'0' * 64}", "GET", 404, "NAME_UNKNOWN"),
        ("a/b/c/tags/list", "GET", 404, "NAME_UNKNOWN"),
        ("_catalog", "GET", 404, "NAME_UNKNOWN"),
        ("demo/web/manifests/A", "PUT", 405, "UNSUPPORTED"),
        ("demo/web/manifests/A", "DELETE", 405, "UNSUPPORTED"),
    ],
)
@in_loop
async def test_errors_are_in_the_agreed_words(path: str, method: str, status: int, code: str) -> None:
    async with serving() as ask:
        got, headers, body = await ask(path, method)
    error = json.loads(body)["errors"][0]
    assert (got, error["code"]) == (status, code)
    assert headers["Content-Type"].startswith("application/json")
    assert error["message"]


@in_loop
async def test_what_is_missing_has_no_body_at_head() -> None:
    async with serving() as ask:
        status, _, body = await ask("demo/web/manifests/C", "HEAD")
    assert (status, body) == (404, b"")


def test_the_bytes_are_the_same_every_time() -> None:
    one, two = demo_images(), demo_images()
    assert (one.tags, one.blobs, one.manifests) == (two.tags, two.blobs, two.manifests)
    assert len(set(one.tags.values())) == 4


@pytest.mark.parametrize("tag", ["A", "A-docker"])
def test_the_sandbox_itself_can_pull_it(tag: str, tmp_path: Path) -> None:
    @in_loop
    async def pulled() -> None:
        async with serving() as ask:
            _, headers, _ = await ask(f"demo/web/manifests/{tag}", "HEAD")
            puller = Puller(ask.address, None, lambda: None)
            root = tmp_path / "root"
            image = await asyncio.to_thread(puller.pull, "demo/web", headers["Docker-Content-Digest"], root)
        assert ("VERSION", "A") in image.environment
        assert image.command == ("python3", "/app/app.py")
        assert (root / "app" / "app.py").read_bytes() == Path(app.__file__).read_bytes()

    pulled()


@in_loop
async def test_a_taken_port_is_a_refusal_that_names_it() -> None:
    async with serving() as ask:
        port = int(ask.address.partition(":")[2])
        second = DemoRegistry(port=port)
        with pytest.raises(Refused, match=f"port {port} is taken, and the registry needs it"):
            await second.start()
        await second.stop()
