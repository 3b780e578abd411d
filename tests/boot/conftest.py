from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from fake_aws import FakeAws
from fake_engine import FakeEngine
from machine import CLOUDINIT, Machine


@pytest.fixture(scope="module")
def programs() -> Iterator[Callable[[str], ModuleType]]:
    """Imports a boot program by the name that it has on a host, beside the others; afterwards the names are free again."""
    known = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(CLOUDINIT))
        patch.setattr(sys, "dont_write_bytecode", True)
        yield importlib.import_module
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(CLOUDINIT)):
            del sys.modules[name]


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
