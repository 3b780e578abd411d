"""boot.sh: Docker is installed if it is not there, started if it does not answer, and every try has an end."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from machine import CLOUDINIT, Machine

pytestmark = pytest.mark.skipif(not Path("/proc/uptime").exists(), reason="hosts run Linux")

TOOLS = ("dirname", "mkdir", "chmod", "rm", "cat", "tail", "tr", "cut", "timeout", "sh")


@pytest.fixture
def bare(machine: Machine) -> Machine:
    """A machine without Docker; python3 and what calls on systemd or init are written down, and nothing sleeps."""
    for name in TOOLS:
        (machine.bin / name).symlink_to(shutil.which(name) or name)
    machine.program("sleep", "")
    machine.program("python3", _note(machine, "python3 $*; began $BLUEGREEN_BEGAN"))
    for name in ("systemctl", "service", "dpkg"):
        machine.program(name, _note(machine, f"{name} $*"))
    (machine.bin / "docker").rename(machine.folder / "docker")
    machine.extra["PATH"] = str(machine.bin)
    return machine


def _note(machine: Machine, text: str) -> str:
    return f'echo "{text}" >>{machine.folder}/notes'


def _notes(machine: Machine) -> list[str]:
    path = machine.folder / "notes"
    return path.read_text().splitlines() if path.exists() else []


def _apt(machine: Machine, fails: int = 0) -> None:
    """An apt-get whose install works after `fails` times."""
    machine.program(
        "apt-get",
        f"""{_note(machine, "apt-get $*")}
case "$*" in *" update") exit 100 ;; esac
if [ "$(cat {machine.folder}/tries 2>/dev/null || echo 0)" -ge {fails} ]; then
  cat {machine.folder}/docker >{machine.bin}/docker && chmod 755 {machine.bin}/docker
else
  echo x >>{machine.folder}/tally; echo "E: Could not get lock" >&2
  set -- $(cat {machine.folder}/tally); echo $# >{machine.folder}/tries; exit 100
fi""",
    )


def _boot(machine: Machine, library: Path = CLOUDINIT) -> subprocess.CompletedProcess[str]:
    return machine.run("/bin/sh", str(library / "boot.sh"), "/etc/somewhere/boot.json")


def test_docker_is_installed_from_the_distribution_and_the_containers_follow(bare: Machine) -> None:
    _apt(bare)
    done = _boot(bare)
    assert done.returncode == 0
    update, install, python = _notes(bare)
    assert update.endswith(" update")
    assert install.endswith(" install --no-install-recommends docker.io ca-certificates")
    assert "-o DPkg::Lock::Timeout=120" in install
    words, _, began = python.partition("; began ")
    assert words == f"python3 -B -X utf8 {CLOUDINIT}/containers.py /etc/somewhere/boot.json"
    assert int(began) > 0
    assert "install docker.io from the distribution, try 1 of 6" in done.stdout
    assert done.stdout.splitlines()[-1].endswith(" engine 28.2.2")
    assert not (bare.folder / "run" / "evidence").exists()


def test_a_machine_with_docker_installs_nothing(bare: Machine) -> None:
    (bare.folder / "docker").rename(bare.bin / "docker")
    assert _boot(bare).returncode == 0
    assert len(_notes(bare)) == 1
    assert (bare.folder / "run").stat().st_mode & 0o777 == 0o700


def test_a_held_lock_is_waited_out(bare: Machine) -> None:
    _apt(bare, fails=2)
    done = _boot(bare)
    assert done.returncode == 0
    assert "try 3 of 6" in done.stdout
    assert [note for note in _notes(bare) if note.startswith("dpkg")] == ["dpkg --configure -a"] * 2


def test_an_install_that_goes_on_failing_is_told_and_the_machine_stays_on(bare: Machine) -> None:
    _apt(bare, fails=99)
    done = _boot(bare)
    assert done.returncode == 1
    assert "[bluegreen] failed: Docker could not be installed from the distribution in 6 tries\n" in done.stdout
    assert "[bluegreen]   | E: Could not get lock\n" in done.stdout
    assert not [note for note in _notes(bare) if note.startswith("python3")]


def test_an_engine_that_does_not_run_is_started(bare: Machine) -> None:
    (bare.folder / "docker").rename(bare.bin / "docker")
    bare.change(fail={"version": ["Cannot connect to the Docker daemon"] * 3})
    done = _boot(bare)
    assert done.returncode == 0
    assert "start the Docker engine" in done.stdout
    starter = "systemctl enable --now docker" if Path("/run/systemd/system").is_dir() else "service docker start"
    assert _notes(bare)[0] == starter


def test_an_engine_that_never_answers_is_told(bare: Machine) -> None:
    bare.program("docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    for name in ("service", "systemctl"):
        bare.program(name, "echo 'docker.service: no space left'; exit 1")
    done = _boot(bare, _with_a_clock_that_jumps(bare))
    assert done.returncode == 1
    assert "[bluegreen] failed: the Docker engine does not answer after 60 s\n" in done.stdout
    assert "  | docker.service: no space left\n" in done.stdout


def _with_a_clock_that_jumps(machine: Machine) -> Path:
    """boot.sh reads /proc/uptime; here it reads a file that each `sleep` moves on by 20 s."""
    library = machine.folder / "library"
    library.mkdir()
    uptime = machine.folder / "uptime"
    uptime.write_text("100.00 1.00\n")
    text = (CLOUDINIT / "boot.sh").read_text().replace("/proc/uptime", str(uptime))
    (library / "boot.sh").write_text(text)
    machine.program("sleep", f"read -r up _ <{uptime}; echo $((${{up%.*}} + 20)).00 1.00 >{uptime}")
    return library


def test_evidence_is_short_and_printable(bare: Machine) -> None:
    bare.program("apt-get", "for n in 1 2 3 4 5 6 7 8 9 10 11; do printf 'line %s \\033[31m\\n' $n; done; exit 1")
    lines = _boot(bare).stdout.splitlines()
    evidence = [line for line in lines if line.startswith("[bluegreen]   | ")]
    assert len(evidence) == 8
    assert all(line.isprintable() for line in evidence)


@pytest.mark.parametrize(
    "must",
    [
        pytest.param(False, id="if-installed", marks=pytest.mark.skipif(not shutil.which("shellcheck"), reason="none")),
        pytest.param(True, id="e2e", marks=pytest.mark.e2e),
    ],
)
@pytest.mark.parametrize("dialect", ["sh", "dash", "bash"])
def test_shellcheck_finds_nothing(must: bool, dialect: str) -> None:
    words = ["shellcheck", "--severity=style", f"--shell={dialect}", str(CLOUDINIT / "boot.sh")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
