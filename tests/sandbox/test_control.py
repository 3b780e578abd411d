"""`bluegreen sandbox up|down|status`: what is said is true, and nothing is left behind. Real processes, own folders."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from bluegreen.cli import sandbox as command
from bluegreen.errors import BluegreenError, Refused
from bluegreen.sandbox import control, pids, state
from bluegreen.sandbox.control import Crashed
from bluegreen.sandbox.state import SandboxState

for part in ("engine", "balancer", "registry", "seed"):
    pytest.importorskip(f"bluegreen.sandbox.{part}")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    home = tmp_path / "state" / "bluegreen"
    monkeypatch.setenv("BLUEGREEN_SANDBOX_DIR", str(home))
    yield home
    control.down()
    assert ours(home) == []
    assert not home.exists() or list(home.iterdir()) == []


def up(**options: Any) -> SandboxState:
    return control.up(**{"port": 0, "registry_port": 0, **options})


def ours(home: Path) -> list[pids.Identity]:
    """Every process of this folder's sandbox."""
    token = pids.mark(state.token_of(home))
    return [*pids.marked(token, state.SERVER_MARK), *pids.marked(token)]


def answers(address: str) -> bool:
    host, _, port = address.removeprefix("http://").rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def eventually(look: Callable[[], Any], within_s: float = 5.0) -> Any:
    deadline = time.monotonic() + within_s
    while not (seen := look()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)
    return seen


def crash(running: SandboxState) -> None:
    assert pids.send(running.process, signal.SIGKILL)
    eventually(lambda: not pids.runs(running.process))


def test_up_status_up_down(home: Path) -> None:
    assert control.status() is None
    running = up()
    assert answers(running.endpoint)
    assert answers(running.registry)
    assert control.status() == running
    assert up() == running, "a second `up` answers what runs"
    assert control.silent_s(running) < 3
    assert stat.S_IMODE((home / "sandbox.json").stat().st_mode) == 0o600
    assert str(home) in control.running_folders()
    (ended,) = control.down()
    assert (ended.was, ended.killed, ended.leftovers) == ("running", False, 0)
    assert not answers(running.endpoint)
    assert not answers(running.registry)
    assert ours(home) == []
    assert not home.exists()
    assert home.parent.exists()
    assert control.status() is None
    assert control.down()[0].was == "absent"


def test_status_lists_the_instances(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    running = up()
    assert running.instances == []
    client = boto3.client(
        "ec2", "eu-west-1", endpoint_url=running.endpoint, aws_access_key_id="a", aws_secret_access_key="a"
    )
    tags = [{"Key": "Name", "Value": "shop-blue"}]
    made = client.run_instances(
        ImageId="ami-0240400000000a064",
        InstanceType="m7i.large",
        MinCount=2,
        MaxCount=2,
        SubnetId="subnet-0a11ce0000000000a",
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
    )
    one, other = sorted(each["InstanceId"] for each in made["Instances"])

    def seen() -> dict[str, tuple[str, str]]:
        now = control.status()
        assert isinstance(now, SandboxState)
        return {each["id"]: (each["name"], each["state"]) for each in now.instances}

    eventually(lambda: seen() == {one: ("shop-blue", "running"), other: ("shop-blue", "running")})
    client.terminate_instances(InstanceIds=[other])
    eventually(lambda: seen() == {one: ("shop-blue", "running")})
    command.run(Namespace(action="status", output="text"))
    assert re.search(rf"^  {one}  running +127\.\d+\.\d+\.\d+ +shop-blue$", capsys.readouterr().out, re.M)


def test_the_server_is_a_daemon_and_outlives_who_started_it(home: Path) -> None:
    program = "from bluegreen.sandbox import control; print(control.up(port=0, registry_port=0).pid)"
    began = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    running = control.status()
    assert isinstance(running, SandboxState)
    assert running.pid == int(began.stdout)
    fields = Path(f"/proc/{running.pid}/stat").read_text().rpartition(")")[2].split()
    assert os.getsid(running.pid) not in (running.pid, os.getsid(0)), "an own session, not its leader"
    assert int(fields[4]) == 0, "no terminal"
    assert Path(f"/proc/{running.pid}/fd/0").readlink() == Path("/dev/null")
    assert Path(f"/proc/{running.pid}/fd/2").readlink() == Path(running.log)
    assert Path(f"/proc/{running.pid}/cwd").readlink() == Path("/")


def test_the_users_aws_settings_do_not_get_into_the_sandbox(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real-secret")
    monkeypatch.setenv("AWS_PROFILE", "nosuch")
    running = up()
    assert b"AWS_" not in Path(f"/proc/{running.pid}/environ").read_bytes()


def test_a_crash_is_noticed_and_cleaned_up(home: Path) -> None:
    first = up()
    crash(first)
    crashed = control.status()
    assert isinstance(crashed, Crashed)
    assert crashed.pid == first.pid
    assert crashed.sentence().startswith("crashed at 2")
    assert f"pid {first.pid} is gone; run `bluegreen sandbox up`" in crashed.sentence()
    assert any("ready: AWS at" in line for line in crashed.last_lines)
    second = up()
    assert second.pid != first.pid
    assert control.status() == second
    crash(second)
    assert control.down()[0].was == "crashed"
    assert not home.exists(), "made by the first `up`, and known through two crashes"


def test_down_kills_a_server_that_does_not_listen(home: Path) -> None:
    running = up()
    pids.send(running.process, signal.SIGSTOP)
    began = time.monotonic()
    (ended,) = control.down()
    assert ended.killed
    assert time.monotonic() - began < control.END_LIMIT_S + 2


def test_a_reused_pid_is_neither_taken_for_the_sandbox_nor_ended(home: Path) -> None:
    crash(up())
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        plain = json.loads((home / "sandbox.json").read_text())
        (home / "sandbox.json").write_text(json.dumps({**plain, "pid": other.pid}))
        assert isinstance(control.status(), Crashed)
        assert control.down()[0].was == "crashed"
        assert other.poll() is None
        other.kill()


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"pid": 1}', "\x00"])
def test_a_state_file_that_makes_no_sense_counts_as_a_crash(home: Path, content: str) -> None:
    home.mkdir(parents=True)
    (home / "sandbox.json").write_text(content)
    crashed = control.status()
    assert isinstance(crashed, Crashed)
    assert "its state file cannot be read" in crashed.sentence()
    assert control.down()[0].was == "crashed"
    assert list(home.iterdir()) == []


def test_what_is_not_ours_stays_in_the_folder(home: Path) -> None:
    home.mkdir(parents=True)
    (home / "notes").write_text("mine")
    up()
    control.down()
    assert [path.name for path in home.iterdir()] == ["notes"]
    (home / "notes").unlink()


@pytest.mark.parametrize("option", ["--port", "--registry-port"])
def test_a_taken_port_is_named_with_who_has_it_and_the_option(home: Path, option: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(Refused) as refused:
            up(**{option.removeprefix("--").replace("-", "_"): port})
    assert f"port {port} is taken" in refused.value.what
    assert f"(pid {os.getpid()})" in refused.value.why
    assert f"bluegreen sandbox up {option} N" in refused.value.next
    assert not home.exists()


def test_a_port_of_another_sandbox_is_named_with_its_folder(home: Path, tmp_path: Path) -> None:
    running = up()
    with pytest.raises(Refused) as refused:
        up(port=int(running.endpoint.rpartition(":")[2]), folder=tmp_path / "second")
    assert f"the sandbox of {home} (pid {running.pid}) listens there" in refused.value.why
    assert control.status() == running


def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """A moto that does `code` when the server imports it."""
    (tmp_path / "first" / "moto").mkdir(parents=True)
    (tmp_path / "first" / "moto" / "__init__.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'first'}:{os.environ.get('PYTHONPATH', '')}")


def test_a_server_that_dies_at_start_shows_the_end_of_its_log(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, "raise RuntimeError('moto is broken')")
    with pytest.raises(BluegreenError) as error:
        up()
    assert error.value.what == "the sandbox ended while it started"
    assert "RuntimeError: moto is broken" in error.value.why
    assert str(home / "sandbox.log") in error.value.where
    assert [path.name for path in home.iterdir()] == ["sandbox.log"]


def test_a_server_that_hangs_at_start_is_ended_at_the_deadline(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, "import time; time.sleep(60)")
    began = time.monotonic()
    with pytest.raises(BluegreenError, match="not ready within 1 s"):
        up(deadline_s=1.0)
    assert time.monotonic() - began < 3
    assert ours(home) == []


def test_an_interrupted_up_leaves_no_server(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, "import time; time.sleep(60)")
    program = "from bluegreen.sandbox import control; control.up(port=0, registry_port=0)"
    with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE) as command:
        eventually(lambda: ours(home))
        time.sleep(0.2)
        command.send_signal(signal.SIGINT)
        assert command.stderr is not None
        assert b"KeyboardInterrupt" in command.stderr.read()
    assert ours(home) == []


def test_two_ups_at_once_start_one_sandbox(home: Path) -> None:
    found: list[SandboxState] = []
    threads = [threading.Thread(target=lambda: found.append(up())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 4
    assert len(set(map(str, found))) == 1
    assert len(ours(home)) == 1


def test_a_sandbox_whose_folder_is_gone_ends(home: Path) -> None:
    running = up()
    for path in home.iterdir():
        if path.is_file():
            path.unlink()
    eventually(lambda: not pids.runs(running.process), 6.0)
    assert not answers(running.endpoint)


def test_sigterm_is_a_clean_end(home: Path) -> None:
    running = up()
    began = time.monotonic()
    pids.send(running.process, signal.SIGTERM)
    eventually(lambda: not pids.runs(running.process), 3.0)
    assert time.monotonic() - began < 3.0
    assert control.status() is None, "no crash"


def without_site_packages(program: str) -> subprocess.CompletedProcess[str]:
    root = str(Path(control.__file__).parents[2])
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {root!r})\n{program}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_a_missing_extra_is_refused_with_the_command_that_installs_it(tmp_path: Path) -> None:
    folder = tmp_path / "none"
    program = f"import pathlib; from bluegreen.sandbox import control; control.up(folder=pathlib.Path({str(folder)!r}))"
    outcome = without_site_packages(program)
    assert "Refused: the sandbox is an extra that is not installed" in outcome.stderr
    assert "pip install 'bluegreen[sandbox]'" in outcome.stderr
    assert not folder.exists()


def test_control_is_light() -> None:
    """It needs nothing but the standard library: status must be quick, and work without the extra."""
    outcome = without_site_packages("from bluegreen.sandbox import control; assert 'asyncio' not in sys.modules")
    assert outcome.returncode == 0, outcome.stderr
