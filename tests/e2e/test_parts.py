"""The parts that other tests stand on: they are real, they refuse what they should, and they come back after a stop."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from base64 import b64encode
from ssl import create_default_context

import docker
import pytest

from tests.parts.authority import Authority
from tests.parts.engine import LABEL
from tests.parts.execs import Execs
from tests.parts.fixtures import skips
from tests.parts.images import Images
from tests.parts.registry import Registry
from tests.parts.rsyslog import Rsyslog
from tests.parts.wait import until

pytestmark = pytest.mark.e2e


def tags(registry: Registry, repository: str, password: str) -> list[str]:
    request = urllib.request.Request(f"https://{registry.host}/v2/{repository}/tags/list")
    request.add_header("Authorization", "Basic " + b64encode(f"{registry.username}:{password}".encode()).decode())
    trusting = create_default_context(cafile=str(registry.ca))
    with urllib.request.urlopen(request, timeout=10, context=trusting) as answer:
        return list(json.load(answer)["tags"])


def test_the_registry_keeps_images_behind_tls_and_a_password(
    private_registry: Registry, small_images: Images, docker_engine: docker.DockerClient
) -> None:
    built = small_images.busybox("bluegreen-tests/says", ["/say"], {"/say": "#!/bin/sh\necho said $1\n"})
    pinned = small_images.push("bluegreen-tests/says", private_registry, "tests/says", "one")
    assert tags(private_registry, "tests/says", private_registry.password) == ["one"]
    with pytest.raises(urllib.error.HTTPError, match="401"):
        tags(private_registry, "tests/says", "wrong")
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(f"https://{private_registry.host}/v2/", timeout=10)

    private_registry.stop()
    with pytest.raises(urllib.error.URLError, match="refused"):
        tags(private_registry, "tests/says", private_registry.password)
    private_registry.start()

    docker_engine.images.remove(built, force=True)
    login = {"username": private_registry.username, "password": private_registry.password}
    docker_engine.images.pull(pinned, auth_config=login)
    try:
        said = docker_engine.containers.run(pinned, ["this"], remove=True, labels={LABEL: "1"})
    finally:
        docker_engine.images.remove(pinned, force=True)
    assert said == b"said this\n"


@pytest.mark.parametrize("way", ["tcp", "udp"])
def test_the_log_server_takes_lines_of_containers_over_both_ways(
    rsyslog: Rsyslog, small_images: Images, docker_engine: docker.DockerClient, way: str
) -> None:
    small_images.busybox("bluegreen-tests/says", ["/say"], {"/say": "#!/bin/sh\necho said $1\n"})
    rsyslog.stop()
    rsyslog.start()
    options = {"syslog-address": f"{way}://{rsyslog.address}:{rsyslog.port}", "tag": f"shop/blue/{way}"}
    logging = docker.types.LogConfig(type="syslog", config=options)
    docker_engine.containers.run(
        "bluegreen-tests/says", [way], remove=True, labels={LABEL: "1"}, log_config=logging, network="none"
    )
    wanted = (way, f"shop/blue/{way}", f"said {way}")
    until(lambda: wanted in [(line.way, line.tag, line.text) for line in rsyslog.lines()], 10)


def test_every_program_that_starts_is_seen_with_its_words(
    small_images: Images, docker_engine: docker.DockerClient
) -> None:
    small_images.busybox("bluegreen-tests/sleeps", ["/sleep"], {"/sleep": "#!/bin/sh\nsleep 0.5\n"})
    with skips(), Execs() as seen:
        subprocess.run(("sleep", "0.11"), check=True, timeout=10)
        docker_engine.containers.run("bluegreen-tests/sleeps", ["a word of there"], remove=True, labels={LABEL: "1"})
    assert not seen.lost
    assert "sleep 0.11" in seen.lines
    assert "/bin/sh /sleep a word of there" in seen.lines


def test_certificates_are_for_names_and_addresses(authority: Authority) -> None:
    one, other = authority.certificate("10.1.2.3"), authority.certificate("logs.example.com", "10.1.2.4")
    assert one.chain.read_bytes() != other.chain.read_bytes() and other.key.is_file()
