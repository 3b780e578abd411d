from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from program import Sandbox

if TYPE_CHECKING:
    import docker
    from chains import Chain
    from day import Day
    from machines import Site

    from tests.parts.images import Images
    from tests.parts.registry import Registry
    from tests.parts.rsyslog import Rsyslog
    from tests.parts.shop import Shop


def pytest_itemcollected(item: pytest.Item) -> None:
    """What shares machines, or a registry of its own, runs in one process, beside the others. Marked as soon as it is
    known: xdist reads the marks before a `pytest_collection_modifyitems` of ours would be called."""
    uses = set(getattr(item, "fixturenames", ()))
    if "docker_engine" in uses:
        builds_small = "outside" in uses and "shop" not in uses
        item.add_marker(pytest.mark.xdist_group("images" if builds_small else "engine"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Two engines, and the machines of two days, would fight for two cores: xdist 3.8 groups nothing under pytest 9.1
    and newer, and says nothing."""
    if item.get_closest_marker("xdist_group") and item.config.getoption("loadgroup", False) and "@" not in item.nodeid:
        pytest.fail("xdist has not put the engine's tests into one group: does this pytest go with it?", pytrace=False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs machines comes last: they stay up until the end."""
    items.sort(key=lambda item: "machines_box" in getattr(item, "fixturenames", ()))


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """One for each test, on ports of its own; taken down with nothing left."""
    box = Sandbox(tmp_path / "sandbox")
    try:
        yield box
    finally:
        box.end_all()
        down = box.run("sandbox", "down")
        assert down.code == 0, down.err
        assert not (tmp_path / "sandbox").exists(), "the sandbox left files behind"


@pytest.fixture(scope="session")
def machines_box(tmp_path_factory: pytest.TempPathFactory, docker_engine: docker.DockerClient) -> Iterator[Sandbox]:
    """The sandbox with real machines, one for all."""
    box = Sandbox(tmp_path_factory.mktemp("machines") / "sandbox", "--mode", "docker")
    try:
        yield box
    finally:
        down = box.start("sandbox", "down").end(120)
        assert down.code == 0, down.err


@pytest.fixture(scope="session")
def site(
    tmp_path_factory: pytest.TempPathFactory,
    docker_engine: docker.DockerClient,
    private_registry: Registry,
    rsyslog: Rsyslog,
    small_images: Images,
    shop: Shop,
    machines_box: Sandbox,
) -> Site:
    """The Django shop there; what the images of stacks/django are built from (`shop` fetches it)."""
    from machines import Site

    small_images.trust(private_registry)
    return Site(machines_box, docker_engine, private_registry, rsyslog, tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="session")
def day(site: Site) -> Day:
    from day import play

    return play(site)


@pytest.fixture(scope="module")
def outside(private_registry: Registry, small_images: Images) -> str:
    """A small base in the registry, under the tag 1."""
    small_images.busybox("bluegreen-tests/os", ["/bin/sh"])
    small_images.push("bluegreen-tests/os", private_registry, "tests/os", "1")
    return f"{private_registry.host}/tests/os:1"


@pytest.fixture
def chain(
    tmp_path: Path, private_registry: Registry, outside: str, docker_engine: docker.DockerClient
) -> Iterator[Chain]:
    from chains import Chain

    from tests.parts.images import remove_images

    made = Chain(tmp_path, private_registry, outside)
    try:
        yield made
    finally:
        made.images.close()
        remove_images(docker_engine, f"{private_registry.host}/{made.name}/", f"{private_registry.host}/shop/")
