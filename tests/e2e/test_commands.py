"""The commands as a user types them: what they print, their exit codes, and what the load balancer answers then."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from program import KEYS, ROOT, Program, Sandbox

pytestmark = pytest.mark.e2e


def test_deploy_again_rollback_and_what_history_tells(sandbox: Sandbox, tmp_path: Path) -> None:
    build = "https://ci.example.com/job/shop/7/"
    first = sandbox.deploy("A", "--output", "json", BUILD_URL=build)
    assert (first.code, first.json["result"]) == (0, "deployed")
    assert sandbox.answers() == {"A"}

    sandbox.forget_calls()
    again = sandbox.deploy("A", "--output", "json")
    assert (again.code, again.json["result"]) == (0, "unchanged"), again
    assert not [call for call in sandbox.calls(service="ec2") if call["operation"].startswith(("Run", "Term"))]

    log = tmp_path / "run.log"
    second = sandbox.deploy("B", "--log-file", str(log))
    assert second.code == 0 and "blue demo-1 (A) stands by" in second.out and "rollback demo" in second.out
    assert "\x1b" not in second.out + second.err, "no colours without a terminal"
    kinds = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert {"step", "event", "wait"} <= {line["event"] for line in kinds} and all("timestamp" in k for k in kinds)
    assert sandbox.answers() == {"B"}

    sandbox.forget_calls()
    back = sandbox.run("rollback", "demo")
    assert back.code == 0 and "A" in back.out
    assert sandbox.answers() == {"A"}
    assert [call["operation"] for call in sandbox.calls() if call["operation"].startswith("Modify")] == ["ModifyRule"]
    assert sandbox.calls(service="ec2") == []

    history = sandbox.run("history", "demo", "--output", "json").json["deployments"]
    assert [(h["kind"], h["result"]) for h in history] == [
        ("rollback", "rolled-back"),
        ("deploy", "deployed"),
        ("deploy", "deployed"),
    ]
    assert build in sandbox.run("history", "demo").out
    assert "switch" in sandbox.run("show", "demo-2").out


def test_a_check_of_the_agent_is_refused_where_instances_have_none(sandbox: Sandbox, tmp_path: Path) -> None:
    demo = (ROOT / "stacks" / "demo.yml").read_text("utf-8")
    file = tmp_path / "agent.yml"
    file.write_text(demo.replace("path: /health", "path: agent"), "utf-8")
    verb, _, *rest = sandbox.deploy_words("A")
    done = sandbox.run(verb, str(file), *rest)
    assert done.code == 5 and "health.path agent needs hosts with an agent" in done.err, done
    assert "sandbox up --mode docker" in done.err
    assert not [call for call in sandbox.calls() if call["operation"].startswith(("Create", "Run"))]


def test_credentials_of_another_account_are_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    verb, demo, *rest = sandbox.deploy_words("A")
    file = tmp_path / "elsewhere.yml"
    file.write_text((ROOT / demo).read_text("utf-8").replace("123456789012", "999999999999"), "utf-8")
    done = sandbox.run(verb, str(file), *rest)
    assert done.code == 5, done
    assert "these credentials are for account 123456789012, but demo lives in 999999999999" in done.err
    assert {call["service"] for call in sandbox.calls()} == {"sts"}


def test_the_broken_version_answers_nothing_and_leaves_nothing(sandbox: Sandbox) -> None:
    assert sandbox.deploy("A").code == 0
    program = sandbox.start(*sandbox.deploy_words("broken"))
    program.until("0/4 healthy")
    while program.process.poll() is None:
        assert sandbox.answers(4) == {"A"}
    ended = program.end()
    assert ended.code == 3 and "500" in ended.err and "bluegreen show demo-2" in ended.err
    found = sandbox.client("ec2").describe_instances(
        Filters=[{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    )
    assert sum(len(r["Instances"]) for r in found["Reservations"]) == 4
    assert len(sandbox.client("elbv2").describe_target_groups()["TargetGroups"]) == 1


def test_a_tag_that_is_not_there_is_refused_before_anything_is_made(sandbox: Sandbox) -> None:
    ended = sandbox.deploy("nope")
    assert ended.code == 5 and "demo/web:nope" in ended.err and "next:" in ended.err
    assert sandbox.client("elbv2").describe_target_groups()["TargetGroups"] == []


def test_a_stack_that_was_never_deployed(sandbox: Sandbox) -> None:
    for command in ("rollback", "status", "resume", "abort", "history"):  # there is no table yet
        ended = sandbox.run(command, "nothing")
        assert ended.code == 5 and re.search("no DynamoDB table|nothing of nothing", ended.err), (command, ended)
    assert sandbox.run("status").code == 0
    assert sandbox.deploy("A").code == 0  # makes the table
    for command in ("rollback", "status", "resume", "abort", "history"):
        ended = sandbox.run(command, "nothing")
        assert ended.code == 5 and "nothing" in ended.err and "Traceback" not in ended.err, (command, ended)


def test_the_sandbox_comes_and_goes(sandbox: Sandbox) -> None:
    twice = sandbox.run("sandbox", "up", "--output", "json")
    assert twice.code == 0 and twice.json["pid"] == sandbox.known["pid"]
    assert sandbox.run("sandbox", "status").code == 0


@pytest.mark.timeout(180)
def test_the_demo_as_json() -> None:
    ended = Program(("demo", "--output", "json"), {**os.environ, **KEYS}).end(150)
    assert ended.code == 0, ended.err
    figures = ended.json
    assert figures["failed"] == 0 and figures["broken_release_requests"] == 0
    assert figures["requests"] >= 5000 and figures["seconds"] < 120
    assert figures["rollback_seconds"] < figures["deploy_seconds"]
    assert {"boot", "switch", "bake"} <= set(figures["phases"]["deploy B"])
    assert set(figures["requests_by_version"]) == {"A", "B"}
