"""Secrets come from SSM with the instance's role, and every signature is the one botocore would make."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from fake_aws import ROLE, FakeAws
from hypothesis import given, settings
from hypothesis import strategies as st
from machine import CLOUDINIT

NAMES = ("console", "ssm")


@pytest.fixture(scope="module")
def ssm() -> Iterator[ModuleType]:
    """The module, imported by the name it has on a host; afterwards the name is free again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(CLOUDINIT))
        patch.setattr(sys, "dont_write_bytecode", True)
        import ssm

        yield ssm
    for name in NAMES:
        sys.modules.pop(name, None)


@pytest.fixture
def naps() -> list[float]:
    return []


@pytest.fixture(autouse=True)
def endpoints(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", aws.endpoint)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", aws.endpoint)


def test_a_secret_is_fetched_once_with_one_set_of_credentials(ssm: ModuleType, aws: FakeAws) -> None:
    aws.parameters.update({"/a": "first\n", "/b/c": "żółć"})
    secrets = ssm.Secrets("eu-west-1")
    assert [secrets.fetch(name) for name in ("ssm:/a", "ssm:/b/c", "ssm:/a")] == ["first\n", "żółć", "first\n"]
    assert aws.log == [ROLE, f"{ROLE}shop-web", "/a", "/b/c"]


def test_one_variable_moves_all_services_and_the_services_own_goes_before_it(
    ssm: ModuleType, aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.parameters["/a"] = "first"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert ssm.Secrets("eu-west-1").fetch("ssm:/a") == "first"
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    monkeypatch.delenv("AWS_ENDPOINT_URL_SSM")
    assert ssm.Secrets("eu-west-1").fetch("ssm:/a") == "first"


def test_a_wrong_region_makes_a_wrong_signature(ssm: ModuleType, aws: FakeAws, naps: list[float]) -> None:
    """The fake is strict: this is what makes the other tests mean something."""
    with pytest.raises(ssm.BootError, match="InvalidSignatureException"):
        ssm.Secrets("eu-west-2", sleep=naps.append).fetch("ssm:/a")


def test_what_passes_is_waited_out(ssm: ModuleType, aws: FakeAws, naps: list[float]) -> None:
    aws.parameters["/a"] = "value"
    aws.moods = {"imds": [404, 500], "ssm": [(400, '{"__type": "ThrottlingException"}'), (503, "<html>"), (429, "")]}
    assert ssm.Secrets("eu-west-1", sleep=naps.append).fetch("ssm:/a") == "value"
    assert naps == [1.0, 2.0, 1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("moods", "role", "cause"),
    [
        ({}, "", "the instance has no role"),
        ({"imds": [500] * 9}, "r", "the instance has no role"),
        ({"ssm": [(500, "{}")] * 9}, "r", "ssm:/a: SSM answered 500"),
    ],
)
def test_tries_have_an_end(
    ssm: ModuleType, aws: FakeAws, naps: list[float], moods: dict[str, list[object]], role: str, cause: str
) -> None:
    aws.moods, aws.role = moods, role
    with pytest.raises(ssm.BootError, match=cause):
        ssm.Secrets("eu-west-1", sleep=naps.append).fetch("ssm:/a")
    assert naps == [1.0, 2.0, 4.0, 8.0, 16.0]


def test_what_does_not_pass_is_told_at_once(ssm: ModuleType, aws: FakeAws, naps: list[float]) -> None:
    aws.moods["ssm"] = [(400, '{"__type": "AccessDeniedException", "Message": "User: x is not authorized"}')]
    with pytest.raises(ssm.BootError, match="ssm:/a: SSM answered 400 AccessDeniedException: User: x is not"):
        ssm.Secrets("eu-west-1", sleep=naps.append).fetch("ssm:/a")
    assert naps == []


def test_nobody_there_is_told(
    ssm: ModuleType, aws: FakeAws, naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(ssm.BootError, match=r"instance role: .*refused"):
        ssm.Secrets("eu-west-1", sleep=naps.append).fetch("ssm:/a")
    assert len(naps) == 5


@settings(deadline=None)
@given(
    body=st.binary(max_size=200),
    key=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1),
    now=st.datetimes(datetime.datetime(2020, 1, 1), datetime.datetime(2090, 1, 1)),
    region=st.sampled_from(["eu-west-1", "us-gov-west-1", "cn-north-1"]),
)
def test_signatures_are_botocores(ssm: ModuleType, body: bytes, key: str, now: datetime.datetime, region: str) -> None:
    headers = ssm.signed("ssm.example:8080", body, region, ssm.Credentials("AKID", key, "token"), now)
    authorization = headers.pop("authorization")
    signer = SigV4Auth(Credentials("AKID", key, "token"), "ssm", region)
    request = AWSRequest("POST", "https://ssm.example:8080/", headers, body)
    request.context.update({"timestamp": headers["x-amz-date"], "payload_signing_enabled": True})
    to_sign = signer.string_to_sign(request, signer.canonical_request(request))
    assert authorization.endswith(f"Signature={signer.signature(to_sign, request)}")
    assert f"Credential=AKID/{signer.credential_scope(request)}, " in authorization


@pytest.mark.parametrize("region", ["eu-west-1", "us-gov-east-1", "cn-north-1"])
def test_endpoints_are_botocores(ssm: ModuleType, region: str) -> None:
    import botocore.session

    client = botocore.session.Session().create_client(
        "ssm", region, aws_access_key_id="x", aws_secret_access_key="y", endpoint_url=None, config=_no_endpoints()
    )
    assert ssm.ssm_endpoint(region) == client.meta.endpoint_url


def _no_endpoints() -> object:
    from botocore.config import Config

    return Config(ignore_configured_endpoint_urls=True)


def test_credentials_do_not_show(ssm: ModuleType) -> None:
    assert "hidden" not in repr(ssm.Credentials("AKID", "hidden", "hidden"))


def test_the_folder_of_programs_has_no_name_of_the_standard_library() -> None:
    assert not {path.stem for path in Path(CLOUDINIT).glob("*.py")} & set(sys.stdlib_module_names)
