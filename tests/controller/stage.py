"""A whole world in this process: the controller, its real AWS adapters, the sandbox's engine, and a clock that we turn."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from bluegreen.aws import facts as ask
from bluegreen.aws.client import Aws
from bluegreen.aws.instances import Ec2Fleets
from bluegreen.aws.record import DynamoRecords
from bluegreen.aws.table import Table
from bluegreen.aws.weighted import WeightedTraffic
from bluegreen.cli.progress import Quiet
from bluegreen.controller import commands
from bluegreen.controller.heal import heal
from bluegreen.controller.resolve import Facts, Rendered, stack_architecture
from bluegreen.controller.status import Status, status
from bluegreen.controller.world import World
from bluegreen.core.image_ref import PinnedImage
from bluegreen.core.outcome import Outcome
from bluegreen.core.record import Owner, Record
from bluegreen.core.stack import FleetShape, Health, Port, Registry, Rollout, Rule, Service, Stack, Traffic
from bluegreen.core.step import Step
from bluegreen.errors import Interrupted
from bluegreen.sandbox import seed as seeded
from bluegreen.sandbox.engine import Engine
from bluegreen.sandbox.seed import seed

OWNER = Owner("arn:aws:iam::123456789012:user/ann", "laptop pid 1")


class Time:
    """The Clock port. `interrupt` makes the next sleep a Ctrl-C; `on_sleep` runs after each."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0
        self.interrupt = False
        self.on_sleep: Callable[[], object] = lambda: None

    def now(self) -> float:
        return self.time

    def ticks(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        if self.interrupt:
            self.interrupt = False
            raise Interrupted("interrupted")
        self.time += seconds
        self.on_sleep()


class Eyes(Quiet):
    """Keeps every step, and runs `on_step` before it is performed."""

    def __init__(self) -> None:
        super().__init__(0.0)
        self.steps: list[Step] = []
        self.on_step: Any = lambda step: None

    def step(self, step: Step) -> None:
        self.steps.append(step)
        self.on_step(step)


def during(stage: Stage, kind: type[Step], act: Callable[[], object], shift: bool = False) -> list[object]:
    """Runs `act` once, right before the first step of `kind` is performed; its results."""
    results: list[object] = []

    def on_step(step: Step) -> None:
        if isinstance(step, kind) and not results and (not shift or getattr(step, "shift", False)):
            results.append("running")
            results[0] = act()

    stage.eyes.on_step = on_step
    return results


class Digests:
    """The Images port: every tag has a digest that follows from it."""

    def digest(self, reference: str, architecture: str) -> PinnedImage:
        name, _, _tag = reference.rpartition(":")
        digest = hashlib.sha256(reference.encode()).hexdigest()
        return PinnedImage(f"{name}@sha256:{digest}", reference, architecture, 0)


def shop(version: str, count: int = 4, bake_s: int = 0) -> Stack:
    return Stack(
        name="shop",
        region=seeded.REGION,
        account="123456789012",
        fleet=FleetShape(
            count, "ubuntu-24.04", ("m7i.large", "m6i.large"), seeded.SUBNETS, (seeded.SECURITY_GROUP,), "demo-web"
        ),
        traffic=(
            Traffic(seeded.LOAD_BALANCER, 80, 8080, Rule(host=seeded.HOST), Health("/health", 5, 4, 2, 2), drain_s=5),
        ),
        registry=Registry("127.0.0.1:5601"),
        services=(Service("web", f"127.0.0.1:5601/demo/web:{version}", ports=(Port(8080, 8000),)),),
        rollout=Rollout(boot_timeout_s=60, bake_s=bake_s),
        source="shop.yml",
    )


class Stage:
    def __init__(self) -> None:
        self.clock = Time()
        self.broken: set[str] = set()  # versions whose instances never get healthy
        self.sick: set[str] = set()  # instances that fail their checks
        self.versions: dict[str, str] = {}
        self.engine = Engine(self.clock.now, probe=self._probe)
        seed(self.engine)
        self.boto = self.engine.session(seeded.REGION)
        self.aws = Aws(seeded.REGION, session=self.boto._session, sleep=self.clock.sleep)
        self.eyes = Eyes()
        self.records = DynamoRecords(self.aws)
        self.table = Table(self.aws)
        self.table.make()
        traffic = WeightedTraffic(self.aws)
        self.world = World(Ec2Fleets(self.aws), traffic, self.records, self.clock, self.eyes)

    def _probe(self, target: str) -> bool:
        return target not in self.sick and self._version(target) not in self.broken

    def _version(self, target: str) -> str:
        if target not in self.versions:
            found = self.boto.client("ec2").describe_instances(InstanceIds=[target])
            tags = found["Reservations"][0]["Instances"][0]["Tags"]
            self.versions[target] = next(t["Value"] for t in tags if t["Key"] == "bluegreen:version")
        return self.versions[target]

    def deploy(self, version: str, stack: Stack | None = None, **change: Any) -> Outcome:
        stack = (stack or shop(version))._replace(**change)
        return commands.deploy(self.world, self.job(version, stack))

    def job(self, version: str, stack: Stack) -> commands.Deploy:
        def facts(vpc: str) -> Facts:
            zones = ask.zones(self.aws, stack.fleet, vpc)
            return Facts(stack.account, zones, ask.ami(self.aws, stack.fleet.ami, stack_architecture(stack)))

        def render(stack: Stack, images: Mapping[str, str]) -> Rendered:
            data = repr(sorted(images.items())).encode()
            return Rendered(data, hashlib.sha256(data).hexdigest())

        return commands.Deploy(stack, version, OWNER, facts, Digests(), render)

    def rollback(self, to: str = "", *, unsafe: bool = False) -> Outcome:
        return commands.rollback(self.world, "shop", OWNER, to, unsafe=unsafe)

    def abort(self) -> Outcome:
        return commands.abort(self.world, "shop", OWNER)

    def resume(self) -> Outcome:
        return commands.resume(self.world, "shop", OWNER)

    def heal(self, *, unhealthy: bool = False) -> Outcome:
        return heal(self.world, "shop", OWNER, unhealthy=unhealthy)

    def gc(self) -> Outcome:
        return commands.gc(self.world, "shop", OWNER)

    def status(self) -> Status:
        found = status(self.world, "shop")
        assert found is not None
        return found

    def record(self) -> Record:
        found = self.records.read("shop")
        assert found is not None
        return found

    def drop_table(self) -> None:
        """As somebody deletes it who first takes its protection away."""
        table = self.boto.client("dynamodb")
        table.update_table(TableName=self.table.name, DeletionProtectionEnabled=False)
        table.delete_table(TableName=self.table.name)

    def calls(self) -> list[tuple[str, str]]:
        return [(call.service, call.operation) for call in self.engine.calls]

    def weights(self) -> dict[str, int]:
        """Version → weight, as the load balancer holds it."""
        (binding,) = self.world.traffic.bindings(self.record().bindings)
        names = {arn: fleet.version for fleet in self.record().fleets for arn in fleet.groups}
        return {names.get(arn, arn): weight for arn, weight in binding.by_group.items()}

    def of(self, version: str) -> list[str]:
        """The ids of its instances that are not gone."""
        return [i.id for i in self.world.fleets.look("shop") if not i.gone and self._version(i.id) == version]

    def running(self) -> dict[str, int]:
        """Version → instances that are not gone."""
        found: dict[str, int] = {}
        for item in self.world.fleets.look("shop"):
            if not item.gone:
                version = self._version(item.id)
                found[version] = found.get(version, 0) + 1
        return found
