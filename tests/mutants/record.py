"""Which test runs which line, and how long it takes: each test file is run once on counted source, in a process of its own."""

from __future__ import annotations

import builtins
import hashlib
import json
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.mutants.loading import Place, counted, install

QUIET = (
    "-q",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:randomly",
    "-p",
    "no:xdist",
    "-o",
    "timeout=0",
    "--no-header",
    "-W",
    "ignore",
)


@dataclass(frozen=True)
class Test:
    id: str
    seconds: float
    lines: frozenset[Place]

    @property
    def file(self) -> str:
        return self.id.partition("::")[0]


class _Recorder:
    def __init__(self, seen: set[Place]) -> None:
        self.seen = seen
        self.tests: list[dict[str, Any]] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        self.seen.clear()
        self.failed = False
        began = time.monotonic()
        result = yield
        if not self.failed:
            seconds = round(time.monotonic() - began, 4)
            self.tests.append({"id": item.nodeid, "seconds": seconds, "lines": sorted(self.seen)})
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.failed = self.failed or not report.passed


def settle_hypothesis() -> None:
    """The same examples every time, and none that is made smaller."""
    from hypothesis import HealthCheck, Phase, settings

    settings.register_profile(
        "mutants",
        derandomize=True,
        deadline=None,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=tuple(HealthCheck),
    )
    settings.load_profile("mutants")


def record(root: Path, store: Path, files: list[str]) -> list[Test]:
    """The tests of `files` that pass; what is known from earlier runs of the same sources is not run again."""
    found: list[Test] = []
    todo = []
    for file in files:
        kept = store / f"{_shared(root, file, (root / file).read_bytes())}.json"
        if kept.exists():
            found += _read(kept)
        else:
            todo.append((file, kept))
    for number, (file, kept) in enumerate(todo):
        print(f"\rwhich test runs which line: {number + 1}/{len(todo)} {file:60}", end="", flush=True)
        child = os.fork()
        if not child:
            _run(root, file, kept)
        os.waitpid(child, 0)
        found += _read(kept) if kept.exists() else []
    if todo:
        print()
    return found


def _run(root: Path, file: str, kept: Path) -> None:
    seen: set[Place] = set()
    builtins._seen = seen.add  # type: ignore[attr-defined]
    install(root, lambda path: counted((root / path).read_text(), path))
    silence()
    settle_hypothesis()
    recorder = _Recorder(seen)
    pytest.main([*QUIET, file], plugins=[recorder])
    kept.write_text(json.dumps(recorder.tests))
    os._exit(0)


def silence() -> None:
    """A child's output is nobody's business."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)


def _read(kept: Path) -> list[Test]:
    tests = json.loads(kept.read_text())
    return [
        Test(t["id"], t["seconds"], frozenset((path, where, line) for path, where, line in t["lines"])) for t in tests
    ]


def _shared(root: Path, file: str, content: bytes) -> str:
    """What a recording hangs on: the test file, and the files beside it that it names. Not the sources: places are known
    by their text, and a statement that is new is reached by whoever reached its function."""
    folder = root / "tests" / "sim" if file.startswith("tests/mutants") else (root / file).parent
    words = set(re.findall(r"\w+", content.decode()))
    shared = sorted(path for path in folder.glob("*.py") if path.stem in words and path != root / file)
    parts = [file.encode(), content, *(path.read_bytes() for path in shared)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:24]
