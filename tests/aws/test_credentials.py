"""Credentials of the environment, which nothing renews: when they end, and what does not begin any more."""

from __future__ import annotations

import pytest

from bluegreen.aws.client import Aws
from bluegreen.aws.credentials import EXPIRES, ends_at, require
from bluegreen.errors import Refused

NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z
KEYS = {"AWS_ACCESS_KEY_ID": "key"}


@pytest.mark.parametrize(
    "text", ["2027-01-15T08:20:00Z", "2027-01-15T08:20:00+00:00", "2027-01-15T09:20:00+01:00", "2027-01-15T08:20:00"]
)
def test_the_end_is_read(text: str) -> None:
    assert ends_at({**KEYS, EXPIRES: text}) == NOW + 1200


@pytest.mark.parametrize("environment", [{}, KEYS, {EXPIRES: "2027-01-15T08:20:00Z"}, {**KEYS, EXPIRES: "soon"}])
def test_where_no_end_is_told_none_is_assumed(environment: dict[str, str]) -> None:
    assert ends_at(environment) is None
    require(1e9, NOW, environment)


def test_what_ends_too_soon_is_refused() -> None:
    environment = {**KEYS, EXPIRES: "2027-01-15T08:20:00Z"}
    require(1200, NOW, environment)
    with pytest.raises(Refused, match="end in 20 min, and this may take 25 min") as caught:
        require(1500, NOW, environment)
    assert EXPIRES in caught.value.why and "sign in again" in caught.value.next


def test_what_has_ended_is_told_and_is_no_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**KEYS, "AWS_SECRET_ACCESS_KEY": "secret", EXPIRES: "2020-01-01T00:00:00Z"}.items():
        monkeypatch.setenv(name, value)
    aws = Aws("eu-west-1", endpoint="http://127.0.0.1:9")
    with pytest.raises(Refused, match="have expired"):
        aws.read("sts", "get_caller_identity")
