"""Ctrl-C and SIGTERM at each phase of a real run: exit 130, the old fleet serves, and the command it names works."""

from __future__ import annotations

import re
import signal

import pytest
from program import Ended, Program, Sandbox

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

INT, TERM = signal.SIGINT, signal.SIGTERM


def interrupted(program: Program, at: str, number: signal.Signals) -> Ended:
    program.until(at)
    program.send(number)
    ended = program.end(15)
    assert ended.code == 130, ended
    assert "Traceback" not in ended.err
    return ended


def named(ended: Ended, command: str) -> list[str]:
    """The words of the command that the message names."""
    found = re.search(rf"bluegreen ((?:{command}) \S+)", ended.err)
    assert found, ended.err
    return found[1].split()


@pytest.mark.parametrize(
    ("at", "number"),
    [
        ("resolving images", INT),
        ("make target group", TERM),
        ("launch 2", INT),
        ("running", TERM),
        ("[0-3]/4 healthy", INT),
    ],
)
def test_before_the_switch(sandbox: Sandbox, at: str, number: signal.Signals) -> None:
    assert sandbox.deploy("A").code == 0
    ended = interrupted(sandbox.start(*sandbox.deploy_words("B")), at, number)
    assert sandbox.answers() == {"A"}
    if at != "resolving images" or sandbox.status()["operation"]:  # else nothing was begun
        assert sandbox.status()["operation"]["kind"] == "deploy"
        abort = sandbox.run(*named(ended, "abort"))
        assert abort.code == 0, abort
    found = sandbox.status()
    assert found["well"] and [f["version"] for f in found["fleets"]] == ["A"], found
    assert len(sandbox.client("elbv2").describe_target_groups()["TargetGroups"]) == 1


@pytest.mark.parametrize(("at", "number"), [("switch demo-alb", TERM), ("baking", INT), ("promote", TERM)])
def test_after_the_switch(sandbox: Sandbox, at: str, number: signal.Signals) -> None:
    assert sandbox.deploy("A").code == 0
    ended = interrupted(sandbox.start(*sandbox.deploy_words("B")), at, number)
    assert sandbox.answers() <= {"A", "B"}
    both = [f for f in sandbox.status()["fleets"] if f["healthy"] == 4]
    assert {f["version"] for f in both} == {"A", "B"}, "both fleets keep running"
    back = sandbox.run(*named(ended, "rollback|abort"))
    assert back.code == 0, back
    assert sandbox.answers() == {"A"}


def test_resume_goes_on_to_the_same_end(sandbox: Sandbox) -> None:
    assert sandbox.deploy("A").code == 0
    ended = interrupted(sandbox.start(*sandbox.deploy_words("B")), "[0-3]/4 healthy", TERM)
    resumed = sandbox.run(*named(ended, "resume"))
    assert resumed.code == 0, resumed
    assert sandbox.answers() == {"B"}
    found = sandbox.status()
    assert [(f["role"], f["version"], f["healthy"]) for f in found["fleets"]] == [("live", "B", 4), ("standby", "A", 4)]
    assert found["rollback_ready"] and not found["operation"]


def test_while_the_older_fleet_is_retired(sandbox: Sandbox) -> None:
    for version in ("A", "B"):
        assert sandbox.deploy(version).code == 0
    ended = interrupted(sandbox.start(*sandbox.deploy_words("A")), "finishes its open requests", INT)
    assert sandbox.answers() == {"A"}
    assert sandbox.run(*named(ended, "resume")).code == 0
    assert [f["version"] for f in sandbox.status()["fleets"]] == ["A", "B"]
