"""Manifests and indexes: what is read, what is chosen, what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fake_registry import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST

from bluegreen.images import manifest
from bluegreen.images.challenge import Challenge, challenges, token, token_url
from bluegreen.images.manifest import Blob, Index, Manifest, Platform

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")


def _bytes(**document: Any) -> bytes:
    return json.dumps(document).encode()


@pytest.mark.parametrize("kind", [OCI_INDEX, DOCKER_LIST])
def test_an_index_is_read_by_its_own_word_or_by_the_header(kind: str) -> None:
    entries = [{"digest": A, "platform": {"os": "linux", "architecture": "amd64"}}, {"digest": B}]
    expected = Index(((Platform("linux", "amd64"), A), (Platform("unknown", "unknown"), B)))
    assert manifest.read("text/plain", _bytes(mediaType=kind, manifests=entries)) == expected
    assert manifest.read(f"{kind}; charset=utf-8", _bytes(manifests=entries)) == expected


@pytest.mark.parametrize("kind", [OCI_MANIFEST, DOCKER_MANIFEST])
def test_a_manifest_counts_what_a_pull_transfers(kind: str) -> None:
    layers = [{"digest": B, "size": 20}, {"digest": C, "size": 300}]
    body = _bytes(mediaType=kind, config={"digest": A, "size": 1}, layers=layers)
    assert manifest.read("", body) == Manifest(A, 321, (Blob(B, 20), Blob(C, 300)))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<html>", "not JSON"),
        (b"[]", "not a JSON object"),
        (_bytes(schemaVersion=1, name="x"), "type none"),
        (_bytes(mediaType=OCI_INDEX, manifests=[], layers=[]), "at once"),
        (_bytes(mediaType=OCI_INDEX), "manifests is missing"),
        (_bytes(mediaType=OCI_INDEX, manifests=["x"]), "not objects"),
        (_bytes(mediaType=OCI_MANIFEST, layers=[]), "config is missing"),
        (_bytes(mediaType=OCI_MANIFEST, config={"digest": "md5:x", "size": 1}, layers=[]), "not sha256"),
        (_bytes(mediaType=OCI_MANIFEST, config={"digest": A}, layers=[]), "size is missing"),
    ],
)
def test_anything_else_is_refused_with_a_reason(body: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        manifest.read("", body)


def test_the_plainest_variant_is_chosen_and_a_special_one_never() -> None:
    index = Index(
        (
            (Platform("linux", "amd64", "v3"), A),
            (Platform("windows", "amd64"), A),
            (Platform("linux", "amd64"), B),
            (Platform("linux", "amd64"), C),
            (Platform("linux", "arm64", "v8"), C),
        )
    )
    assert index.digest_for("amd64") == B
    assert index.digest_for("arm64") == C
    assert index.digest_for("riscv64") is None
    assert Index(((Platform("linux", "amd64", "v3"), A),)).digest_for("amd64") is None
    assert index.platforms() == ("linux/amd64/v3", "windows/amd64", "linux/amd64", "linux/arm64/v8")


def test_a_config_must_say_what_it_is_for() -> None:
    assert manifest.config_platform(_bytes(os="linux", architecture="arm64")) == Platform("linux", "arm64")
    with pytest.raises(ValueError, match="architecture is missing"):
        manifest.config_platform(_bytes(os="linux"))


def test_error_codes_and_tags_are_read_from_any_rubbish() -> None:
    assert manifest.error_code(b'{"errors": [{"code": "NAME_UNKNOWN"}]}') == "NAME_UNKNOWN"
    assert [manifest.error_code(body) for body in (b"", b"{}", b'{"errors": []}', b'{"errors": 1}')] == [""] * 4
    assert manifest.tags(b'{"tags": ["1", 2, "3"]}') == ("1", "3")
    assert [manifest.tags(body) for body in (b"", b'{"tags": null}', b"[]")] == [()] * 3


def test_challenges_are_read_in_every_spelling() -> None:
    header = 'Bearer realm="https://auth.example/token?a=1,2",service=registry , scope="repository:a/b:pull", Basic'
    bearer, basic = challenges(header)
    expected = {"realm": "https://auth.example/token?a=1,2", "service": "registry", "scope": "repository:a/b:pull"}
    assert bearer == Challenge("bearer", expected)
    assert basic == Challenge("basic", {})
    assert challenges('BASIC realm="a \\"b\\" c"') == (Challenge("basic", {"realm": 'a "b" c'}),)
    assert challenges("") == ()


def test_the_token_is_asked_for_pulling_one_repository() -> None:
    asked = Challenge("bearer", {"realm": "https://auth.example/t?x=1", "service": "a b"})
    url = "https://auth.example/t?x=1&service=a+b&account=deploy&scope=repository%3Ashop%2Fweb%3Apull"
    assert token_url(asked, "repository:shop/web:pull", "deploy") == url
    assert token(b'{"access_token": "t"}') == "t"
    assert [token(body) for body in (b"", b"{}", b"[]", b'{"token": 1}')] == [""] * 4
