"""What an instance asks AWS for with its own role, on the standard library alone: its tags, secrets, a login at ECR.

IMDSv2 gives the role's credentials, Signature Version 4 signs each call. What comes back is written nowhere.
The standard variables of the AWS SDKs move the endpoints: AWS_EC2_METADATA_SERVICE_ENDPOINT, and AWS_ENDPOINT_URL_SSM,
_SECRETS_MANAGER, _ECR or AWS_ENDPOINT_URL.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import http.client
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from console import BootError

_T = TypeVar("_T")

TRIES = 6
ANSWER_LIMIT = 1 << 20
TAG = "bluegreen:"
# Error codes that pass by themselves: the services' API references, common errors.
PASSING = ("ThrottlingException", "InternalServerError", "InternalFailure", "ServiceUnavailable", "RequestExpired")


class Service(NamedTuple):
    """`host` is the endpoint's first part, `target` what X-Amz-Target says, `variable` the end of AWS_ENDPOINT_URL_…"""

    name: str
    host: str
    target: str
    variable: str


# AWS general reference, endpoints; API references, GetParameter, GetSecretValue, GetAuthorizationToken
SSM = Service("ssm", "ssm", "AmazonSSM.GetParameter", "SSM")
SECRETS_MANAGER = Service("secretsmanager", "secretsmanager", "secretsmanager.GetSecretValue", "SECRETS_MANAGER")
ECR = Service("ecr", "api.ecr", "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken", "ECR")


@dataclass(frozen=True)
class Credentials:
    key_id: str
    secret_key: str = field(repr=False)
    token: str = field(repr=False)


def is_reference(value: str) -> bool:
    return value.startswith(("ssm:/", "secretsmanager:"))


class Aws:
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

    def about(self) -> dict[str, str]:
        """The instance's id and its tags of ours without their prefix. Raises BootError."""
        return self._persist("instance metadata", _about)

    def fetch(self, reference: str) -> str:
        """The value behind `ssm:/path`, `secretsmanager:NAME` or `secretsmanager:NAME#KEY`, a key of JSON."""
        if reference not in self._known:
            prefix, _, name = reference.partition(":")
            if prefix == "ssm":
                asked = {"Name": name, "WithDecryption": True}
                self._known[reference] = str(self._call(reference, SSM, self._region, asked)["Parameter"]["Value"])
            else:
                name, _, key = name.partition("#")
                value = self._call(reference, SECRETS_MANAGER, self._region, {"SecretId": name})["SecretString"]
                self._known[reference] = _key(reference, value, key) if key else str(value)
        return self._known[reference]

    def registry_login(self, host: str) -> tuple[str, str]:
        """User and password for ACCOUNT.dkr.ecr.REGION.amazonaws.com."""
        answer = self._call(host, ECR, host.split(".")[3], {})
        user, _, password = (
            base64.b64decode(answer["authorizationData"][0]["authorizationToken"]).decode().partition(":")
        )
        return user, password

    def _call(self, what: str, service: Service, region: str, asked: Mapping[str, Any]) -> Any:
        if self._credentials is None:
            self._credentials = self._persist("instance role", role_credentials)
        credentials = self._credentials
        body = json.dumps(asked).encode()
        where = endpoint(service, region)

        def ask() -> Any:
            headers = signed(service, urlsplit(where).netloc, body, region, credentials, self._now())
            status, text = _ask("POST", where + "/", headers, body)
            if status == 200:
                return json.loads(text)
            code, message = _aws_error(text)
            if status >= 500 or status == 429 or code in PASSING:
                raise _PassingError(f"{service.name} answered {status} {code}")
            raise BootError(f"{what}: {service.name} answered {status} {code}: {message.rstrip('.')}")

        return self._persist(what, ask)

    def _persist(self, what: str, action: Callable[[], _T]) -> _T:
        for attempt in range(TRIES):
            try:
                return action()
            except (_PassingError, OSError, http.client.HTTPException) as error:
                if attempt == TRIES - 1:
                    raise BootError(f"{what}: {error or type(error).__name__}, {TRIES} times") from None
                self._sleep(self._pause_s * 2**attempt)
        raise AssertionError("the last attempt returns or raises")


def _key(reference: str, value: str, key: str) -> str:
    try:
        return str(json.loads(value)[key])
    except (ValueError, KeyError, TypeError):
        raise BootError(f"{reference}: the secret is no JSON with the key {key}") from None


def _about() -> dict[str, str]:
    metadata = _Metadata()
    found = {"instance": metadata.get("instance-id")}
    for name in metadata.get("tags/instance/").split():
        if name.startswith(TAG):
            found[name[len(TAG) :]] = metadata.get(f"tags/instance/{name}")
    return found


class _Metadata:
    """EC2 user guide, "Use IMDSv2"."""

    def __init__(self) -> None:
        self._base = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or "http://169.254.169.254"
        seconds = {"X-aws-ec2-metadata-token-ttl-seconds": "300"}
        status, self._token = _ask("PUT", f"{self._base}/latest/api/token", seconds)
        if status != 200:
            raise _PassingError(f"the instance metadata service answered {status} to the request for a token")

    def get(self, path: str) -> str:
        """Nothing where there is nothing."""
        headers = {"X-aws-ec2-metadata-token": self._token}
        status, text = _ask("GET", f"{self._base}/latest/meta-data/{path}", headers)
        return text if status == 200 else ""


def role_credentials() -> Credentials:
    """EC2 user guide, "Retrieve security credentials from instance metadata"."""
    metadata = _Metadata()
    path = "iam/security-credentials/"
    role = metadata.get(path).strip()
    if not role:
        raise _PassingError("the instance has no role (fleet.instance_profile in the stack file)")
    role = role.split()[0]
    answer = json.loads(metadata.get(path + role) or "{}")
    if "SecretAccessKey" not in answer:
        raise _PassingError(f"the instance's role {role} has no credentials yet")
    return Credentials(answer["AccessKeyId"], answer["SecretAccessKey"], answer["Token"])


def endpoint(service: Service, region: str) -> str:
    """The China regions have their own domain (botocore endpoints.json)."""
    moved = os.environ.get(f"AWS_ENDPOINT_URL_{service.variable}") or os.environ.get("AWS_ENDPOINT_URL")
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return (moved or f"https://{service.host}.{region}.{domain}").rstrip("/")


def signed(
    service: Service, host: str, body: bytes, region: str, credentials: Credentials, now: datetime.datetime
) -> dict[str, str]:
    """The headers of a signed call: IAM user guide, "Create a signed AWS API request"."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    headers = {
        "content-type": "application/x-amz-json-1.1",
        "host": host,
        "x-amz-date": stamp,
        "x-amz-security-token": credentials.token,
        "x-amz-target": service.target,
    }
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{stamp[:8]}/{region}/{service.name}/aws4_request"
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
