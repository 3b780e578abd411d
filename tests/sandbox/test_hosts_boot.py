"""The boot of an instance: user data and images are read as the real tools do, and every failure has its line."""

from __future__ import annotations

import base64
import gzip
import socket
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from image_shelf import ImageShelf, tar
from instances import cloud_config, document, get, running_hosts, said, service, start, user_data

from bluegreen.boot.userdata import render
from bluegreen.core.stack import FleetShape, Port, Registry, Service, Stack
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


@pytest.mark.parametrize(
    "wrap",
    [
        lambda text: cloud_config(text.decode(), encoding="text/plain"),
        lambda text: cloud_config(text.decode()),
        lambda text: cloud_config(base64.b64encode(gzip.compress(text)).decode(), encoding="gz+b64"),
        lambda text: gzip.compress(cloud_config(base64.b64encode(text).decode(), encoding="b64")),
    ],
    ids=["text", "no encoding", "gz+b64", "gzip around all"],
)
def test_user_data_is_read_as_cloud_init_reads_it(
    hosts: ProcessHosts, shelf: ImageShelf, wrap: Callable[[bytes], bytes]
) -> None:
    start(hosts, wrap(document(service(shelf.server_image()))))
    said(hosts, "ready web")


def test_what_the_controller_renders_is_what_the_machine_runs(hosts: ProcessHosts, shelf: ImageShelf) -> None:
    web = Service("web", f"{shelf.host}/shop/web:1", environment=(("A", "b"),), ports=(Port(8080, 8000),))
    shape = FleetShape(1, "ami-1", ("t3.micro",), ("subnet-1",), ("sg-1",))
    stack = Stack("shop", "eu-west-1", "123456789012", shape, (), Registry(shelf.host), (web,))
    start(hosts, render(stack, {"web": shelf.server_image()}))
    said(hosts, "ready web")
    assert get(hosts)["env"]["A"] == "b"


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "bad user data: there is none"),
        (b"#!/bin/sh\n", "bad user data: it begins with '#!/bin/sh'"),
        (b"#cloud-config\na: [", "bad user data: no YAML"),
        (b"#cloud-config\n{}", "bad user data: write_files has no entry with the path /etc/bluegreen/boot.json"),
        (b"\x1f\x8bnonsense", "bad user data: the user data cannot be unpacked"),
        (gzip.compress(b"#cloud-config\n" + b" " * (17 << 20)), "is more than 16,777,216 bytes"),
        (cloud_config("{"), "bad user data: /etc/bluegreen/boot.json: "),
        (cloud_config('{"schema": 1}'), "has schema 1, and this boot knows 2"),
        (cloud_config('{"schema": 2}'), "'stack' is missing"),
        (cloud_config("{}", encoding="rot13"), "has the encoding 'rot13'"),
        (user_data(service("localhost/shop/web:latest")), "is not host/repository@sha256:"),
        (user_data(service("localhost/a@sha256:0", depends_on=[{"service": "db"}])), "wait for each other"),
    ],
    ids=range(12),
)
def test_bad_user_data_is_named_on_the_console(hosts: ProcessHosts, data: bytes, cause: str) -> None:
    start(hosts, data)
    console = said(hosts, "failed: ")
    assert cause in console
    assert len(console.splitlines()) <= 2


def test_a_digest_that_is_gone_is_named(hosts: ProcessHosts, shelf: ImageShelf) -> None:
    image = shelf.server_image()
    shelf.blobs.clear()
    start(hosts, user_data(service(image)))
    line = said(hosts, "failed: ").splitlines()[-1]
    assert line.startswith(
        f"[bluegreen] failed: web: the registry {shelf.host} does not have shop/web/manifests/sha256:"
    )
    assert "(404)" in line


def test_an_unreachable_registry_is_named(hosts: ProcessHosts) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
        start(hosts, user_data(service(f"{host}/shop/web@sha256:{'0' * 64}")))
        said(hosts, f"failed: web: the registry {host} cannot be reached: ")
    assert "refused" in hosts.console("i-1")


def test_a_damaged_layer_is_never_run(hosts: ProcessHosts, shelf: ImageShelf) -> None:
    image = shelf.server_image()
    layer = next(digest for digest, content in shelf.blobs.items() if content.startswith(b"\x1f\x8b"))
    shelf.blobs[layer] += b"x"
    start(hosts, user_data(service(image)))
    assert f"{layer} is damaged" in said(hosts, "failed: ")
    assert hosts.pids("i-1") == {}


def test_the_login_is_sent_and_a_refusal_is_named(hosts: ProcessHosts, shelf: ImageShelf) -> None:
    login = {"username": "deploy", "password": "ssm:/shop/key"}
    shelf.login = "Basic " + base64.b64encode(b"deploy:s3cret-value").decode()
    image = shelf.server_image()
    start(hosts, user_data(service(image), login=login), "i-1")
    start(hosts, user_data(service(image)), "i-2")
    said(hosts, "ready web", "i-1")
    said(hosts, f"failed: web: the registry {shelf.host} refuses access without a login (401)", "i-2")
    assert "s3cret" not in hosts.console("i-1")


def test_ecr_needs_hosts_with_an_engine(hosts: ProcessHosts, shelf: ImageShelf) -> None:
    start(hosts, user_data(service(shelf.server_image()), login={"ecr": True}))
    said(hosts, "failed: registry.auth ecr needs hosts with an engine of their own: bluegreen sandbox up --mode docker")


def test_what_only_a_host_with_an_engine_can_do_is_told_to_be_ignored(hosts: ProcessHosts, shelf: ImageShelf) -> None:
    more = {"ulimits": {"nofile": [64, 64]}, "workers": {"match": "w", "count": 8}}
    logging = {"driver": "syslog", "options": {"syslog-address": "tcp://logs:514"}, "ca": ""}
    start(hosts, user_data(service(shelf.server_image(), **more), logging=logging))
    console = said(hosts, "ready web")
    for what in ("logging syslog", "x-workers of web", "ulimits of web"):
        assert f" ignored {what}: " in console


def test_an_unknown_command_is_named(hosts: ProcessHosts, shelf: ImageShelf) -> None:
    start(hosts, user_data(service(shelf.server_image(), entrypoint=["nosuch", "-x"])))
    said(hosts, "failed: web: command not found: nosuch")


def test_a_taken_port_is_named(hosts: ProcessHosts, shelf: ImageShelf) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(hosts.address("i-1", 8080))
        other.listen()
        start(hosts, user_data(service(shelf.server_image())))
        host, port = hosts.address("i-1", 8080)
        said(hosts, f"failed: web: port {port} of {host} is taken: Address already in use")


def test_a_program_that_dies_at_once_fails_the_boot_with_its_last_words(hosts: ProcessHosts, shelf: ImageShelf) -> None:
    words = ["python3", "-c", "import sys; print('no database', file=sys.stderr); sys.exit(3)"]
    start(hosts, user_data(service(shelf.server_image(), entrypoint=words, restart="no")))
    console = said(hosts, "failed: web ended with exit code 3 (restarted 0 times)")
    assert console.splitlines()[-1] == "[bluegreen]   | no database"


@pytest.mark.parametrize(
    "member",
    [
        ("../outside", "x"),
        ("app/../../outside", "x"),
        ("link/outside", "x"),
    ],
)
def test_a_layer_cannot_write_outside_of_its_folder(
    hosts: ProcessHosts, shelf: ImageShelf, tmp_path: Path, member: tuple[str, str]
) -> None:
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, "../.."
    image = shelf.image([tar([link, member])], {"Cmd": ["python3"]})
    start(hosts, user_data(service(image)))
    said(hosts, "failed: web: a layer cannot be unpacked: ")
    assert not list(tmp_path.rglob("outside"))


def test_later_layers_replace_and_remove_what_earlier_ones_had(hosts: ProcessHosts, shelf: ImageShelf) -> None:
    absolute = tarfile.TarInfo("usr/bin/tool")
    absolute.type, absolute.linkname = tarfile.SYMTYPE, "/app/tool.py"
    folder = tarfile.TarInfo("was-file")
    folder.type = tarfile.DIRTYPE
    first = tar([("app/gone", "x"), ("app/tool.py", "print('tool runs')"), ("data/a", "x"), ("was-file", "x")])
    second = tar(
        [
            folder,
            ("app/.wh.gone", ""),
            ("data/.wh..wh..opq", ""),
            ("data/b", "x"),
            ("was-file/now-folder", "x"),
            absolute,
        ]
    )
    script = "import os, runpy; print(sorted(os.listdir('app')), os.listdir('data')); runpy.run_path('usr/bin/tool')"
    image = shelf.image([first, second], {"Entrypoint": ["python3", "-c", script]})
    start(hosts, user_data(service(image, ports=[], restart="no")))
    console = said(hosts, "ended web with exit code 0")
    assert "web: ['tool.py'] ['b']" in console
    assert "web: tool runs" in console
