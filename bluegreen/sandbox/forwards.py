"""What AWS accepts as the actions of a listener or a rule, and how it reads them back. Pure: plain dicts in, dicts out.

An action is a dict as the API has it. A forward is kept in its long form (ForwardConfig) always; with one group it
carries the short one (TargetGroupArn) too, as AWS shows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bluegreen.sandbox.calls import AwsError

Action = dict[str, Any]

GROUPS_AT_MOST = 5
WEIGHTS = range(1000)
STICKY_S = range(1, 604_801)
PROTOCOLS = {"application": ("HTTP", "HTTPS"), "network": ("TCP", "UDP", "TCP_UDP", "TLS", "QUIC", "TCP_QUIC")}


@dataclass(frozen=True, slots=True)
class Known:
    """What a check needs to know of one target group. `balancers` are the load balancers whose rules name it."""

    vpc: str
    protocol: str
    balancers: frozenset[str]


def weights(action: Action) -> tuple[tuple[str, int], ...]:
    """(target group ARN, weight) of a forward; empty for other actions."""
    if action.get("Type") != "forward":
        return ()
    tuples = (action.get("ForwardConfig") or {}).get("TargetGroups") or ()
    if not tuples and action.get("TargetGroupArn"):
        return ((str(action["TargetGroupArn"]), 1),)
    return tuple((str(each["TargetGroupArn"]), int(each.get("Weight", 1))) for each in tuples)


def groups_in(actions: Sequence[Action]) -> set[str]:
    return {arn for action in actions for arn, _ in weights(action)}


def as_read_back(action: Action) -> Action:
    if action.get("Type") != "forward":
        return action
    config = action.get("ForwardConfig") or {}
    pairs = weights(action)
    plain = {name: value for name, value in action.items() if name not in ("TargetGroupArn", "ForwardConfig")}
    if len(pairs) == 1:
        plain["TargetGroupArn"] = pairs[0][0]
    plain["ForwardConfig"] = {
        "TargetGroups": [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in pairs],
        "TargetGroupStickinessConfig": config.get("TargetGroupStickinessConfig") or {"Enabled": False},
    }
    return plain


def check(actions: Sequence[Action], balancer: str, vpc: str, kind: str, groups: Mapping[str, Known]) -> None:
    """For a listener of `balancer`, which is of `kind` (application, network) and in `vpc`. Raises AwsError."""
    last = [action for action in actions if action.get("Type") in ("forward", "fixed-response", "redirect")]
    if len(last) != 1:
        raise AwsError(
            "InvalidLoadBalancerAction", "Exactly one of forward, fixed-response and redirect must be specified"
        )
    if last[0].get("Type") != "forward":
        return
    _check_shape(last[0])
    for arn, _ in weights(last[0]):
        _check_group(arn, balancer, vpc, kind, groups)


def _check_shape(action: Action) -> None:
    config = action.get("ForwardConfig") or {}
    tuples = config.get("TargetGroups") or ()
    short = action.get("TargetGroupArn")
    arns = [each.get("TargetGroupArn") for each in tuples]
    if not tuples and not short:
        raise AwsError("ValidationError", "A target group ARN must be specified")
    if short and tuples and arns != [short]:
        raise AwsError("ValidationError", "TargetGroupArn and ForwardConfig name different target groups")
    if len(arns) > GROUPS_AT_MOST:
        raise AwsError(
            "TooManyTargetGroups", f"A forward action may name at most {GROUPS_AT_MOST} target groups; got {len(arns)}"
        )
    if len(set(arns)) < len(arns):
        raise AwsError("ValidationError", "A target group is specified more than once in the forward action")
    single = len(tuples) == 1
    if any(each.get("Weight", 1 if single else -1) not in WEIGHTS for each in tuples):
        raise AwsError("ValidationError", "The weight for each target group must be between 0 and 999, inclusive")
    sticky = config.get("TargetGroupStickinessConfig") or {}
    if sticky.get("Enabled") and sticky.get("DurationSeconds") not in STICKY_S:
        raise AwsError("ValidationError", "The stickiness duration must be between 1 and 604800 seconds")


def _check_group(arn: str, balancer: str, vpc: str, kind: str, groups: Mapping[str, Known]) -> None:
    known = groups.get(arn)
    if known is None:
        raise AwsError("TargetGroupNotFound", f"Target groups '{arn}' not found")
    if known.protocol not in PROTOCOLS.get(kind, ()):
        raise AwsError(
            "IncompatibleProtocols", f"The protocol {known.protocol} of '{arn}' does not fit the {kind} load balancer"
        )
    if known.vpc != vpc:
        raise AwsError("InvalidConfigurationRequest", f"'{arn}' and the load balancer are in different VPCs")
    if known.balancers - {balancer}:
        raise AwsError(
            "TargetGroupAssociationLimit",
            f"Target group '{arn}' cannot be associated with more than one load balancer",
        )
