"""The example stacks, from wherever they are: inside the installed package, or in the folder stacks/ of a checkout."""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib import resources
from pathlib import Path

import bluegreen
from bluegreen.errors import BluegreenError


def example(name: str) -> AbstractContextManager[Path]:
    """A path to read the example `name` (demo.yml) from, while the context lasts."""
    for folder in (
        resources.files("bluegreen") / "_data" / "stacks",
        Path(bluegreen.__file__).parent.parent / "stacks",
    ):
        if (folder / name).is_file():
            return resources.as_file(folder / name)
    raise BluegreenError(
        f"the example stack {name} is missing",
        why="this installation of bluegreen is not complete",
        next="install bluegreen again",
    )
