"""Target groups as things: what AWS accepts when one is made, changed or deleted. Their targets are targets.py's."""

from __future__ import annotations

import re
from typing import Any

from bluegreen.sandbox import moto_seams as moto
from bluegreen.sandbox.calls import AwsError, Call, Operations, Wire, ok
from bluegreen.sandbox.tagging import check_balancing_tags

Params = dict[str, Any]

RANGES = {
    "Port": range(1, 65_536),
    "HealthCheckIntervalSeconds": range(5, 301),
    "HealthCheckTimeoutSeconds": range(2, 121),
    "HealthyThresholdCount": range(2, 11),
    "UnhealthyThresholdCount": range(2, 11),
}
DEFAULTS: Params = {
    "TargetType": "instance",
    "ProtocolVersion": "HTTP1",
    "HealthCheckPort": "traffic-port",
    "HealthCheckPath": "/",
    "HealthCheckEnabled": True,
    "HealthCheckIntervalSeconds": 30,
    "HealthCheckTimeoutSeconds": 5,
    "HealthyThresholdCount": 5,
    "UnhealthyThresholdCount": 2,
    "Matcher": {"HttpCode": "200"},
    "IpAddressType": "ipv4",
}
CODES = range(200, 500)
DELAY = "deregistration_delay.timeout_seconds"
DELAYS = range(3601)
SLOW_STARTS = (0, *range(30, 901))
ATTRIBUTES = re.compile(
    r"deregistration_delay\.(timeout_seconds|connection_termination\.enabled)"
    r"|stickiness\.(enabled|type|lb_cookie\.duration_seconds|app_cookie\.(cookie_name|duration_seconds))"
    r"|load_balancing\.(cross_zone\.enabled|algorithm\.(type|anomaly_mitigation))"
    r"|target_group_health\.(dns_failover|unhealthy_state_routing)\.minimum_healthy_targets\.(count|percentage)"
    r"|target_health_state\.unhealthy\.(connection_termination\.enabled|draining_interval_seconds)"
    r"|slow_start\.duration_seconds|preserve_client_ip\.enabled|proxy_protocol_v2\.enabled"
    r"|lambda\.multi_value_headers\.enabled|waf\.fail_open\.enabled"
)


class TargetGroups:
    def __init__(self, account: str) -> None:
        self._account = account
        self._made: dict[str, Params] = {}  # ARN → what it was asked to be, without tags

    def operations(self) -> Operations:
        return {
            ("elbv2", "CreateTargetGroup"): self._create,
            ("elbv2", "ModifyTargetGroup"): self._modify,
            ("elbv2", "ModifyTargetGroupAttributes"): self._modify_attributes,
            ("elbv2", "DeleteTargetGroup"): self._delete,
            ("elbv2", "AddTags"): self._add_tags,
        }

    def _create(self, call: Call) -> Wire:
        _check_name(str(call.params.get("Name") or ""))
        _check_health(call.params)
        check_balancing_tags(call.params.get("Tags") or ())
        wanted = {**_defaults(call.params), **{key: call.params[key] for key in call.params if key != "Tags"}}
        groups = moto.elbv2(self._account, call.region).target_groups
        for group in groups.values():
            if group.name == wanted["Name"]:
                if self._made.get(group.arn) != wanted:
                    raise AwsError(
                        "DuplicateTargetGroupName",
                        f"A target group with the same name '{group.name}' exists, but with different settings",
                    )
                return call.answer({"TargetGroups": [group]})
        before = set(groups)
        for name in ("HealthyThresholdCount", "HealthCheckTimeoutSeconds", "HealthCheckIntervalSeconds"):
            call.params.setdefault(name, wanted[name])
        wire = call.proceed()
        self._made |= dict.fromkeys(groups.keys() - before, wanted)
        return wire

    def _modify(self, call: Call) -> Wire:
        group = self._group(call)
        now = {
            "HealthCheckIntervalSeconds": group.health_check_interval_seconds,
            "HealthCheckTimeoutSeconds": group.health_check_timeout_seconds,
            "Protocol": group.protocol,
        }
        _check_health({**now, **call.params})
        wire = call.proceed()
        if ok(wire) and group.arn in self._made:
            changed = {name: value for name, value in call.params.items() if name != "TargetGroupArn"}
            self._made[group.arn] = {**self._made[group.arn], **changed}
        return wire

    def _modify_attributes(self, call: Call) -> Wire:
        """All or none. moto refuses the delay of 3600 s, so that one is not shown to it."""
        group = self._group(call)
        wanted = {str(each.get("Key")): str(each.get("Value")) for each in call.params.get("Attributes") or ()}
        for key, value in wanted.items():
            _check_attribute(key, value)
        call.params["Attributes"] = [{"Key": key, "Value": wanted[key]} for key in wanted if key != DELAY]
        wire = call.proceed()
        if not ok(wire):
            return wire
        group.attributes.update(wanted)
        return call.answer({"Attributes": group.attributes})

    def _delete(self, call: Call) -> Wire:
        """One that is not there is deleted: the API names no other error than ResourceInUse."""
        arn = str(call.params.get("TargetGroupArn"))
        if arn not in moto.elbv2(self._account, call.region).target_groups:
            return call.answer({})
        wire = call.proceed()
        if ok(wire):
            self._made.pop(arn, None)
        return wire

    def _add_tags(self, call: Call) -> Wire:
        """moto allows ten tags of a resource."""
        backend = moto.elbv2(self._account, call.region)
        added = {str(tag["Key"]): str(tag.get("Value", "")) for tag in call.params.get("Tags") or ()}
        check_balancing_tags(call.params.get("Tags") or ())
        arns = call.params.get("ResourceArns") or ()
        for arn in arns:
            together = {**moto.balancing_tags(backend, arn), **added}
            check_balancing_tags([{"Key": key, "Value": value} for key, value in together.items()])
        for arn in arns:
            moto.add_balancing_tags(backend, arn, added)
        return call.answer({})

    def _group(self, call: Call) -> Any:
        return find(self._account, call)


def find(account: str, call: Call) -> Any:
    """The target group that the call names."""
    arn = str(call.params.get("TargetGroupArn"))
    group = moto.elbv2(account, call.region).target_groups.get(arn)
    if group is None:
        raise AwsError("TargetGroupNotFound", f"Target groups '{arn}' not found")
    return group


def delay_s(group: Any) -> int:
    return int(group.attributes.get(DELAY, 300))


def _defaults(params: Params) -> Params:
    http = params.get("Protocol") in ("HTTP", "HTTPS")
    if http:
        return {**DEFAULTS, "HealthCheckProtocol": params["Protocol"]}
    names = DEFAULTS.keys() - {"Matcher", "HealthCheckPath", "ProtocolVersion"}
    return {**{name: DEFAULTS[name] for name in names}, "HealthCheckProtocol": "TCP", "HealthCheckTimeoutSeconds": 10}


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= 32:
        raise AwsError("ValidationError", f"Target group name '{name}' cannot be longer than '32' characters")
    if not re.fullmatch(r"[A-Za-z0-9-]+", name):
        raise AwsError(
            "ValidationError",
            f"Target group name '{name}' can only contain characters that are alphanumeric characters and hyphens(-)",
        )
    if name.startswith("-") or name.endswith("-"):
        raise AwsError("ValidationError", f"Target group name '{name}' cannot begin or end with '-'")


def _check_health(params: Params) -> None:
    for name, values in RANGES.items():
        if name in params and int(params[name]) not in values:
            raise AwsError("ValidationError", f"{name} '{params[name]}' must be between {values[0]} and {values[-1]}")
    interval = int(params.get("HealthCheckIntervalSeconds", 30))
    timeout = int(params.get("HealthCheckTimeoutSeconds", 5))
    if params.get("Protocol") in ("HTTP", "HTTPS") and timeout >= interval:
        raise AwsError(
            "ValidationError", f"Health check timeout '{timeout}' must be smaller than the interval '{interval}'"
        )
    path = params.get("HealthCheckPath")
    if path is not None and not re.fullmatch(r"/\S{0,1023}", str(path)):
        raise AwsError("ValidationError", f"Health check path '{path}' must begin with a '/' character")
    matcher = (params.get("Matcher") or {}).get("HttpCode")
    if matcher is not None and not _is_matcher(str(matcher)):
        raise AwsError("ValidationError", f"Health check matcher HTTP code '{matcher}' must be within '200-499'")


def _is_matcher(text: str) -> bool:
    if not re.fullmatch(r"\d{3}(-\d{3})?(,\d{3}(-\d{3})?)*", text):
        return False
    return all(int(code) in CODES for code in re.findall(r"\d{3}", text))


def _check_attribute(key: str, value: str) -> None:
    if not ATTRIBUTES.fullmatch(key):
        raise AwsError("ValidationError", f"Target group attribute key '{key}' is not recognized")
    allowed = {DELAY: DELAYS, "slow_start.duration_seconds": SLOW_STARTS}.get(key)
    if allowed is not None and (not value.isascii() or not value.isdigit() or int(value) not in allowed):
        raise AwsError("ValidationError", f"'{key}' value '{value}' must be {_words(key)}")


def _words(key: str) -> str:
    return "between '0-3600' inclusive" if key == DELAY else "0, or between '30-900' inclusive"
