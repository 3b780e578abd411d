from __future__ import annotations

from collections.abc import Iterator

import pytest
from asking import Naps
from fake_registry import PASSWORD, FakeRegistry

from bluegreen.images.registry import Credentials, RegistryImages


@pytest.fixture
def naps() -> Naps:
    return Naps()


@pytest.fixture(autouse=True)
def no_authorities_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_CA_BUNDLE", "BLUEGREEN_REGISTRY_CA"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def images(registry: FakeRegistry, naps: Naps) -> Iterator[RegistryImages]:
    client = RegistryImages({registry.host: Credentials("deploy", lambda: PASSWORD)}, sleep=naps)
    yield client
    client.close()


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    server = FakeRegistry()
    yield server
    server.stop()
