"""Listeners and target groups as the data plane sees them: model.py's values, made from what moto keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bluegreen.sandbox import forwards
from bluegreen.sandbox import moto_seams as moto
from bluegreen.sandbox.listeners import CONDITIONS, listeners_of
from bluegreen.sandbox.model import FixedResponse, Forward, Group, Listener, ListenerRule, Target
from bluegreen.sandbox.targets import Targets

Address = Callable[[str, int], tuple[str, int] | None]


def listeners(backend: Any) -> Iterator[Listener]:
    for listener in listeners_of(backend):
        balancer = backend.load_balancers[listener.load_balancer_arn]
        rules = tuple(
            ListenerRule(rule.arn, tuple(_condition(each) for each in rule.conditions), _action(rule.actions))
            for rule in moto.rules_of(listener)
        )
        yield Listener(listener.arn, str(balancer.name), int(listener.port), rules)


def groups(backend: Any, targets: Targets, address: Address) -> Iterator[Group]:
    for group in backend.target_groups.values():
        yield Group(
            arn=group.arn,
            path=str(group.health_check_path or "/"),
            interval_s=float(group.health_check_interval_seconds),
            timeout_s=float(group.health_check_timeout_seconds),
            healthy=int(group.healthy_threshold_count),
            unhealthy=int(group.unhealthy_threshold_count),
            matcher=str((getattr(group, "matcher", None) or {}).get("HttpCode") or "200"),
            in_use=targets.in_use(group.arn),
            targets=tuple(
                Target(
                    each.target_id,
                    each.port,
                    said.state,
                    address(each.target_id, each.port),
                    _checked(group, each.target_id, address),
                )
                for each, said in targets.of(group.arn)
            ),
        )


def _checked(group: Any, target_id: str, address: Address) -> tuple[str, int] | None:
    port = str(group.health_check_port)
    return address(target_id, int(port)) if port.isdecimal() else None


def _condition(condition: dict[str, Any]) -> tuple[str, str, tuple[str, ...]]:
    field = str(condition["Field"])
    config = condition.get(CONDITIONS[field]) or {}
    values = config.get("Values") or condition.get("Values") or ()
    return field, str(config.get("HttpHeaderName", "")), tuple(str(value) for value in values)


def _action(actions: list[Any]) -> Forward | FixedResponse:
    for action in (each.data for each in actions):
        if action.get("Type") == "forward":
            return Forward(forwards.weights(action))
        if action.get("Type") == "fixed-response":
            config = action["FixedResponseConfig"]
            return FixedResponse(
                int(config["StatusCode"]),
                str(config.get("ContentType") or "text/plain"),
                str(config.get("MessageBody") or ""),
            )
    return FixedResponse(501, body="the sandbox's load balancer forwards and answers; it does nothing else")
