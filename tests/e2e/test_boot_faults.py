"""Whatever keeps a machine from booting: one line says why, the old fleet serves, nothing is left running."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import docker
import pytest
from faulty import BAD, FAULTS, LANES, LIVE, NAME, Fault, Seen, Stand, play, program_of
from program import Sandbox

from tests.parts.authority import Authority
from tests.parts.images import Images
from tests.parts.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1500)]

HTTPD = ("/bin/busybox", "httpd", "-f", "-p", "8000", "-h", "/www")


@pytest.fixture(scope="module")
def registries(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority, gateway: str, small_images: Images
) -> Iterator[Sequence[Registry]]:
    """One for each lane, with the same images: their faults are theirs alone."""
    folders = [tmp_path_factory.mktemp("lane") for _ in range(LANES)]
    made = [Registry(folder, authority, gateway, names=(NAME,)) for folder in folders]
    try:
        for registry in made:
            registry.start()
            for repository, version in [("web", LIVE), *((name, BAD) for name in ("web", "gone", "alien", "large"))]:
                name = f"bluegreen-tests/{repository}:{version.lower()}"
                first = ("/bin/alien",) if repository == "alien" else HTTPD
                small_images.busybox(name, first, files(repository, version))
                small_images.push(name, registry, f"faults/{repository}", version)
        yield made
    finally:
        for registry in made:
            registry.stop()


def files(repository: str, version: str) -> dict[str, str | bytes]:
    own = {"alien": {"/bin/alien": program_of("arm64")}, "large": {"/www/large": os.urandom(1 << 20)}}
    return {"/www/health": "fine\n", "/www/version": f"{repository} {version}\n", **own.get(repository, {})}


@pytest.fixture(scope="module")
def played(
    machines_box: Sandbox,
    docker_engine: docker.DockerClient,
    registries: Sequence[Registry],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Seen | AssertionError]:
    stands = [
        Stand(machines_box, docker_engine, registry, f"faults{number}", tmp_path_factory.mktemp("stand"))
        for number, registry in enumerate(registries)
    ]
    return play(stands, FAULTS)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_a_machine_that_does_not_boot(fault: Fault, played: dict[str, Seen | AssertionError]) -> None:
    seen = played[fault.name]
    assert isinstance(seen, Seen), seen
    print(seen.line)
    assert seen.ended.code == 3, seen.ended.err
    assert re.search(fault.cause, seen.line), (seen.line, seen.ended.out, seen.ended.err)
    assert seen.served
    assert not seen.left
