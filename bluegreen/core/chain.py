"""PURE: the image chain. What an image is declared by, the key of its content, and why it has to be built again.

A key is a hash over all that decides what a build makes: the rendered Dockerfile, arguments, platform, the content and modes
of the inputs, and the key of the image under it (or the digest of the outside base). Times, order and owners are no part of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

SCRATCH = "scratch"
SHORT = 12  # hex digits of a key in a tag: 48 bits
PARENT = "parent"
NEWEST = "newest"  # the tag that follows the last push of an image: what a new key is explained against

Ingredients = tuple[tuple[str, str], ...]
"""(name, value) in name order: ("file shop/urls.py", "100644 3f2a…"), ("argument VERSION", "1.4.2")."""


class BuildSecret(NamedTuple):
    """`name` is its id in RUN --mount=type=secret,id=…; the value comes from `environment` or from `file`, at the build."""

    name: str
    environment: str = ""
    file: str = ""


class ImageSpec(NamedTuple):
    """An image of the chain. `base` is another's name, an outside reference, or scratch. `repository` has the host.

    Paths are relative to the stack file's folder, `inputs` and `key_files` to `context`. Without `key_files` all inputs decide.
    """

    name: str
    repository: str
    base: str
    platform: str
    dockerfile: str
    context: str = "."
    inputs: tuple[str, ...] = ()
    key_files: tuple[str, ...] = ()
    args: tuple[tuple[str, str], ...] = ()
    templates: str = ""
    secrets: tuple[BuildSecret, ...] = ()


class Link(NamedTuple):
    """One image of a release's lineage: `reference` is host/repository@sha256:…; `base` its outside base, pinned, or ""."""

    name: str
    key: str
    reference: str
    base: str = ""


class Lineage(NamedTuple):
    """What a release's images were made from. `commit` is Git's, or "" where the stack file is in no repository; `dirty` says
    that the working tree differed from it."""

    links: tuple[Link, ...]
    commit: str = ""
    dirty: bool = False


def in_order(images: Iterable[ImageSpec]) -> tuple[ImageSpec, ...]:
    """Each after the one it is made from. Raises ValueError naming a circle."""
    by_name = {image.name: image for image in images}
    done: dict[str, ImageSpec] = {}

    def visit(image: ImageSpec, path: tuple[str, ...]) -> None:
        if image.name in path:
            raise ValueError(" → ".join((*path[path.index(image.name) :], image.name)))
        if image.name not in done:
            if image.base in by_name:
                visit(by_name[image.base], (*path, image.name))
            done[image.name] = image

    for image in by_name.values():
        visit(image, ())
    return tuple(done.values())


def ingredients(image: ImageSpec, dockerfile: str, parent: str, files: Mapping[str, str]) -> Ingredients:
    """`parent` is the key of the image under it, or the digest of the outside base. `files` is path → mode and hash."""
    return tuple(
        sorted(
            {
                "Dockerfile": _sha256(dockerfile),
                "platform": image.platform,
                PARENT: f"{image.base} {parent}".strip(),
                **{f"argument {name}": value for name, value in image.args},
                **{f"secret {secret.name}": "by name" for secret in image.secrets},
                **{f"file {path}": value for path, value in files.items()},
            }.items()
        )
    )


def key(found: Ingredients) -> str:
    """64 hex digits. The same ingredients give the same key on any machine, in any year."""
    return _sha256(json.dumps(found, separators=(",", ":"), ensure_ascii=True))


def changes(old: Mapping[str, str], new: Ingredients) -> tuple[str, ...]:
    """Why a build made from `old` does not do for `new`, in words, one for each ingredient."""
    now = dict(new)
    words = []
    for name in sorted(old.keys() | now.keys()):
        if name not in old:
            words.append(f"{name} is new")
        elif name not in now:
            words.append(f"{name} is gone")
        elif old[name] != now[name]:
            words.append(_changed(name, old[name], now[name]))
    return tuple(words)


def _changed(name: str, old: str, new: str) -> str:
    if name != PARENT:
        return f"{name} changed"
    before, after = old.partition(" ")[0], new.partition(" ")[0]
    return f"{PARENT} {after} changed" if before == after else f"{PARENT} is {after}, was {before}"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
