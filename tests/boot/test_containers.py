"""What containers.py does on a machine: in order, once, without a word of any secret.

It runs as on a host, as a program of its own; `docker` is a fake that writes down every call.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from machine import APP, PASSWORD, SECRET, WEB, Machine, a_stack, pins

from bluegreen.boot import templates
from bluegreen.boot.shrink import shrink
from bluegreen.core.stack import ContainerHealth, Port, Service


def test_a_bare_engine_gets_every_container_in_the_order_of_needs(machine: Machine) -> None:
    done = machine.boot(a_stack(WEB, APP))
    assert done.returncode == 0, done.stdout
    assert list(machine.world["containers"]) == ["app", "web"]
    assert machine.world["networks"] == ["bluegreen"]
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
        ports=(Port(8080, 8000), Port(53, 5353, "udp")),
        healthcheck=ContainerHealth(("CMD", "curl", "-f", "a b"), 2.0, 1.5, 3, 0.25),
        restart="on-failure:3",
        user="1000:1000",
        working_dir="/srv/a b",
        init=True,
        read_only=True,
        stop_grace_period_s=2.5,
    )
    stack = a_stack(service)
    assert machine.boot(stack).returncode == 0
    container = machine.world["containers"]["app"]
    assert container["image"] == pins(stack)["app"]
    assert container["command"] == ["-x", "--serve", "a b", ""]
    expected = {
        *("--detach", "--pull=never", "--network=bluegreen", "--name=app", "--restart=on-failure:3"),
        *("--label=bluegreen.stack=shop", "--entrypoint=/bin/tool", "--user=1000:1000", "--workdir=/srv/a b"),
        *("--publish=8080:8000/tcp", "--publish=53:5353/udp", "--init", "--read-only", "--stop-timeout=3"),
        *("--health-cmd=curl -f 'a b'", "--health-interval=2000ms", "--health-timeout=1500ms"),
        *("--health-retries=3", "--health-start-period=250ms", "--log-opt=max-size=10m", "--log-opt=max-file=3"),
    }
    others = {option for option in container["options"] if option not in expected}
    assert expected <= set(container["options"])
    assert {option.partition("=")[0] for option in others} == {"--label", "--env-file"}


@pytest.mark.parametrize(
    ("test", "options"),
    [
        (("CMD-SHELL", "a | b && c"), {"--health-cmd=a | b && c"}),
        (("NONE",), {"--no-healthcheck"}),
        (None, set()),
    ],
)
def test_health_checks_in_their_other_forms(machine: Machine, test: tuple[str, ...] | None, options: set[str]) -> None:
    machine.boot(a_stack(replace(APP, healthcheck=ContainerHealth(test) if test else None)))
    given = set(machine.world["containers"]["app"]["options"])
    assert {option for option in given if option.startswith(("--health-cmd", "--no-health"))} == options


@pytest.mark.parametrize(("entrypoint", "option"), [((), "--entrypoint="), (None, "")])
def test_an_empty_entrypoint_takes_the_images_away(
    machine: Machine, entrypoint: tuple[str, ...] | None, option: str
) -> None:
    machine.boot(a_stack(replace(APP, entrypoint=entrypoint)))
    given = machine.world["containers"]["app"]["options"]
    assert [one for one in given if one.startswith("--entrypoint")] == ([option] if option else [])


def test_an_engine_with_its_own_logging_keeps_it(machine: Machine) -> None:
    machine.change(info="journald")
    machine.boot(a_stack())
    assert not [word for call in machine.calls("run") for word in call if word.startswith("--log")]


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


def test_hostile_values_arrive_byte_for_byte_and_steer_nothing(machine: Machine) -> None:
    done = machine.boot(a_stack(replace(APP, environment=tuple(HOSTILE.items()))))
    assert done.returncode == 0, done.stdout
    container = machine.world["containers"]["app"]
    assert container["environment"] == HOSTILE
    assert container["env_file_mode"] == 0o600
    assert "--env=LINES" in container["options"]
    assert not list((machine.folder / "run").iterdir())


def test_no_secret_is_in_any_argument_or_on_the_console(machine: Machine) -> None:
    machine.change(born={"app": {"state": {"Status": "exited", "ExitCode": 3}, "stderr": f"bad key {SECRET} end"}})
    done = machine.boot(a_stack())
    assert done.returncode == 1
    assert "  | bad key *** end" in done.stdout
    assert machine.world["containers"]["app"]["environment"]["SECRET_KEY"] == SECRET
    arguments = json.dumps([call["argv"] for call in machine.world["calls"]])
    for secret in (PASSWORD, SECRET, "MIIEsecret"):
        assert secret not in done.stdout
        assert secret not in arguments
        assert json.dumps(secret)[1:-1] not in arguments


def test_the_password_goes_in_on_stdin_and_lives_in_a_private_folder_that_goes(machine: Machine) -> None:
    machine.boot(a_stack())
    (login,) = [call for call in machine.world["calls"] if call["argv"][0] == "login"]
    assert login["argv"] == ["login", "--username=deploy", "--password-stdin", "registry.example.com"]
    assert login["stdin"] == PASSWORD
    assert login["config"] == {"path": str(machine.folder / "run" / "docker"), "mode": 0o700}
    assert not (machine.folder / "run" / "docker").exists()
    assert (machine.folder / "run").stat().st_mode & 0o777 == 0o700


def test_the_authority_of_a_private_registry_is_where_docker_looks_before_the_login(machine: Machine) -> None:
    stack = a_stack()
    pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    done = machine.boot(replace(stack, registry=replace(stack.registry, ca=pem)))
    assert (machine.folder / "certs.d" / "registry.example.com" / "ca.crt").read_text() == pem
    assert done.stdout.index(" trust registry.example.com") < done.stdout.index(" login registry.example.com")


def test_without_an_authority_none_is_written(machine: Machine) -> None:
    machine.boot(a_stack())
    assert not (machine.folder / "certs.d").exists()


def test_an_open_registry_needs_no_login_and_no_aws(machine: Machine) -> None:
    assert machine.boot(a_stack(WEB, replace(APP, environment=()), login=None)).returncode == 0
    assert machine.calls("login") == []
    assert machine.aws.log == []


def test_a_second_run_changes_nothing_and_needs_neither_registry_nor_aws(machine: Machine) -> None:
    machine.boot(a_stack())
    before = machine.world
    machine.forget_calls()
    machine.aws.log.clear()
    done = machine.boot(a_stack())
    assert done.returncode == 0
    assert machine.world["containers"] == before["containers"]
    assert {tuple(call[:2]) for call in machine.calls()} == {
        ("image", "inspect"),
        ("network", "inspect"),
        ("container", "ls"),
    }
    assert machine.aws.log == []
    assert "keep app" in done.stdout


def test_a_stopped_container_is_woken(machine: Machine) -> None:
    machine.boot(a_stack())
    containers = machine.world["containers"]
    containers["app"]["state"]["Status"] = "exited"
    machine.change(containers=containers)
    machine.forget_calls()
    assert machine.boot(a_stack()).returncode == 0
    assert machine.calls("container", "start") == [["container", "start", "app"]]
    assert machine.calls("run") == []


@pytest.mark.parametrize(
    "change", [{"environment": (("WORKERS", "9"),)}, {"image": "registry.example.com/shop/app:2"}, {"init": True}]
)
def test_a_container_with_other_settings_is_replaced_and_no_other(machine: Machine, change: dict[str, Any]) -> None:
    machine.boot(a_stack())
    machine.forget_calls()
    assert machine.boot(a_stack(WEB, replace(APP, **change))).returncode == 0
    assert machine.calls("container", "stop") == [["container", "stop", "app"]]
    assert machine.calls("container", "rm") == [["container", "rm", "--force", "app"]]
    assert len(machine.calls("run")) == 1


def test_a_foreign_container_of_the_name_is_replaced(machine: Machine) -> None:
    foreign = {"config": "", "state": {"Status": "created", "ExitCode": 0}, "restarts": 0}
    machine.change(containers={"app": foreign, "other": foreign})
    assert machine.boot(a_stack()).returncode == 0
    assert set(machine.world["containers"]) == {"app", "other", "web"}
    assert machine.calls("container", "stop") == []


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
    assert list(machine.world["containers"]) == ["app", "web"]
