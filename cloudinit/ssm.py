"""A secret from the SSM Parameter Store with the instance's own role, on the standard library alone.

IMDSv2 gives the role's credentials, Signature Version 4 signs GetParameter. The value is returned and written nowhere.
The standard variables of the AWS SDKs move the endpoints: AWS_EC2_METADATA_SERVICE_ENDPOINT, and AWS_ENDPOINT_URL_SSM or
AWS_ENDPOINT_URL.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import http.client
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

from console import BootError

_T = TypeVar("_T")

REFERENCE = "ssm:/"
TRIES = 6
ANSWER_LIMIT = 1 << 20
# Error codes that pass by themselves: SSM API reference, common errors.
PASSING = ("ThrottlingException", "InternalServerError", "InternalFailure", "ServiceUnavailable", "RequestExpired")


@dataclass(frozen=True)
class Credentials:
    key_id: str
    secret_key: str = field(repr=False)
    token: str = field(repr=False)


class Secrets:
    """Each reference is fetched once. `now` is UTC."""

    def __init__(
        self,
        region: str,
        pause_s: float = 1.0,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.timezone.utc),
    ) -> None:
        self._region = region
        self._pause_s = pause_s
        self._sleep = sleep
        self._now = now
        self._credentials: Credentials | None = None
        self._known: dict[str, str] = {}

    def fetch(self, reference: str) -> str:
        """The value behind `ssm:/path`."""
        if reference not in self._known:
            if self._credentials is None:
                self._credentials = self._persist("instance role", role_credentials)
            credentials = self._credentials
            self._known[reference] = self._persist(reference, lambda: self._parameter(reference, credentials))
        return self._known[reference]

    def _parameter(self, reference: str, credentials: Credentials) -> str:
        moved = os.environ.get("AWS_ENDPOINT_URL_SSM") or os.environ.get("AWS_ENDPOINT_URL")
        endpoint = moved or ssm_endpoint(self._region)
        body = json.dumps({"Name": reference[len("ssm:") :], "WithDecryption": True}).encode()
        headers = signed(urlsplit(endpoint).netloc, body, self._region, credentials, self._now())
        status, text = _ask("POST", endpoint + "/", headers, body)
        if status == 200:
            return str(json.loads(text)["Parameter"]["Value"])
        code, message = _aws_error(text)
        if status >= 500 or status == 429 or code in PASSING:
            raise _PassingError(f"SSM answered {status} {code}")
        raise BootError(f"{reference}: SSM answered {status} {code}: {message}")

    def _persist(self, what: str, action: Callable[[], _T]) -> _T:
        for attempt in range(TRIES):
            try:
                return action()
            except (_PassingError, OSError, http.client.HTTPException) as error:
                if attempt == TRIES - 1:
                    raise BootError(f"{what}: {error or type(error).__name__}, {TRIES} times") from None
                self._sleep(self._pause_s * 2**attempt)
        raise AssertionError("the last attempt returns or raises")


def role_credentials() -> Credentials:
    """EC2 user guide, "Use IMDSv2" and "Retrieve security credentials from instance metadata"."""
    base = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or "http://169.254.169.254"
    status, token = _ask("PUT", f"{base}/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "300"})
    if status != 200:
        raise _PassingError(f"the instance metadata service answered {status} to the request for a token")
    headers = {"X-aws-ec2-metadata-token": token}
    path = f"{base}/latest/meta-data/iam/security-credentials/"
    status, roles = _ask("GET", path, headers)
    if status != 200 or not roles.strip():
        raise _PassingError("the instance has no role (fleet.instance_profile in the stack file)")
    status, text = _ask("GET", path + roles.split()[0], headers)
    answer = json.loads(text) if status == 200 else {}
    if "SecretAccessKey" not in answer:
        raise _PassingError(f"the instance's role {roles.split()[0]} has no credentials yet")
    return Credentials(answer["AccessKeyId"], answer["SecretAccessKey"], answer["Token"])


def ssm_endpoint(region: str) -> str:
    """AWS general reference, SSM endpoints; the China regions have their own domain (botocore endpoints.json)."""
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://ssm.{region}.{domain}"


def signed(host: str, body: bytes, region: str, credentials: Credentials, now: datetime.datetime) -> dict[str, str]:
    """The headers of a signed GetParameter: IAM user guide, "Create a signed AWS API request"."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    headers = {
        "content-type": "application/x-amz-json-1.1",
        "host": host,
        "x-amz-date": stamp,
        "x-amz-security-token": credentials.token,
        "x-amz-target": "AmazonSSM.GetParameter",
    }
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{stamp[:8]}/{region}/ssm/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{credentials.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    authorization = f"AWS4-HMAC-SHA256 Credential={credentials.key_id}/{scope}, SignedHeaders={names}, "
    return {**headers, "authorization": f"{authorization}Signature={signature}"}


class _PassingError(Exception):
    """Not now, but perhaps in a moment."""


def _ask(method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> tuple[int, str]:
    """One HTTP call, without proxies and redirects; IMDS answers in milliseconds or not at all."""
    where = urlsplit(url)
    kind = http.client.HTTPSConnection if where.scheme == "https" else http.client.HTTPConnection
    connection = kind(where.netloc, timeout=5)
    try:
        connection.request(method, where.path, body=body, headers=dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read(ANSWER_LIMIT).decode("utf-8", "replace")
    finally:
        connection.close()


def _aws_error(text: str) -> tuple[str, str]:
    """The code and message of an error of the JSON 1.1 protocol."""
    try:
        answer = json.loads(text)
    except ValueError:
        return "without a reason", text[:200]
    return str(answer.get("__type", "")).rpartition("#")[2], str(answer.get("message") or answer.get("Message") or "")
