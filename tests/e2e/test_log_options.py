"""What `check` lets through under `logging`, an engine takes: each driver with every option, made and never started."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import docker
import pytest

from bluegreen.stackfile.kinds import Text
from bluegreen.stackfile.log_keys import DRIVERS, NOT_TOGETHER, read_logging
from tests.parts.engine import LABEL
from tests.parts.images import Images

pytestmark = pytest.mark.e2e

VALUES = {
    "a size such as 10m": "9m",
    "a whole number from 1 on": "3",
    "a time such as 5s": "5s",
    "-1 to 9": "-1",
    "a log group's name": "/shop/app",
    "an AWS region": "eu-west-1",
    "a URL such as https://logs.example.com": "https://logs.example.com",
    "a string": "x",
}
CASES = [(name, scheme) for name, driver in DRIVERS.items() for scheme in driver.schemes or ("",)]


@pytest.fixture(scope="module")
def image(small_images: Images) -> str:
    return small_images.busybox("bluegreen-tests/log-options", ["/bin/true"])


def value(kind: Text) -> str:
    return kind.choices[-1] if kind.choices else VALUES[kind.words]


def options(name: str, scheme: str) -> Iterator[tuple[str, str]]:
    """Each option with the last of its values, but what does not go with the rest."""
    apart = {one for one, other, _ in NOT_TOGETHER if other == scheme or other in DRIVERS[name].options}
    for option, kind in DRIVERS[name].options.items():
        if option not in apart:
            yield option, value(kind)


@pytest.mark.parametrize(("name", "scheme"), CASES)
def test_an_engine_takes_what_check_lets_through(
    docker_engine: docker.DockerClient, image: str, name: str, scheme: str
) -> None:
    written: dict[str, Any] = {"driver": name, "options": dict(options(name, scheme))}
    if scheme:
        written["address"] = f"{scheme}://logs.example.com:5140"
    logging = read_logging({"region": "eu-west-1", "logging": written}, "")
    assert logging is not None and set(written["options"]) <= dict(logging.options).keys()
    config = {"Type": logging.driver, "Config": dict(logging.options)}
    made = docker_engine.api.create_container_from_config(
        {"Image": image, "Labels": {LABEL: "1"}, "HostConfig": {"LogConfig": config}}
    )
    docker_engine.api.remove_container(made["Id"])


@pytest.mark.parametrize("name", DRIVERS)
def test_an_engine_refuses_an_option_that_check_refuses(
    docker_engine: docker.DockerClient, image: str, name: str
) -> None:
    logging = read_logging({"region": "eu-west-1", "logging": {"driver": name, "address": "tcp://logs:1"}}, "")
    assert logging is not None
    config = {"Type": name, "Config": {**dict(logging.options), "nonsense": "1"}}
    with pytest.raises(docker.errors.APIError, match="unknown log opt"):
        docker_engine.api.create_container_from_config({"Image": image, "HostConfig": {"LogConfig": config}})
