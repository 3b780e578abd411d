from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from program import Sandbox


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What shares the engine and its parts runs in one process, beside the others."""
    for item in items:
        if "docker_engine" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("engine"))


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """One for each test, on ports of its own; taken down with nothing left."""
    box = Sandbox(tmp_path / "sandbox")
    try:
        yield box
    finally:
        down = box.run("sandbox", "down")
        assert down.code == 0, down.err
        assert not (tmp_path / "sandbox").exists(), "the sandbox left files behind"
