"""From a bare machine to an engine: Docker is installed if it is not there, started if it does not answer, and every try has
an end. What the machine is set up with by itself stays."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from machine import Machine, a_stack

from bluegreen.core.stack import Stack

pytestmark = pytest.mark.skipif(not Path("/proc/uptime").exists(), reason="hosts run Linux")


@pytest.fixture
def bare(machine: Machine) -> Machine:
    """A machine without Docker; what calls on apt, dpkg, systemd or init is written down."""
    for name in ("timeout", "cat", "sh", "chmod"):
        (machine.bin / name).symlink_to(shutil.which(name) or name)
    for name in ("systemctl", "service", "dpkg"):
        machine.program(name, note(machine, f"{name} $*"))
    (machine.bin / "dockerd").unlink()
    machine.extra["PATH"] = str(machine.bin)
    return machine


def note(machine: Machine, text: str) -> str:
    return f'echo "{text}" >>{machine.folder}/notes'


def notes(machine: Machine) -> list[str]:
    path = machine.folder / "notes"
    return path.read_text().splitlines() if path.exists() else []


def apt(machine: Machine, fails: int = 0, says: str = "E: Could not get lock /var/lib/dpkg/lock-frontend") -> None:
    """An apt-get whose install works after `fails` times."""
    machine.program(
        "apt-get",
        f"""{note(machine, "apt-get $*")}
case "$*" in *" update") exit 100 ;; esac
echo x >>{machine.folder}/tally
set -- $(cat {machine.folder}/tally)
if [ $# -gt {fails} ]; then
  echo '#!/bin/sh' >{machine.bin}/dockerd && chmod 755 {machine.bin}/dockerd
else
  echo "{says}"; exit 100
fi""",
    )


def docker_from(source: str) -> Stack:
    stack = a_stack()
    return stack._replace(fleet=stack.fleet._replace(docker=source))


def test_docker_is_installed_from_the_distribution_and_the_containers_follow(bare: Machine) -> None:
    apt(bare)
    done = bare.boot(a_stack())
    assert done.returncode == 0, done.stdout
    update, install = notes(bare)
    assert update.endswith(" update")
    assert install.endswith(" install --no-install-recommends docker.io ca-certificates")
    assert "-o DPkg::Lock::Timeout=120" in install
    lines = [line.split(" ", 2)[2] for line in done.stdout.splitlines()]
    assert lines[0].startswith("start, ") and lines[0].endswith(" s after the machine")
    assert lines[1:3] == ["install docker.io from the distribution, try 1 of 5", "engine 28.2.2"]
    assert lines[-1] == "ready app web"


def test_a_machine_with_docker_installs_nothing(machine: Machine) -> None:
    machine.program("apt-get", "exit 1")
    assert machine.boot(a_stack()).returncode == 0
    assert machine.boot(docker_from("present")).returncode == 0


def test_an_image_that_should_have_docker_and_has_not_is_told(bare: Machine) -> None:
    done = bare.boot(docker_from("present"))
    assert done.returncode == 1
    assert "failed: there is no Docker on this image, and fleet.docker is present\n" in done.stdout
    assert notes(bare) == []


def test_a_held_lock_is_waited_out(bare: Machine) -> None:
    apt(bare, fails=2)
    done = bare.boot(a_stack())
    assert done.returncode == 0
    assert "try 3 of 5" in done.stdout
    assert [one for one in notes(bare) if one.startswith("dpkg")] == ["dpkg --configure -a"] * 2


@pytest.mark.parametrize(
    ("says", "why"),
    [
        (
            "W: Failed to fetch http://deb.example.com/x  Could not connect to 127.0.0.1:9 (127.0.0.1). - connect",
            "connect",
        ),
        ("E: Could not get lock /var/lib/dpkg/lock-frontend", "get lock"),
        ("Could not resolve 'deb.example.com'", "resolve"),
        ("Segmentation fault", ""),
    ],
)
def test_an_install_that_goes_on_failing_is_told_and_the_machine_stays_on(bare: Machine, says: str, why: str) -> None:
    apt(bare, fails=99, says=says)
    done = bare.boot(a_stack())
    assert done.returncode == 1
    cause = "failed: Docker could not be installed from the distribution in 5 tries"
    assert f"[bluegreen] {cause}{': Could not ' + why if why else chr(10)}" in done.stdout
    assert f"[bluegreen]   | {says}\n" in done.stdout
    assert bare.engine.requests == []


def test_an_engine_that_does_not_run_is_started(machine: Machine) -> None:
    for name in ("systemctl", "service"):
        machine.program(name, note(machine, f"{name} $*"))
    machine.engine.fail = {"GET /version": ["not yet"] * 3}
    done = machine.boot(a_stack())
    assert done.returncode == 0
    assert " docker starts\n" in done.stdout
    starter = "systemctl enable --now docker" if Path("/run/systemd/system").is_dir() else "service docker start"
    assert notes(machine) == [starter]


def test_an_engine_that_never_answers_is_told(machine: Machine) -> None:
    for name in ("service", "systemctl"):
        machine.program(name, "echo 'docker.service: no space left'; exit 1")
    machine.engine.fail = {"GET /version": ["not yet"] * 9999}
    done = machine.boot(a_stack())
    assert done.returncode == 1
    assert "[bluegreen] failed: the Docker engine does not answer after 60 s\n" in done.stdout
    assert "  | docker.service: no space left\n" in done.stdout


def test_evidence_is_short_and_printable(bare: Machine) -> None:
    bare.program("apt-get", "for n in 1 2 3 4 5 6 7 8 9 10 11; do printf 'line %s \\033[31m\\n' $n; done; exit 1")
    lines = bare.boot(a_stack()).stdout.splitlines()
    evidence = [line for line in lines if line.startswith("[bluegreen]   | ")]
    assert len(evidence) == 8
    assert all(line.isprintable() for line in evidence)


OURS = {"live-restore": True, "log-driver": "json-file", "log-opts": {"max-size": "10m", "max-file": "3"}}


@pytest.mark.parametrize(
    ("theirs", "after"),
    [
        (None, OURS),
        ("", OURS),
        ('{"registry-mirrors": ["https://m"]}', {**OURS, "registry-mirrors": ["https://m"]}),
        ('{"log-driver": "journald"}', {"live-restore": True, "log-driver": "journald"}),
        (
            '{"live-restore": false, "log-opts": {"max-size": "1m"}}',
            {**OURS, "live-restore": False, "log-opts": {"max-size": "1m"}},
        ),
    ],
)
def test_the_engine_is_set_up_and_what_the_machine_says_itself_stays(
    machine: Machine, theirs: str | None, after: dict[str, object]
) -> None:
    file = machine.folder / "docker" / "daemon.json"
    if theirs is not None:
        file.parent.mkdir()
        file.write_text(theirs)
    assert machine.boot(a_stack()).returncode == 0
    assert json.loads(file.read_text()) == after
    before = file.stat()
    assert machine.boot(a_stack()).returncode == 0
    assert file.stat().st_ino == before.st_ino and file.stat().st_mtime_ns == before.st_mtime_ns


def test_a_file_that_the_engine_could_not_read_is_told(machine: Machine) -> None:
    file = machine.folder / "docker" / "daemon.json"
    file.parent.mkdir()
    file.write_text("{'live-restore': true}")
    done = machine.boot(a_stack())
    assert f"[bluegreen] failed: {file} is no JSON: " in done.stdout
    assert file.read_text() == "{'live-restore': true}"


@contextlib.contextmanager
def process(machine: Machine, name: str, *flags: str) -> Iterator[subprocess.Popen[bytes]]:
    """Stands in docker.pid, and ends, with a note, when it is told to read its settings again."""
    script = f"trap 'echo again >>{machine.folder}/notes; exit' HUP; while :; do sleep 0.01; done"
    child = subprocess.Popen([name, "-c", script, "sh", *flags], executable="/bin/sh")
    try:
        pid = machine.folder / "docker.pid"
        pid.write_text(f"{child.pid}\n")
        machine.extra["BLUEGREEN_DOCKER_PID"] = str(pid)
        yield child
    finally:
        child.kill()
        child.wait()


def test_an_engine_that_runs_reads_its_settings_again_once(machine: Machine) -> None:
    with process(machine, "/usr/bin/dockerd") as engine:
        machine.boot(a_stack())
        assert engine.wait(10) == 0 and notes(machine) == ["again"]


@pytest.mark.parametrize(
    ("flags", "after"),
    [
        (("--live-restore", "-H", "fd://"), {key: OURS[key] for key in ("log-driver", "log-opts")}),
        (("--log-driver=journald",), {"live-restore": True}),
        (("--log-opt", "max-size=5m"), {"live-restore": True, "log-driver": "json-file"}),
        (("--live-restore=false", "--log-driver", "local"), None),
    ],
)
def test_what_its_command_line_says_is_not_said_again_or_it_would_not_start_the_next_time(
    machine: Machine, flags: tuple[str, ...], after: dict[str, object] | None
) -> None:
    file = machine.folder / "docker" / "daemon.json"
    with process(machine, "dockerd", *flags):
        assert machine.boot(a_stack()).returncode == 0
    assert (json.loads(file.read_text()) if file.exists() else None) == after


def test_another_process_of_that_number_is_left_alone(machine: Machine) -> None:
    """A file of a machine that went down hard."""
    with process(machine, "/usr/sbin/nginx") as other:
        machine.boot(a_stack())
        assert other.poll() is None and notes(machine) == []
