"""What is cut out of a program before it is sent, and what is not. On every Python the same text comes out."""

from __future__ import annotations

from bluegreen.boot.shrink import shrink

SOURCE = '''\
"""A program."""

from __future__ import annotations

import os  # kept: who knows what an import does
from collections.abc import Callable, Mapping
from dataclasses import dataclass as a_dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shapes import Service

HASH = "# none"  # a comment with "quotes"


class Wrong(Exception):
    """Nothing else is in it."""


@a_dataclass(frozen=True)
class Point:
    """A place."""

    x: int
    y: dict[str, int] = field(default_factory=dict)


def tell(
    point: Point,
    *rest: int,
    é: Mapping[str, int] | None = None,
    then: Callable[[int], str] = lambda number: f"{number!r:>{4}} {{}} {'→'}",
) -> list[str]:
    """Of a point."""

    # a comment of its own
    told: list[str] = []
    for number in rest:
        if number > 1 and (
            number
            or point.x
        ):
            told.append(then(number))

    def inner(service: Service) -> Service:
        return service

    return told + \\
        ["a" "b", f"{point.x}"]
'''

SHRUNK = """\
from __future__ import annotations
import os
from dataclasses import dataclass as a_dataclass, field
HASH = "# none"
class Wrong(Exception):
 pass
@a_dataclass(frozen=True)
class Point:
 x: int
 y: dict[str, int] = field(default_factory=dict)
def tell( point, *rest, é = None, then = lambda number: f"{number!r:>{4}} {{}} {'→'}", ):
 told = []
 for number in rest:
  if number > 1 and ( number or point.x ):
   told.append(then(number))
 def inner(service):
  return service
 return told + ["a" "b", f"{point.x}"]
"""


def test_what_only_readers_and_checks_need_is_cut() -> None:
    assert shrink(SOURCE) == SHRUNK


def test_what_was_cut_once_stays_as_it_is() -> None:
    assert shrink(SHRUNK) == SHRUNK


def test_a_program_without_fields_needs_no_annotations_and_nothing_may_be_left() -> None:
    assert shrink("from __future__ import annotations\n\n\ndef f(x: int) -> int:\n    return x\n") == (
        "def f(x):\n return x\n"
    )
    assert shrink('"""Nothing."""\n') == "pass\n"
