"""The stack's record checked against itself: what the types cannot say. Whoever edits it by hand is told the field, before any
command believes it. Pure; what the controller itself writes is always sound (the simulator holds that at every write)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bluegreen.core.fleet import BindingRef, Fleet, split_deployment
from bluegreen.core.goal import Before, Goal
from bluegreen.core.record import Record

GROUP = re.compile(r"arn:[^:]+:elasticloadbalancing:[^:]*:[^:]*:targetgroup/.+")
RULE = re.compile(r"arn:[^:]+:elasticloadbalancing:[^:]*:[^:]*:listener-rule/.+")
LISTENER = re.compile(r"arn:[^:]+:elasticloadbalancing:[^:]*:[^:]*:listener/.+")
LEASE_S = (1, 3600)
WEIGHTS = (0, 999)
PORTS = (0, 65_535)


def wrong(record: Record, stack: str) -> str:
    """The first field that cannot be so in the record under the key `stack`, and why; "" when all of it is sound."""
    return next(_record(record, stack), "")


def _record(record: Record, stack: str) -> Iterator[str]:
    if record.stack != stack:
        yield f"Record.stack: {record.stack!r}, and the item's key is {stack!r}"
    if record.epoch < 1:
        yield f"Record.epoch: {record.epoch} is less than 1"
    if not LEASE_S[0] <= record.lease_s <= LEASE_S[1]:
        yield f"Record.lease_s: {record.lease_s} is not within {LEASE_S[0]} to {LEASE_S[1]}"
    if record.owner and not record.goal:
        yield "Record.owner: somebody holds the stack, and there is no goal"
    yield from _fleets(record)
    yield from _bindings("Record.bindings", record.bindings)
    if record.goal:
        yield from _goal("Record.goal", record.goal, record)


def _fleets(record: Record) -> Iterator[str]:
    if record.live is None and record.standby is not None:
        yield "Record.live: null, and there is a standby"
    if record.live is not None and not record.bindings:
        yield "Record.bindings: none, and there is a live fleet"
    for name, fleet in (("live", record.live), ("standby", record.standby)):
        if fleet is not None:
            yield from _fleet(f"Record.{name}", fleet, record)
            if len(fleet.groups) != len(record.bindings):
                yield f"Record.{name}.groups: {len(fleet.groups)}, and there are {len(record.bindings)} bindings"
    for number, fleet in enumerate(record.doomed):  # of tags, perhaps: what they say is not ours to judge
        yield from _groups(f"Record.doomed[{number}]", fleet)
    yield from _twice(record)


def _fleet(where: str, fleet: Fleet, record: Record) -> Iterator[str]:
    yield from _deployment(f"{where}.deployment", fleet.deployment, record, lowest=1 if fleet.ours else 0)
    if fleet.count < (1 if fleet.ours else 0):
        yield f"{where}.count: {fleet.count}; a fleet has at least one instance"
    yield from _groups(where, fleet)


def _groups(where: str, fleet: Fleet) -> Iterator[str]:
    for number, arn in enumerate(fleet.groups):
        if not GROUP.fullmatch(arn):
            yield f"{where}.groups[{number}]: {arn!r} is not the ARN of a target group"
    if fleet.ours and len(set(fleet.groups)) != len(fleet.groups):
        yield f"{where}.groups: a target group appears twice"


def _deployment(where: str, deployment: str, record: Record, lowest: int = 1) -> Iterator[str]:
    try:
        stack, epoch = split_deployment(deployment)
    except ValueError as error:
        yield f"{where}: {error}"
        return
    if stack != record.stack:
        yield f"{where}: {deployment} is not a deployment of {record.stack}"
    if not lowest <= epoch <= record.epoch:
        yield f"{where}: {deployment} is not within {lowest} to {record.epoch}, the record's epoch"


def _twice(record: Record) -> Iterator[str]:
    """Live, standby and doomed are different fleets: else what is to be ended would be what serves."""
    fleets = [("live", record.live), ("standby", record.standby)]
    fleets += [(f"doomed[{number}]", fleet) for number, fleet in enumerate(record.doomed)]
    deployments: dict[str, str] = {}
    groups: dict[str, str] = {}
    for name, fleet in fleets:
        for seen, values in ((deployments, {fleet.deployment}), (groups, set(fleet.groups))) if fleet else ():
            for value in sorted(values):
                if value in seen:
                    yield f"Record.{name}: {value} is also in {seen[value]}"
                seen[value] = name


def _bindings(where: str, refs: tuple[BindingRef, ...]) -> Iterator[str]:
    for number, ref in enumerate(refs):
        kind, pattern = ("listener", LISTENER) if ref.default else ("listener rule", RULE)
        if not pattern.fullmatch(ref.arn):
            yield f"{where}[{number}].arn: {ref.arn!r} is not the ARN of a {kind}"
        if not PORTS[0] <= ref.port <= PORTS[1]:
            yield f"{where}[{number}].port: {ref.port} is not within {PORTS[0]} to {PORTS[1]}"
    if len({ref.arn for ref in refs}) != len(refs):
        yield f"{where}: a rule or listener appears twice"


def _goal(where: str, goal: Goal, record: Record) -> Iterator[str]:
    if goal.stack != record.stack:
        yield f"{where}.stack: {goal.stack!r}, and the record's is {record.stack!r}"
    yield from _deployment(f"{where}.deployment", goal.deployment, record)
    yield from _bindings(f"{where}.before", goal.bindings)
    for number, before in enumerate(goal.before):
        yield from _before(f"{where}.before[{number}]", before)
    for name, fleet in (("live", goal.live), ("standby", goal.standby)):
        if fleet is not None:
            yield from _fleet(f"{where}.{name}", fleet, record)
    if goal.kind == "deploy":
        yield from _deploy(where, goal)
    if goal.kind == "heal":
        yield from _heal(where, goal)
    if goal.stopped:
        yield from _goal(f"{where}.stopped", goal.stopped, record)


def _before(where: str, before: Before) -> Iterator[str]:
    for arn, weight in before.weights or ():
        if not GROUP.fullmatch(arn):
            yield f"{where}.weights: {arn!r} is not the ARN of a target group"
        if not WEIGHTS[0] <= weight <= WEIGHTS[1]:
            yield f"{where}.weights: {weight} is not within {WEIGHTS[0]} to {WEIGHTS[1]}"


def _deploy(where: str, goal: Goal) -> Iterator[str]:
    if goal.fleet is None or goal.launch is None:
        yield f"{where}: a deploy without {'fleet' if goal.fleet is None else 'launch'}"
        return
    if goal.fleet.deployment != goal.deployment:
        yield f"{where}.fleet.deployment: {goal.fleet.deployment}, and the goal's is {goal.deployment}"
    if goal.fleet.count != goal.wanted:
        yield f"{where}.fleet.count: {goal.fleet.count}, and {goal.wanted} are to be launched"
    if len(goal.groups) != len(goal.before):
        yield f"{where}.groups: {len(goal.groups)}, and there are {len(goal.before)} bindings"


def _heal(where: str, goal: Goal) -> Iterator[str]:
    resting = goal.stopped.fleet if goal.stopped else None
    healed = {fleet.deployment for fleet in (goal.live, goal.standby, resting) if fleet}
    if goal.fleet is None or goal.fleet.deployment not in healed:
        yield f"{where}.fleet: a heal of neither the live, the standby nor an unfinished fleet"
