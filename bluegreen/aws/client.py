"""The one door to AWS: time-outs, retries, error codes. No other file names a botocore exception.

Time-outs are short and one call is one attempt (facts: a write must not land long after we gave up on it). Reading calls
are tried again here; a write is tried again only when it is certain that nothing happened. All else is the loop's.
"""

from __future__ import annotations

import email.utils
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bluegreen.aws.credentials import STILL_EXPIRED, expired
from bluegreen.core.times import CONNECT_S, READ_S
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

ATTEMPTS = 5
PATIENT_ATTEMPTS = 16  # while nothing is under way: about 20 s of pauses
PATIENCE_S = 30.0  # no call is tried again after so long
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
EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
# what a wrong clock is answered with; some of them have other causes too, so the Date of the answer decides
SIGNATURES = CREDENTIALS | {
    "RequestExpired",
    "RequestTimeTooSkewed",
    "RequestInTheFuture",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
}
SKEW_S = 300  # from here on AWS takes a signature for too old
IAM_NAMES = {"elbv2": "elasticloadbalancing"}  # where IAM's prefix is not botocore's name


@dataclass
class Aws:
    """A botocore session with lazy clients. `endpoint` is for the sandbox; `sleep` is injected for the retries."""

    region: str
    profile: str | None = None
    endpoint: str | None = None
    sleep: Callable[[float], None] = lambda seconds: None
    session: Any = None
    attempts: int = ATTEMPTS
    wall: Callable[[], float] = time.time  # what signatures are made with
    told: Callable[[float], None] = lambda now: None  # what time it is at AWS, by the Date of each answer
    calls: int = 0
    _clients: dict[str, Any] = field(default_factory=dict)
    _making: Any = field(default_factory=threading.Lock)

    def at(self, region: str) -> Aws:
        """The same in another region."""
        return self if region == self.region else replace(self, region=region, _clients={}, _making=threading.Lock())

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
            stop=tenacity.stop_any(tenacity.stop_after_attempt(self.attempts), tenacity.stop_after_delay(PATIENCE_S)),
            wait=tenacity.wait_random_exponential(multiplier=0.2, max=3),
            retry=tenacity.retry_if_exception_type(again),
            sleep=self.sleep,
            reraise=True,
        )
        return retrying(self._once, service, operation, arguments)

    def _once(self, service: str, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        from botocore import exceptions as boto

        action = iam_action(service, operation)
        self.calls += 1
        if self.calls > MAX_CALLS:
            raise CloudError(
                f"more than {MAX_CALLS} AWS calls in one command: this is a bug, and we stop here",
                action=action,
            )
        try:
            method = getattr(self._client(service), operation)
            answer: dict[str, Any] = method(**arguments)
            if (at := _seconds(answer.get("ResponseMetadata", {}))) is not None:
                self.told(at)
            return answer
        except boto.ClientError as error:
            about = error.response.get("ResponseMetadata", {})
            status = int(about.get("HTTPStatusCode", 0))
            if error.response.get("Error", {}).get("Code") in SIGNATURES:
                _refuse_skew(self.wall(), _seconds(about))
            raise classify(service, operation, error.response.get("Error", {}), status) from error
        except (boto.ReadTimeoutError, boto.ConnectionClosedError, boto.ResponseStreamingError) as error:
            raise OutcomeUnknown(f"no answer from AWS to {action}", action=action, why=str(error)) from error
        except (boto.ConnectionError, boto.HTTPClientError) as error:
            raise Unreachable(f"{service} cannot be reached in {self.region}", action=action, why=str(error)) from error
        except (boto.NoCredentialsError, boto.PartialCredentialsError, boto.TokenRetrievalError) as error:
            raise _no_credentials(str(error)) from error
        except RuntimeError as error:  # botocore has no error of its own for credentials that ended before the call
            if STILL_EXPIRED not in str(error):
                raise
            raise expired(str(error)) from error
        except boto.BotoCoreError as error:
            raise CloudError(f"{action} could not be called: {error}", action=action) from error

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


def _seconds(about: Mapping[str, Any]) -> float | None:
    """The Date of an answer, in seconds since 1970."""
    try:
        return email.utils.parsedate_to_datetime(str(about.get("HTTPHeaders", {}).get("date", ""))).timestamp()
    except ValueError:
        return None


def _refuse_skew(now: float, theirs: float | None) -> None:
    """Raises Refused when the Date of AWS's answer shows that this machine's clock is what is wrong."""
    if theirs is None:
        return
    ahead = now - theirs
    if abs(ahead) >= SKEW_S:
        raise Refused(
            f"the clock of this machine is {abs(ahead) / 60:.0f} min {'ahead of' if ahead > 0 else 'behind'} AWS's",
            why="AWS takes a signature that differs by more than 5 min for expired.",
            next="set the clock (timedatectl set-ntp true), then the same command again",
        )


def iam_action(service: str, operation: str) -> str:
    """The call as IAM names it: elasticloadbalancing:ModifyRule."""
    words = "".join(word.capitalize() for word in operation.split("_"))
    return f"{IAM_NAMES.get(service, service)}:{words}"


def classify(service: str, operation: str, error: Mapping[str, Any], status: int = 0) -> CloudError | Refused:
    """The error of our tree for AWS's own code and HTTP status. Never by the message's text."""
    code, message = str(error.get("Code", "")), str(error.get("Message", ""))
    action = iam_action(service, operation)
    if code in EXPIRED:
        return expired(f"{action} answered {code}: {message}")
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
