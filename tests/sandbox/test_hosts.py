"""ProcessHosts: an instance is what its user data says, and nothing of it outlives it."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from image_shelf import ImageShelf
from instances import eventually, get, running_hosts, said, service, start, token_for, user_data

from bluegreen.sandbox import pids
from bluegreen.sandbox.addresses import Addresses
from bluegreen.sandbox.hosts import ProcessHosts

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and 127.x.y.z")


@pytest.fixture
def shelf() -> Iterator[ImageShelf]:
    with closing(ImageShelf()) as shelf:
        yield shelf


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[ProcessHosts]:
    with running_hosts(tmp_path) as hosts:
        yield hosts


def test_an_instance_runs_what_the_image_and_the_service_say(hosts: ProcessHosts, shelf: ImageShelf) -> None:
    environment = {"COLOUR": "blue", "KEY": "ssm:/shop/key"}
    start(hosts, user_data(service(shelf.server_image(), environment=environment, command=["--workers", "/app/note"])))
    console = said(hosts, "ready web")
    answer = get(hosts)
    env, root = answer["env"], Path(answer["cwd"]).parent
    host, port = hosts.address("i-1", 8080)
    assert env.pop("PATH").endswith("/bin")
    assert env.pop("BLUEGREEN_SANDBOX").endswith(":i-1/web:")
    assert env.pop("LC_CTYPE", "C.UTF-8") == "C.UTF-8"  # Python's own doing in the C locale
    assert env == {
        "COLOUR": "blue",
        "KEY": "s3cret-value",
        "FROM_IMAGE": "yes",
        "INSTANCE_ID": "i-1",
        "BLUEGREEN_BIND": f"{host}:{port}",
    }
    assert answer["argv"] == [f"{root}/app/server.py", "--workers", f"{root}/app/note"]
    assert (root / "app" / "note").read_text() == "new"
    assert "web: listens on" in console
    assert "s3cret" not in console


@LINUX
def test_every_instance_has_an_own_address_and_keeps_its_ports(hosts: ProcessHosts, shelf: ImageShelf) -> None:
    data = user_data(service(shelf.server_image()))
    for instance in ("i-1", "i-2"):
        start(hosts, data, instance)
    for instance in ("i-1", "i-2"):
        said(hosts, "ready web", instance)
        assert get(hosts, instance=instance)["env"]["INSTANCE_ID"] == instance
    assert hosts.address("i-1", 8080)[1] == hosts.address("i-2", 8080)[1] == 8080
    assert hosts.address("i-1", 8080)[0] != hosts.address("i-2", 8080)[0]


def test_where_only_one_loopback_address_works_each_port_of_an_instance_is_another(
    tmp_path: Path, shelf: ImageShelf
) -> None:
    with running_hosts(tmp_path, own_addresses=False) as hosts:
        assert hosts.address("i-1", 8080) == hosts.address("i-1", 8080) != hosts.address("i-2", 8080)
        assert hosts.address("i-1", 8080)[0] == "127.0.0.1"
        start(hosts, user_data(service(shelf.server_image())))
        said(hosts, "ready web")
        assert get(hosts)["env"]["INSTANCE_ID"] == "i-1"


@LINUX
def test_two_sandboxes_never_share_an_address() -> None:
    one, two = Addresses(), Addresses()
    try:
        assert one.of("i-1", 80)[0] != two.of("i-1", 80)[0]
    finally:
        one.close()
        two.close()


def test_a_killed_process_comes_back(hosts: ProcessHosts, shelf: ImageShelf) -> None:
    start(hosts, user_data(service(shelf.server_image(), restart="always")))
    said(hosts, "ready web")
    first = hosts.pids("i-1")["web"]
    os.kill(first, signal.SIGKILL)
    said(hosts, "restart web in 0.2 s, after signal 9")
    second = eventually(lambda: hosts.pids("i-1").get("web"))
    assert second != first
    eventually(lambda: hosts.console("i-1").count("web: listens on") == 2)
    assert get(hosts)["env"]["INSTANCE_ID"] == "i-1"


@pytest.mark.parametrize(
    ("policy", "code", "runs"), [("no", 1, 1), ("on-failure:2", 1, 3), ("on-failure", 0, 1), ("on-failure:1", 1, 2)]
)
def test_the_restart_policy_is_kept(hosts: ProcessHosts, shelf: ImageShelf, policy: str, code: int, runs: int) -> None:
    words = ["python3", "-c", f"print('a run', flush=True); raise SystemExit({code})"]
    start(hosts, user_data(service(shelf.server_image(), entrypoint=words, restart=policy, ports=[])))
    console = said(hosts, f"ended web with exit code {code}")
    assert console.count("web: a run") == runs


def test_services_start_in_the_order_of_their_dependencies(hosts: ProcessHosts, shelf: ImageShelf) -> None:
    image = shelf.server_image()
    port = {"host": 9000, "container": 8000, "protocol": "tcp"}
    app = {**service(image), "name": "app", "ports": [port]}
    web = service(image, depends_on=[{"service": "app", "condition": "service_healthy"}])
    start(hosts, user_data(web, app))
    console = said(hosts, "ready app web")
    assert console.index("app: listens on") < console.index(" run web")
    assert get(hosts, port=9000)["env"]["BLUEGREEN_BIND"].endswith(f":{hosts.address('i-1', 9000)[1]}")


def test_stop_ends_the_whole_group_and_removes_the_files(
    hosts: ProcessHosts, shelf: ImageShelf, tmp_path: Path
) -> None:
    """A worker that the service forked, and a daemon that left its group, end with it; so does who ignores SIGTERM."""
    script = (
        "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "if os.fork() == 0:\n if os.fork() == 0: os.setsid()\n"
        "print('up', flush=True); time.sleep(60)"
    )
    start(hosts, user_data(service(shelf.server_image(), entrypoint=["python3", "-c", script], ports=[])))
    eventually(lambda: hosts.console("i-1").count("web: up") == 3)
    began = time.monotonic()
    hosts.stop("i-1")
    said(hosts, "stopped")
    assert 1.9 < time.monotonic() - began < 3.0, hosts.console("i-1")
    assert not list(pids.marked(pids.mark(token_for(tmp_path))))
    assert not (tmp_path / "hosts" / "i-1").exists()
    assert "web: up" in hosts.console("i-1")  # it stays readable


def test_a_machine_can_be_stopped_while_it_boots_and_started_again(hosts: ProcessHosts, shelf: ImageShelf) -> None:
    data = user_data(service(shelf.server_image()))
    for _ in range(3):
        start(hosts, data)
        hosts.stop("i-1")
    start(hosts, data)
    said(hosts, "ready web")
    assert get(hosts)["env"]["INSTANCE_ID"] == "i-1"


def test_no_call_blocks(hosts: ProcessHosts) -> None:
    """Also not when the registry swallows packets."""
    data = user_data(service(f"10.255.255.1/shop/web@sha256:{'0' * 64}"))
    began = time.monotonic()
    for number in range(20):
        start(hosts, data, f"i-{number}")
        hosts.address(f"i-{number}", 80)
        hosts.console(f"i-{number}")
        hosts.stop(f"i-{number}")
    assert time.monotonic() - began < 0.5


def test_the_console_keeps_the_newest_64_kib(hosts: ProcessHosts, shelf: ImageShelf) -> None:
    words = ["python3", "-c", "for n in range(20000): print('line', n)\nprint('x' * 100_000, flush=True)"]
    start(hosts, user_data(service(shelf.server_image(), entrypoint=words, ports=[], restart="no")))
    console = said(hosts, "ended web with exit code 0")
    assert len(console) <= 64 * 1024
    assert "web: xxx" in console
    assert "web: line 0\n" not in console
