"""The simulated account: machines, target groups and rules under virtual time. Nothing here knows who calls, or why."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from heapq import heapify, heappop, heappush
from typing import Any

from bluegreen.aws.weighted import forward
from bluegreen.core.fleet import BindingRef, Weights
from bluegreen.core.observation import Binding, Group, Instance, Target

SHOWN_S = 3600.0  # a terminated instance is shown for so long
ENDING_S = 1.0  # shutting-down to terminated
START = 1_800_000_000.0
ALIVE = ("pending", "running")
WORDS = {
    "draining": "Target.DeregistrationInProgress: Target deregistration is in progress",
    "unused": "Target.NotInUse: Target group is not configured to receive traffic from the load balancer",
    "initial": "Elb.InitialHealthChecking: Initial health checks in progress",
    "unhealthy": "Target.FailedHealthChecks: Health checks failed",
    "healthy": "",
}


@dataclass(slots=True)
class Machine:
    """`serves`: its application answers the health check; `up`: it has started. `shown_at`: no look shows it before."""

    id: str
    stack: str
    deployment: str
    version: str
    subnet: str
    zone: str
    shown_at: float
    state: str = "pending"
    reason: str = ""
    serves: bool = False
    ended_at: float = 0.0
    heal: str = ""
    up: bool = False
    _shown: Instance | None = None

    @property
    def alive(self) -> bool:
        return self.state in ALIVE

    def seen(self) -> Instance:
        if self._shown is None or self._shown.state != self.state:
            self._shown = Instance(self.id, self.deployment, self.subnet, self.state, self.reason, self.heal)
        return self._shown


@dataclass(slots=True)
class Registration:
    """One target. `check_at`: when its next check is due, None while a check could change nothing."""

    machine: Machine
    since: float
    health: str = "initial"
    passes: int = 0
    failures: int = 0
    draining: bool = False
    check_at: float | None = None


@dataclass(slots=True)
class Pool:
    """A target group. `used`: an action names it, so its targets are checked. `deployment`, `binding`: whose it is,
    and for which rule, whatever its tags say."""

    arn: str
    name: str
    settings: object
    tags: dict[str, str]
    drain_s: float = 300.0
    interval_s: float = 5.0
    rise: int = 2
    fall: int = 2
    used: bool = False
    deployment: str = ""
    binding: int = 0
    targets: dict[str, Registration] = field(default_factory=dict)
    _shown: Group | None = None

    def changed(self) -> None:
        self._shown = None

    def seen(self) -> Group:
        if self._shown is None:
            self._shown = Group(self.arn, tuple(self._target(t) for t in self.targets.values()))
        return self._shown

    def _target(self, target: Registration) -> Target:
        state = "draining" if target.draining else target.health if self.used else "unused"
        return Target(target.machine.id, state, WORDS[state])

    @property
    def healthy(self) -> int:
        return self.seen().healthy


@dataclass(slots=True)
class Rule:
    """A listener rule. `hand` says who wrote it last: "" one of ours, "outside", or "zombie"."""

    ref: BindingRef
    weights: Weights | None
    action: str
    hand: str = ""
    _shown: Binding | None = None

    def write(self, weights: Weights | None, action: str) -> None:
        self.weights, self.action, self._shown = weights, action, None

    def seen(self) -> Binding:
        if self._shown is None:
            self._shown = Binding(self.ref, self.weights, self.action)
        return self._shown


def short(arn: str) -> str:
    """The name in an ARN; what is none stays as it is."""
    return arn.split("/")[1] if "/" in arn else arn


def action_of(weights: Weights) -> str:
    return json.dumps([forward(weights)], sort_keys=True)


class Account:
    """`boot_s` from launch to running, `app_s` from there to the first good answer."""

    def __init__(self) -> None:
        self.time = START
        self.boot_s = 2.0
        self.app_s = 4.0
        self.broken: set[str] = set()  # versions that never get healthy
        self.fates: dict[str, float] = {}  # version → seconds after its start at which its application dies
        self.away = False  # something is away that every application needs
        self.dead_zones: set[str] = set()
        self.machines: dict[str, Machine] = {}
        self.alive: dict[str, dict[str, set[str]]] = {}  # ids of those that are not gone, by stack and deployment
        self.pools: dict[str, Pool] = {}
        self.rules: dict[str, Rule] = {}
        self.tokens: dict[tuple[str, str], tuple[object, tuple[str, ...]]] = {}  # (token, zone)
        self.misfortune_at = 0.0  # when something got worse that no call did
        self.fortune_at = 0.0  # when a target last became healthy
        self.casualties: dict[str, str] = {}  # machines that died by themselves, and their deployment
        self.made = 0
        self._events: list[tuple[float, int, str, Any]] = []
        self._number = 0

    def at(self, when: float, what: str, about: Any) -> None:
        self._number += 1
        heappush(self._events, (when, self._number, what, about))

    def advance(self, to: float) -> None:
        """Everything that happens until then, in order."""
        events = self._events
        while events and events[0][0] <= to:
            when, _, what, about = heappop(events)
            if when > self.time:
                self.time = when
            self._happen(what, about)
        if to > self.time:
            self.time = to

    def _happen(self, what: str, about: Any) -> None:
        match what:
            case "check":
                self._check(*about)
            case "running":
                if about.state == "pending":
                    about.state = "running"
                    self.at(self.time + self.app_s, "ready", about)
            case "ready":
                self._ready(about)
            case "left":
                pool, name, target = about
                if pool.targets.get(name) is target and target.draining:
                    del pool.targets[name]
                    pool.changed()
            case "ended":
                self._ended(about)
            case "forgotten":
                self.machines.pop(about.id, None)
            case _:
                about()

    def _ready(self, machine: Machine) -> None:
        machine.up = True
        self.serve(
            machine, not self.away and machine.version not in self.broken and machine.zone not in self.dead_zones
        )
        if (lives := self.fates.get(machine.version)) is not None:
            self.at(self.time + lives, "happening", partial(self.serve, machine, False))

    def drop_happenings(self) -> None:
        """What was still to go wrong by itself does not."""
        self._events = [event for event in self._events if event[2] != "happening"]
        heapify(self._events)

    def launch(self, machine: Machine) -> None:
        self.machines[machine.id] = machine
        self.alive.setdefault(machine.stack, {}).setdefault(machine.deployment, set()).add(machine.id)
        self.at(self.time + self.boot_s, "running", machine)

    def serve(self, machine: Machine, able: bool) -> None:
        """From now on its application answers, or does not."""
        if machine.serves == able or not machine.alive:
            return
        machine.serves = able
        for pool, target in self.registrations(machine):
            self.look_again(pool, target)

    def registrations(self, machine: Machine) -> Iterator[tuple[Pool, Registration]]:
        for pool in self.pools.values():
            target = pool.targets.get(machine.id)
            if target is not None:
                yield pool, target

    def end(self, machine: Machine, reason: str, *, shot: bool = False) -> None:
        """shutting-down: its targets drain till it is terminated."""
        if not machine.alive:
            return
        machine.state, machine.reason, machine.serves = "shutting-down", reason, False
        fleets = self.alive[machine.stack]
        fleets[machine.deployment].discard(machine.id)
        if not fleets[machine.deployment]:
            del fleets[machine.deployment]
        if shot:
            self.misfortune_at = self.time
            self.casualties[machine.id] = machine.deployment
        for pool, target in self.registrations(machine):
            target.draining = True
            pool.changed()
        self.at(self.time + ENDING_S, "ended", machine)

    def _ended(self, machine: Machine) -> None:
        machine.state, machine.ended_at = "terminated", self.time
        for pool, target in list(self.registrations(machine)):
            if target.draining:
                del pool.targets[machine.id]
                pool.changed()
        self.at(self.time + SHOWN_S, "forgotten", machine)

    def start_over(self, pool: Pool, target: Registration) -> None:
        """As if it had just been registered."""
        target.health, target.passes, target.failures = "initial", 0, 0
        target.draining, target.since, target.check_at = False, self.time, None
        pool.changed()
        self.look_again(pool, target)

    def look_again(self, pool: Pool, target: Registration) -> None:
        """Checks of the target begin to matter: the next one is at its next full interval."""
        if target.check_at is not None or not pool.used or target.draining:
            return
        past = (self.time - target.since) // pool.interval_s + 1
        target.check_at = target.since + past * pool.interval_s
        self.at(target.check_at, "check", (pool, target, target.check_at))

    def _check(self, pool: Pool, target: Registration, due: float) -> None:
        if target.check_at != due or target.draining or not pool.used or pool.arn not in self.pools:
            return
        target.check_at = None
        passed = target.machine.serves
        target.passes = target.passes + 1 if passed else 0
        target.failures = 0 if passed else target.failures + 1
        before = target.health
        if passed and (before == "initial" or target.passes >= pool.rise):
            target.health = "healthy"
        elif not passed and target.failures >= pool.fall:
            target.health = "unhealthy"
        if target.health != before:
            pool.changed()
            if before == "healthy":
                self.misfortune_at = self.time
            elif target.health == "healthy":
                self.fortune_at = self.time
        if target.health != ("healthy" if passed else "unhealthy"):
            self.look_again(pool, target)

    def weigh(self, rule: Rule, weights: Weights | None, action: str) -> None:
        """The whole action anew. Groups that come into use, or go out of it, begin at `initial` or `unused`."""
        rule.write(weights, action)
        named = {arn for each in self.rules.values() for arn, _ in each.weights or ()}
        for arn, pool in self.pools.items():
            if pool.used != (arn in named):
                pool.used = arn in named
                for target in pool.targets.values():
                    if not target.draining:
                        self.start_over(pool, target)
                pool.changed()

    def kill(self, machine: Machine, reason: str = "Server.InternalError") -> None:
        self.end(machine, reason, shot=True)

    def lose_zone(self, zone: str) -> None:
        self.dead_zones.add(zone)
        for machine in list(self.machines.values()):
            if machine.zone == zone:
                self.kill(machine, "Server.ScheduledStop")

    def later(self, seconds: float, effect: Callable[[], object]) -> None:
        """A call whose sender has given up takes effect after so long."""
        self.at(self.time + seconds, "late", effect)
