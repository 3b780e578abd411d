"""The image chain's pure half: the order of images, what decides a key, and why a build is needed."""

from __future__ import annotations

import pytest

from bluegreen.core.chain import BuildSecret, ImageSpec, changes, in_order, ingredients, key


def image(name: str, base: str = "scratch", **more: object) -> ImageSpec:
    return ImageSpec(name, f"registry.test/{name}", base, "linux/amd64", "Dockerfile", **more)  # type: ignore[arg-type]


def test_each_image_comes_after_the_one_it_is_made_from() -> None:
    app, deps, base, other = image("app", "deps"), image("deps", "base"), image("base"), image("other")
    assert in_order([app, other, base, deps]) == (base, deps, app, other)
    assert in_order([]) == () and in_order([image("app", "debian:12")])[0].name == "app"


@pytest.mark.parametrize(
    ("images", "circle"),
    [
        ([image("a", "a")], "a → a"),
        ([image("a", "b"), image("b", "a")], "a → b → a"),
        ([image("x", "a"), image("a", "b"), image("b", "a")], "a → b → a"),
    ],
)
def test_a_circle_is_named_without_the_way_to_it(images: list[ImageSpec], circle: str) -> None:
    with pytest.raises(ValueError, match=f"^{circle}$"):
        in_order(images)


FULL = image("app", "deps", args=(("VERSION", "1"),), secrets=(BuildSecret("npm", "NPM"),))


def test_all_that_decides_a_build_is_an_ingredient_in_one_order() -> None:
    found = ingredients(FULL, "FROM deps", "abc", {"b.py": "100644 2", "a.py": "100644 1"})
    assert [name for name, _ in found] == [
        "Dockerfile",
        "argument VERSION",
        "file a.py",
        "file b.py",
        "parent",
        "platform",
        "secret npm",
    ]
    known = dict(found)
    assert known["parent"] == "deps abc" and known["secret npm"] == "by name" and known["argument VERSION"] == "1"
    assert dict(ingredients(image("app"), "x", "", {}))["parent"] == "scratch"


def test_the_key_is_of_the_ingredients() -> None:
    one = ingredients(FULL, "FROM deps", "abc", {})
    assert len(key(one)) == 64 and key(one) == key(tuple(one))
    assert key(one) != key(ingredients(FULL, "FROM deps", "abd", {}))
    assert key((("a", "é"),)) == "f4e538759f6ad93b5307bfc55e3320b3c9235ffeebcae278dbc1398b54244cd5", (
        "on any machine, in any year"
    )


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ({"platform": "a"}, {"platform": "a"}, ()),
        ({"platform": "a"}, {"platform": "b"}, ("platform changed",)),
        ({}, {"file x": "1"}, ("file x is new",)),
        ({"file x": "1"}, {}, ("file x is gone",)),
        ({"parent": "deps 1"}, {"parent": "deps 2"}, ("parent deps changed",)),
        ({"parent": "deps 1"}, {"parent": "base 1"}, ("parent is base, was deps",)),
        ({"b": "1", "a": "1"}, {"a": "2", "c": "1"}, ("a changed", "b is gone", "c is new")),
    ],
    ids=["nothing", "a value", "new", "gone", "the image under it", "another image under it", "several, in one order"],
)
def test_why_a_build_is_needed(old: dict[str, str], new: dict[str, str], words: tuple[str, ...]) -> None:
    assert changes(old, tuple(sorted(new.items()))) == words
