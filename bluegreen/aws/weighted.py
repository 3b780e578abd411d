"""Application Load Balancers: weighted target groups in one action. One write is the whole action (lists are replaced)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from bluegreen.aws.client import Aws
from bluegreen.aws.rules import binding_name, fits, reference, wanted
from bluegreen.core.fleet import BindingRef, OwnedGroup, Weights, weights_of
from bluegreen.core.goal import GroupSpec
from bluegreen.core.observation import Binding, Group, Target
from bluegreen.core.stack import Traffic as TrafficSpec
from bluegreen.core.step import DeleteGroup, Deregister, MakeGroup, Mark, PutBack, Register, SetWeights, TrafficStep
from bluegreen.core.tags import STACK, owned_group
from bluegreen.errors import CloudError, NotFound, Refused
from bluegreen.ports import Place

TAGS_OF = 20  # resources in one DescribeTags call
BATCH = 100  # targets in one RegisterTargets call; AWS publishes no limit, its own controllers use 100 to 200


class WeightedTraffic:
    """The Traffic port on ELBv2."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws

    def find(self, spec: TrafficSpec) -> Place:
        balancer = self._balancer(spec.load_balancer)
        listener = self._listener(balancer, spec)
        rule = self._rule(listener, spec)
        ref = reference(spec.load_balancer, binding_name(spec), listener, rule)
        binding = _binding(ref, rule["Actions"])
        _refuse_beside(binding)
        return Place(binding, balancer["VpcId"], self._stacks(tuple(binding.by_group)))

    def bindings(self, refs: Sequence[BindingRef]) -> tuple[Binding, ...]:
        return tuple(self._look(ref) for ref in refs)

    def find_again(self, ref: BindingRef, groups: Sequence[str]) -> BindingRef | None:
        found = self._candidates(ref)
        known = [new for there, new in found if there.intersection(groups)]
        if not ref.port:
            return known[0] if len(known) == 1 else None
        ours = self._stacks(groups)
        free = [new for there, new in found if self._stacks(tuple(there)) <= ours]
        return next(iter([*known, *free]), None)

    def _candidates(self, ref: BindingRef) -> list[tuple[frozenset[str], BindingRef]]:
        """What may be the binding, made anew: the groups that it forwards to, and where it is. Without a port in `ref` that is
        every rule or default action of the load balancer."""
        found = []
        for listener in self._listeners_now(ref):
            for rule in self.aws.pages("elbv2", "describe_rules", "Rules", ListenerArn=listener["ListenerArn"]):
                if bool(rule["IsDefault"]) == ref.default and (not ref.port or fits(rule, wanted(ref.host, ref.path))):
                    there = frozenset(arn for arn, _ in read_weights(rule["Actions"]) or ())
                    found.append((there, reference(ref.load_balancer, ref.name, listener, rule)))
        return found

    def _listeners_now(self, ref: BindingRef) -> list[dict[str, Any]]:
        try:
            (balancer,) = self.aws.read("elbv2", "describe_load_balancers", Names=[ref.load_balancer])["LoadBalancers"]
        except (NotFound, ValueError) as error:
            raise NotFound(f"load balancer {ref.load_balancer} is gone") from error
        arn = balancer["LoadBalancerArn"]
        listeners = self.aws.pages("elbv2", "describe_listeners", "Listeners", LoadBalancerArn=arn)
        return [listener for listener in listeners if ref.port in (0, listener["Port"])]

    def groups(self, arns: Sequence[str]) -> dict[str, Group | None]:
        return {arn: self._group(arn) for arn in arns}

    def perform(self, step: TrafficStep) -> str:
        match step:
            case MakeGroup():
                return self._make(step.spec, dict(step.tags))
            case SetWeights():
                self._write(step.binding, [forward(step.weights)])
            case PutBack():
                self._write(step.binding, json.loads(step.action))
            case Register():
                for ids in _batches(step.instances):
                    targets = [{"Id": i, "Port": step.port} for i in ids]
                    self.aws.write("elbv2", "register_targets", TargetGroupArn=step.group, Targets=targets)
            case Deregister():
                for ids in _batches(step.instances):
                    targets = [{"Id": i} for i in ids]
                    self.aws.write("elbv2", "deregister_targets", TargetGroupArn=step.group, Targets=targets)
            case Mark():
                tags = [{"Key": key, "Value": value} for key, value in step.tags]
                self.aws.write("elbv2", "add_tags", ResourceArns=list(step.groups), Tags=tags)
            case DeleteGroup():
                self.aws.write("elbv2", "delete_target_group", TargetGroupArn=step.group)
        return ""

    def owned(self, stack: str) -> tuple[OwnedGroup, ...]:
        found = self.aws.pages("elbv2", "describe_target_groups", "TargetGroups")
        start = stack[:12]  # of every name that group_name makes; the tags decide
        arns = [group["TargetGroupArn"] for group in found if group["TargetGroupName"].startswith(start)]
        owned = (_owned(item, stack) for batch in _batches(tuple(arns), TAGS_OF) for item in self._tags(batch))
        return tuple(sorted((group for group in owned if group), key=lambda group: group.arn))

    def stacks(self) -> tuple[str, ...]:
        found = self.aws.pages("elbv2", "describe_target_groups", "TargetGroups")
        arns = tuple(group["TargetGroupArn"] for group in found)
        return tuple(sorted({stack for batch in _batches(arns, TAGS_OF) for stack in self._stacks(batch)}))

    def _tags(self, arns: tuple[str, ...]) -> list[dict[str, Any]]:
        answer = self.aws.read("elbv2", "describe_tags", ResourceArns=list(arns))
        descriptions: list[dict[str, Any]] = answer["TagDescriptions"]
        return descriptions

    def _balancer(self, name: str) -> dict[str, Any]:
        try:
            found = self.aws.read("elbv2", "describe_load_balancers", Names=[name])["LoadBalancers"]
        except NotFound:
            found = []
        if not found:
            raise Refused(
                f"there is no load balancer {name} in {self.aws.region}",
                where="traffic.load_balancer",
                why="Only application load balancers are supported yet; a classic one of this name is not looked for.",
                next="correct the name, or make the load balancer first",
            )
        if found[0]["Type"] != "application":
            raise Refused(
                f"{name} is a {found[0]['Type']} load balancer: not supported yet",
                where="traffic.load_balancer",
                next="use an application load balancer",
            )
        balancer: dict[str, Any] = found[0]
        return balancer

    def _listener(self, balancer: dict[str, Any], spec: TrafficSpec) -> dict[str, Any]:
        arn = balancer["LoadBalancerArn"]
        listeners = self.aws.pages("elbv2", "describe_listeners", "Listeners", LoadBalancerArn=arn)
        for listener in listeners:
            if listener["Port"] == spec.listener:
                return listener
        ports = ", ".join(str(found["Port"]) for found in listeners) or "none"
        raise Refused(
            f"{spec.load_balancer} has no listener on port {spec.listener}; it has {ports}",
            where="traffic.listener",
            next="correct the port, or make the listener first",
        )

    def _rule(self, listener: dict[str, Any], spec: TrafficSpec) -> dict[str, Any]:
        rules = self.aws.pages("elbv2", "describe_rules", "Rules", ListenerArn=listener["ListenerArn"])
        for rule in rules:
            if fits(rule, wanted(spec.rule.host, spec.rule.path)):
                return rule
        raise Refused(
            f"no rule of {spec.load_balancer}:{spec.listener} has exactly these conditions: {binding_name(spec)}",
            where="traffic.rule",
            why="bluegreen switches an existing rule; it does not choose priorities for you.",
            next="make the rule, with a fixed response for now: aws elbv2 create-rule",
        )

    def _look(self, ref: BindingRef) -> Binding:
        try:
            if ref.default:
                found = self.aws.read("elbv2", "describe_listeners", ListenerArns=[ref.arn])["Listeners"]
                actions = found[0]["DefaultActions"]
            else:
                actions = self.aws.read("elbv2", "describe_rules", RuleArns=[ref.arn])["Rules"][0]["Actions"]
        except (NotFound, IndexError):
            return Binding(ref, None, "[]", exists=False)
        return _binding(ref, actions)

    def _group(self, arn: str) -> Group | None:
        try:
            found = self.aws.read("elbv2", "describe_target_health", TargetGroupArn=arn)["TargetHealthDescriptions"]
        except NotFound:
            return None
        return Group(arn, tuple(_target(item) for item in found))

    def _stacks(self, arns: Sequence[str]) -> frozenset[str]:
        """The stacks whose tag the groups carry, as far as these exist."""
        try:
            found = [item for batch in _batches(tuple(arns), TAGS_OF) for item in self._tags(batch)]
        except NotFound:
            return self._stacks(arns[:-1]) | self._stacks(arns[-1:]) if len(arns) > 1 else frozenset()
        return frozenset(tag["Value"] for item in found for tag in item["Tags"] if tag["Key"] == STACK)

    def _write(self, ref: BindingRef, actions: list[dict[str, Any]]) -> None:
        if ref.default:
            self.aws.write("elbv2", "modify_listener", ListenerArn=ref.arn, DefaultActions=actions)
        else:
            self.aws.write("elbv2", "modify_rule", RuleArn=ref.arn, Actions=actions)

    def _make(self, spec: GroupSpec, tags: dict[str, str]) -> str:
        existing = self._mine(spec.name, tags[STACK])
        if existing is None:
            made = self.aws.write("elbv2", "create_target_group", **_group_arguments(spec, tags))
            existing = made["TargetGroups"][0]["TargetGroupArn"]
        drain = {"Key": "deregistration_delay.timeout_seconds", "Value": str(spec.drain_s)}
        self.aws.write("elbv2", "modify_target_group_attributes", TargetGroupArn=existing, Attributes=[drain])
        return str(existing)

    def _mine(self, name: str, stack: str) -> str | None:
        """The group of this name if an earlier try of ours made it. Raises CloudError when it is somebody else's."""
        try:
            arn = self.aws.read("elbv2", "describe_target_groups", Names=[name])["TargetGroups"][0]["TargetGroupArn"]
        except (NotFound, IndexError):
            return None
        tags = {tag["Key"]: tag["Value"] for item in self._tags((arn,)) for tag in item["Tags"]}
        if tags.get(STACK) != stack:
            raise CloudError(f"target group {name} exists and does not belong to stack {stack}", where=arn)
        return str(arn)


def forward(weights: Weights) -> dict[str, Any]:
    groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}


def read_weights(actions: list[dict[str, Any]]) -> Weights | None:
    """The weights of a forward action in normal form; a simple forward reads as one group with weight 1 (AWS's default
    for a single group). None when the last action does not forward."""
    last = actions[-1] if actions else {}
    if last.get("Type") != "forward":
        return None
    groups = last.get("ForwardConfig", {}).get("TargetGroups") or [{"TargetGroupArn": last.get("TargetGroupArn")}]
    return weights_of({group["TargetGroupArn"]: int(group.get("Weight", 1)) for group in groups})


def _binding(ref: BindingRef, actions: list[dict[str, Any]]) -> Binding:
    return Binding(ref, read_weights(actions), json.dumps(actions, sort_keys=True), beside=_beside(actions))


def _target(item: dict[str, Any]) -> Target:
    health = item["TargetHealth"]
    text = health.get("Description") or ""
    reason = ": ".join(part for part in (health.get("Reason"), text) if part)
    return Target(item["Target"]["Id"], health["State"], reason)


def _beside(actions: list[dict[str, Any]]) -> str:
    """What a write of the weights would drop: it replaces the whole list of actions."""
    found = [f"an action {action['Type']} before it" for action in actions[:-1]]
    config = actions[-1].get("ForwardConfig", {}) if actions else {}
    if config.get("TargetGroupStickinessConfig", {}).get("Enabled"):
        found.append("target group stickiness")
    return " and ".join(found)


def _refuse_beside(binding: Binding) -> None:
    """With stickiness, clients keep the colour in their cookie: neither a switch nor a rollback would be instant."""
    if binding.beside:
        raise Refused(
            f"{binding.ref.name} has {binding.beside}",
            why="bluegreen writes the weights of the forward action and nothing else: this would be lost."
            + (" And clients would stay on their old colour." if "stickiness" in binding.beside else ""),
            next="take it off the rule, then deploy again",
        )


def _group_arguments(spec: GroupSpec, tags: dict[str, str]) -> dict[str, Any]:
    return {
        "Name": spec.name,
        "Protocol": "HTTP",
        "Port": spec.port,
        "VpcId": spec.vpc,
        "TargetType": "instance",
        "HealthCheckProtocol": "HTTP",
        "HealthCheckPort": str(spec.check_port or "traffic-port"),
        "HealthCheckPath": spec.path,
        "HealthCheckIntervalSeconds": spec.interval_s,
        "HealthCheckTimeoutSeconds": spec.timeout_s,
        "HealthyThresholdCount": spec.healthy,
        "UnhealthyThresholdCount": spec.unhealthy,
        "Matcher": {"HttpCode": spec.matcher},
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }


def _owned(item: dict[str, Any], stack: str) -> OwnedGroup | None:
    return owned_group(item["ResourceArn"], {tag["Key"]: tag["Value"] for tag in item["Tags"]}, stack)


def _batches(ids: tuple[str, ...], size: int = BATCH) -> list[tuple[str, ...]]:
    return [ids[start : start + size] for start in range(0, len(ids), size)]
