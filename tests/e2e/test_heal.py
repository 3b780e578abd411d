"""Somebody terminates instances of the live and the standby fleet; heal brings both back, and a rollback is ready again."""

from __future__ import annotations

import pytest
from program import Sandbox
from test_truth import eventually, fleet

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


def test_killed_instances_are_replaced_and_a_rollback_is_ready_again(sandbox: Sandbox) -> None:
    for version in ("A", "B"):
        assert sandbox.deploy(version).code == 0
    found = sandbox.status()
    victims = [fleet(found, role)["targets"][0]["id"] for role in ("live", "standby")]
    sandbox.client("ec2").terminate_instances(InstanceIds=victims)
    found = eventually(sandbox, lambda now: [f["lost"] for f in now["fleets"]] == [1, 1])
    assert "next: bluegreen heal demo" in sandbox.run("status", "demo").out

    sandbox.forget_calls()
    healed = sandbox.run("heal", "demo", "--output", "json")
    assert (healed.code, healed.json["result"]) == (0, "healed"), healed
    called = {call["operation"] for call in sandbox.calls()}
    assert "RunInstances" in called and not called & {"ModifyRule", "DeregisterTargets", "TerminateInstances"}
    found = sandbox.status()
    assert found["well"] and found["rollback_ready"]
    assert [(f["healthy"], f["lost"]) for f in found["fleets"]] == [(4, 0), (4, 0)]
    assert not set(victims) & {t["id"] for f in found["fleets"] for t in f["targets"] if t["state"] == "healthy"}
    assert sandbox.answers() == {"B"}

    again = sandbox.run("heal", "demo", "--output", "json")
    assert (again.code, again.json["result"]) == (0, "unchanged")
    assert sandbox.run("rollback", "demo").code == 0
    assert sandbox.answers() == {"A"}
    shown = sandbox.run("show", "demo-3")
    assert shown.code == 0 and "heal" in shown.out and "Launched" in shown.out
