"""Whoever is killed, no process of an instance stays; and nobody else is touched."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from image_shelf import ImageShelf
from instances import eventually, get, running_hosts, said, service, start, token_for, user_data

from bluegreen.sandbox import pids
from bluegreen.sandbox.hosts import ProcessHosts
from bluegreen.sandbox.leftovers import clean_up

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and 127.x.y.z")


@pytest.fixture
def shelf() -> Iterator[ImageShelf]:
    with closing(ImageShelf()) as shelf:
        yield shelf


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[ProcessHosts]:
    with running_hosts(tmp_path) as hosts:
        yield hosts


CRASHING = """
import sys, time
from pathlib import Path
from bluegreen.sandbox.hosts import ProcessHosts
from bluegreen.sandbox.model import Boot
hosts = ProcessHosts(Path(sys.argv[1]), token=sys.argv[2])
hosts.start(Boot("i-1", "eu-west-1", sys.stdin.buffer.read(), ()))
while "ready" not in hosts.console("i-1"):
    time.sleep(0.02)
print("ready", flush=True)
time.sleep(60)
"""


@LINUX
@pytest.mark.parametrize("keeper_too", [False, True])
def test_a_killed_sandbox_leaves_no_process(tmp_path: Path, shelf: ImageShelf, keeper_too: bool) -> None:
    folder, token = tmp_path / "hosts", token_for(tmp_path)
    command = [sys.executable, "-c", CRASHING, str(folder), token]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as sandbox:
        assert sandbox.stdin is not None and sandbox.stdout is not None
        sandbox.stdin.write(user_data(service(shelf.server_image())))
        sandbox.stdin.close()
        assert sandbox.stdout.readline() == b"ready\n"
        assert list(pids.marked(token))
        keeper, *_ = pids.read_record(folder / "processes")
        sandbox.kill()
        if keeper_too:
            pids.send(keeper, signal.SIGKILL)
    eventually(lambda: not list(pids.marked(token)), 2.0)
    eventually(lambda: not pids.runs(keeper), 2.0)
    clean_up(folder, token)
    assert not folder.exists()


@LINUX
def test_a_killed_keeper_is_replaced_and_its_processes_start_again(
    hosts: ProcessHosts, shelf: ImageShelf, tmp_path: Path
) -> None:
    start(hosts, user_data(service(shelf.server_image())))
    said(hosts, "ready web")
    keeper, *_ = pids.read_record(tmp_path / "hosts" / "processes")
    pids.send(keeper, signal.SIGKILL)
    said(hosts, "restart web in 0.2 s, after signal 9")
    eventually(lambda: hosts.console("i-1").count("web: listens on") == 2)
    assert get(hosts)["env"]["INSTANCE_ID"] == "i-1"


@LINUX
def test_leftovers_are_ended_by_mark_and_by_record_but_nobody_else(tmp_path: Path) -> None:
    folder, token = tmp_path / "hosts", token_for(tmp_path)
    folder.mkdir()
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    with (
        subprocess.Popen(sleep, env={"BLUEGREEN_SANDBOX": f"{token}:i-1/web:"}) as by_mark,
        subprocess.Popen(sleep, start_new_session=True) as by_record,
        subprocess.Popen(sleep, env={"BLUEGREEN_SANDBOX": f"{token}-other:i-1/web:"}) as other_token,
        subprocess.Popen(sleep, start_new_session=True) as reused_pid,
    ):
        recorded = pids.identify(by_record.pid)
        assert recorded is not None
        pids.write_record(folder / "processes", [recorded, pids.Identity(reused_pid.pid, "1")])
        assert clean_up(folder, token) == 2
        assert by_mark.wait(2) == by_record.wait(2) == -signal.SIGKILL
        assert other_token.poll() is None
        assert reused_pid.poll() is None
        other_token.kill()
        reused_pid.kill()
    assert not folder.exists()
