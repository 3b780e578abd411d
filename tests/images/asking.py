"""What the tests of the registry client share: sleep that takes no time, and failing without a word too many."""

from __future__ import annotations

import pytest
from fake_registry import PASSWORD

from bluegreen.errors import BluegreenError
from bluegreen.images.registry import RegistryImages


class Naps:
    def __init__(self) -> None:
        self.taken: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


def fails(images: RegistryImages, kind: type[BluegreenError], reference: str, architecture: str = "amd64") -> str:
    """The whole text of the error, its causes included; no secret is in it."""
    with pytest.raises(kind) as caught:
        images.digest(reference, architecture)
    error: BaseException | None = caught.value
    text = ""
    while error is not None:
        text += f"{error}\n{error!r}\n{vars(error)}\n"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    for secret in (PASSWORD, "czNjcjN0", "t0ken-value", "ZGVwbG95"):
        assert secret not in text
    return text
