"""What is changed: every small change of a source file that a test should notice. Pure: source in, mutants out.

Not changed: messages and other strings, annotations, decorators, docstrings, asserts (they state what types cannot).
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

COMPARE: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
SWAPPED_CALLS = {"min": "max", "max": "min", "any": "all", "all": "any"}
EMPTY: tuple[tuple[tuple[type[ast.expr], ...], Callable[[], ast.expr]], ...] = (
    ((ast.Tuple,), lambda: ast.Tuple([], ast.Load())),
    ((ast.List, ast.ListComp), lambda: ast.List([], ast.Load())),
    ((ast.Dict, ast.DictComp), lambda: ast.Dict([], [])),
    ((ast.Set, ast.SetComp), lambda: ast.Call(ast.Name("set", ast.Load()), [], [])),
)


@dataclass(frozen=True)
class Mutant:
    """One change. `where` is the qualified name of the function or class ("" at module level). `statement` is the first line
    of the statement that is changed, and `text` what stands there; `function` whether it is inside a function, `names` what it
    defines if it is not."""

    path: str
    line: int
    where: str
    change: str
    tree: ast.Module
    statement: int
    text: str
    function: bool
    names: tuple[str, ...]

    @property
    def key(self) -> str:
        """Stays the same when lines move."""
        return f"{self.path} · {self.where or 'module'} · {self.change}"


def mutants(path: str, source: str) -> list[Mutant]:
    """Every change of one file, in the order of its lines. Changes that read alike are numbered."""
    found: list[Mutant] = []
    counts: dict[str, int] = {}
    lines = source.splitlines()
    for place in _Walker(ast.parse(source)).places:
        for words, change in _changes(place.node, place):
            tree = _changed(place, change)
            label = words
            number = counts[f"{place.where}{words}"] = counts.get(f"{place.where}{words}", 0) + 1
            if number > 1:
                label = f"{words} (no. {number})"
            statement = getattr(place.statement, "lineno", place.node.lineno)
            found.append(
                Mutant(
                    path,
                    place.node.lineno,
                    place.where,
                    label,
                    tree,
                    statement,
                    lines[statement - 1].strip(),
                    place.function,
                    place.names,
                )
            )
    return sorted(found, key=lambda mutant: mutant.line)


@dataclass(frozen=True)
class _Place:
    """A node that may be changed: the way to it from the module, and what it stands in."""

    node: ast.expr | ast.stmt
    way: tuple[tuple[str, int | None], ...]
    parent: ast.AST
    field: str
    where: str
    statement: ast.stmt | None
    function: bool
    names: tuple[str, ...]
    root: ast.Module


class _Walker:
    def __init__(self, root: ast.Module) -> None:
        self.root = root
        self.places: list[_Place] = []
        self._children(root, (), "", None, function=False, names=())

    def _children(
        self,
        node: ast.AST,
        way: tuple[tuple[str, int | None], ...],
        where: str,
        statement: ast.stmt | None,
        *,
        function: bool,
        names: tuple[str, ...],
    ) -> None:
        for field, value in ast.iter_fields(node):
            if _left_out(node, field):
                continue
            items = enumerate(value) if isinstance(value, list) else [(None, value)]
            for index, child in items:
                if not isinstance(child, ast.AST) or _never(child, where):
                    continue
                at = (*way, (field, index))
                below, inside, called = where, function, names
                line = statement
                if isinstance(child, ast.stmt):
                    line = child
                    if not function:
                        called = (*names, *_names(child))
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    inside = function or field == "body"
                if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    below = f"{where}.{child.name}" if where else child.name
                if isinstance(child, ast.expr | ast.stmt):
                    self.places.append(_Place(child, at, node, field, where, line, inside, called, self.root))
                self._children(child, at, below, line, function=inside, names=called)


def _left_out(node: ast.AST, field: str) -> bool:
    if field in ("annotation", "returns", "decorator_list", "type_params", "pattern", "bases", "ctx", "op", "ops"):
        return True
    return isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "Literal"


def _never(child: ast.AST, where: str) -> bool:
    """Strings and what is put into them, asserts, imports, and module-level names of types."""
    if isinstance(child, ast.JoinedStr | ast.Assert | ast.Import | ast.ImportFrom | ast.Global | ast.Nonlocal):
        return True
    if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
        return True
    value = getattr(child, "value", None)
    return not where and isinstance(child, ast.Assign) and isinstance(value, ast.BinOp | ast.Subscript) and _type(value)


def _type(value: ast.expr) -> bool:
    """Whether it is a type's alias, such as `Act | Wait` or `Callable[[Case], Decision]`."""
    if isinstance(value, ast.BinOp):
        return isinstance(value.op, ast.BitOr) and _type(value.left)
    return isinstance(value, ast.Subscript) or (
        isinstance(value, ast.Name | ast.Attribute) and not ast.unparse(value).isupper()
    )


def _names(statement: ast.stmt) -> tuple[str, ...]:
    match statement:
        case ast.Assign(targets=targets):
            return tuple(target.id for target in targets if isinstance(target, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name)):
            return (name,)
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return (name,)
        case _:
            return ()


Change = tuple[str, ast.AST | None]  # what stands there instead; None: the statement goes


def _changes(node: ast.AST, place: _Place) -> Iterator[Change]:
    match node:
        case ast.Compare():
            yield from _compared(node, place)
        case ast.BoolOp(op=op, values=values):
            other = ast.Or() if isinstance(op, ast.And) else ast.And()
            yield _told(node, ast.BoolOp(other, values))
            for i in range(len(values)):
                rest = [*values[:i], *values[i + 1 :]]
                yield _told(node, rest[0] if len(rest) == 1 else ast.BoolOp(op, rest))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield _told(node, operand)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC and not _words(left, right):
            yield _told(node, ast.BinOp(left, ARITHMETIC[type(op)](), right))
        case ast.Call(func=ast.Name(id=name)) if name in SWAPPED_CALLS:
            yield _told(node, ast.Call(ast.Name(SWAPPED_CALLS[name], ast.Load()), node.args, node.keywords))
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield _told(node, ast.IfExp(test, orelse, body))
            yield f"`{_short(node)}` always {_short(body)}", body
            yield f"`{_short(node)}` always {_short(orelse)}", orelse
        case ast.Constant(value=value):
            yield from _constants(node, value)
        case ast.Tuple() | ast.List() | ast.Set() if _is_choice(node, place):
            for i in range(len(node.elts)):
                yield (
                    f"`{_short(node)}` without {_short(node.elts[i])}",
                    type(node)(**{**dict(ast.iter_fields(node)), "elts": [*node.elts[:i], *node.elts[i + 1 :]]}),
                )
        case ast.Dict(keys=keys, values=values) if not place.function:
            for i, key in enumerate(keys):
                yield (
                    f"dict without {_short(key) if key else '**'}",
                    ast.Dict([*keys[:i], *keys[i + 1 :]], [*values[:i], *values[i + 1 :]]),
                )
        case ast.comprehension():
            pass
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
            yield from _unfiltered(node)
        case _ if isinstance(node, ast.stmt) and place.function:
            yield from _statements(node)


def _compared(node: ast.Compare, place: _Place) -> Iterator[Change]:
    for i, op in enumerate(node.ops):
        for other in COMPARE[type(op)]:
            ops = [*node.ops[:i], other(), *node.ops[i + 1 :]]
            yield _told(node, ast.Compare(node.left, ops, node.comparators))


def _constants(node: ast.Constant, value: object) -> Iterator[Change]:
    if isinstance(value, bool):
        yield _told(node, ast.Constant(not value))
    elif isinstance(value, int | float):
        others = [1] if value == 0 else [0, 2] if value == 1 else [value + 1, value - 1, 0]
        for other in others:
            yield _told(node, ast.Constant(other))


def _statements(node: ast.stmt) -> Iterator[Change]:
    match node:
        case ast.If(test=test) | ast.While(test=test):
            if not isinstance(test, ast.UnaryOp | ast.Compare):
                yield f"`if {_short(test)}` → if not", _with(node, test=ast.UnaryOp(ast.Not(), test))
            if isinstance(node, ast.If):
                yield f"`if {_short(test)}` → if False", _with(node, test=ast.Constant(False))
                yield f"`if {_short(test)}` → if True", _with(node, test=ast.Constant(True))
        case ast.Expr(value=value) if not isinstance(value, ast.Yield):
            yield f"`{_short(node)}` taken out", None
        case ast.AugAssign() | ast.Raise() | ast.Delete():
            yield f"`{_short(node)}` taken out", None
        case ast.Return(value=value) if value is not None:
            yield from _returned(node, value)
        case ast.Continue():
            yield "`continue` → break", ast.Break()
        case ast.Break():
            yield "`break` → continue", ast.Continue()


def _returned(node: ast.Return, value: ast.expr) -> Iterator[Change]:
    if not (isinstance(value, ast.Constant) and (value.value is None or isinstance(value.value, bool))):
        yield f"`{_short(node)}` → None", ast.Return(ast.Constant(None))
    for kinds, made in EMPTY:
        if isinstance(value, kinds) and getattr(value, "elts", True) and getattr(value, "keys", True):
            yield f"`{_short(node)}` → empty", ast.Return(made())


def _unfiltered(node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Iterator[Change]:
    for g, generator in enumerate(node.generators):
        for i, test in enumerate(generator.ifs):
            rest = _with(generator, ifs=[*generator.ifs[:i], *generator.ifs[i + 1 :]])
            generators = [*node.generators[:g], rest, *node.generators[g + 1 :]]
            yield f"`… if {_short(test)}` for all", _with(node, generators=generators)


def _is_choice(node: ast.Tuple | ast.List | ast.Set, place: _Place) -> bool:
    """A set of equals that one may be missing from: what is searched with `in`, or a table at module level."""
    if len(node.elts) < 2 or any(isinstance(each, ast.Starred) for each in node.elts):
        return False
    if isinstance(place.parent, ast.Compare) and place.field == "comparators":
        return True
    return not place.function and not isinstance(place.parent, ast.Tuple | ast.List | ast.Subscript)


def _words(left: ast.expr, right: ast.expr) -> bool:
    """Whether strings are put together."""
    return any(
        isinstance(each, ast.JoinedStr) or (isinstance(each, ast.Constant) and isinstance(each.value, str))
        for side in (left, right)
        for each in ast.walk(side)
    )


def _told(node: ast.AST, other: ast.AST) -> Change:
    return f"`{_short(node)}` → `{_short(other)}`", other


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(ast.fix_missing_locations(copy.deepcopy(node))).split())
    return text.replace("|", "¦") if len(text) <= 90 else f"{text[:60]}…{text[-28:]}".replace("|", "¦")


def _with(node: ast.AST, **fields: object) -> ast.AST:
    return type(node)(**{**dict(ast.iter_fields(node)), **fields})


def _changed(place: _Place, new: ast.AST | None) -> ast.Module:
    """The module with the change; all that is not on the way to it is shared."""
    other: ast.AST = ast.copy_location(new if new is not None else ast.Pass(), place.node)
    nodes: list[ast.AST] = [place.root]
    for field, index in place.way[:-1]:
        value = getattr(nodes[-1], field)
        nodes.append(value if index is None else value[index])
    for node, (field, index) in zip(reversed(nodes), reversed(place.way), strict=True):
        value = getattr(node, field)
        changed = other if index is None else [*value[:index], other, *value[index + 1 :]]
        other = (
            ast.copy_location(_with(node, **{field: changed}), node)
            if hasattr(node, "lineno")
            else _with(node, **{field: changed})
        )
    assert isinstance(other, ast.Module)
    return ast.fix_missing_locations(other)
