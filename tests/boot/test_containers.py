"""What containers.py does on a machine: in order, once, without a word of any secret.

It runs as on a host, as a program of its own; the engine is a fake that writes down every request.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from machine import APP, PASSWORD, SECRET, WEB, Machine, a_stack, pins

from bluegreen.boot import templates
from bluegreen.boot.shrink import shrink
from bluegreen.core.stack import ContainerHealth, Port, Registry, Service, Ulimit


def test_a_bare_engine_gets_every_container_in_the_order_of_needs(machine: Machine) -> None:
    done = machine.boot(a_stack(WEB, APP))
    assert done.returncode == 0, done.stdout
    assert list(machine.engine.containers) == ["app", "web"]
    assert machine.engine.networks == ["bluegreen"]
    assert machine.console.splitlines()[-1].endswith(" ready app web")
    phases = [line.split()[2] for line in machine.console.splitlines()]
    for earlier, later in [("login", "pull"), ("pulled", "network"), ("network", "run"), ("run", "ready")]:
        assert phases.index(earlier) < phases.index(later)


def test_every_setting_reaches_docker(machine: Machine) -> None:
    service = Service(
        "app",
        "registry.example.com/shop/app:1",
        command=("--serve", "a b", ""),
        entrypoint=("/bin/tool", "-x"),
        environment=(("A", "1"),),
        ports=(Port(8080, 8000), Port(8081, 8000), Port(53, 5353, "udp")),
        healthcheck=ContainerHealth(("CMD", "curl", "-f", "a b"), 2.0, 1.5, 3, 0.25),
        restart="on-failure:3",
        user="1000:1000",
        working_dir="/srv/a b",
        init=True,
        read_only=True,
        stop_grace_period_s=2.5,
        ulimits=(Ulimit("nofile", 1024, 2048),),
    )
    stack = a_stack(service)
    assert machine.boot(stack).returncode == 0
    body = machine.engine.created("app")
    labels = body.pop("Labels")
    assert labels["bluegreen.stack"] == "shop" and len(labels["bluegreen.config"]) == 64 and len(labels) == 2
    second = 1_000_000_000
    assert body == {
        "Image": pins(stack)["app"],
        "Cmd": ["--serve", "a b", ""],
        "Entrypoint": ["/bin/tool", "-x"],
        "Env": ["A=1"],
        "User": "1000:1000",
        "WorkingDir": "/srv/a b",
        "StopTimeout": 3,
        "ExposedPorts": {"8000/tcp": {}, "5353/udp": {}},
        "Healthcheck": {
            "Test": ["CMD", "curl", "-f", "a b"],
            "Interval": 2 * second,
            "Timeout": 3 * second // 2,
            "Retries": 3,
            "StartPeriod": second // 4,
        },
        "HostConfig": {
            "NetworkMode": "bluegreen",
            "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
            "PortBindings": {
                "8000/tcp": [{"HostPort": "8080"}, {"HostPort": "8081"}],
                "5353/udp": [{"HostPort": "53"}],
            },
            "Init": True,
            "ReadonlyRootfs": True,
            "Ulimits": [{"Name": "nofile", "Soft": 1024, "Hard": 2048}],
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
        },
    }


def test_what_the_stack_leaves_open_is_the_images_own(machine: Machine) -> None:
    assert machine.boot(a_stack(Service("app", "registry.example.com/shop/app:1"))).returncode == 0
    body = machine.engine.created("app")
    assert not {"Cmd", "Entrypoint", "User", "WorkingDir", "Healthcheck"} & set(body)
    assert body["HostConfig"]["RestartPolicy"] == {"Name": "unless-stopped", "MaximumRetryCount": 0}


def test_a_check_can_be_taken_away_and_an_entry_point_too(machine: Machine) -> None:
    machine.boot(a_stack(APP._replace(healthcheck=ContainerHealth(("NONE",)), entrypoint=())))
    body = machine.engine.created("app")
    assert body["Healthcheck"]["Test"] == ["NONE"]
    assert body["Entrypoint"] == [""]


def test_an_engine_with_its_own_logging_keeps_it(machine: Machine) -> None:
    machine.engine.driver = "journald"
    machine.boot(a_stack())
    assert machine.engine.created("web")["HostConfig"]["LogConfig"] == {"Type": "journald"}


HOSTILE = {
    "QUOTES": 'it\'s "quoted" \\ and `ticked` $(touch /tmp/x) ${HOME} $HOME {{ jinja }} {% raw %} %(x)s',
    "EDGES": "  spaces and tabs\t ",
    "UNICODE": "żółć 🚀 \u2028 \u0085 \ufeff",
    "HASH": "#not a comment",
    "EQUALS": "a=b=c",
    "DASHES": "--privileged",
    "EMPTY": "",
    "LINES": "one\ntwo\r\nthree\rfour\n",
    "LONG": "x" * 8192,
    "PATH": "/app/bin",
    "DOCKER_HOST": "tcp://elsewhere:2375",
    "LD_PRELOAD": "/app/lib.so",
    "-leading": "dash",
    "żółć": "name",
}


def test_hostile_values_arrive_byte_for_byte(machine: Machine) -> None:
    done = machine.boot(a_stack(APP._replace(environment=tuple(HOSTILE.items()))))
    assert done.returncode == 0, done.stdout
    assert machine.engine.created("app")["Env"] == [f"{name}={value}" for name, value in HOSTILE.items()]


def test_no_secret_is_on_the_console_or_on_a_disk(machine: Machine) -> None:
    machine.engine.born = {"app": {"State": {"Status": "exited", "ExitCode": 3}, "stderr": f"bad key {SECRET} end"}}
    done = machine.boot(a_stack())
    assert done.returncode == 1
    assert "  | bad key *** end" in done.stdout
    assert f"SECRET_KEY={SECRET}" in machine.engine.created("app")["Env"]
    written = [path.read_text() for path in machine.folder.rglob("*") if path.is_file()]
    for secret in (PASSWORD, SECRET, "MIIEsecret", json.dumps(PASSWORD)[1:-1]):
        assert not [text for text in [*written, done.stdout] if secret in text]


def test_the_password_goes_to_the_engine_alone(machine: Machine) -> None:
    machine.boot(a_stack())
    login = {"username": "deploy", "password": PASSWORD, "serveraddress": "registry.example.com"}
    assert machine.engine.logins == [login] * 3  # asked for once, and with each pull
    assert (machine.folder / "run").stat().st_mode & 0o777 == 0o700


def test_the_role_logs_in_at_ecr_by_itself(machine: Machine) -> None:
    host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
    stack = a_stack(login=None)
    done = machine.boot(stack._replace(registry=Registry(host, ecr=True)))
    assert done.returncode == 0, done.stdout
    assert f" login {host} as AWS" in done.stdout
    assert machine.engine.logins[0] == {"username": "AWS", "password": "ecr-password", "serveraddress": host}
    assert "ecr-password" not in done.stdout


def test_what_the_machine_is_stands_where_the_agent_reads_it(machine: Machine) -> None:
    machine.boot(a_stack())
    about = json.loads((machine.folder / "run" / "about.json").read_text())
    assert about == {"stack": "shop", "instance": "i-0abc", "colour": "blue", "release": "0123456789ab"}
    assert (machine.folder / "run" / "boot.log").read_text() == machine.console


def test_the_authority_of_a_private_registry_is_where_docker_looks_before_the_login(machine: Machine) -> None:
    stack = a_stack()
    pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    done = machine.boot(stack._replace(registry=stack.registry._replace(ca=pem)))
    assert (machine.folder / "certs.d" / "registry.example.com" / "ca.crt").read_text() == pem
    assert done.stdout.index(" trust registry.example.com") < done.stdout.index(" login registry.example.com")


def test_without_an_authority_none_is_written(machine: Machine) -> None:
    machine.boot(a_stack())
    assert not (machine.folder / "certs.d").exists()


def test_an_open_registry_needs_no_login_and_no_role(machine: Machine) -> None:
    assert machine.boot(a_stack(WEB, APP._replace(environment=()), login=None)).returncode == 0
    assert machine.engine.logins == [{}, {}]
    assert not [path for path in machine.aws.log if "security-credentials" in path]


def test_a_second_run_changes_nothing_and_needs_neither_registry_nor_aws(machine: Machine) -> None:
    machine.boot(a_stack())
    before = json.dumps(machine.engine.containers)
    machine.engine.requests.clear()
    machine.extra["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = "http://127.0.0.1:1"
    done = machine.boot(a_stack())
    assert done.returncode == 0
    assert json.dumps(machine.engine.containers) == before
    assert not [request for request in machine.engine.requests if request[0] != "GET"]
    assert "keep app" in done.stdout


@pytest.mark.parametrize("state", ["exited", "created"])
def test_a_container_that_was_stopped_or_never_started_is_woken(machine: Machine, state: str) -> None:
    """The boot may have ended between its making and its start."""
    machine.boot(a_stack())
    machine.engine.containers["app"]["State"]["Status"] = state
    machine.engine.requests.clear()
    assert machine.boot(a_stack()).returncode == 0
    assert machine.engine.asked("^(POST|DELETE)") == ["POST /containers/app/start"]


@pytest.mark.parametrize(
    ("state", "stopped"), [("dead", False), ("removing", False), ("restarting", True), ("paused", True)]
)
def test_a_container_that_cannot_be_woken_is_made_anew(machine: Machine, state: str, stopped: bool) -> None:
    machine.boot(a_stack())
    machine.engine.containers["app"]["State"]["Status"] = state
    machine.engine.requests.clear()
    assert machine.boot(a_stack(WEB, APP._replace(init=True))).returncode == 0
    stop = ["POST /containers/app/stop"] if stopped else []
    made = ["DELETE /containers/app", "POST /containers/create", "POST /containers/app/start"]
    assert machine.engine.asked("^(POST|DELETE) /containers") == [*stop, *made]


@pytest.mark.parametrize(
    "change", [{"environment": (("WORKERS", "9"),)}, {"image": "registry.example.com/shop/app:2"}, {"init": True}]
)
def test_a_container_with_other_settings_is_replaced_and_no_other(machine: Machine, change: dict[str, Any]) -> None:
    machine.boot(a_stack())
    machine.engine.requests.clear()
    assert machine.boot(a_stack(WEB, APP._replace(**change))).returncode == 0
    assert machine.engine.asked("(POST|DELETE) /containers") == [
        "POST /containers/app/stop",
        "DELETE /containers/app",
        "POST /containers/create",
        "POST /containers/app/start",
    ]


def test_a_foreign_container_of_the_name_is_replaced(machine: Machine) -> None:
    for name in ("app", "other"):
        machine.engine.containers[name] = {"body": {}, "State": {"Status": "created", "ExitCode": 0}, "RestartCount": 0}
    assert machine.boot(a_stack()).returncode == 0
    assert set(machine.engine.containers) == {"app", "other", "web"}
    assert machine.engine.asked("DELETE|stop") == ["DELETE /containers/app"]


def test_lines_are_of_one_shape(machine: Machine) -> None:
    machine.boot(a_stack())
    for line in machine.console.splitlines():
        mark, seconds, _ = line.split(" ", 2)
        assert mark == "[bluegreen]"
        assert 0 <= float(seconds) < 60


def test_a_console_that_cannot_be_written_is_no_reason_to_stop(machine: Machine) -> None:
    machine.extra["BLUEGREEN_CONSOLE"] = "/nowhere/console"
    assert machine.boot(a_stack()).returncode == 0


def test_the_programs_as_they_are_sent_do_the_same(machine: Machine) -> None:
    sent = machine.folder / "sent"
    sent.mkdir()
    for name in templates.MODULES:
        (sent / name).write_text(shrink(templates.text(name)), "utf-8")
    assert machine.boot(a_stack(), sent).returncode == 0
    assert list(machine.engine.containers) == ["app", "web"]
