"""What the registry has of a chain, page by page; and deletions that it refuses."""

from __future__ import annotations

import pytest
from fake_registry import PASSWORD, FakeRegistry, answer, digest

from bluegreen.core.prune import Stored
from bluegreen.errors import CloudError, NotFound, Refused
from bluegreen.images.inventory import survey
from bluegreen.images.registry import RegistryImages

KEY = "0123456789ab" + "c" * 52
LABELS = {"bluegreen.key": KEY, "org.opencontainers.image.created": "2026-01-02T00:00:00+00:00"}


def test_every_tag_is_found_and_those_of_one_digest_are_one(registry: FakeRegistry, images: RegistryImages) -> None:
    registry.page = 2
    app = registry.put_image("shop/app", KEY[:12], "newest", labels=LABELS)
    other = registry.put_image("shop/app", "1.0", architecture="arm64")
    index = registry.put_index("shop/app", "2.0", arm64=other)
    signature = registry.put("shop/app", "application/vnd.example.signature", {}, "sha256-1.sig")
    name = f"{registry.host}/shop/app"
    assert survey(images, [name, f"{registry.host}/shop/none", name]) == (
        Stored(name, app, (KEY[:12], "newest"), KEY, 1_767_312_000.0),
        Stored(name, other, ("1.0",)),
        Stored(name, index, ("2.0",), children=(digest(b"attestation"), other)),
        Stored(name, signature, ("sha256-1.sig",)),
    )


def test_a_list_of_tags_without_an_end_is_cut_off(registry: FakeRegistry, images: RegistryImages) -> None:
    endless = answer(200, b'{"tags": ["a"]}', {"Link": '</v2/shop/app/tags/list?last=a>; rel="next"'})
    registry.faults["GET", "/tags/list"] = [endless] * 101
    with pytest.raises(CloudError, match="has no end"):
        images.tags(f"{registry.host}/shop/app")


def test_what_is_deleted_is_gone_with_its_tags_and_twice_is_no_error(
    registry: FakeRegistry, images: RegistryImages
) -> None:
    reference = f"{registry.host}/shop/app@{registry.put_image('shop/app', 'a', 'b')}"
    images.delete(reference)
    assert images.tags(f"{registry.host}/shop/app") == ()
    images.delete(reference)
    with pytest.raises(NotFound):
        images.describe(reference)


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (405, Refused, "does not let images be deleted"),
        (403, CloudError, "deploy may not delete in shop/app"),
        (400, CloudError, "does not delete"),
        (500, CloudError, "HTTP 500"),
    ],
)
def test_a_deletion_that_is_refused_is_told(
    registry: FakeRegistry, images: RegistryImages, status: int, kind: type[CloudError], words: str
) -> None:
    reference = f"{registry.host}/shop/app@{registry.put_image('shop/app', 'a')}"
    registry.faults["DELETE", ""] = [answer(status)] * 9
    with pytest.raises(kind) as caught:
        images.delete(reference)
    assert words in str(caught.value) and PASSWORD not in str(caught.value)


def test_a_token_is_asked_for_the_right_to_delete(registry: FakeRegistry, images: RegistryImages) -> None:
    registry.auth = "bearer"
    reference = f"{registry.host}/shop/app@{registry.put_image('shop/app', 'a')}"
    images.describe(reference)
    images.delete(reference)
    scopes = [path for _, path, _ in registry.log if path.startswith("/token")]
    assert [scope.endswith("pull%2Cdelete") for scope in scopes] == [False, True]
