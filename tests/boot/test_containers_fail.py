"""What containers.py says when it cannot go on: the cause in one line, the evidence, and no secret."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest
from machine import APP, PASSWORD, WEB, Machine, a_stack, pins, with_environment

from bluegreen.core.stack import DependsOn, Stack


def test_a_line_break_in_a_name_that_steers_docker_is_refused(machine: Machine) -> None:
    machine.aws.parameters["/shop/secret-key"] = "tcp://\nx"
    done = machine.boot(a_stack(with_environment(DOCKER_HOST="ssm:/shop/secret-key")))
    assert done.returncode == 1
    assert "failed: app: DOCKER_HOST steers the docker command itself" in done.stdout


def test_pulls_and_logins_are_tried_again(machine: Machine) -> None:
    stack = a_stack()
    machine.change(fail={"login": ["timeout"], f"pull --quiet {pins(stack)['web']}": ["connection reset"] * 4})
    assert machine.boot(stack).returncode == 0
    assert len(machine.calls("login")) == 2
    assert len(machine.calls("pull")) == 6


def test_a_pull_that_goes_on_failing_is_told_with_what_docker_said(machine: Machine) -> None:
    stack = a_stack()
    machine.change(fail={f"pull --quiet {pins(stack)['web']}": ["manifest unknown\x1b[31m"] * 9})
    done = machine.boot(stack)
    assert done.returncode == 1
    assert (
        f"[bluegreen] failed: pull {pins(stack)['web']}: docker pull failed with exit code 1, 5 times\n" in done.stdout
    )
    assert done.stdout.endswith("[bluegreen]   | manifest unknown?[31m\n")
    assert len([call for call in machine.calls("pull") if call[-1] == pins(stack)["web"]]) == 5
    assert machine.calls("run") == []


def test_a_refused_login_is_told_without_the_password(machine: Machine) -> None:
    said = [f"denied: {PASSWORD} {base64.b64encode(PASSWORD.encode()).decode()}"] * 9
    machine.change(fail={"login": said})
    done = machine.boot(a_stack())
    assert "failed: login at registry.example.com: docker login failed" in done.stdout
    assert done.stdout.endswith("  | denied: *** ***\n")


def test_a_secret_that_is_not_there_is_told(machine: Machine) -> None:
    del machine.aws.parameters["/shop/secret-key"]
    done = machine.boot(a_stack())
    assert done.returncode == 1
    assert "failed: ssm:/shop/secret-key: SSM answered 400 ParameterNotFound: none" in done.stdout


def test_a_container_that_cannot_start_is_told(machine: Machine) -> None:
    machine.change(fail={"run": ["port is already allocated"]})
    done = machine.boot(a_stack())
    assert "failed: docker run failed with exit code 1\n" in done.stdout
    assert "  | port is already allocated" in done.stdout


@pytest.mark.parametrize(
    "state",
    [
        {"state": {"Status": "exited", "ExitCode": 127}},
        {"state": {"Status": "restarting", "ExitCode": 127}},
        {"state": {"Status": "running", "ExitCode": 127}, "restarts": 4},
    ],
)
def test_a_container_that_dies_at_once_is_told_with_its_last_words(machine: Machine, state: dict[str, Any]) -> None:
    machine.change(born={"web": {**state, "stdout": "starting", "stderr": "no such file"}})
    done = machine.boot(a_stack())
    assert done.returncode == 1
    assert "failed: web ended with exit code 127" in done.stdout
    assert done.stdout.endswith("  | starting\n[bluegreen]   | no such file\n")


def test_a_job_that_is_done_is_no_failure(machine: Machine) -> None:
    machine.change(born={"web": {"state": {"Status": "exited", "ExitCode": 0}}})
    assert machine.boot(a_stack()).returncode == 0


def _waiting() -> Stack:
    return a_stack(replace(WEB, depends_on=(DependsOn("app", "service_healthy"),)), APP)


def _health(*statuses: str, status: str = "running") -> list[dict[str, Any]]:
    log = [{"Output": "curl: (7) refused"}]
    return [{"Status": status, "ExitCode": 0, "Health": {"Status": one, "Log": log}} for one in statuses]


def test_a_service_waits_until_its_need_is_healthy(machine: Machine) -> None:
    machine.change(born={"app": {"later": _health("starting", "starting", "healthy")}})
    done = machine.boot(_waiting())
    assert done.returncode == 0, done.stdout
    order = [call[:2] for call in machine.calls() if call[0] == "run" or call[1:2] == ["inspect"]]
    first, second = (index for index, call in enumerate(order) if call[0] == "run")
    assert order[first + 1 : second] == [["container", "inspect"]] * 3
    assert "wait until app is healthy, at most 71 s" in done.stdout


@pytest.mark.parametrize(
    ("later", "cause"),
    [
        (_health("starting", "unhealthy"), "app is running and unhealthy after 0 s"),
        (_health("starting", status="exited"), "app is exited and starting after 0 s"),
        ([{"Status": "running", "ExitCode": 0}], "app has no health check"),
    ],
)
def test_a_need_that_will_not_be_healthy_is_told(machine: Machine, later: list[Any], cause: str) -> None:
    machine.change(born={"app": {"later": later, "stdout": "listening on 9999"}})
    done = machine.boot(_waiting())
    assert done.returncode == 1
    assert f"failed: {cause}" in done.stdout
    assert machine.calls("run", "--name=web") == []
    if "Health" in later[0]:
        assert "  | listening on 9999" in done.stdout
        assert "  | curl: (7) refused" in done.stdout


def test_needs_that_go_in_a_circle_start_nothing(machine: Machine) -> None:
    done = machine.boot(a_stack(WEB, replace(APP, depends_on=(DependsOn("web"),))))
    assert "failed: these services wait for each other or for one that is not there: web, app" in done.stdout
    assert machine.calls() == []


@pytest.mark.parametrize(
    ("document", "cause"),
    [
        ("{", "cannot be read"),
        ('{"schema": 2}', "has schema 2; this boot knows 1"),
        ('{"schema": 1}', "unexpected KeyError: 'region'"),
    ],
)
def test_a_document_it_cannot_use_is_told(machine: Machine, document: str, cause: str) -> None:
    done = machine.boot_with(document)
    assert done.returncode == 1
    assert cause in done.stdout
    assert machine.calls() == []


def test_no_docker_is_told(machine: Machine) -> None:
    machine.extra["PATH"] = str(machine.folder)
    done = machine.boot(a_stack(login=None))
    assert done.returncode == 1
    assert "docker pull cannot be started: No such file or directory" in done.stdout
