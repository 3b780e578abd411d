"""PURE: a program without what only its readers and its checks need, for a place that counts bytes. It does the same.

Left out are comments, docstrings, annotations (but of a class's fields, which dataclasses read), and the imports that only
those need. Text is cut, never written anew, so every Python that runs this gives the same bytes.
"""

from __future__ import annotations

import ast
import io
import itertools
import tokenize
from collections.abc import Iterator

_Place = ast.stmt | ast.expr | ast.arg
_Cut = tuple[int, int, bytes]  # from byte to byte, and what comes instead

_NOTHING = (tokenize.COMMENT, tokenize.NL, tokenize.ENDMARKER)


def shrink(source: str) -> str:
    noted = _Text(source)
    plain = _Text(noted.without(_notes(noted)))
    return _tight(plain.without(_idle_imports(plain)))


class _Text:
    """A source and its tree, whose places are lines from 1 and columns in bytes."""

    def __init__(self, source: str) -> None:
        self.data = source.encode()
        self.tree = ast.parse(source)
        self._lines = [0]
        for line in self.data.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))

    def start(self, node: _Place) -> int:
        return self._lines[node.lineno - 1] + node.col_offset

    def end(self, node: _Place) -> int:
        return self._lines[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)

    def without(self, cuts: Iterator[_Cut]) -> str:
        data = self.data
        for start, end, instead in sorted(cuts, reverse=True):
            data = data[:start] + instead + data[end:]
        return data.decode()


def _notes(text: _Text) -> Iterator[_Cut]:
    fields = {part for node in ast.walk(text.tree) if isinstance(node, ast.ClassDef) for part in node.body}
    for node in ast.walk(text.tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            yield text.start(node.body[0]), text.end(node.body[0]), b"pass" if len(node.body) == 1 else b""
        match node:
            case ast.FunctionDef(returns=ast.expr() as note):
                before = text.data[: text.start(note)].rstrip().removesuffix(b"->").rstrip()
                yield len(before), text.end(note), b""
            case ast.arg(annotation=ast.expr() as note):
                yield text.start(node) + len(node.arg.encode()), text.end(note), b""
            case ast.AnnAssign(value=ast.expr()) if node not in fields:
                yield text.end(node.target), text.end(node.annotation), b""
            case ast.If(test=ast.Name("TYPE_CHECKING")):
                yield text.start(node), text.end(node), b""
            case _:
                pass


def _idle_imports(text: _Text) -> Iterator[_Cut]:
    used = {node.id for node in ast.walk(text.tree) if isinstance(node, ast.Name)}
    if any(isinstance(node, ast.AnnAssign) for node in ast.walk(text.tree)):
        used.add("annotations")
    for node in text.tree.body:
        if isinstance(node, ast.ImportFrom):
            names = [ast.unparse(one) for one in node.names if (one.asname or one.name) in used]
            words = f"from {node.module} import {', '.join(names)}" if names else ""
            yield text.start(node), text.end(node), words.encode()


def _tight(source: str) -> str:
    """Without comments and empty lines, each statement on one line, with a space for each level of its indentation."""
    lines = [0, *itertools.accumulate(len(line) + 1 for line in source.split("\n"))]
    text, level = "", 0
    done, row = 0, 0  # where the last word ends, and its line; row 0: a statement begins
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        start, end = (lines[line - 1] + column for line, column in (token.start, token.end))
        if token.type in (tokenize.INDENT, tokenize.DEDENT):
            level += 1 if token.type == tokenize.INDENT else -1
        elif token.type == tokenize.NEWLINE:
            text, row = text + "\n", 0
        elif token.type not in _NOTHING:
            gap = " " * level if not row else source[done:start] if row == token.start[0] else " "
            text, done, row = text + gap + source[start:end], end, token.end[0]
    return text
