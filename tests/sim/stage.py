"""A stack on the simulator: the commands of the controller, run by processes that may fail, and what each ended with."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from bluegreen.controller import commands, degraded
from bluegreen.controller.heal import heal
from bluegreen.controller.notes import tell, write_down
from bluegreen.controller.recover import recover
from bluegreen.controller.resolve import Facts, Rendered
from bluegreen.controller.world import World
from bluegreen.core.decision import Wait
from bluegreen.core.event import Event
from bluegreen.core.image_ref import PinnedImage
from bluegreen.core.outcome import Outcome
from bluegreen.core.record import Owner, Record
from bluegreen.core.stack import FleetShape, Health, Port, Registry, Rollout, Rule, Service, Stack, Traffic
from bluegreen.core.step import Step
from bluegreen.errors import BluegreenError
from bluegreen.ports import Here
from tests.sim.aws import ACCOUNT, ELB, REGION, ZONES, Hand, Sim, SimClock
from tests.sim.book import SimBook
from tests.sim.faults import Crash
from tests.sim.invariants import Promises, Violation
from tests.sim.ledger import SimRecords, SimShelf
from tests.sim.physics import Machine, Pool, Registration, action_of
from tests.sim.services import SimFleets, SimTraffic

SHOP = "shop"
TABLE = "bluegreen"
UNSAFE = "U"  # the version that declares `rollback: unsafe`
DIGEST = {v: hashlib.sha256(v.encode()).hexdigest() for v in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def bindings(number: int = 1, drain_s: int = 5) -> tuple[Traffic, ...]:
    health = Health("/health", 5, 4, 2, 2)
    hosts = ("shop.example.com", "api.example.com")[:number]
    return tuple(Traffic("demo-alb", 80, 8080, Rule(host=host), health, drain_s) for host in hosts)


@dataclass(frozen=True, slots=True)
class Shape:
    """How large the stack is, and how patient."""

    count: int = 4
    bindings: int = 1
    bake_s: int = 0
    app_s: float = 4.0
    boot_timeout_s: int = 60
    zones: int = 3
    poll_s: float = 1.0
    adopted: bool = False  # something that is not ours serves before the first deployment

    def stack(self, version: str) -> Stack:
        image = f"registry.example.com/shop/web:{version}"
        return Stack(
            name=SHOP,
            region=REGION,
            account=ACCOUNT,
            fleet=FleetShape(
                self.count, "ubuntu-24.04", ("m7i.large", "m6i.large"), tuple(ZONES)[: self.zones], ("sg-1",), "web"
            ),
            traffic=bindings(self.bindings),
            registry=Registry("registry.example.com"),
            services=(Service("web", image, ports=(Port(8080, 8000),)),),
            rollout=Rollout(self.boot_timeout_s, self.bake_s, version == UNSAFE),
            source="shop.yml",
        )


class Digests:
    """The Images port."""

    def digest(self, reference: str, architecture: str) -> PinnedImage:
        name, _, version = reference.rpartition(":")
        return PinnedImage(f"{name}@sha256:{DIGEST[version]}", reference, architecture, 0)


class Witness:
    """The watcher of one process: what is done and said goes into the trace."""

    def __init__(self, hand: Hand) -> None:
        self.hand = hand

    def step(self, step: Step) -> None:
        self.hand.note("-", step.why)

    def wait(self, wait: Wait) -> None: ...

    def event(self, event: Event) -> None: ...

    def note(self, text: str) -> None:
        self.hand.note("says", text)


@dataclass(frozen=True, slots=True)
class Result:
    """One command: an outcome, an error, or neither when the process is gone. `calls` and `seconds` are what it took; `bug` is
    the traceback of an error that no user is meant to meet; `serving` are the deployments that had weight before."""

    command: str
    hand: Hand
    outcome: Outcome | None
    error: BluegreenError | None
    calls: int
    seconds: float
    before: Record | None
    bug: str = ""
    serving: frozenset[str] = frozenset()

    @property
    def code(self) -> int:
        if self.bug:
            return 1
        if self.outcome is not None:
            return self.outcome.exit_code
        return self.error.exit_code if self.error is not None else -9

    @property
    def name(self) -> str:
        if self.outcome is not None:
            return self.outcome.result
        return type(self.error).__name__ if self.error is not None else "bug" if self.bug else "crashed"

    @property
    def degraded(self) -> bool:
        """It went on without the ledger, which does not know what it did."""
        return self.outcome is not None and self.outcome.sentence.startswith("DEGRADED")

    @property
    def next(self) -> str:
        return self.outcome.next if self.outcome else self.error.next if self.error else ""

    def __str__(self) -> str:
        said = self.outcome.sentence if self.outcome else self.error.what if self.error else self.bug[-200:]
        return f"{self.command}: {self.name} ({self.code}) {said}" + (f" | next: {self.next}" if self.next else "")


class Stage:
    """The simulator, a stack, and the history of its commands."""

    def __init__(self, shape: Shape | None = None) -> None:
        self.shape = shape or Shape()
        self.sim = Sim(bindings(self.shape.bindings))
        self.sim.account.app_s = self.shape.app_s
        self.promises = Promises(self.sim)
        self.sim.judge = self.promises
        self.results: list[Result] = []
        self.books: dict[str, SimBook] = {}  # by machine
        self.backups: list[
            tuple[dict[str, Any], dict[Any, Any]]
        ] = []  # the ledger as it was after each command of the history
        self.left: dict[str, float] = {}  # deployments that a rollback took the traffic from
        self.taken: set[str] = set()  # deployments that a rollback took the traffic from
        self.blocked: set[str] = set()  # versions that a rollback took the traffic from
        self.crowded = False  # several processes ran at the same time
        self.made = 0  # rules that were made anew
        self._stacks: dict[str, Stack] = {}
        self._processes = 0
        if self.shape.adopted:
            adopt(self)

    def world(self, name: str) -> tuple[Hand, World]:
        hand = Hand(self.sim, name)
        world = World(
            SimFleets(hand),
            SimTraffic(hand),
            SimRecords(hand),
            SimClock(hand),
            Witness(hand),
            self.shape.poll_s,
            ids=map(f"{name} {{}}".format, count(1)).__next__,
            here=Here(REGION, "", TABLE),
        )
        return hand, world

    def job(self, version: str, owner: Owner, wait_s: float = 0.0) -> commands.Deploy:
        stack = self.stack(version)

        def facts(vpc: str) -> Facts:
            zones = {subnet: ZONES[subnet] for subnet in stack.fleet.subnets}
            return Facts(ACCOUNT, zones, "ami-0240400000000a064")

        ledger = self.sim.ledger
        return commands.Deploy(stack, version, owner, facts, Digests(), render, wait_s=wait_s, prepare=ledger.make)

    def stack(self, version: str) -> Stack:
        if version not in self._stacks:
            self._stacks[version] = self.shape.stack(version)
        return self._stacks[version]

    def run(self, command: str) -> Result:
        """`deploy B`, `rollback`, `rollback shop-1`, `resume`, `abort`, `heal`, `heal unhealthy` or `gc`, in a process of
        its own. With `@2` at the end it runs as the command line does, on a machine with a book: it goes on without the ledger if
        need be, and writes down first what was done so."""
        self._processes += 1
        hand, world = self.world(f"{self._processes} {command}")
        before, began = self.record, self.sim.account.time
        serving = self.serving()
        outcome: Outcome | None = None
        failed: BluegreenError | None = None
        bug = ""
        try:
            outcome = self._command(command, hand.name)(world)
        except BluegreenError as error:
            failed = error
        except (Crash, Violation) as error:
            if isinstance(error, Violation):
                raise
        except Exception:  # noqa: BLE001 - it would be exit 1: a promise is broken, and `check_result` says so
            bug = traceback.format_exc()
        took = self.sim.account.time - began
        result = Result(command, hand, outcome, failed, hand.calls, took, before, bug, serving)
        hand.note("ends", result)
        self.results.append(result)
        return result

    def _command(self, command: str, name: str) -> Callable[[World], Outcome]:
        command, _, machine = command.partition("@")
        word, _, rest = command.partition(" ")
        owner = Owner(f"arn:aws:iam::{ACCOUNT}:user/ann", name)
        if machine:
            return self._on(self.book(machine), word, rest, command, owner)
        match word:
            case "deploy":
                return lambda world: commands.deploy(world, self.job(rest, owner))
            case "rollback":
                return lambda world: commands.rollback(world, SHOP, owner, rest)
            case "unsafe":
                return lambda world: commands.rollback(world, SHOP, owner, rest, unsafe=True)
            case "resume":
                return lambda world: commands.resume(world, SHOP, owner)
            case "abort":
                return lambda world: commands.abort(world, SHOP, owner)
            case "heal":
                return lambda world: heal(world, SHOP, owner, unhealthy=bool(rest))
            case "recover":
                return lambda world: recover(world, SHOP, SimShelf(world.records.ledger))  # type: ignore[attr-defined]
            case _:
                return lambda world: commands.gc(world, SHOP, owner)

    def _on(self, book: SimBook, word: str, rest: str, command: str, owner: Owner) -> Callable[[World], Outcome]:
        """As the command line runs it on the machine that has the book."""
        if word in ("rollback", "unsafe"):
            unsafe = word == "unsafe"
            return lambda world: degraded.rollback_anyway(world, SHOP, owner, book, rest, unsafe=unsafe)
        act = self._command(command, owner.host)

        def noted(world: World) -> Outcome:
            hand = world.clock.hand  # type: ignore[attr-defined]
            written = None
            if book.notes(SHOP):
                hand.noting = True
                written = write_down(world, SHOP, owner, book) if word == "resume" else tell(world, SHOP, book)
                hand.noting = False
            return written or act(world)

        return noted

    def book(self, machine: str) -> SimBook:
        return self.books.setdefault(machine, SimBook())

    def backup(self) -> None:
        """The ledger as it is now, to be restored later."""
        ledger = self.sim.ledger
        self.backups.append((dict(ledger.records), {name: dict(lines) for name, lines in ledger.journal.items()}))

    def serving(self) -> frozenset[str]:
        """The deployments that have weight."""
        return frozenset(name for name, seen in self.promises.health.picture().items() if seen.serving)

    def prepare(self, word: str) -> None:
        """What a history has beside commands: `lose live` and `lose standby` kill an instance, `sicken live` makes one fail its
        checks, and `stray` is what a launch of a dead run left: an instance that no record knows."""
        act, _, role = word.partition(" ")
        account, record = self.sim.account, self.record
        assert record is not None
        if act == "stray":
            name = f"i-{account.made:016x}f"
            account.launch(Machine(name, SHOP, f"{SHOP}-99", "Z", *next(iter(ZONES.items())), account.time))
            self.promises.strays.add(name)
        else:
            fleet = record.live if role == "live" else record.standby
            assert fleet is not None
            alive = [m for m in account.machines.values() if m.alive and m.deployment == fleet.deployment]
            for machine in alive[:1]:
                account.misfortune_at = account.time
                account.kill(machine) if act == "lose" else account.serve(machine, False)
        account.advance(account.time + 60)

    @property
    def record(self) -> Record | None:
        return self.sim.ledger.records.get(SHOP)

    def weights(self) -> dict[str, int]:
        """Version → weight, of the first rule."""
        rule = self.sim.entries[0]
        assert rule is not None
        pools = self.sim.account.pools
        return {pools[arn].tags.get("bluegreen:version", arn): weight for arn, weight in rule.weights or ()}

    def running(self) -> dict[str, int]:
        """Version → instances that are not gone."""
        found: dict[str, int] = {}
        for machine in self.sim.account.machines.values():
            if machine.alive:
                found[machine.version] = found.get(machine.version, 0) + 1
        return found


def adopt(stage: Stage) -> None:
    """A fleet that nobody deployed has all the traffic."""
    account = stage.sim.account
    for number, rule in enumerate(stage.sim.entries):
        assert rule is not None
        arn = f"{ELB}:targetgroup/found-{number}/00000000000000f{number}"
        pool = account.pools[arn] = Pool(arn, f"found-{number}", None, {}, deployment=f"{SHOP}-0", binding=number)
        account.weigh(rule, ((arn, 1),), action_of(((arn, 1),)))
        for each in range(stage.shape.count):
            name = f"i-{each:016x}a"
            if name not in account.machines:
                account.machines[name] = Machine(
                    name, "", f"{SHOP}-0", "found", "", "", account.time, "running", up=True, serves=True
                )
            account.alive.setdefault("", {}).setdefault(f"{SHOP}-0", set()).add(name)
            target = pool.targets[name] = Registration(account.machines[name], account.time)
            account.look_again(pool, target)
    account.advance(account.time + 20)
    stage.promises.health.promoted.add(f"{SHOP}-0")


def render(stack: Stack, images: Mapping[str, str]) -> Rendered:
    data = repr(sorted(images.items())).encode()
    return Rendered(data, hashlib.sha256(data).hexdigest())
