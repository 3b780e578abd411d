"""PURE: what the images of a release weigh, as a bare machine pulls them: each layer once, compressed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from bluegreen.images.manifest import Blob, Manifest

DISTRO_BYTES = 5 << 20  # a lowest layer from here on is taken for a distribution


@dataclass(frozen=True, slots=True)
class Report:
    """Sizes are bytes. `pull` is what a bare machine pulls for all images, `shared` what it does not pull twice, `new` what is
    not in the images before (None: there were none). `twice` tells of distributions that two images carry each."""

    images: tuple[tuple[str, tuple[Blob, ...]], ...]
    pull: int
    shared: int
    new: int | None
    twice: tuple[str, ...]

    def line(self, since: str = "the push before") -> str:
        news = "" if self.new is None else f"; {megabytes(self.new)} of it new since {since}"
        return f"a bare machine pulls {megabytes(self.pull)}, {megabytes(self.shared)} of the images' layers are shared{news}"


def weigh(images: Mapping[str, Manifest], before: Mapping[str, Manifest]) -> Report:
    """`images` is name → manifest for what the release runs; `before` the same of what ran before, if known."""
    layers = {blob.digest: blob.size_bytes for image in images.values() for blob in image.layers}
    there = {blob.digest for image in before.values() for blob in image.layers}
    total = sum(blob.size_bytes for image in images.values() for blob in image.layers)
    pull = sum(layers.values())
    return Report(
        images=tuple((name, image.layers) for name, image in images.items()),
        pull=pull,
        shared=total - pull,
        new=sum(size for digest, size in layers.items() if digest not in there) if before else None,
        twice=tuple(_twice(images)),
    )


def _twice(images: Mapping[str, Manifest]) -> list[str]:
    """Two images that stand on different lowest layers of a distribution's size."""
    lowest = {name: image.layers[0] for name, image in images.items() if image.layers}
    return [
        f"{one} and {other} each bring a base of their own ({megabytes(lowest[one].size_bytes)} and "
        f"{megabytes(lowest[other].size_bytes)}): build both from one image"
        for one, other in combinations(lowest, 2)
        if lowest[one].digest != lowest[other].digest
        and min(lowest[one].size_bytes, lowest[other].size_bytes) >= DISTRO_BYTES
    ]


def megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"
