"""How changed source gets into a process: modules that are loaded from a changed tree, and functions that get other code."""

from __future__ import annotations

import ast
import gc
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

Functions = dict[tuple[str, str, int], list[FunctionType]]  # by file, qualified name and first line


class Loading(importlib.abc.MetaPathFinder):
    """Loads the files that `tree_of` answers a tree for from that tree."""

    def __init__(self, root: Path, tree_of: Callable[[str], ast.Module | None]) -> None:
        self.root = root
        self.tree_of = tree_of

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] != "bluegreen":
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is None or spec.origin is None or not Path(spec.origin).is_relative_to(self.root):
            return spec
        tree = self.tree_of(str(Path(spec.origin).relative_to(self.root)))
        if tree is not None:
            spec.loader = _FromTree(fullname, spec.origin, tree)
        return spec


class _FromTree(SourceFileLoader):
    def __init__(self, fullname: str, path: str, tree: ast.Module) -> None:
        super().__init__(fullname, path)
        self.tree = tree

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = compile(self.tree, self.path, "exec")
        return code


def install(root: Path, tree_of: Callable[[str], ast.Module | None]) -> None:
    importlib.invalidate_caches()
    sys.meta_path.insert(0, Loading(root, tree_of))


def functions(root: Path) -> Functions:
    """The functions of bluegreen/ that this process has, decorated ones and methods of remade classes too."""
    found: Functions = {}
    inside = str(root / "bluegreen")
    for each in gc.get_objects():
        if isinstance(each, FunctionType) and each.__code__.co_filename.startswith(inside):
            found.setdefault(_key(each.__code__), []).append(each)
    return found


def swap(known: Functions, path: str, tree: ast.Module) -> bool:
    """Gives the functions of a file the code of the changed tree. False when one cannot be changed in place."""
    try:
        for code in _codes(compile(tree, path, "exec")):
            for function in known.get(_key(code), ()):
                if function.__code__ != code:
                    function.__code__ = code
    except ValueError:  # it closes over other names now
        return False
    return True


def _codes(code: CodeType) -> Iterator[CodeType]:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each
            yield from _codes(each)


def _key(code: CodeType) -> tuple[str, str, int]:
    return code.co_filename, code.co_qualname, code.co_firstlineno


Place = tuple[
    str, str, str
]  # file, qualified name of the function, and the statement's first line: it stays when lines move


def counted(source: str, path: str) -> ast.Module:
    """The module with a call before each statement of its functions: `_seen(place)`."""
    tree = ast.parse(source)
    lines = source.splitlines()
    for where, function in named_functions(tree):
        _count(function, path, where, lines)
    return ast.fix_missing_locations(tree)


def named_functions(tree: ast.AST, above: str = "") -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function with its qualified name, those inside first."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            where = f"{above}.{child.name}" if above else child.name
            yield from named_functions(child, where)
            if not isinstance(child, ast.ClassDef):
                yield where, child
        else:
            yield from named_functions(child, above)


def _count(function: ast.FunctionDef | ast.AsyncFunctionDef, path: str, where: str, lines: list[str]) -> None:
    todo: list[ast.AST] = [function]
    while todo:
        node = todo.pop()
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            block = getattr(node, field, None)
            if not isinstance(block, list):
                continue
            todo += [
                each for each in block if not isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            ]
            if any(isinstance(each, ast.stmt) for each in block):
                setattr(node, field, [new for each in block for new in (*_call(each, path, where, lines), each)])


def _call(statement: ast.stmt, path: str, where: str, lines: list[str]) -> list[ast.stmt]:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return []  # a docstring stays the first
    if not hasattr(statement, "lineno"):
        return []
    place = (path, where, lines[statement.lineno - 1].strip())
    told = ast.Tuple([ast.Constant(part) for part in place], ast.Load())
    call = ast.Call(ast.Name("_seen", ast.Load()), [told], [])
    return [ast.copy_location(ast.Expr(call), statement)]
