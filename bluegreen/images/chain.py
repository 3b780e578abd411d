"""The image chain against the registry: the key of each image, whether it is there, and why not."""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from bluegreen.core import chain
from bluegreen.core.chain import ImageSpec, Ingredients, Link
from bluegreen.core.image_ref import parse
from bluegreen.errors import NotFound
from bluegreen.images import dockerfile, inputs
from bluegreen.images.inputs import Context

KEY_LABEL = "bluegreen.key"
MADE_OF_LABEL = "bluegreen.made-of"
_HASH = re.compile(r"\b([0-9a-f]{16})[0-9a-f]{48}\b")
MOST_FILES = 2000  # named in the label: a line of a Dockerfile may have 64 KiB


class Registry(Protocol):
    def find(self, reference: str) -> str: ...

    def labels(self, reference: str) -> Mapping[str, str]: ...


class Planned(NamedTuple):
    """One image of the chain as its files are now. `base` is its outside base, pinned; `digest` what the registry has under its
    key, "" when it has to be built. `values` are path → mode and hash of the inputs that decide."""

    image: ImageSpec
    dockerfile: str
    context: Context
    values: Mapping[str, str]
    made_of: Ingredients
    base: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        return self.image.name

    @property
    def key(self) -> str:
        return chain.key(self.made_of)

    @property
    def tag(self) -> str:
        return self.key[: chain.SHORT]

    @property
    def reference(self) -> str:
        return f"{self.image.repository}:{self.tag}"

    @property
    def newest(self) -> str:
        return f"{self.image.repository}:{chain.NEWEST}"

    def link(self) -> Link:
        return Link(self.name, self.key, f"{self.image.repository}@{self.digest}", self.base)


def read(images: Iterable[ImageSpec], folder: Path, resolve: Callable[[str], str]) -> tuple[Planned, ...]:
    """The chain, parents first, with nothing asked but `resolve` of outside bases: host/repository:tag → …@sha256:….
    `folder` is the stack file's. Raises UsageError for what the files and folders do not hold."""
    found: dict[str, Planned] = {}
    for image in chain.in_order(images):
        text = dockerfile.text(image, folder)
        context = inputs.collect(folder / image.context, image.inputs)
        values = context.values(image.key_files)
        parent = found.get(image.base)
        outside = "" if parent or image.base == chain.SCRATCH else resolve(image.base)
        under = parent.key if parent else outside.rpartition("@")[2]
        found[image.name] = Planned(
            image, text, context, values, chain.ingredients(image, text, under, values), outside
        )
    return tuple(found.values())


def survey(images: Iterable[ImageSpec], folder: Path, registry: Registry) -> tuple[Planned, ...]:
    """The chain and what of it the registry has: one HEAD an image, and one for each outside base that has only a tag."""

    def resolve(base: str) -> str:
        reference = parse(base)
        digest = reference.digest or registry.find(base)
        if not digest:
            raise NotFound(f"the base {base} does not exist", action="registry:pull", where=base, next="correct `from`")
        return f"{reference.name}@{digest}"

    return tuple(found_in(registry, planned) for planned in read(images, folder, resolve))


def found_in(registry: Registry, planned: Planned) -> Planned:
    return planned._replace(digest=registry.find(planned.reference))


def because(planned: Planned, registry: Registry) -> tuple[str, ...]:
    """Why the image has to be built, against the last one that was pushed; empty when it has not."""
    if planned.digest:
        return ()
    labels = registry.labels(planned.newest)
    if KEY_LABEL not in labels:
        return ("nothing was built before",)
    if labels[KEY_LABEL] == planned.key:
        return (f"the registry has {planned.tag} no more",)
    return chain.changes(unpack(labels.get(MADE_OF_LABEL, "")), _short(planned.made_of))


def labels(planned: Planned) -> dict[str, str]:
    """What the image says of its making, so that the next build can tell what changed."""
    return {KEY_LABEL: planned.key, MADE_OF_LABEL: pack(planned.made_of)}


def pack(made_of: Ingredients) -> str:
    plain = json.dumps(dict(_short(made_of)), separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(zlib.compress(plain, 9)).decode()


def _short(made_of: Ingredients) -> Ingredients:
    """Hashes are told by 16 digits. The files of a large context are one, or the label would outgrow its place."""
    short = tuple((name, _HASH.sub(r"\1", value)) for name, value in made_of)
    files = [pair for pair in short if pair[0].startswith("file ")]
    if len(files) <= MOST_FILES:
        return short
    others = tuple(pair for pair in short if not pair[0].startswith("file "))
    return (*others, (f"one of more than {MOST_FILES} files", chain.key(tuple(files))[:16]))


def unpack(text: str) -> dict[str, str]:
    """Empty when it is no label of ours."""
    try:
        found = json.loads(zlib.decompress(base64.urlsafe_b64decode(text)))
    except (ValueError, zlib.error):
        return {}
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}
