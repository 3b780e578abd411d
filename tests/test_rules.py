"""The rules of the architecture hold: who may import whom, how long a file may be, which names are not used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "bluegreen").rglob("*.py"))


def test_imports_follow_the_architecture() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_files_stay_short_and_say_their_law() -> None:
    for path in SOURCES:
        text = path.read_text("utf-8")
        assert text.count("\n") <= 320, f"{path} has outgrown one idea"
        assert not text or text.startswith('"""'), f"{path} does not say what it is for"


def test_no_file_is_named_for_nothing() -> None:
    assert not [p for p in SOURCES if p.stem in ("utils", "helpers", "common", "manager", "handler")]


def test_the_core_reads_no_clock_and_opens_nothing() -> None:
    for path in (ROOT / "bluegreen" / "core").rglob("*.py"):
        text = path.read_text("utf-8")
        for word in ("open(", "time.time", "datetime.now", "random.", "print("):
            assert word not in text, f"{path}: {word}"


def test_the_pages_made_from_the_code_are_fresh() -> None:
    made = [sys.executable, "docs/make.py", "--check"]
    done = subprocess.run(made, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr + "make docs writes them anew"
