"""The backends of the contract suite, each with the same few handles: ports, a clock, and what may go wrong."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from bluegreen.core.fleet import Colour, Fleet
from bluegreen.core.goal import GroupSpec, LaunchSpec
from bluegreen.core.observation import Group, Instance
from bluegreen.core.stack import Rule, Traffic
from bluegreen.core.step import DeleteGroup, Deregister, Launch, MakeGroup, PutBack, Register, SetWeights, Terminate
from bluegreen.core.tags import fleet_tags
from bluegreen.ports import Fleets, Place, Records
from bluegreen.ports import Traffic as TrafficPort
from bluegreen.sandbox import seed as seeded
from bluegreen.sandbox.faults import Fault

OPT_IN = "BLUEGREEN_CONTRACT_AWS"
PORT = 8080
SERVE = b"#!/bin/sh\nmkdir -p /srv/x && cd /srv/x && echo ok >health && exec python3 -m http.server 8080\n"


class Backend:
    """The ports, and what the tests need around them. `stack` is unlike that of any other run."""

    fleets: Fleets
    traffic: TrafficPort
    records: Records
    stack = "contract"
    subnet = seeded.SUBNETS[0]
    ami = seeded.IMAGES["24.04", "amd64"]
    types = ("m7i.large", "m6i.large")
    group_id = seeded.SECURITY_GROUP
    profile: str | None = seeded.INSTANCE_PROFILE
    spec = Traffic(seeded.LOAD_BALANCER, 80, PORT, Rule(host=seeded.HOST))
    drain_s = 5

    def pass_time(self, seconds: float) -> None:
        raise NotImplementedError

    def fault(self, fault: Fault) -> None:
        """The next such call goes wrong; the count begins now."""
        raise NotImplementedError

    def hide(self, seconds: float) -> None:
        """Instances launched from now on are not shown for so long."""
        raise NotImplementedError

    def make_rule_anew(self) -> None:
        """Somebody deletes the rule and creates it again: the same conditions, and a fixed response."""
        elb, (ref,) = self.boto(), (self.place().binding.ref,)
        (old,) = elb.describe_rules(RuleArns=[ref.arn])["Rules"]
        conditions = [{"Field": "host-header", "HostHeaderConfig": {"Values": [self.spec.rule.host]}}]
        elb.delete_rule(RuleArn=ref.arn)
        fixed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503", "ContentType": "text/plain"}}
        elb.create_rule(ListenerArn=ref.listener, Priority=int(old["Priority"]), Conditions=conditions, Actions=[fixed])

    def boto(self) -> Any:
        """A client of Elastic Load Balancing that is not ours."""
        raise NotImplementedError

    def close(self) -> None: ...

    def until(self, seconds: float, there: Callable[[], bool]) -> bool:
        """Whether it came true in time; looks once a second."""
        for _ in range(int(seconds)):
            if there():
                return True
            self.pass_time(1.0)
        return there()

    def place(self) -> Place:
        return self.traffic.find(self.spec)

    def launch_spec(self) -> LaunchSpec:
        return LaunchSpec(self.ami, self.types, (self.group_id,), self.profile, 20, None, "0" * 64, ())

    def launch(self, token: str, count: int = 1, kind: int = 0, data: bytes = SERVE) -> tuple[str, ...]:
        tags = fleet_tags(self.stack, Fleet(f"{self.stack}-1", Colour.BLUE, "r1", "A", count, ()))
        step = Launch(self.subnet, 0, 1, self.types[kind], count, f"{self.stack}-{token}", tags, "launch")
        return self.fleets.launch(step, self.launch_spec(), data)

    def running(self, token: str, count: int = 1) -> tuple[str, ...]:
        ids = self.launch(token, count)
        assert self.until(120, lambda: all(self.state(i) == "running" for i in ids))
        return ids

    def instance(self, name: str) -> Instance | None:
        return next((i for i in self.fleets.look(self.stack) if i.id == name), None)

    def state(self, name: str) -> str:
        found = self.instance(name)
        return found.state if found else "unseen"

    def terminate(self, *ids: str) -> None:
        self.fleets.terminate(Terminate(f"{self.stack}-1", ids, "end"))

    def group_spec(self, name: str, path: str = "/health") -> GroupSpec:
        return GroupSpec(f"{self.stack}-{name}", self.place().vpc, PORT, path, 5, 4, 2, 2, "200", self.drain_s)

    def group(self, name: str, path: str = "/health") -> str:
        tags = fleet_tags(self.stack, Fleet(f"{self.stack}-1", Colour.BLUE, "r1", "A", 1, ()))
        return self.traffic.perform(MakeGroup(self.group_spec(name, path), 0, tags, "make"))

    def seen(self, arn: str) -> Group:
        found = self.traffic.groups([arn])[arn]
        assert found is not None
        return found

    def weigh(self, *weights: tuple[str, int]) -> None:
        self.traffic.perform(SetWeights(self.place().binding.ref, weights, "weigh", shift=True))

    def register(self, arn: str, *ids: str) -> None:
        self.traffic.perform(Register(arn, PORT, ids, "register"))

    def deregister(self, arn: str, *ids: str) -> None:
        self.traffic.perform(Deregister(arn, ids, "deregister"))

    def delete(self, arn: str) -> None:
        self.traffic.perform(DeleteGroup(arn, "delete"))


class Simulated(Backend):
    def __init__(self) -> None:
        from tests.sim.aws import Hand, Sim
        from tests.sim.faults import of
        from tests.sim.ledger import SimRecords
        from tests.sim.services import SimFleets, SimTraffic

        self.sim, self._of = Sim([self.spec]), of
        self.hand = Hand(self.sim, "contract")
        self.fleets, self.traffic, self.records = SimFleets(self.hand), SimTraffic(self.hand), SimRecords(self.hand)
        self.subnet = "subnet-0a11ce0000000000a"

    def pass_time(self, seconds: float) -> None:
        self.hand.wait(seconds)

    def fault(self, fault: Fault) -> None:
        self.sim.arm([self._of(fault)])

    def hide(self, seconds: float) -> None:
        from tests.sim.faults import Trouble

        self.sim.arm([Trouble(1, "hidden", "RunInstances", seconds)])

    def make_rule_anew(self) -> None:
        from tests.sim.aws import FIXED
        from tests.sim.physics import Rule

        old = self.sim.rules[self.spec]
        assert old is not None
        new = Rule(replace(old.ref, arn=f"{old.ref.arn}9"), None, FIXED)
        del self.sim.account.rules[old.ref.arn]
        self.sim.account.rules[new.ref.arn] = self.sim.rules[self.spec] = new


class Sandboxed(Backend):
    def __init__(self) -> None:
        from tests.controller.stage import Stage

        self.stage = Stage()
        self.stage.engine._probe = lambda target: True  # type: ignore[attr-defined]
        self.stage._version = lambda target: "A"  # type: ignore[method-assign]
        world = self.stage.world
        self.fleets, self.traffic, self.records = world.fleets, world.traffic, world.records

    def pass_time(self, seconds: float) -> None:
        self.stage.clock.time += seconds

    def fault(self, fault: Fault) -> None:
        self.stage.engine.faults.clear()
        self.stage.engine.faults.add(fault)

    def hide(self, seconds: float) -> None:
        self.stage.engine._lifetimes._visibility_s = seconds

    def boto(self) -> Any:
        return self.stage.boto.client("elbv2")


class Real(Backend):
    """A real account. The file of the opt-in variable is a JSON object: region, table, load_balancer, listener, host, subnet,
    ami, instance_types, security_group, and perhaps instance_profile. All that was made is deleted again."""

    def __init__(self) -> None:
        from bluegreen.aws.client import Aws
        from bluegreen.aws.instances import Ec2Fleets
        from bluegreen.aws.record import DynamoRecords
        from bluegreen.aws.weighted import WeightedTraffic

        given: dict[str, Any] = json.loads(Path(os.environ[OPT_IN]).read_text("utf-8"))
        self.region = given["region"]
        aws = Aws(self.region, sleep=time.sleep)
        self.fleets, self.traffic = Ec2Fleets(aws), WeightedTraffic(aws)
        self.records = DynamoRecords(aws, given["table"])
        self.stack = f"c{int(time.time()) % 10**8}"
        self.subnet, self.ami, self.group_id = given["subnet"], given["ami"], given["security_group"]
        self.types, self.profile = tuple(given["instance_types"]), given.get("instance_profile")
        self.spec = Traffic(given["load_balancer"], given["listener"], PORT, Rule(host=given["host"]))
        self.before = self.place().binding

    def pass_time(self, seconds: float) -> None:
        time.sleep(seconds)

    def boto(self) -> Any:
        import boto3

        return boto3.client("elbv2", self.region)

    def close(self) -> None:
        self.traffic.perform(PutBack(self.place().binding.ref, self.before.action, "as it was"))
        alive = [i.id for i in self.fleets.look(self.stack) if not i.gone]
        if alive:
            self.terminate(*alive)
        for group in self.traffic.owned(self.stack):
            self.until(60, lambda arn=group.arn: self._deleted(arn))  # type: ignore[misc]

    def _deleted(self, arn: str) -> bool:
        from bluegreen.errors import NotYet

        try:
            self.delete(arn)
        except NotYet:
            return False
        return True


BACKENDS: dict[str, type[Backend]] = {"simulator": Simulated, "sandbox": Sandboxed, "aws": Real}
