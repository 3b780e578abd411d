"""What containers.py says when it cannot go on: the cause in one line, the evidence, and no secret."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from machine import APP, PASSWORD, WEB, Machine, a_stack, pins

from bluegreen.core.stack import DependsOn, Logging, Stack

REFUSED = "connection refused"


def digest(stack: Stack, service: str) -> str:
    return pins(stack)[service].partition("@")[2]


def test_what_may_pass_is_tried_again(machine: Machine) -> None:
    stack = a_stack()
    refused = f'Get "https://registry.example.com/v2/": dial tcp: connect: {REFUSED}'
    machine.engine.fail = {"POST /auth": [refused], f"POST /images/create@{digest(stack, 'web')}": [refused] * 4}
    assert machine.boot(stack).returncode == 0
    assert len(machine.engine.asked("POST /auth")) == 2
    assert len(machine.engine.asked("POST /images/create")) == 6


def test_what_goes_on_failing_has_an_end_and_is_told_with_what_docker_said(machine: Machine) -> None:
    stack = a_stack()
    machine.engine.fail = {f"POST /images/create@{digest(stack, 'web')}": [f"dial tcp\x1b[31m: {REFUSED}"] * 99}
    done = machine.boot(stack)
    assert done.returncode == 1
    assert "[bluegreen] failed: registry.example.com: connection refused\n" in done.stdout
    assert done.stdout.endswith(f"[bluegreen]   | dial tcp?[31m: {REFUSED}\n")
    assert len(machine.engine.asked(f"POST /images/create@{digest(stack, 'web')}")) == 7
    assert not machine.engine.asked("POST /containers")


def test_a_registry_that_is_silent_is_asked_only_twice_because_each_time_takes_half_a_minute(machine: Machine) -> None:
    said = 'Get "https://registry.example.com/v2/": net/http: request canceled (Client.Timeout exceeded)'
    machine.engine.fail = {"POST /auth": [said] * 9}
    done = machine.boot(a_stack())
    assert "[bluegreen] failed: registry.example.com: does not answer\n" in done.stdout
    assert len(machine.engine.asked("POST /auth")) == 2


def test_a_wrong_password_is_told_at_once_by_where_it_stands(machine: Machine) -> None:
    said = (
        f"Get https://registry.example.com/v2/: unauthorized: {PASSWORD} {base64.b64encode(PASSWORD.encode()).decode()}"
    )
    machine.engine.fail = {"POST /auth": [said] * 9}
    done = machine.boot(a_stack())
    assert "failed: registry.example.com: 401 unauthorized (wrong password in ssm:/shop/registry?)\n" in done.stdout
    assert done.stdout.endswith("unauthorized: *** ***\n")
    assert len(machine.engine.asked("POST /auth")) == 1


def test_a_secret_that_is_not_there_is_told(machine: Machine) -> None:
    del machine.aws.parameters["/shop/secret-key"]
    done = machine.boot(a_stack())
    assert done.returncode == 1
    assert "failed: ssm:/shop/secret-key: ssm answered 400 ParameterNotFound: none" in done.stdout


def test_a_container_that_cannot_start_is_told(machine: Machine) -> None:
    machine.engine.fail = {"POST /containers/web/start": ["Bind for 0.0.0.0:80 failed: port is already allocated"]}
    done = machine.boot(a_stack())
    assert "failed: web: port 80 of this machine is taken\n" in done.stdout
    assert "  | Bind for 0.0.0.0:80 failed: port is already allocated" in done.stdout


@pytest.mark.parametrize(
    "state",
    [
        {"State": {"Status": "exited", "ExitCode": 127}},
        {"State": {"Status": "restarting", "ExitCode": 127}},
        {"State": {"Status": "running", "ExitCode": 127}, "RestartCount": 4},
    ],
)
def test_a_container_that_dies_at_once_is_told_with_its_last_words(machine: Machine, state: dict[str, Any]) -> None:
    machine.engine.born = {"web": {**state, "stdout": "starting\n", "stderr": "no such file\n"}}
    done = machine.boot(a_stack())
    assert done.returncode == 1
    assert "failed: web: ended with exit code 127" in done.stdout
    assert done.stdout.endswith("  | starting\n[bluegreen]   | no such file\n")


def test_the_exit_code_is_waited_for_when_docker_has_just_started_it_again(machine: Machine) -> None:
    states = [{"Status": "running", "ExitCode": 0}, {"Status": "running", "ExitCode": 0}]
    ended = [{"Status": "restarting", "ExitCode": 3}]
    machine.engine.born = {"web": {"RestartCount": 2, "later": states + ended}}
    assert "failed: web: ended with exit code 3 (2 restarts)\n" in machine.boot(a_stack()).stdout


def test_a_container_that_was_started_again_is_looked_at_for_longer(machine: Machine) -> None:
    states = [{"Status": "running", "ExitCode": 0}] * 5
    machine.engine.born = {"web": {"RestartCount": 1, "later": [*states, {"Status": "restarting", "ExitCode": 3}]}}
    assert "failed: web: ended with exit code 3 (1 restarts)\n" in machine.boot(a_stack()).stdout


def test_a_container_that_stays_after_one_restart_is_no_failure(machine: Machine) -> None:
    machine.engine.born = {"web": {"State": {"Status": "running", "ExitCode": 0}, "RestartCount": 1}}
    assert machine.boot(a_stack()).returncode == 0


def test_a_program_for_another_machine_is_told(machine: Machine) -> None:
    words = {"stderr": "exec /bin/web: exec format error\n"}
    machine.engine.born = {"web": {"State": {"Status": "exited", "ExitCode": 1}, **words}}
    assert "failed: web: its program is made for another architecture\n" in machine.boot(a_stack()).stdout


def test_a_job_that_is_done_is_no_failure(machine: Machine) -> None:
    machine.engine.born = {"web": {"State": {"Status": "exited", "ExitCode": 0}}}
    assert machine.boot(a_stack()).returncode == 0


def _waiting() -> Stack:
    return a_stack(WEB._replace(depends_on=(DependsOn("app", "service_healthy"),)), APP)


def _health(*statuses: str, status: str = "running") -> list[dict[str, Any]]:
    log = [{"Output": "curl: (7) refused"}]
    return [{"Status": status, "ExitCode": 0, "Health": {"Status": one, "Log": log}} for one in statuses]


def test_a_service_waits_until_its_need_is_healthy(machine: Machine) -> None:
    machine.engine.born = {"app": {"later": _health("starting", "starting", "healthy")}}
    done = machine.boot(_waiting())
    assert done.returncode == 0, done.stdout
    order = machine.engine.asked("POST /containers/create|GET /containers/app/json")
    assert order[:5] == ["POST /containers/create", *["GET /containers/app/json"] * 3, "POST /containers/create"]
    assert "wait until app is healthy, at most 71 s" in done.stdout


@pytest.mark.parametrize(
    ("later", "cause"),
    [
        (_health("starting", "unhealthy"), "app is unhealthy after 0 s"),
        (_health("starting", status="exited"), "app is exited after 0 s"),
        (_health("starting", status="dead"), "app is dead after 0 s"),
        ([{"Status": "running", "ExitCode": 0}], "app has no health check"),
    ],
)
def test_a_need_that_will_not_be_healthy_is_told(machine: Machine, later: list[Any], cause: str) -> None:
    machine.engine.born = {"app": {"later": later, "stdout": "listening on 9999"}}
    done = machine.boot(_waiting())
    assert done.returncode == 1
    assert f"failed: {cause}" in done.stdout
    assert "web" not in machine.engine.containers
    if "no health check" not in cause:
        assert "  | listening on 9999" in done.stdout
        assert "  | curl: (7) refused" in done.stdout


def test_needs_that_go_in_a_circle_start_nothing(machine: Machine) -> None:
    done = machine.boot(a_stack(WEB, APP._replace(depends_on=(DependsOn("web"),))))
    assert "failed: these services wait for each other or for one that is not there: web, app" in done.stdout
    assert machine.engine.requests == []


@pytest.mark.parametrize(
    ("document", "cause"),
    [
        ("{", "cannot be read"),
        ('{"schema": 1}', "has schema 1; this boot knows 2"),
        ('{"schema": 2}', "unexpected KeyError: 'region'"),
    ],
)
def test_a_document_it_cannot_use_is_told(machine: Machine, document: str, cause: str) -> None:
    done = machine.boot_with(document)
    assert done.returncode == 1
    assert cause in done.stdout
    assert machine.engine.requests == []


def test_an_engine_that_goes_away_is_told(machine: Machine) -> None:
    machine.engine.fail = {"GET /networks": ["shutting down"]}
    done = machine.boot(a_stack(login=None))
    assert done.returncode == 1
    assert "failed: the Docker engine answered 500\n" in done.stdout
    assert "  | shutting down" in done.stdout


AWAY = "failed to create task for container: failed to initialize logging driver: dial tcp: connection refused"
LOGGED = Logging("awslogs", (("awslogs-group", "shop"),))


def test_a_container_whose_log_server_is_away_is_made_anew_and_keeps_its_log(machine: Machine) -> None:
    """Docker has made it by then: it has to go before the name is free."""
    machine.engine.fail = {"POST /containers/app/start": [AWAY]}
    done = machine.boot(a_stack()._replace(logging=LOGGED))
    assert done.returncode == 0, done.stdout
    assert "its log stays here, in json-file" in done.stdout
    assert machine.engine.asked("(POST|DELETE) /containers/(create|app)")[:5] == [
        "POST /containers/create",
        "POST /containers/app/start",
        "DELETE /containers/app",
        "POST /containers/create",
        "POST /containers/app/start",
    ]
    kinds = {name: machine.engine.created(name)["HostConfig"]["LogConfig"]["Type"] for name in ("app", "web")}
    assert kinds == {"app": "json-file", "web": "awslogs"}


def test_a_stopped_container_whose_log_server_is_away_is_made_anew(machine: Machine) -> None:
    stack = a_stack()._replace(logging=LOGGED)
    machine.boot(stack)
    machine.engine.containers["app"]["State"]["Status"] = "exited"
    machine.engine.requests.clear()
    machine.engine.fail = {"POST /containers/app/start": [AWAY, AWAY]}
    assert machine.boot(stack).returncode == 0
    assert machine.engine.asked("DELETE") == ["DELETE /containers/app"] * 2
    assert machine.engine.created("app")["HostConfig"]["LogConfig"]["Type"] == "json-file"


def test_any_other_error_of_a_start_ends_the_boot(machine: Machine) -> None:
    machine.engine.fail = {"POST /containers/app/start": ["driver failed programming external connectivity"]}
    done = machine.boot(a_stack()._replace(logging=LOGGED))
    assert done.returncode == 1 and not machine.engine.asked("DELETE")
