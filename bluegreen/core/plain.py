"""Frozen dataclasses and named tuples to plain JSON values and back, by their type hints. The record and the journal
are written this way.

Reading is tolerant of keys it does not know (a newer bluegreen wrote them) and strict about those it does.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from enum import Enum
from functools import cache
from typing import Any, Literal, TypeVar, Union

T = TypeVar("T")
SEQUENCES = (list, tuple)


def to_plain(value: Any) -> Any:
    """A dataclass or a named tuple becomes an object, any other tuple a list; strings, numbers, booleans and None stay."""
    if (names := _names(value.__class__)) is not None:
        return {name: to_plain(getattr(value, name)) for name in names}
    if isinstance(value, SEQUENCES):
        return [to_plain(item) for item in value]
    return value.value if isinstance(value, Enum) else value


@cache
def _names(kind: type) -> tuple[str, ...] | None:
    """The fields of a dataclass or a named tuple, None for any other type."""
    if dataclasses.is_dataclass(kind):
        return tuple(f.name for f in dataclasses.fields(kind))
    return getattr(kind, "_fields", None)


def from_plain(kind: type[T], data: Any) -> T:
    """The value of type `kind` that `to_plain` made `data` of. Raises ValueError naming the field that does not fit."""
    return typing.cast(T, _read(kind, data, kind.__name__))


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _read(kind: Any, data: Any, where: str) -> Any:
    origin = typing.get_origin(kind)
    if origin in (Union, types.UnionType):
        return _read_optional(kind, data, where)
    if origin is Literal:
        if data not in typing.get_args(kind):
            raise ValueError(f"{where}: {data!r} is none of {', '.join(typing.get_args(kind))}")
        return data
    if origin is tuple:
        return _read_tuple(typing.get_args(kind), data, where)
    if isinstance(kind, type) and (names := _names(kind)) is not None:
        return _read_object(kind, names, data, where)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _read_enum(kind, data, where)
    return _read_scalar(kind, data, where)


def _read_optional(kind: Any, data: Any, where: str) -> Any:
    if data is None:
        return None
    (inner,) = [arg for arg in typing.get_args(kind) if arg is not type(None)]
    return _read(inner, data, where)


def _read_tuple(args: tuple[Any, ...], data: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(data, list):
        raise ValueError(f"{where}: expected a list")
    if len(args) == 2 and args[1] is Ellipsis:
        return tuple(_read(args[0], item, f"{where}[{i}]") for i, item in enumerate(data))
    if len(args) != len(data):
        raise ValueError(f"{where}: expected {len(args)} items, not {len(data)}")
    return tuple(_read(arg, item, f"{where}[{i}]") for i, (arg, item) in enumerate(zip(args, data, strict=True)))


def _read_object(kind: type, names: tuple[str, ...], data: Any, where: str) -> Any:
    if not isinstance(data, dict):
        raise ValueError(f"{where}: expected an object")
    hints = _hints(kind)
    known = [name for name in names if name in data]
    try:
        return kind(**{name: _read(hints[name], data[name], f"{where}.{name}") for name in known})
    except TypeError as error:
        raise ValueError(f"{where}: {error}") from error


def _read_enum(kind: type[Enum], data: Any, where: str) -> Any:
    if data not in [member.value for member in kind]:
        raise ValueError(f"{where}: {data!r} is none of {', '.join(str(member.value) for member in kind)}")
    return kind(data)


def _read_scalar(kind: Any, data: Any, where: str) -> Any:
    if kind is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if not isinstance(data, kind) or (isinstance(data, bool) and kind is not bool):
        raise ValueError(f"{where}: expected {kind.__name__}, not {data!r}")
    return data
