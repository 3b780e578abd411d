"""What can go wrong at one call: by operation and count, or by the number of the call of all."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from bluegreen.sandbox.faults import Fault

Kind = Literal[
    "before",  # as in bluegreen.sandbox.faults: refused, nothing happened
    "after",  # as there: the effect, then no answer
    "throttle",  # as there: refused, slow down
    "later",  # no answer, and the effect comes `amount` seconds after
    "hidden",  # what it launches is not shown for `amount` seconds
    "blind",  # a look at targets shows all of them as unavailable; not drawn, for the sake of the seeds
    "stale",  # a look shows what the same look showed the last time
    "no-capacity",  # this launch finds no room
    "no-zone-capacity",  # nor any other in this zone from now on
    "die",  # an instance dies, `amount` chooses which
    "sick",  # an instance stops answering
    "zone",  # a zone is lost
    "outside",  # somebody else writes the rule's weights
    "pause",  # the machine of the controller stands still for `amount` seconds, then the call goes out
    "jump",  # its wall clock jumps by `amount` seconds
    "interrupt",  # Ctrl-C
    "crash-before",  # the process is gone before the call
    "crash-after",  # the process is gone after it
]
PLAIN: tuple[Kind, ...] = ("before", "after", "throttle")
LOST: tuple[Kind, ...] = ("later", "hidden", "stale", "no-capacity", "no-zone-capacity")
WORLD: tuple[Kind, ...] = ("die", "sick", "zone", "outside")
SELF: tuple[Kind, ...] = ("pause", "jump", "interrupt")
CRASHES: tuple[Kind, ...] = ("crash-before", "crash-after")
KINDS: tuple[Kind, ...] = (*PLAIN, *LOST, *WORLD, *SELF, *CRASHES)

LAUNCH = "RunInstances"
LOOKS = ("DescribeInstances", "DescribeTargetHealth", "DescribeRules")
WRITES = frozenset(
    {
        *("RunInstances", "TerminateInstances", "CreateTargetGroup", "ModifyTargetGroupAttributes", "ModifyRule"),
        *("RegisterTargets", "DeregisterTargets", "DeleteTargetGroup", "AddTags", "PutItem"),
    }
)
FITS: dict[str, tuple[str, ...]] = {
    "hidden": (LAUNCH,),
    "no-capacity": (LAUNCH,),
    "no-zone-capacity": (LAUNCH,),
    "stale": LOOKS,
    "blind": ("DescribeTargetHealth",),
    "later": tuple(sorted(WRITES)),
}


class Crash(BaseException):
    """The process is gone. No controller code catches it, and every later call of the same process raises it again."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """At the `nth` call of `operation`, or of all calls when that is "". `amount` is what the kind says."""

    nth: int
    kind: Kind
    operation: str = ""
    amount: float = 0.0
    code: str = "InternalError"

    def __str__(self) -> str:
        where = f"{self.operation} {self.nth}" if self.operation else f"call {self.nth}"
        return f"{self.kind} at {where}" + (f" ({self.amount:g})" if self.amount else "")


def of(fault: Fault) -> Trouble:
    """The sandbox's fault: the same names mean the same."""
    return Trouble(fault.nth, fault.kind, fault.operation, code=fault.code)


class Troubles:
    """Those that are still to come. A trouble that does not fit the call it meets is spent on it without effect."""

    def __init__(self, troubles: Iterable[Trouble] = ()) -> None:
        self.by_number: dict[int, list[Trouble]] = {}
        self.by_operation: dict[tuple[str, int], list[Trouble]] = {}
        self.seen: Counter[str] = Counter()
        self.left = self.met = 0
        for trouble in troubles:
            self.add(trouble)

    def add(self, trouble: Trouble) -> None:
        self.left += 1
        if trouble.operation:
            self.by_operation.setdefault((trouble.operation, trouble.nth), []).append(trouble)
        else:
            self.by_number.setdefault(trouble.nth, []).append(trouble)

    def meet(self, operation: str, number: int) -> tuple[Trouble, ...]:
        self.seen[operation] += 1
        found = [
            *self.by_number.pop(number, ()),
            *self.by_operation.pop((operation, self.seen[operation]), ()),
        ]
        self.left -= len(found)
        fitting = tuple(t for t in found if operation in FITS.get(t.kind, (operation,)))
        self.met += len(fitting)
        return fitting


def draw(dice: random.Random, calls: int, kinds: tuple[Kind, ...] = KINDS) -> Trouble:
    """A trouble somewhere in the first `calls` calls."""
    kind = dice.choice(kinds)
    amount = {
        "later": lambda: dice.uniform(0.1, 6.9),
        "hidden": lambda: dice.uniform(1, 119),
        "pause": lambda: dice.choice((3.0, 10.0, 30.0, 400.0)),
        "jump": lambda: dice.choice((-3600.0, -30.0, 30.0, 3600.0)),
        "die": lambda: float(dice.randrange(1000)),
        "sick": lambda: float(dice.randrange(1000)),
        "zone": lambda: float(dice.randrange(3)),
        "outside": lambda: float(dice.randrange(1, 5)),
    }.get(kind, lambda: 0.0)()
    if kind in FITS:
        operation = dice.choice(FITS[kind])
        return Trouble(dice.randrange(1, 13), kind, operation, amount)
    return Trouble(dice.randrange(1, calls + 1), kind, "", amount)
