"""PURE: a program without docstrings, comment lines and blank lines, for a place that counts bytes. It does the same.

Lines are left out, never rewritten, so the result does not depend on the Python that runs this.
"""

from __future__ import annotations

import ast


def shrink(source: str) -> str:
    """`source` must hold no string over several lines but docstrings (a test holds the boot programs to that)."""
    left_out = {line for node in ast.walk(ast.parse(source)) for line in _docstring_lines(node)}
    kept = [line for number, line in enumerate(source.splitlines(), 1) if number not in left_out and _matters(line)]
    return "\n".join(kept) + "\n"


def _docstring_lines(node: ast.AST) -> range:
    """Where a body is nothing but its docstring, that stays."""
    if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) or len(node.body) < 2:
        return range(0)
    if ast.get_docstring(node, clean=False) is None:
        return range(0)
    return range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)


def _matters(line: str) -> bool:
    return line.strip() != "" and not line.lstrip().startswith("#")
