"""From bytes to YAML nodes with positions, and nothing guessed: what a scalar means is the schema's to say.

Refused here: what is no text, no YAML, too large, too deep, several documents, aliases that grow without bound, tags.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from bluegreen.stackfile.mistake import Mistake, error

MAX_BYTES = 1024 * 1024
MAX_NODES = 10_000
MAX_DEPTH = 20
PLAIN_TAG = "tag:yaml.org,2002:"
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_nodes(path: Path) -> yaml.Node:
    """The root node of the file. Raises StackFileError."""
    name = str(path)
    text = _text(path, name)
    try:
        documents = list(yaml.compose_all(text, Loader=LOADER))
    except yaml.MarkedYAMLError as problem:
        raise _of(name, problem.problem_mark or problem.context_mark, _words(problem)) from problem
    except (yaml.YAMLError, ValueError, RecursionError) as problem:
        raise _at(name, 1, f"this is not YAML: {problem}") from problem
    if len(documents) > 1:
        raise _of(name, documents[1].start_mark, "a second YAML document: a stack file holds one")
    if not documents or documents[0] is None:
        raise _at(name, 1, "the file is empty: it needs at least stack, region, account, fleet, traffic, services")
    _bounded(name, documents[0])
    return documents[0]


def _text(path: Path, name: str) -> str:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise _at(name, 1, f"the file has {size} bytes, more than 1 MiB: this is no stack file")
        raw = path.read_bytes()
    except FileNotFoundError as problem:
        raise _at(name, 1, "there is no such file") from problem
    except IsADirectoryError as problem:
        raise _at(name, 1, "this is a folder, not a file") from problem
    except (OSError, ValueError) as problem:
        raise _at(name, 1, f"the file cannot be read: {problem}") from problem
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = raw[: problem.start].count(b"\n") + 1
        raise _at(name, line, f"not UTF-8: byte 0x{raw[problem.start]:02x}") from problem
    _no_control_characters(name, text)
    return text


def _no_control_characters(name: str, text: str) -> None:
    for number, line in enumerate(text.split("\n"), 1):
        for column, character in enumerate(line, 1):
            if character == "\t" and not line[: column - 1].strip():
                raise _at(name, number, "a tab in the indentation: YAML wants spaces", column)
            if (ord(character) < 32 and character not in "\t\r") or ord(character) == 127:
                what = "a NUL byte" if character == "\0" else f"a control character (0x{ord(character):02x})"
                raise _at(name, number, f"{what} in the file", column)


def _bounded(name: str, root: yaml.Node) -> None:
    """Every node once for each way to it, as a reader would expand it; cycles and bombs end at the bound."""
    seen = 0
    todo: list[tuple[yaml.Node, int]] = [(root, 1)]
    while todo:
        node, depth = todo.pop()
        seen += 1
        if seen > MAX_NODES:
            raise _of(name, node.start_mark, f"more than {MAX_NODES} values once anchors are expanded")
        if depth > MAX_DEPTH:
            raise _of(
                name, node.start_mark, f"nested deeper than {MAX_DEPTH} levels, or an anchor that contains itself"
            )
        if not node.tag.startswith(PLAIN_TAG) or "python" in node.tag:
            raise _of(name, node.start_mark, f"the tag {node.tag} is not allowed: values are plain YAML")
        if isinstance(node, yaml.MappingNode):
            todo += [(child, depth + 1) for pair in node.value for child in pair]
        elif isinstance(node, yaml.SequenceNode):
            todo += [(child, depth + 1) for child in node.value]


def _words(problem: yaml.MarkedYAMLError) -> str:
    text = problem.problem or "not YAML"
    if "\\t" in text:
        return "a tab where YAML wants spaces"
    return f"not YAML: {text}" + (f" ({problem.context})" if problem.context else "")


def _of(name: str, mark: Any, message: str) -> Exception:
    return _at(name, mark.line + 1 if mark else 1, message, mark.column + 1 if mark else 1)


def _at(name: str, line: int, message: str, column: int = 1) -> Exception:
    return error([Mistake(name, line, column, "", message)])
