"""Secrets come from SSM with the instance's role, and every signature is the one botocore would make."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Callable
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


@pytest.fixture(scope="module")
def program(programs: Callable[[str], ModuleType]) -> ModuleType:
    return programs("aws")


@pytest.fixture
def naps() -> list[float]:
    return []


@pytest.fixture(autouse=True)
def endpoints(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", aws.endpoint)
    for name in ("SSM", "SECRETS_MANAGER", "ECR"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{name}", aws.endpoint)


def test_a_secret_is_fetched_once_with_one_set_of_credentials(program: ModuleType, aws: FakeAws) -> None:
    aws.parameters.update({"/a": "first\n", "/b/c": "żółć"})
    secrets = program.Aws("eu-west-1")
    assert [secrets.fetch(name) for name in ("ssm:/a", "ssm:/b/c", "ssm:/a")] == ["first\n", "żółć", "first\n"]
    assert aws.log == [ROLE, f"{ROLE}shop-web", "/a", "/b/c"]


def test_one_variable_moves_all_services_and_the_services_own_goes_before_it(
    program: ModuleType, aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.parameters["/a"] = "first"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert program.Aws("eu-west-1").fetch("ssm:/a") == "first"
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    monkeypatch.delenv("AWS_ENDPOINT_URL_SSM")
    assert program.Aws("eu-west-1").fetch("ssm:/a") == "first"


def test_a_wrong_region_makes_a_wrong_signature(program: ModuleType, aws: FakeAws, naps: list[float]) -> None:
    """The fake is strict: this is what makes the other tests mean something."""
    with pytest.raises(program.BootError, match="InvalidSignatureException"):
        program.Aws("eu-west-2", sleep=naps.append).fetch("ssm:/a")


def test_what_passes_is_waited_out(program: ModuleType, aws: FakeAws, naps: list[float]) -> None:
    aws.parameters["/a"] = "value"
    aws.moods = {"imds": [404, 500], "ssm": [(400, '{"__type": "ThrottlingException"}'), (503, "<html>"), (429, "")]}
    assert program.Aws("eu-west-1", sleep=naps.append).fetch("ssm:/a") == "value"
    assert naps == [1.0, 2.0, 1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("moods", "role", "cause"),
    [
        ({}, "", "the instance has no role"),
        ({"imds": [500] * 9}, "r", "the instance has no role"),
        ({"ssm": [(500, "{}")] * 9}, "r", "ssm:/a: ssm answered 500"),
    ],
)
def test_tries_have_an_end(
    program: ModuleType, aws: FakeAws, naps: list[float], moods: dict[str, list[object]], role: str, cause: str
) -> None:
    aws.moods, aws.role = moods, role
    with pytest.raises(program.BootError, match=cause):
        program.Aws("eu-west-1", sleep=naps.append).fetch("ssm:/a")
    assert naps == [1.0, 2.0, 4.0, 8.0, 16.0]


def test_what_does_not_pass_is_told_at_once(program: ModuleType, aws: FakeAws, naps: list[float]) -> None:
    aws.moods["ssm"] = [(400, '{"__type": "AccessDeniedException", "Message": "User: x is not authorized"}')]
    with pytest.raises(program.BootError, match="ssm:/a: ssm answered 400 AccessDeniedException: User: x is not"):
        program.Aws("eu-west-1", sleep=naps.append).fetch("ssm:/a")
    assert naps == []


def test_nobody_there_is_told(
    program: ModuleType, aws: FakeAws, naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(program.BootError, match=r"instance role: .*refused"):
        program.Aws("eu-west-1", sleep=naps.append).fetch("ssm:/a")
    assert len(naps) == 5


def test_secrets_manager_and_a_key_of_a_secret_that_is_json(program: ModuleType, aws: FakeAws) -> None:
    aws.secrets.update({"shop/db": '{"password": "p#1", "port": 5432}', "plain": "x"})
    found = program.Aws("eu-west-1")
    names = ("secretsmanager:plain", "secretsmanager:shop/db#password", "secretsmanager:shop/db#port")
    assert [found.fetch(name) for name in names] == ["x", "p#1", "5432"]
    for name in ("secretsmanager:shop/db#user", "secretsmanager:plain#user"):
        with pytest.raises(program.BootError, match=f"{name}: the secret is no JSON with the key user"):
            found.fetch(name)
    with pytest.raises(program.BootError, match="secretsmanager:gone: secretsmanager answered 400 ResourceNotFound"):
        found.fetch("secretsmanager:gone")


def test_ecr_gives_the_role_a_login(program: ModuleType, aws: FakeAws) -> None:
    host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
    assert program.Aws("us-east-1").registry_login(host) == ("AWS", "ecr-password")


def test_what_it_is_by_its_own_tags(program: ModuleType, aws: FakeAws) -> None:
    assert program.Aws("eu-west-1").about() == {"instance": "i-0abc", "colour": "blue", "release": "0123456789ab"}


SERVICES = ("SSM", "SECRETS_MANAGER", "ECR")


@settings(deadline=None)
@given(
    body=st.binary(max_size=200),
    key=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1),
    now=st.datetimes(datetime.datetime(2020, 1, 1), datetime.datetime(2090, 1, 1)),
    region=st.sampled_from(["eu-west-1", "us-gov-west-1", "cn-north-1"]),
    service=st.sampled_from(SERVICES),
)
def test_signatures_are_botocores(
    program: ModuleType, body: bytes, key: str, now: datetime.datetime, region: str, service: str
) -> None:
    one = getattr(program, service)
    headers = program.signed(one, "aws.example:8080", body, region, program.Credentials("AKID", key, "token"), now)
    authorization = headers.pop("authorization")
    signer = SigV4Auth(Credentials("AKID", key, "token"), one.name, region)
    request = AWSRequest("POST", "https://aws.example:8080/", headers, body)
    request.context.update({"timestamp": headers["x-amz-date"], "payload_signing_enabled": True})
    to_sign = signer.string_to_sign(request, signer.canonical_request(request))
    assert authorization.endswith(f"Signature={signer.signature(to_sign, request)}")
    assert f"Credential=AKID/{signer.credential_scope(request)}, " in authorization


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("region", ["eu-west-1", "us-gov-east-1", "cn-north-1"])
def test_endpoints_are_botocores(
    program: ModuleType, region: str, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import botocore.session

    one = getattr(program, service)
    monkeypatch.delenv(f"AWS_ENDPOINT_URL_{service}")
    client = botocore.session.Session().create_client(
        one.name, region, aws_access_key_id="x", aws_secret_access_key="y", config=_no_endpoints()
    )
    assert program.endpoint(one, region) == client.meta.endpoint_url
    assert client.meta.service_model.signing_name == one.name


def _no_endpoints() -> object:
    from botocore.config import Config

    return Config(ignore_configured_endpoint_urls=True)


def test_credentials_do_not_show(program: ModuleType) -> None:
    assert "hidden" not in repr(program.Credentials("AKID", "hidden", "hidden"))


def test_the_folder_of_programs_has_no_name_of_the_standard_library() -> None:
    assert not {path.stem for path in Path(CLOUDINIT).glob("*.py")} & set(sys.stdlib_module_names)
