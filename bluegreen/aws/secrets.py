"""What a registry's login needs, for this process only: a secret's value, a password from ECR. Never logged, never passed on."""

from __future__ import annotations

import base64

from bluegreen.aws.client import Aws
from bluegreen.core import secret_ref
from bluegreen.core.image_ref import ecr_region
from bluegreen.errors import CloudError, Refused


def secret(aws: Aws, reference: str) -> str:
    """The value behind a well-formed reference (core/secret_ref.py)."""
    store, name, key = secret_ref.parts(reference)
    try:
        if store == "ssm":
            return str(aws.read("ssm", "get_parameter", Name=name, WithDecryption=True)["Parameter"]["Value"])
        answer = aws.read("secretsmanager", "get_secret_value", SecretId=name)
    except CloudError as error:
        raise _unreadable(reference, error.what) from error
    if "SecretString" not in answer:
        raise _unreadable(reference, "the secret is binary")
    try:
        return secret_ref.at_key(answer["SecretString"], key)
    except ValueError as error:
        raise _unreadable(reference, f"the secret is {error}") from None


def _unreadable(reference: str, why: str) -> Refused:
    return Refused(f"the secret {reference} cannot be read", where="registry.auth.password", why=why)


def ecr_password(aws: Aws, host: str) -> str:
    """For the user AWS at the registry `host`. It holds for 12 hours (ECR API reference, GetAuthorizationToken)."""
    try:
        answer = aws.at(ecr_region(host)).read("ecr", "get_authorization_token")
        token = base64.b64decode(answer["authorizationData"][0]["authorizationToken"]).decode()
    except CloudError as error:
        raise Refused(f"ECR gives no login for {host}", where="registry.auth", why=error.what) from error
    return token.partition(":")[2]
