"""What a container writes reaches servers of the drivers that speak a protocol of their own, under our tag."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from types import ModuleType

import docker
import pytest

from bluegreen.stackfile.log_keys import read_logging
from tests.parts.engine import LABEL
from tests.parts.images import Images
from tests.parts.wait import until

pytestmark = pytest.mark.e2e

TAG = "shop/blue/0bfffb70022b/app/i-6fbee5fdfeeb7f90f"
LINE = 'it\'s "$(id)" é 7'


@pytest.fixture(scope="module")
def image(small_images: Images) -> str:
    return small_images.busybox("bluegreen-tests/log-servers", ["/bin/echo"])


@contextlib.contextmanager
def listening(scheme: str) -> Iterator[tuple[int, bytearray]]:
    """A port on loopback, and all that it is sent."""
    kind = socket.SOCK_DGRAM if scheme == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(30)
        if scheme == "tcp":
            server.listen()
        got = bytearray()

        def collect() -> None:
            with contextlib.suppress(OSError):
                if scheme == "udp":
                    got.extend(unpacked(server.recv(65_536)))
                    return
                connection, _ = server.accept()
                with connection:
                    while data := connection.recv(65_536):
                        got.extend(data)

        thread = threading.Thread(target=collect)
        thread.start()
        try:
            yield server.getsockname()[1], got
        finally:
            thread.join(30)


def unpacked(data: bytes) -> bytes:
    """GELF over UDP is packed with gzip or zlib."""
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else zlib.decompress(data) if data[:1] == b"x" else data


@pytest.mark.parametrize(("driver", "scheme"), [("gelf", "udp"), ("gelf", "tcp"), ("fluentd", "tcp")])
def test_a_line_arrives_under_its_tag(
    docker_engine: docker.DockerClient, image: str, programs: Callable[[str], ModuleType], driver: str, scheme: str
) -> None:
    with listening(scheme) as (port, got):
        written = {"logging": {"driver": driver, "address": f"{scheme}://127.0.0.1:{port}"}}
        logging = read_logging(written, "")
        assert logging is not None
        config = programs("logs").config({"driver": logging.driver, "options": dict(logging.options)}, TAG, "")
        made = docker_engine.api.create_container_from_config(
            {"Image": image, "Cmd": [LINE], "Labels": {LABEL: "1"}, "HostConfig": {"LogConfig": config}}
        )
        try:
            docker_engine.api.start(made["Id"])
            docker_engine.api.wait(made["Id"], timeout=30)
            written_as = (LINE.encode(), json.dumps(LINE, ensure_ascii=False)[1:-1].encode())
            until(lambda: any(text in got for text in written_as), 20, lambda: bytes(got))
        finally:
            docker_engine.api.remove_container(made["Id"], force=True)
    assert TAG.encode() in got
