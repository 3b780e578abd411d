"""Secrets for the sandbox's machines: ssm:/path from the sandbox's own Parameter Store, as a real machine asks AWS."""

from __future__ import annotations

import json

import urllib3

from bluegreen.sandbox.console import BootError

PREFIX = "ssm:"
LIMIT_S = 5.0
# The sandbox checks no signature, but it reads the region and the service from its scope.
SIGNATURE = "AWS4-HMAC-SHA256 Credential=sandbox/20260101/{region}/ssm/aws4_request, SignedHeaders=host, Signature=0"


def fetch(endpoint: str, region: str, reference: str) -> str:
    """The value of `reference`. BootError names it, and never its value."""
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": "AmazonSSM.GetParameter",
        "Authorization": SIGNATURE.format(region=region),
    }
    question = {"Name": reference.removeprefix(PREFIX), "WithDecryption": True}
    try:
        with urllib3.PoolManager(timeout=LIMIT_S, retries=False) as pool:
            answer = pool.request("POST", endpoint, body=json.dumps(question).encode(), headers=headers)
        plain = answer.json()
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        raise BootError(f"{reference} cannot be fetched: {type(error).__name__}") from None
    if answer.status != 200:
        raise BootError(f"{reference} cannot be fetched: {plain.get('__type', answer.status)}")
    return str(plain["Parameter"]["Value"])
