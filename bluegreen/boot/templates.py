"""Where the boot's files are: `cloudinit/` beside the package in a checkout, `_data/cloudinit` inside it in a wheel."""

from __future__ import annotations

from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import bluegreen
from bluegreen.errors import BluegreenError

TEMPLATE = "user-data.yaml.j2"
UNPACK = "unpack.py"
MODULES = (
    *("agent.py", "aws.py", "bare.py", "causes.py", "check.py", "console.py", "containers.py", "engine.py"),
    *("images.py", "keeper.py", "logs.py", "services.py", "table.py", "verdict.py", "watch.py"),
)
TYPES = "shapes.py"  # stays here


@cache
def text(name: str) -> str:
    """The file `name` of the folder `cloudinit`."""
    return (_folder() / name).read_text("utf-8")


@cache
def _folder() -> Traversable:
    in_wheel = resources.files("bluegreen") / "_data" / "cloudinit"
    in_checkout = Path(bluegreen.__file__).parent.parent / "cloudinit"
    for folder in (in_wheel, in_checkout):
        if (folder / TEMPLATE).is_file():
            return folder
    raise BluegreenError(
        "the boot templates are missing",
        where=str(in_wheel),
        why="this installation of bluegreen is not complete",
        next="install bluegreen again",
    )
