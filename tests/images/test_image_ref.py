"""Image references are read as Docker reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.core.image_ref import ImageRef, is_loopback, parse
from bluegreen.errors import UsageError

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("registry.example.com/shop/web:1.2", ImageRef("registry.example.com", "shop/web", "1.2")),
        ("registry.example.com:5000/web:1", ImageRef("registry.example.com:5000", "web", "1")),
        ("localhost/web:1", ImageRef("localhost", "web", "1")),
        ("127.0.0.1:5000/demo/web", ImageRef("127.0.0.1:5000", "demo/web", "latest")),
        ("[::1]:5000/web:1", ImageRef("[::1]:5000", "web", "1")),
        ("BUILDER/web:1", ImageRef("BUILDER", "web", "1")),
        (f"r.example/web@{DIGEST}", ImageRef("r.example", "web", "", DIGEST)),
        (f"r.example/web:1@{DIGEST}", ImageRef("r.example", "web", "1", DIGEST)),
        ("nginx", ImageRef("docker.io", "library/nginx", "latest")),
        ("nginx:1.27", ImageRef("docker.io", "library/nginx", "1.27")),
        ("acme/web:1", ImageRef("docker.io", "acme/web", "1")),
        ("index.docker.io/acme/web:1", ImageRef("docker.io", "acme/web", "1")),
        ("r.example/a/b_c/d__e/f-g.h:_tag", ImageRef("r.example", "a/b_c/d__e/f-g.h", "_tag")),
    ],
)
def test_references_are_read_with_dockers_defaults(text: str, expected: ImageRef) -> None:
    assert parse(text) == expected
    assert parse(str(expected)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/web",
        "r.example/",
        "r.example/Web:1",
        "r.example/web:",
        "r.example/web:.1",
        "r.example/web:a b",
        "r.example/web:1\n",
        "r.example/web:" + "x" * 129,
        "r.example/" + "x" * 300,
        "r.example//web",
        "r.example/web@sha256:abc",
        "r.example/web@" + DIGEST.upper(),
        "r.example/web@",
        "r.example:70000/web:1",
        "r.exa mple/web:1",
        "https://r.example/web:1",
        "-r.example/web:1",
        "r.example/web:${VERSION}",
    ],
)
def test_what_is_no_reference_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert repr(text) in caught.value.what
    assert caught.value.why


@given(st.text())
def test_any_text_is_a_reference_or_a_usage_error(text: str) -> None:
    try:
        ref = parse(text)
    except UsageError:
        return
    assert parse(str(ref)) == ref


def test_version_is_the_digest_if_there_is_one() -> None:
    assert parse(f"r.example/web:1@{DIGEST}").version == DIGEST
    assert parse("r.example/web:1").version == "1"


@pytest.mark.parametrize("host", ["localhost", "localhost:5000", "127.0.0.1", "127.9.8.7:5000", "[::1]", "[::1]:5000"])
def test_this_machine_is_known_by_its_names(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["example.com", "10.0.0.1:5000", "localhost.example.com", "128.0.0.1", "[::2]", "127.1"]
)
def test_no_other_machine_is_taken_for_it(host: str) -> None:
    assert not is_loopback(host)
