"""How a build is watched: what a step prints can neither break the rows nor colour them."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from bluegreen.cli.build_progress import Lines, Rows


def test_on_a_terminal_each_image_has_one_row() -> None:
    rows = Rows()
    for image in ("base", "app"):
        rows.told(image, "the first line")
        rows.told(image, f"[bold]{image}[/bold] " + "and a line that is much too long for this terminal " * 5)
    console = Console(file=io.StringIO(), width=60)
    console.print(rows.progress.get_renderable())
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 2 and all(len(line) <= 60 and line.rstrip().endswith("…") for line in lines)
    assert "base [bold]base[/bold] and" in lines[0] and "app  [bold]app" in lines[1]


def test_elsewhere_each_line_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    lines.told("base", "one")
    lines.told("app", "two")
    said = capsys.readouterr().err.splitlines()
    assert [line.partition("] ")[2] for line in said] == ["base: one", "app: two"]
