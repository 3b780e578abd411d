"""A registry, or what is in front of it, that fails while a real engine pushes: told in words, and nothing is half tagged."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from chains import Chain

from bluegreen.images.registry import Credentials, RegistryImages
from tests.parts.authority import Authority
from tests.parts.images import Images, remove_images
from tests.parts.proxy import Fault, Proxy, cut_off, status, wrong_digest
from tests.parts.registry import Registry

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]


@pytest.fixture
def proxy(private_registry: Registry, authority: Authority, small_images: Images) -> Iterator[Proxy]:
    made = Proxy(private_registry, authority)
    small_images.trust(made)  # type: ignore[arg-type]
    try:
        yield made
    finally:
        made.stop()


@pytest.mark.parametrize(
    ("method", "part", "fault", "words"),
    [
        ("PUT", "/app/manifests/", status(401), "unauthorized"),
        ("PUT", "/app/manifests/", status(429), "allows no more requests for now: wait"),
        ("PUT", "/app/manifests/", status(500), "500 (.|\\n)*build again"),
        ("POST", "/app/blobs/uploads/", status(401), "unauthorized|no basic auth"),
        ("PATCH", "/app/blobs/uploads/", cut_off, "(EOF|reset|broken pipe|closed)(.|\\n)*build again"),
        ("HEAD", "/app/manifests/", wrong_digest, "has another .*/app:.* than was pushed"),
    ],
    ids=["401", "429", "500", "401 to a layer", "cut off in a layer", "wrong digest"],
)
def test_a_push_that_fails_is_told_and_nothing_is_half_tagged(
    proxy: Proxy,
    outside: str,
    tmp_path: Path,
    docker_engine: docker.DockerClient,
    method: str,
    part: str,
    fault: Fault,
    words: str,
) -> None:
    base = f"{proxy.host}/{outside.partition('/')[2]}"
    chain = Chain(tmp_path, proxy, base)  # type: ignore[arg-type]
    real = RegistryImages(
        {proxy.registry.host: Credentials(proxy.username, lambda: proxy.password)}, ca_file=str(proxy.ca)
    )

    def there(tag: str, name: str = "app") -> str:
        return real.find(f"{proxy.registry.host}/{chain.name}/{name}:{tag}")

    try:
        first = chain.build()
        newest = {name: there("newest", name) for name in first}
        chain.write("deps/lock", "two\n")
        key = chain.build("--explain")["app"]["key"][:12]
        with proxy.broken(method, part, fault):
            done = chain.run("build", str(tmp_path / "stack.yml"))
        assert done.returncode == 5, done.stderr + done.stdout
        assert re.search(words, done.stderr), done.stderr
        assert f"{proxy.host}/{chain.name}/app" in done.stderr and "Traceback" not in done.stderr
        assert proxy.password not in done.stderr + done.stdout
        assert {name: there("newest", name) for name in first} == newest
        arrived = there(key)
        assert bool(arrived) == (fault is wrong_digest)
        mended = chain.build()
        assert mended["deps"]["action"] == "reused", "what was pushed whole is used"
        assert there(key) == mended["app"]["digest"] != newest["app"]
        assert mended["app"]["action"] == ("reused" if arrived else "built")
    finally:
        real.close()
        chain.images.close()
        remove_images(docker_engine, f"{proxy.host}/")
