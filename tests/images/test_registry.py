"""Tags become digests: of the right platform, and verified."""

from __future__ import annotations

import json
import threading

import pytest
from asking import fails
from fake_registry import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    FakeRegistry,
    answer,
    digest,
)

from bluegreen.errors import CloudError, NotFound, Refused, UsageError
from bluegreen.images.registry import RegistryImages


@pytest.mark.parametrize("kind", [OCI_MANIFEST, DOCKER_MANIFEST])
def test_a_single_image_is_pinned_to_its_own_digest(registry: FakeRegistry, images: RegistryImages, kind: str) -> None:
    pinned = registry.put_image("demo/web", "A", kind=kind)
    image = images.digest(f"{registry.host}/demo/web:A", "amd64")
    assert image.reference == f"{registry.host}/demo/web@{pinned}"
    assert (image.architecture, image.source) == ("amd64", f"{registry.host}/demo/web:A")
    assert image.size_bytes > 1000


@pytest.mark.parametrize("kind", [OCI_INDEX, DOCKER_LIST])
def test_an_index_is_pinned_to_the_platforms_manifest(
    registry: FakeRegistry, images: RegistryImages, kind: str
) -> None:
    amd = registry.put_image("demo/web")
    arm = registry.put_image("demo/web", architecture="arm64")
    registry.put_index("demo/web", "A", kind=kind, amd64=amd, arm64_v8=arm)
    assert images.digest(f"{registry.host}/demo/web:A", "amd64").reference.endswith(amd)
    assert images.digest(f"{registry.host}/demo/web:A", "arm64").reference.endswith(arm)


def test_a_digest_is_looked_up_and_stays(registry: FakeRegistry, images: RegistryImages) -> None:
    pinned = registry.put_image("demo/web")
    reference = f"{registry.host}/demo/web:whatever@{pinned}"
    assert images.digest(reference, "amd64").reference == f"{registry.host}/demo/web@{pinned}"
    assert not [line for line in registry.log if line[0] == "HEAD"]


def test_a_digest_that_is_gone_is_named(registry: FakeRegistry, images: RegistryImages) -> None:
    registry.put_image("demo/web", "A")
    text = fails(images, NotFound, f"{registry.host}/demo/web@{digest(b'gone')}")
    assert f"demo/web has no image {digest(b'gone')}" in text


def test_an_image_of_another_architecture_is_refused(registry: FakeRegistry, images: RegistryImages) -> None:
    registry.put_image("demo/web", "A")
    text = fails(images, Refused, f"{registry.host}/demo/web:A", "arm64")
    assert "not made for linux/arm64" in text
    assert "the image has linux/amd64" in text


def test_an_index_without_the_platform_is_refused(registry: FakeRegistry, images: RegistryImages) -> None:
    registry.put_index("demo/web", "A", amd64=registry.put_image("demo/web"), s390x=digest(b"s390x"))
    text = fails(images, Refused, f"{registry.host}/demo/web:A", "arm64")
    assert "the image has linux/amd64, linux/s390x" in text


def test_an_index_whose_manifest_was_never_pushed_is_refused(registry: FakeRegistry, images: RegistryImages) -> None:
    registry.put_index("demo/web", "A", amd64=digest(b"never pushed"))
    assert f"demo/web has no image {digest(b'never pushed')}" in fails(images, NotFound, f"{registry.host}/demo/web:A")


def test_an_unknown_tag_names_the_tags_there_are(registry: FakeRegistry, images: RegistryImages) -> None:
    registry.put_image("demo/web", "A", "B", "broken")
    text = fails(images, NotFound, f"{registry.host}/demo/web:C")
    assert "demo/web has no tag C; it has A, B, broken" in text


def test_of_many_tags_the_closest_are_named(registry: FakeRegistry, images: RegistryImages) -> None:
    registry.put_image("demo/web", *(f"2024.{month}.{day}" for month in range(1, 13) for day in range(1, 9)))
    text = fails(images, NotFound, f"{registry.host}/demo/web:2024.13.1")
    assert "2024.3.1" in text
    assert "and 88 more" in text


def test_an_unknown_tag_is_told_even_where_tags_are_secret(registry: FakeRegistry, images: RegistryImages) -> None:
    registry.put_image("demo/web", "A")
    registry.faults["GET", "/tags/list"] = [answer(403)]
    assert "demo/web has no tag C\n" in fails(images, NotFound, f"{registry.host}/demo/web:C")


@pytest.mark.parametrize("said_at_once", [False, True])
def test_an_unknown_repository_is_told(registry: FakeRegistry, images: RegistryImages, said_at_once: bool) -> None:
    if said_at_once:
        registry.faults["GET", "/manifests/"] = [answer(404, b'{"errors": [{"code": "NAME_UNKNOWN"}]}')]
    assert "has no repository demo/nothing" in fails(images, NotFound, f"{registry.host}/demo/nothing:A")


@pytest.mark.parametrize("status", [400, 404, 405, 501])
def test_a_registry_without_head_is_asked_with_get(registry: FakeRegistry, images: RegistryImages, status: int) -> None:
    pinned = registry.put_image("demo/web", "A")
    registry.faults["HEAD", "/manifests/"] = [answer(status)]
    assert images.digest(f"{registry.host}/demo/web:A", "amd64").reference.endswith(pinned)


def test_a_registry_that_names_no_digest_is_read_all_the_same(registry: FakeRegistry, images: RegistryImages) -> None:
    pinned = registry.put_image("demo/web", "A")
    registry.names_digests = False
    assert images.digest(f"{registry.host}/demo/web:A", "amd64").reference.endswith(pinned)


def test_bytes_that_do_not_have_their_digest_are_refused(registry: FakeRegistry, images: RegistryImages) -> None:
    pinned = registry.put_image("demo/web", "A")
    other = json.dumps({"mediaType": OCI_MANIFEST, "config": {}, "layers": []}).encode()
    registry.manifests["demo/web", pinned] = (OCI_MANIFEST, other)
    registry.faults["GET", "/manifests/"] = [answer(200, other, {"Docker-Content-Digest": pinned})]
    text = fails(images, CloudError, f"{registry.host}/demo/web:A")
    assert "is not what its digest says" in text
    assert pinned in text


def test_a_config_that_does_not_have_its_digest_is_refused(registry: FakeRegistry, images: RegistryImages) -> None:
    registry.put_image("demo/web", "A")
    for name in registry.blobs:
        registry.blobs[name] = b'{"os": "linux", "architecture": "arm64"}'
    assert "is not what its digest says" in fails(images, CloudError, f"{registry.host}/demo/web:A", "arm64")


def test_what_is_no_image_is_refused_with_its_type(registry: FakeRegistry, images: RegistryImages) -> None:
    registry.put("demo/web", "application/vnd.docker.distribution.manifest.v1+prettyjws", {}, "A")
    text = fails(images, CloudError, f"{registry.host}/demo/web:A")
    assert "manifest.v1+prettyjws" in text


def test_a_reference_that_is_none_reaches_nobody(registry: FakeRegistry, images: RegistryImages) -> None:
    fails(images, UsageError, f"{registry.host}/Demo:A")
    assert registry.log == []


def test_threads_share_one_client(registry: FakeRegistry, images: RegistryImages) -> None:
    registry.auth = "bearer"
    names = [f"demo/app{number}" for number in range(8)]
    expected = {name: registry.put_image(name, "A", name) for name in names}
    found: dict[str, str] = {}

    def resolve(name: str) -> None:
        found[name] = images.digest(f"{registry.host}/{name}:A", "amd64").reference.partition("@")[2]

    threads = [threading.Thread(target=resolve, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == expected
