"""What the one door to AWS makes of AWS's answers."""

from __future__ import annotations

import email.utils
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bluegreen.aws.client import Aws, iam_action
from bluegreen.errors import CloudError, Refused, Throttled

NOW = 1_800_000_000.0


class Sts:
    """Answers every call with this code, and the time on AWS's clock."""

    def __init__(self, code: str, date: str) -> None:
        self.code, self.date = code, date

    def get_caller_identity(self) -> Any:
        about = {"HTTPStatusCode": 403, "HTTPHeaders": {"date": self.date} if self.date else {}}
        raise ClientError(
            {"Error": {"Code": self.code, "Message": "no"}, "ResponseMetadata": about},  # type: ignore[typeddict-item]
            "GetCallerIdentity",
        )


def asked(code: str, ahead_s: float = 0.0, *, date: str | None = None) -> CloudError | Refused:
    aws = Aws("eu-west-1", wall=lambda: NOW + ahead_s)
    aws._clients["sts"] = Sts(code, email.utils.formatdate(NOW, usegmt=True) if date is None else date)
    with pytest.raises((CloudError, Refused)) as caught:
        aws.read("sts", "get_caller_identity")
    return caught.value


@pytest.mark.parametrize("code", ["RequestTimeTooSkewed", "SignatureDoesNotMatch", "AuthFailure", "RequestExpired"])
@pytest.mark.parametrize(("ahead_s", "words"), [(600.0, "10 min ahead of AWS's"), (-3600.0, "60 min behind AWS's")])
def test_a_clock_that_is_wrong_is_told(code: str, ahead_s: float, words: str) -> None:
    error = asked(code, ahead_s)
    assert error.exit_code == 5 and words in error.what and "set the clock" in error.next


@pytest.mark.parametrize("date", [None, "", "yesterday"])
def test_a_clock_that_is_right_or_cannot_be_compared_is_not_blamed(date: str | None) -> None:
    assert "expired" in asked("ExpiredToken", 20.0, date=date).what
    assert "clock" not in asked("SignatureDoesNotMatch", 20.0, date=date).what


def test_a_refused_call_is_named_as_iam_names_it() -> None:
    error = asked("AccessDenied")
    assert "sts:GetCallerIdentity" in error.what and isinstance(error, CloudError) and error.code == "AccessDenied"
    assert iam_action("elbv2", "modify_rule") == "elasticloadbalancing:ModifyRule"
    assert iam_action("ec2", "run_instances") == "ec2:RunInstances"


@pytest.mark.parametrize(
    ("date", "told"), [(email.utils.formatdate(NOW, usegmt=True), [NOW]), ("yesterday", []), ("", [])]
)
def test_each_answer_tells_what_time_it_is_at_aws(date: str, told: list[float]) -> None:
    class Answers:
        def get_caller_identity(self) -> Any:
            return {"ResponseMetadata": {"HTTPHeaders": {"date": date}}}

    heard: list[float] = []
    aws = Aws("eu-west-1", told=heard.append)
    aws._clients["sts"] = Answers()
    aws.read("sts", "get_caller_identity")
    assert heard == told


class Throttling:
    """Refuses so many calls, then answers."""

    def __init__(self, number: int) -> None:
        self.left = number

    def get_caller_identity(self) -> Any:
        self.left -= 1
        if self.left >= 0:
            raise ClientError({"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}, "GetCallerIdentity")
        return {"Account": "123456789012"}


@pytest.mark.parametrize(
    ("attempts", "throttles", "well"), [(5, 4, True), (5, 5, False), (16, 15, True), (16, 16, False)]
)
def test_a_throttled_call_is_tried_as_often_as_its_caller_has_patience(
    attempts: int, throttles: int, well: bool
) -> None:
    naps: list[float] = []
    aws = Aws("eu-west-1", sleep=naps.append, attempts=attempts)
    aws._clients["sts"] = Throttling(throttles)
    if well:
        assert aws.read("sts", "get_caller_identity")["Account"] == "123456789012"
    else:
        with pytest.raises(Throttled):
            aws.read("sts", "get_caller_identity")
    assert len(naps) == min(throttles, attempts - 1) and max(naps) <= 3
