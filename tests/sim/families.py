"""The families of random plans: one of the old ones for every second seed, and for the others those in which health, entries, the
ledger or a hand is what goes wrong."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from tests.sim.faults import Trouble, draw
from tests.sim.happenings import HAND, LEDGER, Event
from tests.sim.scenario import Plan, widened
from tests.sim.stage import Shape

FAMILIES = 8  # of so many seeds each new family has one
HISTORIES: tuple[tuple[str, ...], ...] = (
    (),
    ("deploy A",),
    ("deploy A", "deploy B"),
    ("deploy A", "deploy B"),
    ("deploy A", "deploy B", "deploy C"),
    ("deploy A", "deploy B", "rollback"),
    ("deploy A", "deploy B", "rollback", "resume"),
    ("deploy A", "deploy B", "deploy C !60"),
    ("deploy A", "deploy B", "rollback", "resume", "rollback"),
    ("deploy A", "deploy U"),
)
COMMANDS = (
    *(
        "rollback",
        "rollback",
        "rollback",
        "resume",
        "resume",
        "abort",
        "heal",
        "gc",
        "deploy E",
        "deploy E",
        "deploy U",
        "deploy B",
    ),
    *("rollback shop-1", "rollback shop-2", "unsafe shop-1"),
)
ROLES = ("live", "live", "standby", "new")


def drawn(seed: int) -> Plan:
    """The plan of a seed."""
    family = NEW.get(seed % FAMILIES)
    return family(seed) if family else widened(seed)


def _shape(dice: random.Random) -> Shape:
    return Shape(
        count=dice.choice((1, 2, 4)),
        bindings=dice.choice((1, 1, 1, 2)),
        bake_s=dice.choice((0, 20, 20)),
        app_s=dice.choice((1.0, 4.0)),
        zones=dice.choice((1, 3)),
        poll_s=2.0,
        adopted=dice.random() < 0.1,
    )


def _base(dice: random.Random, seed: int) -> Plan:
    """A history and a few commands, on one machine or two."""
    history = dice.choice(HISTORIES)
    command = (
        dice.choice(("deploy D", "deploy D", "deploy D", "deploy D", "deploy U", "rollback", *COMMANDS))
        if history
        else "deploy D"
    )
    more = tuple(dice.choice(COMMANDS) for _ in range(dice.choice((0, 1, 1, 2, 3)))) if history else ()
    return Plan(history, _at(dice, command), (), "", _shape(dice), (), seed, (), _each(dice, more), True)


def _at(dice: random.Random, command: str) -> str:
    return f"{command}@{dice.choice('112')}"


def _each(dice: random.Random, commands: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_at(dice, command) for command in commands)


def _when(dice: random.Random) -> float:
    return dice.choice((-60.0, -15.0, 0.0, dice.uniform(0, 20), dice.uniform(10, 70), dice.uniform(20, 50)))


def drawn_health(seed: int) -> Plan:
    """Instances and applications of every fleet die, flap and recover: before, in the bake, at promotion, after it."""
    dice = random.Random(f"health {seed}")
    plan = _base(dice, seed)
    if dice.random() < 0.3:  # one that crashed anywhere, and then something dies before somebody goes on
        crash = f"deploy C !{dice.randrange(20, 110)}"
        command = dice.choice(("resume", "resume", "abort", "rollback", "gc", "deploy E"))
        plan = replace(plan, history=("deploy A", "deploy B", crash), command=_at(dice, command))
        events = tuple(replace(_ill(dice), at=-30.0) for _ in range(dice.choice((1, 2, 2))))
        return replace(plan, events=events)
    return replace(plan, events=tuple(_ill(dice) for _ in range(dice.choice((1, 1, 2, 2, 3)))), troubles=_few(dice))


def _ill(dice: random.Random) -> Event:
    kind = dice.choice(
        ("fleet dies", "one dies", "fleet sick", "fleet sick", "one sick", "away", "fated", "fated", "flap")
    )
    role = dice.choice("DDEC") if kind == "fated" else dice.choice(ROLES)
    lasts = dice.choice((0.0, 5.0, 20.0, 60.0))
    amount = dice.uniform(3, 40) if kind == "fated" else dice.choice((6.0, 12.0)) if kind == "flap" else lasts
    return Event(-1.0 if kind == "fated" else _when(dice), kind, role, amount)


def _few(dice: random.Random) -> tuple[Trouble, ...]:
    return (draw(dice, 90),) if dice.random() < 0.3 else ()


def drawn_entry(seed: int) -> Plan:
    """Rules and target groups go, and are made anew with the same conditions."""
    dice = random.Random(f"entry {seed}")
    plan = _base(dice, seed)
    kind = dice.choice(("rule gone", "rule moves", "rule moves", "rule empty", "group gone", "balancer gone"))
    at = _when(dice)
    events = [Event(at, kind, dice.choice(("live", "standby")), float(dice.randrange(2)))]
    if kind in ("rule gone", "balancer gone") and dice.random() < 0.6:
        events.append(Event(at + dice.uniform(0, 60), "rule back", "", events[0].amount))
    if dice.random() < 0.25:
        events.append(_ill(dice))
    return replace(plan, events=tuple(events), troubles=_few(dice))


def drawn_ledger(seed: int) -> Plan:
    """The table, the record or lines of the journal are lost, cannot be read, are set back, or the table throttles."""
    dice = random.Random(f"ledger {seed}")
    plan = _base(dice, seed)
    if dice.random() < 0.4:
        return _two_machines(dice, plan)
    kinds = (*LEDGER, "throttled", "throttled", "throttled")
    events = [_sick_ledger(dice, dice.choice(kinds)) for _ in range(dice.choice((1, 1, 2)))]
    if dice.random() < 0.25:
        events.append(_ill(dice))
    return replace(plan, events=tuple(events), troubles=_few(dice) if dice.random() < 0.5 else ())


def _two_machines(dice: random.Random, plan: Plan) -> Plan:
    """One machine rolls back while the ledger does not answer; then it and another go on, and none of them knows what the other
    did."""
    history = dice.choice((*HISTORIES[2:4], ("deploy A", "deploy B", "deploy C !75")))
    throttled = dice.choice((0.5, 2.0, 10.0, 60.0))
    events = (Event(0.0, "throttled", "", throttled), *((_ill(dice),) if dice.random() < 0.2 else ()))
    kinds = ("rollback", "deploy E", "deploy E", "gc", "heal", "abort", "resume", "rollback shop-2")
    more = tuple(f"{dice.choice(kinds)}@{dice.choice('12')}" for _ in range(dice.choice((1, 2, 3, 4))))
    return replace(plan, history=history, command="rollback@1", events=events, more=more)


def _sick_ledger(dice: random.Random, kind: str) -> Event:
    amount = dice.choice((0.3, 1.0, 2.0, 10.0, 60.0, 200.0)) if kind == "throttled" else float(dice.randrange(40))
    return Event(dice.choice((0.0, 0.0, dice.uniform(0, 3), _when(dice))), kind, "", amount)


def drawn_hand(seed: int) -> Plan:
    """Tags, the record and weights are edited by a hand."""
    dice = random.Random(f"hand {seed}")
    plan = _base(dice, seed)
    events = [
        Event(_when(dice), dice.choice(HAND), dice.choice(("live", "standby")), float(dice.randrange(1, 5)))
        for _ in range(dice.choice((1, 1, 2)))
    ]
    if dice.random() < 0.25:
        events.append(_ill(dice))
    return replace(plan, events=tuple(events), troubles=_few(dice) if dice.random() < 0.3 else ())


NEW: dict[int, Callable[[int], Plan]] = {1: drawn_health, 3: drawn_entry, 5: drawn_ledger, 7: drawn_hand}
