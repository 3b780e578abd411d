"""status tells what is, not what was written down: somebody else changes AWS, and the next look says so."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from program import Sandbox

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def eventually(sandbox: Sandbox, right: Callable[[Any], bool], within_s: float = 30) -> Any:
    end = time.monotonic() + within_s
    while not right(found := sandbox.status()):
        assert time.monotonic() < end, found
        time.sleep(0.5)
    return found


def fleet(found: Any, role: str) -> Any:
    return next(f for f in found["fleets"] if f["role"] == role)


def test_foreign_weights_a_dead_instance_and_a_standby_that_is_gone(sandbox: Sandbox) -> None:
    for version in ("A", "B"):
        assert sandbox.deploy(version).code == 0
    found = sandbox.status()
    assert found["well"] and found["rollback_ready"] and found["drift"] == []
    live, standby = fleet(found, "live"), fleet(found, "standby")

    elbv2 = sandbox.client("elbv2")
    rule = sandbox.rule()
    forward = rule["Actions"][0]["ForwardConfig"]
    mine = [dict(group) for group in forward["TargetGroups"]]
    theirs = [{**group, "Weight": 50} for group in mine]

    def put(groups: list[dict[str, Any]]) -> None:
        actions = [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]
        elbv2.modify_rule(RuleArn=rule["RuleArn"], Actions=actions)

    put(theirs)
    found = sandbox.status()
    assert not found["well"] and found["drift"] and {f["weight"] for f in found["fleets"]} == {50}
    text = sandbox.run("status", "demo").out
    assert "drift:" in text and "weight  50" in text
    refused = sandbox.deploy("A", "--yes")
    assert refused.code == 5 and "demo-alb" in refused.err, refused
    assert {f["weight"] for f in sandbox.status()["fleets"]} == {50}, "a refused deploy changes nothing"
    put(mine)
    assert sandbox.status()["well"]

    ec2 = sandbox.client("ec2")
    victim = live["targets"][0]["id"]
    ec2.terminate_instances(InstanceIds=[victim])
    found = eventually(sandbox, lambda now: fleet(now, "live")["healthy"] == 3)
    assert not found["well"] and found["rollback_ready"]
    assert "3/4 healthy" in sandbox.run("status", "demo").out

    ec2.terminate_instances(InstanceIds=[t["id"] for t in standby["targets"]])
    found = eventually(sandbox, lambda now: fleet(now, "standby")["healthy"] == 0)
    assert not found["rollback_ready"] and found["rollback_not_ready_because"]
    assert "rollback ready: no" in sandbox.run("status", "demo").out
    refused = sandbox.run("rollback", "demo")
    assert refused.code == 5, refused
    assert sandbox.answers() == {"B"}
