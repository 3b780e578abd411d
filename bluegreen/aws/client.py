"""The one door to AWS: time-outs, retries, error codes. No other file names a botocore exception.

Time-outs are short and one call is one attempt (facts: a write must not land long after we gave up on it). Reading calls
are tried again here; a write is tried again only when it is certain that nothing happened. All else is the loop's.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bluegreen.errors import (
    CloudError,
    NoCapacity,
    NotFound,
    NotYet,
    OutcomeUnknown,
    Refused,
    Throttled,
    Unreachable,
)

CONNECT_S, READ_S = 2, 5
ATTEMPTS = 5
MAX_CALLS = 20_000  # a bound on one command; a hot loop trips it

FAULT = 500  # an error of AWS's own proves nothing about what happened

THROTTLES = {
    "Throttling",
    "ThrottlingException",
    "RequestLimitExceeded",
    "ProvisionedThroughputExceededException",
    "TooManyRequestsException",
    "RequestThrottled",
    "TransactionConflictException",
}
CAPACITY = {"InsufficientInstanceCapacity", "InsufficientHostCapacity", "InsufficientCapacity", "Unsupported"}
NOT_YET = {"InvalidTarget", "ResourceInUse", "IncorrectInstanceState"}
CREDENTIALS = {
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "AuthFailure",
}


@dataclass
class Aws:
    """A botocore session with lazy clients. `endpoint` is for the sandbox; `sleep` is injected for the retries."""

    region: str
    profile: str | None = None
    endpoint: str | None = None
    sleep: Callable[[float], None] = lambda seconds: None
    session: Any = None
    attempts: int = ATTEMPTS
    calls: int = 0
    _clients: dict[str, Any] = field(default_factory=dict)
    _making: Any = field(default_factory=threading.Lock)

    def read(self, service: str, operation: str, **arguments: Any) -> dict[str, Any]:
        """A call that changes nothing: tried again on throttling and on a lost answer."""
        return self._attempts(service, operation, arguments, (Throttled, Unreachable, OutcomeUnknown))

    def write(self, service: str, operation: str, **arguments: Any) -> dict[str, Any]:
        """A call that changes something: tried again only where nothing can have happened."""
        return self._attempts(service, operation, arguments, (Throttled, Unreachable))

    def pages(self, service: str, operation: str, key: str, **arguments: Any) -> list[dict[str, Any]]:
        """All items under `key` of a paged reading call."""
        found: list[dict[str, Any]] = []
        token_in, token_out = ("NextToken", "NextToken") if service == "ec2" else ("Marker", "NextMarker")
        while True:
            page = self.read(service, operation, **arguments)
            found += page.get(key, [])
            token = page.get(token_out)
            if not token:
                return found
            arguments[token_in] = token

    def _attempts(
        self, service: str, operation: str, arguments: Mapping[str, Any], again: tuple[type[CloudError], ...]
    ) -> dict[str, Any]:
        import tenacity

        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.attempts),
            wait=tenacity.wait_random_exponential(multiplier=0.2, max=3),
            retry=tenacity.retry_if_exception_type(again),
            sleep=self.sleep,
            reraise=True,
        )
        return retrying(self._once, service, operation, arguments)

    def _once(self, service: str, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        from botocore import exceptions as boto

        self.calls += 1
        if self.calls > MAX_CALLS:
            raise CloudError(f"more than {MAX_CALLS} AWS calls in one command: this is a bug, and we stop here")
        try:
            method = getattr(self._client(service), operation)
            answer: dict[str, Any] = method(**arguments)
            return answer
        except boto.ClientError as error:
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            raise classify(service, operation, error.response.get("Error", {}), status) from error
        except (boto.ReadTimeoutError, boto.ConnectionClosedError, boto.ResponseStreamingError) as error:
            raise OutcomeUnknown(
                f"no answer from AWS to {service}:{operation}", action=f"{service}:{operation}", why=str(error)
            ) from error
        except (boto.ConnectionError, boto.HTTPClientError) as error:
            raise Unreachable(
                f"{service} cannot be reached in {self.region}", action=f"{service}:{operation}", why=str(error)
            ) from error
        except (boto.NoCredentialsError, boto.PartialCredentialsError, boto.TokenRetrievalError) as error:
            raise _no_credentials(str(error)) from error
        except boto.BotoCoreError as error:
            raise CloudError(f"{service}:{operation} could not be called: {error}", action=operation) from error

    def _client(self, service: str) -> Any:
        with self._making:
            if service not in self._clients:
                self._clients[service] = self._make(service)
            return self._clients[service]

    def _make(self, service: str) -> Any:
        import botocore.session
        from botocore import exceptions as boto
        from botocore.config import Config

        config = Config(
            connect_timeout=CONNECT_S,
            read_timeout=READ_S,
            retries={"total_max_attempts": 1, "mode": "standard"},
            user_agent_extra="bluegreen",
        )
        try:
            if self.session is None:
                self.session = botocore.session.Session(profile=self.profile)
            return self.session.create_client(
                service, region_name=self.region, endpoint_url=self.endpoint, config=config
            )
        except boto.ProfileNotFound as error:
            raise Refused(str(error), next="aws configure list-profiles") from error


def _no_credentials(why: str) -> Refused:
    return Refused(
        "there are no AWS credentials",
        why=why,
        next="set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; to try without AWS: bluegreen sandbox up",
    )


def classify(service: str, operation: str, error: Mapping[str, Any], status: int = 0) -> CloudError | Refused:
    """The error of our tree for AWS's own code and HTTP status. Never by the message's text."""
    code, message = str(error.get("Code", "")), str(error.get("Message", ""))
    action = f"{service}:{operation}"
    if code in CREDENTIALS:
        return _no_credentials(f"{action} answered {code}: {message}")
    kind: type[CloudError] = CloudError
    if code in THROTTLES:
        kind = Throttled
    elif code in CAPACITY:
        kind = NoCapacity
    elif code in NOT_YET:
        kind = NotYet
    elif "NotFound" in code or code in ("ResourceNotFoundException", "InvalidInstance"):
        kind = NotFound
    elif status >= FAULT:
        kind = OutcomeUnknown
    return kind(f"AWS refused {action}: {code}: {message}", action=action, code=code)


def endpoint_from_environment() -> str | None:
    return os.environ.get("AWS_ENDPOINT_URL") or None
