"""The Fleets and Traffic ports on the simulator: they refuse what EC2 and Elastic Load Balancing refuse."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bluegreen.aws.weighted import read_weights
from bluegreen.core.fleet import BindingRef, OwnedGroup, Weights
from bluegreen.core.goal import GroupSpec, LaunchSpec
from bluegreen.core.observation import Binding, Group, Instance
from bluegreen.core.stack import Traffic as TrafficSpec
from bluegreen.core.step import (
    DeleteGroup,
    Deregister,
    Launch,
    MakeGroup,
    Mark,
    PutBack,
    Register,
    SetWeights,
    Terminate,
    TrafficStep,
)
from bluegreen.core.tags import BINDING, DEPLOYMENT, HEAL, STACK, VERSION, owned_group
from bluegreen.errors import CloudError, NotFound, NotYet, Refused
from bluegreen.ports import Place
from tests.sim.aws import ELB, VPC, ZONES, no_room
from tests.sim.physics import Machine, Pool, Registration, Rule, action_of

if TYPE_CHECKING:
    from tests.sim.aws import Hand

MAX_GROUPS = 5
MAX_WEIGHT = 999
USER_DATA_LIMIT = 16_384
TAGS_OF = 20


class SimFleets:
    """EC2, for one process."""

    def __init__(self, hand: Hand) -> None:
        self.hand = hand
        self.account = hand.sim.account

    def look(self, stack: str) -> tuple[Instance, ...]:
        return self.hand.call("DescribeInstances", stack, self._look, stack)

    def _look(self, stack: str) -> tuple[Instance, ...]:
        now = self.account.time
        return tuple(m.seen() for m in self.account.machines.values() if m.stack == stack and m.shown_at <= now)

    def launch(self, step: Launch, spec: LaunchSpec, user_data: bytes) -> tuple[str, ...]:
        about = f"{ZONES.get(step.subnet, '?')} {step.count} {step.instance_type} {step.token[-6:]}"
        return self.hand.call("RunInstances", about, self._run, step, spec, user_data)

    def _run(self, step: Launch, spec: LaunchSpec, user_data: bytes) -> tuple[str, ...]:
        if step.subnet not in ZONES:
            raise no("RunInstances", "InvalidSubnetID.NotFound", f"The subnet ID '{step.subnet}' does not exist")
        zone, wanted = ZONES[step.subnet], (step.instance_type, step.count, step.tags, spec, user_data)
        known = self.account.tokens.get((step.token, zone))
        if known is not None:
            return self._again(known, wanted)
        if not step.count:
            raise no("RunInstances", "InvalidParameterValue", "Value (0) for parameter minCount is invalid")
        if len(step.token) > 64 or len(user_data) > USER_DATA_LIMIT:
            raise no("RunInstances", "InvalidParameterValue", "the token or the user data is too long")
        if self.hand.sim.no_room or zone in self.hand.sim.full_zones | self.account.dead_zones:
            raise no_room("RunInstances")
        ids = tuple(self._start(step, zone) for _ in range(step.count))
        self.account.tokens[step.token, zone] = (wanted, ids)
        return ids

    def _again(self, known: tuple[object, tuple[str, ...]], wanted: object) -> tuple[str, ...]:
        before, ids = known
        if before != wanted:
            raise no("RunInstances", "IdempotentParameterMismatch", "Arguments are inconsistent with previous requests")
        found = [self.account.machines.get(i) for i in ids]
        if all(machine is None or machine.state == "terminated" for machine in found):
            raise no("RunInstances", "IdempotentInstanceTerminated", "the token belongs to a terminated instance")
        return ids

    def _start(self, step: Launch, zone: str) -> str:
        self.account.made += 1
        name, tags = f"i-{self.account.made:017x}", dict(step.tags)
        shown = self.account.time + self.hand.sim.hide_s
        deployment = tags[DEPLOYMENT]
        machine = Machine(
            name, tags[STACK], deployment, tags[VERSION], step.subnet, zone, shown, heal=tags.get(HEAL, "")
        )
        self.account.launch(machine)
        return name

    def terminate(self, step: Terminate) -> None:
        self.hand.call("TerminateInstances", step.instances, self._terminate, step.instances)

    def _terminate(self, ids: tuple[str, ...]) -> None:
        now = self.account.time
        found = [self.account.machines.get(i) for i in ids]
        if bad := [i for i, m in zip(ids, found, strict=True) if m is None or m.shown_at > now]:
            raise no("TerminateInstances", "InvalidInstanceID.NotFound", f"The instance IDs '{bad}' do not exist")
        for machine in found:
            if machine is not None:
                self.account.end(machine, "User initiated")

    def console(self, instance: str) -> str:
        return self.hand.call("GetConsoleOutput", instance, lambda: "")


class SimTraffic:
    """Elastic Load Balancing, for one process."""

    def __init__(self, hand: Hand) -> None:
        self.hand = hand
        self.account = hand.sim.account

    def find(self, spec: TrafficSpec) -> Place:
        call = self.hand.call
        call("DescribeLoadBalancers", spec.load_balancer, lambda: None)
        call("DescribeListeners", spec.load_balancer, lambda: None)
        rule = self.hand.sim.rules.get(spec)
        if rule is None:
            raise Refused(f"no rule of {spec.load_balancer}:{spec.listener} has exactly these conditions")
        binding = call("DescribeRules", rule.ref.listener, rule.seen)
        stacks = (
            call("DescribeTags", binding.weights, self._stacks, binding.weights) if binding.weights else frozenset()
        )
        return Place(binding, VPC, stacks)

    def _stacks(self, weights: Weights) -> frozenset[str]:
        pools = (self.account.pools.get(arn) for arn, _ in weights)
        return frozenset(pool.tags[STACK] for pool in pools if pool is not None and STACK in pool.tags)

    def find_again(self, ref: BindingRef, groups: Sequence[str]) -> BindingRef | None:
        call = self.hand.call
        call("DescribeLoadBalancers", ref.load_balancer, lambda: None)
        if ref.load_balancer not in {spec.load_balancer for spec in self.hand.sim.rules}:
            raise NotFound(f"load balancer {ref.load_balancer} is gone")
        call("DescribeListeners", ref.load_balancer, lambda: None)
        rules = call("DescribeRules", ("all of", ref.load_balancer), lambda: [r.seen() for r in self._rules_of(ref)])
        known = [rule for rule in rules if set(rule.by_group).intersection(groups)]
        if not ref.port:
            return known[0].ref if len(known) == 1 else None
        ours = call("DescribeTags", tuple(groups), self._stacks, tuple((arn, 0) for arn in groups))
        for rule in known + rules:
            if call("DescribeTags", rule.weights, self._stacks, rule.weights or ()) <= ours or rule in known:
                return rule.ref
        return None

    def _rules_of(self, ref: BindingRef) -> list[Rule]:
        """What may be the binding, made anew."""
        meant = (ref.load_balancer, ref.default, *((ref.port, ref.host, ref.path) if ref.port else ()))
        return [
            rule
            for rule in self.account.rules.values()
            if (rule.ref.load_balancer, rule.ref.default, rule.ref.port, rule.ref.host, rule.ref.path)[: len(meant)]
            == meant
        ]

    def bindings(self, refs: Sequence[BindingRef]) -> tuple[Binding, ...]:
        self.hand.looked_at = self.hand.weights_at = self.account.time
        return tuple(self.hand.call("DescribeRules", ref.arn, self._binding, ref) for ref in refs)

    def _binding(self, ref: BindingRef) -> Binding:
        rule = self.account.rules.get(ref.arn)
        return rule.seen() if rule is not None else Binding(ref, None, "[]", exists=False)

    def groups(self, arns: Sequence[str]) -> dict[str, Group | None]:
        self.hand.looked_at = self.account.time
        call = self.hand.call
        return {arn: call("DescribeTargetHealth", arn, self._health, arn) for arn in arns}

    def _health(self, arn: str) -> Group | None:
        pool = self.account.pools.get(arn)
        return pool.seen() if pool is not None else None

    def owned(self, stack: str) -> tuple[OwnedGroup, ...]:
        found = self.hand.call("DescribeTargetGroups", "", lambda: sorted(self.account.pools))
        owned = [
            group
            for start in range(0, len(found), TAGS_OF)
            for group in self.hand.call("DescribeTags", start, self._owned, found[start : start + TAGS_OF], stack)
        ]
        return tuple(owned)

    def _owned(self, arns: list[str], stack: str) -> list[OwnedGroup]:
        tagged = [(arn, pool.tags) for arn in arns if (pool := self.account.pools.get(arn)) is not None]
        return [group for arn, tags in tagged if (group := owned_group(arn, tags, stack)) is not None]

    def stacks(self) -> tuple[str, ...]:
        found = {pool.tags[STACK] for pool in self.account.pools.values() if STACK in pool.tags}
        return self.hand.call("DescribeTags", "stacks", lambda: tuple(sorted(found)))

    def perform(self, step: TrafficStep) -> str:
        call = self.hand.call
        match step:
            case MakeGroup():
                return self._make(step.spec, dict(step.tags))
            case SetWeights():
                call("ModifyRule", step, self._set_weights, step)
            case PutBack():
                call("ModifyRule", step, self._put_back, step)
            case Register():
                call("RegisterTargets", step, self._register, step)
            case Deregister():
                call("DeregisterTargets", step, self._deregister, step)
            case Mark():
                call("AddTags", step, self._mark, step)
            case DeleteGroup():
                call("DeleteTargetGroup", step, self._delete, step)
        return ""

    def _make(self, spec: GroupSpec, tags: dict[str, str]) -> str:
        call = self.hand.call
        found = call("DescribeTargetGroups", spec.name, self._named, spec.name)
        if found is not None and call("DescribeTags", found.arn, lambda: found.tags.get(STACK)) != tags[STACK]:
            raise CloudError(f"target group {spec.name} exists and does not belong to stack {tags[STACK]}")
        arn = found.arn if found is not None else call("CreateTargetGroup", spec.name, self._create, spec, tags)
        call("ModifyTargetGroupAttributes", arn, self._drain, arn, float(spec.drain_s))
        return arn

    def _named(self, name: str) -> Pool | None:
        return next((pool for pool in self.account.pools.values() if pool.name == name), None)

    def _create(self, spec: GroupSpec, tags: dict[str, str]) -> str:
        if not re.fullmatch(r"(?!-)[A-Za-z0-9-]{1,32}(?<!-)", spec.name):
            raise no("CreateTargetGroup", "ValidationError", f"Target group name '{spec.name}' is not valid")
        if (found := self._named(spec.name)) is not None:
            if found.settings != spec:
                raise no("CreateTargetGroup", "DuplicateTargetGroupName", f"'{spec.name}' exists, with other settings")
            return found.arn
        self.account.made += 1
        arn = f"{ELB}:targetgroup/{spec.name}/{self.account.made:016x}"
        pool = Pool(arn, spec.name, spec, dict(tags), 300.0, float(spec.interval_s), spec.healthy, spec.unhealthy)
        pool.deployment = tags.get(DEPLOYMENT, "")
        arns = [rule.ref.arn if rule is not None else "" for rule in self.hand.sim.entries]
        pool.binding = arns.index(tags[BINDING]) if tags.get(BINDING) in arns else 0
        self.account.pools[arn] = pool
        return arn

    def _drain(self, arn: str, seconds: float) -> None:
        if not 0 <= seconds <= 3600:
            raise no("ModifyTargetGroupAttributes", "ValidationError", "must be between '0-3600' inclusive")
        self._pool(arn).drain_s = seconds

    def _set_weights(self, step: SetWeights) -> None:
        weights = step.weights
        if not weights or any(not 0 <= weight <= MAX_WEIGHT for _, weight in weights):
            raise no("ModifyRule", "ValidationError", "weights are 0 to 999")
        if len({arn for arn, _ in weights}) != len(weights):
            raise no("ModifyRule", "ValidationError", "a target group stands twice")
        if len(weights) > MAX_GROUPS:
            raise no("ModifyRule", "TooManyTargetGroups", "at most five target groups in an action")
        for arn, _ in weights:
            self._pool(arn)
        self.account.weigh(self._rule(step.binding.arn), weights, action_of(weights))

    def _put_back(self, step: PutBack) -> None:
        weights = read_weights(json.loads(step.action))
        for arn, _ in weights or ():
            self._pool(arn)
        self.account.weigh(self._rule(step.binding.arn), weights, step.action)

    def _register(self, step: Register) -> None:
        pool = self._pool(step.group)
        found = [self.account.machines.get(i) for i in step.instances]
        if any(machine is None or machine.state != "running" for machine in found):
            raise NotYet("AWS refused RegisterTargets: InvalidTarget", action="RegisterTargets", code="InvalidTarget")
        for machine in found:
            assert machine is not None
            target = pool.targets.get(machine.id)
            if target is None:
                target = pool.targets[machine.id] = Registration(machine, self.account.time)
                pool.changed()
                self.account.look_again(pool, target)
            elif target.draining:
                self.account.start_over(pool, target)

    def _deregister(self, step: Deregister) -> None:
        pool = self._pool(step.group)
        for name in step.instances:
            target = pool.targets.get(name)
            if target is not None and not target.draining:
                target.draining = True
                self.account.at(self.account.time + pool.drain_s, "left", (pool, name, target))
        pool.changed()

    def _mark(self, step: Mark) -> None:
        for pool in [self._pool(arn) for arn in step.groups]:
            pool.tags |= dict(step.tags)

    def _delete(self, step: DeleteGroup) -> None:
        pool = self.account.pools.get(step.group)
        if pool is None:
            return
        if pool.used:
            raise NotYet(
                "AWS refused DeleteTargetGroup: ResourceInUse", action="DeleteTargetGroup", code="ResourceInUse"
            )
        del self.account.pools[step.group]

    def _pool(self, arn: str) -> Pool:
        pool = self.account.pools.get(arn)
        if pool is None:
            raise NotFound(f"Target groups '{arn}' not found", code="TargetGroupNotFound")
        return pool

    def _rule(self, arn: str) -> Rule:
        rule = self.account.rules.get(arn)
        if rule is None:
            raise NotFound(f"One or more rules not found: {arn}", code="RuleNotFound")
        return rule


def no(operation: str, code: str, message: str) -> CloudError:
    kind = NotFound if "NotFound" in code else CloudError
    return kind(f"AWS refused {operation}: {code}: {message}", action=operation, code=code)
