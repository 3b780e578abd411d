"""Docker's LogConfig of a container: what the stack file came to, and what only the instance knows."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

TAG = "shop/blue/0123456789ab/web/i-0abc"
ADDRESS = {"syslog-address": "tcp+tls://logs:6514"}


@pytest.fixture(scope="module")
def logs(programs: Callable[[str], ModuleType]) -> ModuleType:
    return programs("logs")


@pytest.mark.parametrize(
    ("driver", "options", "added"),
    [
        ("syslog", {**ADDRESS, "mode": "non-blocking", "max-buffer-size": "4m"}, {"tag": TAG}),
        ("syslog", {**ADDRESS, "mode": "blocking"}, {"tag": TAG}),  # with a buffer Docker would refuse it
        ("awslogs", {"awslogs-group": "g"}, {"awslogs-stream": TAG}),
        ("journald", {}, {"tag": TAG}),
        ("json-file", {"max-size": "1m"}, {}),
        ("local", {}, {}),
    ],
)
def test_a_container_is_tagged_where_lines_leave_it(
    logs: ModuleType, driver: str, options: dict[str, str], added: dict[str, str]
) -> None:
    logging: dict[str, Any] = {"driver": driver, "options": options, "ca": "PEM"}
    assert logs.config(logging, TAG, "") == {"Type": driver, "Config": {**options, **added}}


def test_the_log_servers_authority_is_a_file(logs: ModuleType) -> None:
    found = logs.config({"driver": "syslog", "options": ADDRESS, "ca": "PEM"}, TAG, "/etc/bluegreen/logging-ca.crt")
    assert found["Config"] == {**ADDRESS, "tag": TAG, "syslog-tls-ca-cert": "/etc/bluegreen/logging-ca.crt"}
