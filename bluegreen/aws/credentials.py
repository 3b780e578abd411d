"""How long the credentials last, where that can be known: those of the environment, which nothing renews."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime

from bluegreen.errors import Refused

EXPIRES = "AWS_CREDENTIAL_EXPIRATION"  # botocore.credentials.EnvProvider; `aws configure export-credentials` writes it
STILL_EXPIRED = "still expired"  # of the RuntimeError by which botocore says so
RENEW = "sign in again (aws sso login, or a new session)"


def expired(why: str) -> Refused:
    return Refused("the AWS credentials have expired", why=why, next=RENEW)


def ends_at(environment: Mapping[str, str] = os.environ) -> float | None:
    """Seconds since 1970; None where nobody says, or where it is no time: then botocore judges it."""
    if not environment.get("AWS_ACCESS_KEY_ID"):
        return None
    try:
        moment = datetime.fromisoformat(environment.get(EXPIRES, ""))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def require(seconds: float, now: float, environment: Mapping[str, str] = os.environ) -> None:
    """Raises Refused when the credentials end before `seconds` have passed: the command would be cut off half done."""
    ends = ends_at(environment)
    if ends is not None and ends - now < seconds:
        raise Refused(
            f"the AWS credentials end in {max(0.0, ends - now) / 60:.0f} min, and this may take {seconds / 60:.0f} min",
            why=f"{EXPIRES} is {environment[EXPIRES]}, and nothing renews credentials of the environment.",
            next=f"{RENEW}, then the same command again",
        )
