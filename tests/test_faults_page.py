"""docs/faults.md names tests that exist, has every row once, and owns up where there is none."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROWS = [
    [cell.strip() for cell in line.strip("|\n").split("|")]
    for line in (ROOT / "docs" / "faults.md").read_text("utf-8").splitlines()
    if re.match(r"\| \d+ \|", line)
]


@cache
def functions(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def test_every_fault_has_its_row() -> None:
    assert [int(row[0]) for row in ROWS] == list(range(1, 73))
    assert all(len(row) == 4 for row in ROWS)


def test_every_test_that_is_named_exists() -> None:
    named = [(row[0], test) for row in ROWS for test in re.findall(r"`([^`]*)`", row[3])]
    assert named
    for number, test in named:
        file, _, function = test.partition("::")
        assert (ROOT / file).is_file(), f"row {number}: there is no {file}"
        assert function.startswith("test_") and function in functions(file), f"row {number}: there is no {test}"


def test_a_row_without_a_test_says_so() -> None:
    assert [row[0] for row in ROWS if "`" not in row[3] and "not covered yet" not in row[2].lower()] == []
