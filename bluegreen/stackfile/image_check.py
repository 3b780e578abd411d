"""How the keys of `images:` go together, and an image of the chain from them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

from bluegreen.core import chain
from bluegreen.core.image_ref import parse
from bluegreen.core.stack import architecture
from bluegreen.errors import UsageError

Found = Mapping[str, Any]
Wrong = Callable[..., None]  # message, *path


def check_images(found: Found, secret_name: re.Pattern[str], wrong: Wrong) -> None:
    """`wrong(message, *path)` for each mistake in `images:`."""
    images = found.get("images", {})
    for name, image in images.items():
        _check_base(name, image["from"], images, wrong)
        _check_paths(name, image, wrong)
        for argument, value in image.get("args", {}).items():
            if argument == "BASE":
                wrong("BASE is what `from` says", "images", name, "args", argument)
            elif secret_name.search(argument) and value:
                message = f"{argument} looks like a secret, and arguments stay in the image: use secrets"
                wrong(message, "images", name, "args", argument)
        for secret, source in image.get("secrets", {}).items():
            if len(source) != 1:
                wrong("a secret has either environment or file", "images", name, "secrets", secret)
    if images:
        _check_circles(found, wrong)


def _check_base(name: str, base: str, images: Found, wrong: Wrong) -> None:
    if base == chain.SCRATCH or base in images:
        return
    if not re.search(r"[/:@.]", base):
        known = ", ".join(sorted(images))
        wrong(
            f"there is no image {base} (there are: {known}); an outside base has a tag or a digest",
            "images",
            name,
            "from",
        )
        return
    try:
        reference = parse(base)
    except UsageError as error:
        wrong(f"{error.what}: {error.why}", "images", name, "from")
        return
    if not reference.digest and not re.search(r":[^/]+$", base):
        wrong("an outside base has a tag or, better, a digest: latest is none", "images", name, "from")


def _check_paths(name: str, image: Found, wrong: Wrong) -> None:
    for key in ("inputs", "key"):
        for i, pattern in enumerate(image.get(key, ())):
            if pattern.startswith("/") or ".." in PurePosixPath(pattern).parts:
                wrong("this leaves the context", "images", name, key, i)
    if "key" in image and "inputs" not in image:
        wrong("missing: key names some of the inputs", "images", name, "inputs")


def _check_circles(found: Found, wrong: Wrong) -> None:
    try:
        chain.in_order(image_specs(found))
    except ValueError as circle:
        wrong(f"images are made from each other: {circle}", "images", str(circle).partition(" ")[0], "from")


def image_specs(found: Found) -> tuple[chain.ImageSpec, ...]:
    platform = f"linux/{architecture(found['fleet']['instance_types'][0])}"
    return tuple(_spec(name, image, found, platform) for name, image in found.get("images", {}).items())


def _spec(name: str, image: Found, found: Found, platform: str) -> chain.ImageSpec:
    context = image.get("context", ".")
    repository = image.get("repository", f"{found['stack']}/{name}")
    return chain.ImageSpec(
        name=name,
        repository=f"{found['registry']['host']}/{repository}",
        base=image["from"],
        platform=image.get("platform", platform),
        dockerfile=image.get("dockerfile", str(PurePosixPath(context, "Dockerfile"))),
        context=context,
        inputs=image.get("inputs", ()),
        key_files=image.get("key", ()),
        args=tuple(image.get("args", {}).items()),
        templates=image.get("templates", ""),
        secrets=tuple(chain.BuildSecret(id, **source) for id, source in image.get("secrets", {}).items()),
    )
