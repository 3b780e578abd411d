"""What happens to the world by itself or by another's hand, at a moment of virtual time: fleets that die, fall ill and recover,
rules and groups that go and are made anew, tags, records and journals that are edited, a ledger that is lost or throttles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bluegreen.core.fleet import Fleet, weights_of
from bluegreen.core.note import Note
from bluegreen.core.record import Record
from bluegreen.core.tags import COLOUR, DEPLOYMENT, LIVE_SINCE
from tests.sim.aws import ACCOUNT, REGION
from tests.sim.physics import Machine, Pool, action_of

if TYPE_CHECKING:
    from tests.sim.stage import Stage

STACK = "shop"
FIXED = '[{"FixedResponseConfig": {"StatusCode": "503"}, "Type": "fixed-response"}]'
HEALTH = ("fleet dies", "one dies", "fleet sick", "one sick", "away", "fated", "flap")
ENTRY = ("rule gone", "rule moves", "rule empty", "group gone", "balancer gone", "rule back")
LEDGER = ("throttled", "table gone", "record gone", "restored", "line lost", "line torn", "record torn")
TAG = ("since word", "since empty", "colour", "nonsense")
FIELDS: dict[str, Callable[[Record], Record]] = {
    "count 0": lambda r: _live(r, count=0),
    "count -1": lambda r: _live(r, count=-1),
    "count 1": lambda r: _live(r, count=1),
    "standby is live": lambda r: replace(r, standby=r.live),
    "no bindings": lambda r: replace(r, bindings=()),
    "no groups": lambda r: _live(r, groups=()),
    "strange groups": lambda r: _live(r, groups=("x",)),
    "doomed is live": lambda r: replace(r, doomed=(r.live,) if r.live else ()),
    "no live": lambda r: replace(r, live=None),
    "other stack": lambda r: replace(r, stack="other"),
    "strange name": lambda r: _live(r, deployment="x"),
}
HAND = (*(f"tag {name}" for name in TAG), *(f"record {name}" for name in FIELDS), "weights", "note")


@dataclass(frozen=True, slots=True)
class Event:
    """`at` seconds after the command began, before it when negative. `role` is a fleet ("live", "standby", "new"), a version for
    "fated"; `amount` what the kind says: seconds until it is over (0: never), or which."""

    at: float
    kind: str
    role: str = ""
    amount: float = 0.0

    def __str__(self) -> str:
        return f"{self.kind}{' of ' + self.role if self.role else ''} at {self.at:.1f} s ({self.amount:g})"


@dataclass
class Happening:
    """An event that is to come, as the account calls it."""

    stage: Stage
    event: Event

    def __call__(self) -> None:
        stage, event = self.stage, self.event
        stage.sim.trace.append((stage.sim.account.time, "world", event.kind, event.role, event.amount))
        happen(stage, event)


def schedule(stage: Stage, events: tuple[Event, ...]) -> None:
    """Those that come before the command happen at once, and health checks have seen them; the others as time passes."""
    account = stage.sim.account
    early = [event for event in events if event.at < 0]
    for event in sorted(early, key=lambda event: event.at):
        Happening(stage, event)()
        account.advance(account.time - event.at)
    for event in events:
        if event.at >= 0:
            account.at(account.time + event.at, "happening", Happening(stage, event))


def happen(stage: Stage, event: Event) -> None:
    kind, _, rest = event.kind.partition(" ")
    account = stage.sim.account
    if kind in ("tag", "record", "weights") and event.kind not in LEDGER:
        account.misfortune_at = account.time
        {"tag": _tag, "record": _record, "weights": _weights}[kind](stage, event, rest)
    elif event.kind == "note":  # what machine 1 kept of a stack of this name elsewhere, or long ago
        groups = tuple(pool.arn for pool in pools_of(stage, event.role))
        at = account.time - 3600.0 * (event.amount - 1)
        stage.book("1").write(
            Note(STACK, ACCOUNT, "", REGION, "bluegreen", deployment_of(stage, event.role), groups, at, "no table")
        )
    elif event.kind in LEDGER:
        _ledger(stage, event)
    elif event.kind in ENTRY:
        account.misfortune_at = account.time
        stage.sim.edited = True
        _entry(stage, event)
    else:
        _health(stage, event)


def _health(stage: Stage, event: Event) -> None:
    account = stage.sim.account
    if event.kind == "away":
        account.away = True
        for machine in account.machines.values():
            account.serve(machine, False)
        if event.amount:
            account.at(account.time + event.amount, "happening", Recovery(stage, ()))
        return
    if event.kind == "fated":
        account.fates[event.role] = event.amount
        return
    name = deployment_of(stage, event.role)
    machines = [m for m in account.machines.values() if m.alive and m.deployment == name]
    if event.kind.startswith("one"):
        machines = machines[:1]
    for machine in machines:
        if event.kind.endswith("dies"):
            account.kill(machine)
        else:
            account.serve(machine, False)
    if event.kind == "flap" and machines:  # ill and well in turn
        account.at(account.time + event.amount, "happening", Recovery(stage, tuple(m.id for m in machines), event, 3))
    elif event.amount and not event.kind.endswith("dies"):
        account.at(account.time + event.amount, "happening", Recovery(stage, tuple(m.id for m in machines)))


@dataclass
class Recovery:
    """Applications answer again: those of some machines, or all of them."""

    stage: Stage
    ids: tuple[str, ...]
    again: Event | None = None
    times: int = 0

    def __call__(self) -> None:
        account = self.stage.sim.account
        if not self.ids:
            account.away = False
        for machine in list(account.machines.values()):
            if (not self.ids or machine.id in self.ids) and able(self.stage, machine):
                account.serve(machine, True)
        if self.again and self.times:
            again = replace(self.again, kind="flap", amount=self.again.amount)
            account.at(account.time + again.amount, "happening", Ill(self, self.ids))


@dataclass
class Ill:
    """The other half of a flap."""

    recovery: Recovery
    ids: tuple[str, ...]

    def __call__(self) -> None:
        stage, again = self.recovery.stage, self.recovery.again
        assert again is not None
        account = stage.sim.account
        for name in self.ids:
            if (machine := account.machines.get(name)) is not None:
                account.serve(machine, False)
        account.at(account.time + again.amount, "happening", Recovery(stage, self.ids, again, self.recovery.times - 1))


def able(stage: Stage, machine: Machine) -> bool:
    account = stage.sim.account
    return (
        machine.up
        and not account.away
        and machine.version not in account.broken
        and machine.zone not in account.dead_zones
    )


def deployment_of(stage: Stage, role: str) -> str:
    """The deployment that has the role now, by the truth that the judge keeps and not by a record that may be edited."""
    record = stage.promises.truth
    if record is None:
        return ""
    if role == "new":
        goal = record.goal
        return goal.deployment if goal and goal.kind == "deploy" else ""
    fleet = record.live if role == "live" else record.standby
    return fleet.deployment if fleet else ""


def pools_of(stage: Stage, role: str) -> list[Pool]:
    name = deployment_of(stage, role)
    return [pool for pool in stage.sim.account.pools.values() if name and pool.deployment == name]


def _entry(stage: Stage, event: Event) -> None:
    sim = stage.sim
    specs = list(sim.rules)
    chosen = specs if event.kind == "balancer gone" else [specs[int(event.amount) % len(specs)]]
    if event.kind == "group gone":
        for pool in pools_of(stage, event.role):
            for rule in sim.entries:
                if rule is not None and any(arn == pool.arn for arn, _ in rule.weights or ()):
                    rest = weights_of({arn: weight for arn, weight in rule.weights or () if arn != pool.arn})
                    sim.account.weigh(rule, rest or None, action_of(rest) if rest else FIXED)
                    rule.hand, sim.touched = "outside", True
            del sim.account.pools[pool.arn]
        return
    for spec in chosen:
        old = sim.rules[spec]
        if event.kind == "rule back" and old is not None:
            continue
        if old is not None:
            sim.account.weigh(old, None, FIXED)
            del sim.account.rules[old.ref.arn]
        sim.rules[spec] = None
        if event.kind in ("rule moves", "rule empty", "rule back"):
            make_anew(stage, spec, empty=event.kind == "rule empty")


def make_anew(stage: Stage, spec: Any, *, empty: bool = False) -> None:
    """The same conditions under a new ARN, forwarding to the live group, or answering by itself."""
    sim = stage.sim
    stage.made += 1
    number = list(sim.rules).index(spec)
    rule = sim.rules[spec] = sim.make_rule(spec, number + 16 * stage.made)
    pools = pools_of(stage, "live")
    pools = [pool for pool in pools if pool.binding == number] or pools
    if pools and not empty:
        weights = ((pools[0].arn, 100),)
        sim.account.weigh(rule, weights, action_of(weights))
    rule.hand, sim.touched = "outside", True


def _tag(stage: Stage, event: Event, name: str) -> None:
    for pool in pools_of(stage, event.role)[:1]:
        key, value = {
            "since word": (LIVE_SINCE, "soon"),
            "since empty": (LIVE_SINCE, ""),
            "colour": (COLOUR, "red"),
            "nonsense": (DEPLOYMENT, "nonsense"),
        }[name]
        pool.tags[key] = value


def _record(stage: Stage, event: Event, name: str) -> None:
    record = stage.record
    if record is not None:
        stage.sim.ledger.records[STACK] = FIELDS[name](record)
        stage.sim.edited = True


def _live(record: Record, **values: Any) -> Record:
    live: Fleet | None = record.live
    return replace(record, live=replace(live, **values)) if live else record


def _weights(stage: Stage, event: Event, rest: str) -> None:
    stage.sim.meddle(int(event.amount))


def _ledger(stage: Stage, event: Event) -> None:
    ledger, now = stage.sim.ledger, stage.sim.account.time
    journals = sorted(ledger.journal, key=lambda journal: journal[1])
    lines = [(journal, number) for journal in journals for number in sorted(ledger.journal[journal])]
    if event.kind != "throttled":
        stage.sim.account.misfortune_at = now
    match event.kind:
        case "throttled":
            ledger.until = now + event.amount
            return
        case "table gone":
            ledger.there = False
        case "record gone":
            ledger.records.pop(STACK, None)
        case "record torn":
            ledger.torn.add(STACK)
        case "restored" if stage.backups:
            records, journal = stage.backups[int(event.amount) % len(stage.backups)]
            ledger.records = dict(records)
            ledger.journal = {name: dict(lines) for name, lines in journal.items()}
        case "line torn" if lines:
            ledger.torn.add(lines[-1 - int(event.amount) % len(lines)])
            return
        case "line lost" if lines:
            journal, number = lines[-1 - int(event.amount) % len(lines)]
            del ledger.journal[journal][number]
            return
        case _:
            return
    stage.sim.edited = True
