"""Listener rules as DescribeRules returns them: which conditions a rule has, and which ones are meant."""

from __future__ import annotations

from typing import Any

from bluegreen.core.fleet import BindingRef
from bluegreen.core.stack import Traffic as TrafficSpec

HOST, PATH = "host-header", "path-pattern"
CONFIGS = {HOST: "HostHeaderConfig", PATH: "PathPatternConfig"}
Conditions = dict[str, frozenset[str]]  # field → its values; AWS keeps neither the fields nor the values in an order


def wanted(host: str | None, path: str | None) -> Conditions:
    """Of a rule with exactly this host and this path; none at all of a default action."""
    return {field: frozenset({value}) for field, value in ((HOST, host), (PATH, path)) if value}


def conditions(rule: dict[str, Any]) -> Conditions:
    """What AWS says, in one of its two forms. A condition that no stack file can ask for is in it too, with no value that
    could be asked for: such a rule is never taken for another."""
    found: Conditions = {}
    for condition in rule.get("Conditions", []):
        field = condition["Field"]
        values = condition.get(CONFIGS.get(field, ""), {}).get("Values") or condition.get("Values") or []
        found[field] = found.get(field, frozenset()) | frozenset(values if field in CONFIGS else ())
    return found


def fits(rule: dict[str, Any], meant: Conditions) -> bool:
    """Whether the rule has exactly these conditions; the default action is the rule without any."""
    return bool(rule["IsDefault"]) == (not meant) and conditions(rule) == meant


def reference(load_balancer: str, name: str, listener: dict[str, Any], rule: dict[str, Any]) -> BindingRef:
    """The binding that stands there, with what it is found by when it is made anew."""
    default = bool(rule["IsDefault"])
    arn = listener["ListenerArn"] if default else rule["RuleArn"]
    seen = conditions(rule)
    host, path = (next(iter(seen.get(field, ())), "") for field in (HOST, PATH))
    if seen != wanted(host, path):  # conditions that a reference cannot hold: by its groups alone
        return BindingRef(load_balancer, listener["ListenerArn"], arn, default, name)
    return BindingRef(load_balancer, listener["ListenerArn"], arn, default, name, listener["Port"], host, path)


def binding_name(spec: TrafficSpec) -> str:
    """ "shop-alb:443 host shop.example.com", or "shop-alb:443 default action"."""
    parts = [f"host {spec.rule.host}" if spec.rule.host else "", f"path {spec.rule.path}" if spec.rule.path else ""]
    return f"{spec.load_balancer}:{spec.listener} " + (" ".join(p for p in parts if p) or "default action")
