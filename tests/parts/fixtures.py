"""The parts as fixtures of a whole test run. Nothing is imported or started before a test asks for it."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import docker

    from tests.parts.authority import Authority
    from tests.parts.images import Images
    from tests.parts.registry import Registry
    from tests.parts.rsyslog import Rsyslog
    from tests.parts.shop import Shop


@contextlib.contextmanager
def skips() -> Iterator[None]:
    """A part that cannot run here skips its tests, and says why."""
    from tests.parts.daemon import Missing

    try:
        yield
    except Missing as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def programs() -> Iterator[Callable[[str], ModuleType]]:
    """Imports a boot program by the name that it has on a host, beside the others; afterwards the names are free again."""
    folder = str(Path(__file__).parents[2] / "cloudinit")
    known = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setattr(sys, "dont_write_bytecode", True)
        yield importlib.import_module
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(folder):
            del sys.modules[name]


@pytest.fixture(scope="session")
def docker_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[docker.DockerClient]:
    from tests.parts.engine import engine

    with contextlib.ExitStack() as stack:
        with skips():
            base = tmp_path_factory.getbasetemp()
            client = stack.enter_context(engine(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base))
        yield client


@pytest.fixture(scope="session")
def gateway(docker_engine: docker.DockerClient) -> Iterator[str]:
    """An address of this machine that containers reach: the parts listen there."""
    from tests.parts.engine import bridge

    with bridge(docker_engine) as address:
        yield address


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    from tests.parts.authority import Authority

    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def private_registry(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority, gateway: str
) -> Iterator[Registry]:
    """One for all: who stops it starts it again."""
    from tests.parts.registry import Registry

    with skips():
        made = Registry(tmp_path_factory.mktemp("registry"), authority, gateway)
        made.start()
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def rsyslog(tmp_path_factory: pytest.TempPathFactory, gateway: str) -> Iterator[Rsyslog]:
    """One for all: who stops it starts it again."""
    from tests.parts.rsyslog import Rsyslog

    with skips():
        made = Rsyslog(tmp_path_factory.mktemp("rsyslog"), gateway)
        made.start()
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def small_images(docker_engine: docker.DockerClient) -> Iterator[Images]:
    from tests.parts.images import Images

    made = Images(docker_engine)
    try:
        yield made
    finally:
        made.clear()


@pytest.fixture(scope="session")
def shop(docker_engine: docker.DockerClient) -> Shop:
    """The images of the Django stack. The first run on a machine fetches what they are made of: half a minute."""
    from tests.parts.shop import Shop

    with skips():
        return Shop(docker_engine)
