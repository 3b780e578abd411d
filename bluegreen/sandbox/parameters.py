"""Secrets for the sandbox's machines: from its own Parameter Store and Secrets Manager, as a real machine asks AWS."""

from __future__ import annotations

import json

import urllib3

from bluegreen.core import secret_ref
from bluegreen.sandbox.console import BootError

LIMIT_S = 5.0
# The sandbox checks no signature, but it reads the region and the service from its scope.
SIGNATURE = (
    "AWS4-HMAC-SHA256 Credential=sandbox/20260101/{region}/{store}/aws4_request, SignedHeaders=host, Signature=0"
)
TARGETS = {"ssm": "AmazonSSM.GetParameter", "secretsmanager": "secretsmanager.GetSecretValue"}


def fetch(endpoint: str, region: str, reference: str) -> str:
    """The value of a well-formed `reference`. BootError names it, and never its value."""
    store, name, key = secret_ref.parts(reference)
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": TARGETS[store],
        "Authorization": SIGNATURE.format(region=region, store=store),
    }
    question = {"Name": name, "WithDecryption": True} if store == "ssm" else {"SecretId": name}
    try:
        with urllib3.PoolManager(timeout=LIMIT_S, retries=False) as pool:
            answer = pool.request("POST", endpoint, body=json.dumps(question).encode(), headers=headers)
        plain = answer.json()
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        raise BootError(f"{reference} cannot be fetched: {type(error).__name__}") from None
    if answer.status != 200:
        raise BootError(f"{reference} cannot be fetched: {plain.get('__type', answer.status)}")
    if store == "ssm":
        return str(plain["Parameter"]["Value"])
    if "SecretString" not in plain:
        raise BootError(f"{reference} cannot be fetched: the secret is binary")
    try:
        return secret_ref.at_key(plain["SecretString"], key)
    except ValueError as error:
        raise BootError(f"{reference} cannot be fetched: the secret is {error}") from None
