"""The targets of all target groups: registered, checked, draining, gone. moto's own list of targets is not used at all.

Health comes from the outside: the health checker reports each check it made, or, without hosts, a probe is asked every
interval as time passes. Groups that no rule names are not in use, and their targets are not checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from bluegreen.sandbox import moto_seams as moto
from bluegreen.sandbox import target_groups, target_health
from bluegreen.sandbox.calls import AwsError, Call, Operations, Wire
from bluegreen.sandbox.lifetimes import Lifetimes
from bluegreen.sandbox.listeners import groups_in_use
from bluegreen.sandbox.target_health import Registration, Said

Probe = Callable[[str], bool]  # target id → does it pass its check now?

PROBES_AT_ONCE = 20  # after a jump in time; more cannot change the outcome, as thresholds are at most 10


@dataclass(slots=True)
class Members:
    """Of one target group, by (id, port). `used_since` is None while no rule names the group."""

    used_since: float | None = None
    targets: dict[tuple[str, int], Registration] = field(default_factory=dict)


class Targets:
    def __init__(self, account: str, lifetimes: Lifetimes, probe: Probe | None) -> None:
        self._account = account
        self._lifetimes = lifetimes
        self._probe = probe
        self._members: dict[str, Members] = {}  # by target group ARN

    def operations(self) -> Operations:
        return {
            ("elbv2", "RegisterTargets"): self._register,
            ("elbv2", "DeregisterTargets"): self._deregister,
            ("elbv2", "DescribeTargetHealth"): self._describe,
        }

    def settle(self, now: float) -> None:
        groups: dict[str, Any] = {}
        used: dict[str, set[str]] = {}
        for backend in moto.elbv2_regions(self._account).values():
            groups |= backend.target_groups
            used |= groups_in_use(backend)
        self._members = {arn: self._members.get(arn) or Members() for arn in groups}
        for arn, members in self._members.items():
            _use(members, now if arn in used else None)
            self._leave(members, now)
            self._ask(members, groups[arn], now)

    def report(self, group: Any, target_id: str, port: int, passed: bool, reason: str) -> None:
        """The outcome of one check. A late one, of a target that has left or is draining, counts for nothing."""
        members = self._members.get(group.arn)
        target = members.targets.get((target_id, port)) if members is not None else None
        if members is None or target is None or members.used_since is None or target.leaves_at is not None:
            return
        healthy, unhealthy = int(group.healthy_threshold_count), int(group.unhealthy_threshold_count)
        target_health.count(target, passed, reason, healthy, unhealthy)

    def of(self, group_arn: str) -> Iterator[tuple[Registration, Said]]:
        members = self._members.get(group_arn) or Members()
        for target in members.targets.values():
            yield target, self._said(members, target)

    def in_use(self, group_arn: str) -> bool:
        members = self._members.get(group_arn)
        return members is not None and members.used_since is not None

    def _register(self, call: Call) -> Wire:
        group = target_groups.find(self._account, call)
        wanted = [(str(each["Id"]), int(each.get("Port") or group.port)) for each in call.params.get("Targets") or ()]
        if group.target_type == "instance":
            self._check_instances([target_id for target_id, _ in wanted], group)
        members = self._members.setdefault(group.arn, Members())
        for key in wanted:
            target = members.targets.setdefault(key, Registration(*key))
            if target.leaves_at is not None:
                target_health.start_over(target)
        return call.answer({})

    def _deregister(self, call: Call) -> Wire:
        """What is not registered is deregistered already. Without a port, the group's own is meant."""
        group = target_groups.find(self._account, call)
        members = self._members.setdefault(group.arn, Members())
        for each in call.params.get("Targets") or ():
            target = members.targets.get((str(each["Id"]), int(each.get("Port") or group.port)))
            if target is not None and target.leaves_at is None:
                target.leaves_at = call.at + target_groups.delay_s(group)
        return call.answer({})

    def _describe(self, call: Call) -> Wire:
        group = target_groups.find(self._account, call)
        members = self._members.get(group.arn) or Members()
        asked = [(str(each["Id"]), int(each.get("Port") or group.port)) for each in call.params.get("Targets") or ()]
        descriptions = []
        for key in asked or members.targets:
            target = members.targets.get(key)
            said = self._said(members, target) if target is not None else target_health.not_registered()
            descriptions.append(_description(key, group, said))
        return call.answer({"TargetHealthDescriptions": descriptions})

    def _said(self, members: Members, target: Registration) -> Said:
        state = self._lifetimes.state(target.target_id)
        return target_health.said(target, in_use=members.used_since is not None, instance_state=state)

    def _check_instances(self, ids: list[str], group: Any) -> None:
        """One bad target fails them all."""
        lives = {target_id: self._lifetimes.seen(target_id) for target_id in ids}
        known = {target_id: life for target_id, life in lives.items() if life is not None}
        wrong = {
            "not valid instances": lives.keys() - known.keys(),
            "not in a running state and cannot be registered": {
                each for each, life in known.items() if life.state != "running"
            },
            "not in the target group's VPC": {
                each for each, life in known.items() if life.instance.vpc_id != group.vpc_id
            },
        }
        for what, bad in wrong.items():
            if bad:
                raise AwsError("InvalidTarget", f"The following targets are {what}: '{', '.join(sorted(bad))}'")

    def _leave(self, members: Members, now: float) -> None:
        """Those that have drained; and instances that end, which nobody needs to deregister."""
        for key, target in list(members.targets.items()):
            state = self._lifetimes.state(target.target_id) if target.target_id.startswith("i-") else "running"
            if state == "shutting-down" and target.leaves_at is None:
                target.leaves_at = float("inf")  # till it is terminated
            if state in (None, "terminated") or (target.leaves_at is not None and target.leaves_at <= now):
                del members.targets[key]

    def _ask(self, members: Members, group: Any, now: float) -> None:
        if self._probe is None or members.used_since is None:
            return
        interval_s = float(group.health_check_interval_seconds)
        for target in members.targets.values():
            if target.next_probe is None:
                target.next_probe = now + interval_s
            target.next_probe = max(target.next_probe, now - PROBES_AT_ONCE * interval_s)
            while target.next_probe <= now:
                target.next_probe += interval_s
                passed = self._probe(target.target_id)
                self.report(group, target.target_id, target.port, passed, "Target.FailedHealthChecks")


def _use(members: Members, since: float | None) -> None:
    """A group that comes into use, or goes out of it, is checked from the beginning."""
    if (members.used_since is None) == (since is None):
        return
    members.used_since = since
    for target in members.targets.values():
        if target.leaves_at is None:
            target_health.start_over(target)


def _description(key: tuple[str, int], group: Any, said: Said) -> dict[str, Any]:
    health = {"State": said.state, "Reason": said.reason or None, "Description": said.words or None}
    port = str(group.health_check_port)
    return {
        "Target": {"Id": key[0], "Port": key[1]},
        "HealthCheckPort": str(key[1]) if port == "traffic-port" else port,
        "TargetHealth": {name: value for name, value in health.items() if value is not None},
    }
