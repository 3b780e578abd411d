"""What the controller reads to log in at a registry: from Parameter Store, Secrets Manager and ECR, on the sandbox's engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from bluegreen.aws.client import Aws
from bluegreen.aws.secrets import ecr_password, secret
from bluegreen.errors import Refused
from bluegreen.sandbox.engine import Engine
from bluegreen.sandbox.faults import Fault

HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
PLANTED = 'pa:ss#w"ord\n'
SECRETS = {"shop/plain": PLANTED, "shop/json": '{"password": "in JSON", "port": 5}', "shop/list": "[1]"}


@pytest.fixture
def boto() -> boto3.Session:
    return Engine().session("eu-west-1")


@pytest.fixture
def aws(boto: boto3.Session) -> Iterator[Aws]:
    boto.client("ssm").put_parameter(Name="/shop/registry", Value=PLANTED, Type="SecureString")
    store = boto.client("secretsmanager")
    for name, text in SECRETS.items():
        store.create_secret(Name=name, SecretString=text)
    store.create_secret(Name="shop/binary", SecretBinary=b"\0")
    yield Aws("eu-west-1", session=boto._session)


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        ("ssm:/shop/registry", PLANTED),
        ("secretsmanager:shop/plain", PLANTED),
        ("secretsmanager:shop/json", SECRETS["shop/json"]),
        ("secretsmanager:shop/json#password", "in JSON"),
        ("secretsmanager:shop/json#port", "5"),
    ],
)
def test_a_reference_is_read_where_it_says(aws: Aws, reference: str, value: str) -> None:
    assert secret(aws, reference) == value


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("ssm:/shop/none", "ParameterNotFound"),
        ("secretsmanager:shop/none", "ResourceNotFoundException"),
        ("secretsmanager:shop/binary", "the secret is binary"),
        ("secretsmanager:shop/plain#key", "not JSON with the key key"),
        ("secretsmanager:shop/json#none", "not JSON with the key none"),
        ("secretsmanager:shop/list#a", "not JSON with the key a"),
    ],
)
def test_one_that_cannot_be_read_is_told_without_what_is_there(aws: Aws, reference: str, why: str) -> None:
    with pytest.raises(Refused) as caught:
        secret(aws, reference)
    assert f"the secret {reference} cannot be read" in str(caught.value) and why in str(caught.value)
    assert "registry.auth.password" in caught.value.where
    assert all(text not in str(caught.value) for text in SECRETS.values())


@pytest.mark.parametrize("region", ["eu-west-1", "us-east-2"])
def test_ecr_gives_the_password_of_the_registrys_own_region(
    aws: Aws, region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []
    create = aws.session.create_client

    def watched(service: str, region_name: str, **rest: Any) -> Any:
        asked.append((service, region_name))
        return create(service, region_name=region_name, **rest)

    monkeypatch.setattr(aws.session, "create_client", watched)
    assert ecr_password(aws, f"123456789012.dkr.ecr.{region}.amazonaws.com") == "123456789012-auth-token"
    assert asked == [("ecr", region)]


def test_ecr_that_refuses_is_told() -> None:
    engine = Engine()
    engine.faults.add(Fault("GetAuthorizationToken", 1, "before", "AccessDeniedException", "no", 400))
    with pytest.raises(Refused, match="ECR gives no login for 1") as caught:
        ecr_password(Aws("eu-west-1", session=engine.session("eu-west-1")._session), HOST)
    assert "AccessDeniedException" in caught.value.why
