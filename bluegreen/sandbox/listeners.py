"""Listeners and rules: which changes AWS accepts, the order of the rules, and which target groups are in use by them.

moto keeps them; it checks next to nothing, keeps rules in the order of their making, and forgets which balancer a group
belongs to after the first change. `settle` puts that right after every call.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from bluegreen.sandbox import forwards
from bluegreen.sandbox import moto_seams as moto
from bluegreen.sandbox.calls import AwsError, Call, Operations, Wire, ok
from bluegreen.sandbox.tagging import check_balancing_tags

PRIORITIES = range(1, 50_001)
CONDITIONS = {"host-header": "HostHeaderConfig", "path-pattern": "PathPatternConfig", "http-header": "HttpHeaderConfig"}


class Listeners:
    def __init__(self, account: str) -> None:
        self._account = account

    def operations(self) -> Operations:
        return {
            ("elbv2", "CreateLoadBalancer"): self._create_load_balancer,
            ("elbv2", "CreateListener"): self._create_listener,
            ("elbv2", "ModifyListener"): self._modify_listener,
            ("elbv2", "CreateRule"): self._create_rule,
            ("elbv2", "ModifyRule"): self._modify_rule,
            ("elbv2", "DeleteRule"): self._delete_rule,
            ("elbv2", "SetRulePriorities"): self._set_priorities,
        }

    def settle(self) -> None:
        for backend in moto.elbv2_regions(self._account).values():
            for listener in listeners_of(backend):
                moto.name_default_rule(listener, _default_rule_arn(listener.arn))
                moto.sort_rules(listener)
                for rule in moto.rules_of(listener):
                    for condition in rule.conditions:
                        _show_both_forms(condition)
            used = groups_in_use(backend)
            for arn, group in backend.target_groups.items():
                group.load_balancer_arns = sorted(used.get(arn, ()))

    def _create_load_balancer(self, call: Call) -> Wire:
        params, backend = call.params, self._backend(call)
        check_balancing_tags(params.get("Tags") or ())
        subnets = [*(params.get("Subnets") or ()), *(each["SubnetId"] for each in params.get("SubnetMappings") or ())]
        zones = {backend.ec2_backend.get_subnet(subnet).availability_zone for subnet in subnets}
        if params.get("Type", "application") == "application" and len(zones) < 2:
            raise AwsError(
                "ValidationError", "At least two subnets in two different Availability Zones must be specified"
            )
        for balancer in backend.load_balancers.values():
            if balancer.name == params.get("Name"):
                if _balancer_settings(balancer) != _wanted_balancer(params, subnets):
                    raise AwsError(
                        "DuplicateLoadBalancerName", "A load balancer with the same name and other settings exists"
                    )
                return call.answer({"LoadBalancers": [balancer]})
        params.setdefault("Scheme", "internet-facing")
        return call.proceed()

    def _create_listener(self, call: Call) -> Wire:
        balancer = self._balancer(call, str(call.params.get("LoadBalancerArn")))
        check_balancing_tags(call.params.get("Tags") or ())
        actions = self._checked(call, "DefaultActions", balancer)
        for listener in balancer.listeners.values():
            if int(listener.port) == int(call.params.get("Port", 0)):
                same = listener.protocol == call.params.get("Protocol") and actions == [
                    forwards.as_read_back(action.data) for action in listener.default_actions
                ]
                if not same:
                    raise AwsError("DuplicateListener", "A listener already exists on this port for this load balancer")
                return call.answer({"Listeners": [listener]})
        return call.proceed()

    def _modify_listener(self, call: Call) -> Wire:
        listener = self._listener(call, str(call.params.get("ListenerArn")))
        if call.params.get("DefaultActions"):
            self._checked(call, "DefaultActions", self._balancer(call, listener.load_balancer_arn))
        return call.proceed()

    def _create_rule(self, call: Call) -> Wire:
        listener = self._listener(call, str(call.params.get("ListenerArn")))
        check_balancing_tags(call.params.get("Tags") or ())
        if int(call.params.get("Priority", 0)) not in PRIORITIES:
            raise AwsError("ValidationError", "Priority must be between 1 and 50000")
        _check_conditions(call.params.get("Conditions") or ())
        self._checked(call, "Actions", self._balancer(call, listener.load_balancer_arn))
        before = {rule.arn for rule in moto.rules_of(listener)}
        wire = call.proceed()
        if not ok(wire):
            return wire
        self.settle()
        return call.answer({"Rules": [rule for rule in moto.rules_of(listener) if rule.arn not in before]})

    def _modify_rule(self, call: Call) -> Wire:
        rule, listener = self._rule(call, str(call.params.get("RuleArn")))
        _refuse_default(rule)
        _check_conditions(call.params.get("Conditions") or ())
        if call.params.get("Actions"):
            self._checked(call, "Actions", self._balancer(call, listener.load_balancer_arn))
        wire = call.proceed()
        if not ok(wire):
            return wire
        self.settle()
        return call.answer({"Rules": [rule]})

    def _delete_rule(self, call: Call) -> Wire:
        rule, _ = self._rule(call, str(call.params.get("RuleArn")))
        _refuse_default(rule)
        return call.proceed()

    def _set_priorities(self, call: Call) -> Wire:
        """All at once, so that two rules may change places; moto cannot."""
        wanted = {each["RuleArn"]: int(each["Priority"]) for each in call.params.get("RulePriorities") or ()}
        found = [self._rule(call, arn) for arn in wanted]
        for rule, listener in found:
            _refuse_default(rule)
            others = {int(other.priority) for other in moto.rules_of(listener)[:-1] if other.arn not in wanted}
            if wanted[rule.arn] in others:
                raise AwsError("PriorityInUse", f"Priority '{wanted[rule.arn]}' is currently in use")
        if len(set(wanted.values())) < len(wanted) or any(each not in PRIORITIES for each in wanted.values()):
            raise AwsError("ValidationError", "Priorities must be different, and between 1 and 50000")
        for rule, _ in found:
            rule.priority = wanted[rule.arn]
        return call.answer({"Rules": [rule for rule, _ in found]})

    def _checked(self, call: Call, name: str, balancer: Any) -> list[forwards.Action]:
        """The actions of the call, which from here on are in the form in which they are read back."""
        backend = self._backend(call)
        used = groups_in_use(backend)
        known = {
            arn: forwards.Known(group.vpc_id, group.protocol, frozenset(used.get(arn, ())))
            for arn, group in backend.target_groups.items()
        }
        actions = call.params.get(name) or []
        forwards.check(actions, balancer.arn, balancer.vpc_id, balancer.type, known)
        call.params[name] = [forwards.as_read_back(action) for action in actions]
        return list(call.params[name])

    def _backend(self, call: Call) -> Any:
        return moto.elbv2(self._account, call.region)

    def _balancer(self, call: Call, arn: str) -> Any:
        balancer = self._backend(call).load_balancers.get(arn)
        if balancer is None:
            raise AwsError("LoadBalancerNotFound", f"Load balancers '[{arn}]' not found")
        return balancer

    def _listener(self, call: Call, arn: str) -> Any:
        for listener in listeners_of(self._backend(call)):
            if listener.arn == arn:
                return listener
        raise AwsError("ListenerNotFound", f"One or more listeners not found: {arn}")

    def _rule(self, call: Call, arn: str) -> tuple[Any, Any]:
        for listener in listeners_of(self._backend(call)):
            for rule in moto.rules_of(listener):
                if rule.arn == arn:
                    return rule, listener
        raise AwsError("RuleNotFound", f"One or more rules not found: {arn}")


def listeners_of(backend: Any) -> Iterator[Any]:
    for balancer in backend.load_balancers.values():
        yield from balancer.listeners.values()


def groups_in_use(backend: Any) -> dict[str, set[str]]:
    """Target group ARN → the load balancers whose rules name it, with whatever weight."""
    used: dict[str, set[str]] = defaultdict(set)
    for listener in listeners_of(backend):
        for rule in moto.rules_of(listener):
            for arn in forwards.groups_in([action.data for action in rule.actions]):
                used[arn].add(listener.load_balancer_arn)
    return used


def _default_rule_arn(listener_arn: str) -> str:
    digest = hashlib.sha256(listener_arn.encode()).hexdigest()[:16]
    return listener_arn.replace(":listener/", ":listener-rule/") + f"/{digest}"


def _show_both_forms(condition: dict[str, Any]) -> None:
    """AWS shows the values of host and path conditions twice, however they were given."""
    config = CONDITIONS.get(str(condition.get("Field")))
    if config is None or config == "HttpHeaderConfig":
        return
    values = (condition.get(config) or {}).get("Values") or condition.get("Values") or []
    condition["Values"] = list(values)
    condition[config] = {"Values": list(values)}


def _check_conditions(conditions: Any) -> None:
    for condition in conditions:
        if condition.get("Field") not in CONDITIONS:
            raise NotImplementedError(f"the condition {condition.get('Field')}")


def _refuse_default(rule: Any) -> None:
    if rule.is_default:
        raise AwsError("OperationNotPermitted", f"Default rule '{rule.arn}' cannot be modified")


def _balancer_settings(balancer: Any) -> tuple[Any, ...]:
    subnets = {subnet.id for subnet in balancer.subnets}
    return (balancer.type, balancer.scheme, subnets, set(balancer.security_groups or ()), balancer.ip_address_type)


def _wanted_balancer(params: dict[str, Any], subnets: list[str]) -> tuple[Any, ...]:
    return (
        params.get("Type", "application"),
        params.get("Scheme", "internet-facing"),
        set(subnets),
        set(params.get("SecurityGroups") or ()),
        params.get("IpAddressType", "ipv4"),
    )
