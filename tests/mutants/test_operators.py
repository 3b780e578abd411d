"""What the runner of mutants changes, and that a change reaches functions in place."""

from __future__ import annotations

import ast
from types import FunctionType

import pytest

from tests.mutants.__main__ import ACCEPTED, FOLDERS, ROOT, accepted
from tests.mutants.loading import counted, functions, swap
from tests.mutants.operators import mutants


def changes(source: str) -> set[str]:
    return {mutant.change for mutant in mutants("a.py", source)}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "def f(a):\n    return a < 3",
            {"`a < 3` → `a <= 3`", "`a < 3` → `a >= 3`", "`3` → `4`", "`3` → `2`", "`3` → `0`"},
        ),
        ("def f(a):\n    return a and b", {"`a and b` → `a or b`", "`a and b` → `a`", "`a and b` → `b`"}),
        ("def f(a):\n    return not a", {"`not a` → `a`", "`return not a` → None"}),
        ("def f(a):\n    return min(a)", {"`min(a)` → `max(a)`"}),
        ("def f(a):\n    return any(a)", {"`any(a)` → `all(a)`"}),
        ("def f(a):\n    g(a)", {"`g(a)` taken out"}),
        ("def f(a):\n    return (a, a)", {"`return (a, a)` → None", "`return (a, a)` → empty"}),
        ("def f(a):\n    return a in (1, 2)", {"`(1, 2)` without 1", "`(1, 2)` without 2"}),
        ("RULES = (one, two)", {"`(one, two)` without one", "`(one, two)` without two"}),
        ("def f(a, b=True):\n    return a + b", {"`True` → `False`", "`a + b` → `a - b`"}),
        ("LIMIT = 4", {"`4` → `5`", "`4` → `3`", "`4` → `0`"}),
        ("def f(a):\n    return [i for i in a if i.ok]", {"`… if i.ok` for all"}),
        ("class A:\n    x: int = 0", {"`0` → `1`"}),
        ("def f(a):\n    if a:\n        g()", {"`if a` → if not", "`if a` → if True", "`if a` → if False"}),
    ],
)
def test_what_is_changed(source: str, expected: set[str]) -> None:
    assert expected <= changes(source)


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    '''Told.'''",
        "def f(a: int = None) -> 'x':\n    pass",
        "Kind = Literal['a', 'b']",
        "U = Act | Wait",
        "assert a < 3",
    ],
)
def test_what_is_left_alone(source: str) -> None:
    assert changes(source) == set()


def test_two_changes_that_read_alike_have_names_of_their_own_and_lines_may_move() -> None:
    source = "def f(a):\n    return a + 1 + 1"
    keys = [mutant.key for mutant in mutants("a.py", source)]
    assert len(set(keys)) == len(keys)
    assert keys == [mutant.key for mutant in mutants("a.py", "\n\n" + source)]


def test_every_change_of_the_core_compiles() -> None:
    for path in sorted((ROOT / "bluegreen/core/decide").glob("*.py")):
        for mutant in mutants(path.name, path.read_text()):
            compile(mutant.tree, path.name, "exec")


def test_a_change_reaches_a_function_in_place_and_goes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from bluegreen.core import readiness

    source = (ROOT / "bluegreen/core/readiness.py").read_text()
    path = str(ROOT / "bluegreen/core/readiness.py")
    known = functions(ROOT)
    change = next(
        m for m in mutants(path, source) if m.where == "required" and "`max(" in m.change and "`min(1" in m.change
    )
    assert readiness.required(4, 4) == 4
    try:
        assert swap(known, path, change.tree)
        assert readiness.required(4, 4) == 1
    finally:
        assert swap(known, path, ast.parse(source))
    assert readiness.required(4, 4) == 4


def test_counted_source_tells_each_statement_of_its_functions() -> None:
    seen: list[tuple[str, str, str]] = []
    names: dict[str, object] = {"_seen": seen.append}
    source = "class A:\n    def f(self, a):\n        '''Doc.'''\n        if a:\n            return 1\n        return 2"
    exec(compile(counted(source, "a.py"), "a.py", "exec"), names)
    kind = names["A"]
    assert isinstance(kind, type) and isinstance(kind.__dict__["f"], FunctionType)
    assert kind().f(1) == 1 and kind.__dict__["f"].__doc__ == "Doc."
    assert seen == [("a.py", "A.f", "if a:"), ("a.py", "A.f", "return 1")]


def test_each_listed_survivor_has_its_reason() -> None:
    """That there still is such a change the runner looks at: it prints those that are gone."""
    known = accepted()
    assert all(reason.strip() for reason in known.values())
    assert all(any(key.startswith(folder) for folder in FOLDERS) for key in known)
    assert known, f"{ACCEPTED.name} is read"
