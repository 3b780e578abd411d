from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_aws import FakeAws
from fake_engine import FakeEngine
from machine import Machine


@pytest.fixture
def aws() -> Iterator[FakeAws]:
    server = FakeAws()
    yield server
    server.stop()


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    server = FakeEngine()
    yield server
    server.stop()


@pytest.fixture
def machine(tmp_path: Path, aws: FakeAws, engine: FakeEngine) -> Machine:
    return Machine(tmp_path, aws, engine)
