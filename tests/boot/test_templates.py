"""The boot's files are found in a checkout and in an installed wheel; an incomplete installation says so."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from machine import CLOUDINIT

from bluegreen.boot import templates

ROOT = CLOUDINIT.parent
PROGRAM = "from bluegreen.boot import templates; print(templates._folder(), len(templates.text('unpack.py')))"


def test_in_a_checkout_they_are_beside_the_package() -> None:
    assert templates.text(templates.UNPACK) == (CLOUDINIT / templates.UNPACK).read_text("utf-8")


@pytest.mark.parametrize("packed", [False, True])
def test_in_a_wheel_they_are_inside_it(tmp_path: Path, packed: bool) -> None:
    """Laid out as pyproject.toml has it; `packed` is the wheel itself on the path."""
    places = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    site = tmp_path / "site"
    shutil.copytree(ROOT / "bluegreen", site / "bluegreen", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(CLOUDINIT, site / places["force-include"]["cloudinit"])
    path = Path(shutil.make_archive(str(tmp_path / "wheel"), "zip", site)) if packed else site
    folder, size = _python(path, tmp_path).stdout.split()
    assert Path(folder) == path / "bluegreen" / "_data" / "cloudinit"
    assert int(size) == len(templates.text("unpack.py"))


def test_an_incomplete_installation_says_so(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "bluegreen", tmp_path / "bluegreen", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "cloudinit").mkdir()  # cloud-init's own package has this name
    assert "the boot templates are missing" in _python(tmp_path, tmp_path).stderr


def _python(path: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-S", "-B", "-c", PROGRAM]
    environment = {"PYTHONPATH": str(path)}
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
