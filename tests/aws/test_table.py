"""The ledger's table as it is made, and one that is not ours."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from bluegreen.aws.client import Aws
from bluegreen.aws.record import DynamoRecords
from bluegreen.aws.table import Table
from bluegreen.aws.weighted import WeightedTraffic
from bluegreen.cli import wire
from bluegreen.controller.degraded import lost_ledger
from bluegreen.errors import CloudError
from bluegreen.sandbox.engine import Engine
from bluegreen.sandbox.seed import REGION, seed


class Clock:
    def sleep(self, seconds: float) -> None:
        pass


class Wired:
    """As much of cli/wire.py's as the table needs."""

    def __init__(self) -> None:
        self.engine = Engine(lambda: 1_800_000_000.0)
        seed(self.engine)
        self.boto = self.engine.session(REGION)
        self.aws = Aws(REGION, session=self.boto._session)
        self.records = DynamoRecords(self.aws)
        self.traffic = WeightedTraffic(self.aws)
        self.clock = Clock()
        self.said: list[str] = []

    def ensure(self) -> None:
        wire.ensure_table(self, self.said.append)  # type: ignore[arg-type]

    @property
    def table(self) -> dict[str, Any]:
        found: dict[str, Any] = self.boto.client("dynamodb").describe_table(TableName="bluegreen")["Table"]
        return found

    @property
    def recovery(self) -> str:
        about = self.boto.client("dynamodb").describe_continuous_backups(TableName="bluegreen")
        return str(about["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"])


@pytest.fixture
def wired() -> Wired:
    return Wired()


def refusing(wired: Wired, monkeypatch: pytest.MonkeyPatch, code: str, times: int) -> None:
    """UpdateContinuousBackups answers `code` so many times."""
    real, left = wired.aws.write, itertools.count(times, -1)

    def write(service: str, operation: str, **arguments: Any) -> dict[str, Any]:
        if operation == "update_continuous_backups" and next(left) > 0:
            action = "dynamodb:UpdateContinuousBackups"
            raise CloudError(f"AWS refused {action}: {code}", action=action, code=code)
        return real(service, operation, **arguments)

    monkeypatch.setattr(wired.aws, "write", write)


def test_a_table_is_made_with_deletion_protection_and_point_in_time_recovery(wired: Wired) -> None:
    wired.ensure()
    assert wired.table["DeletionProtectionEnabled"] is True and wired.recovery == "ENABLED"
    with pytest.raises(wired.boto.client("dynamodb").exceptions.ClientError):
        wired.boto.client("dynamodb").delete_table(TableName="bluegreen")


def test_a_new_table_that_is_not_ready_for_recovery_is_asked_again(
    wired: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing(wired, monkeypatch, "ContinuousBackupsUnavailableException", 3)
    wired.ensure()
    assert wired.recovery == "ENABLED" and not any("point-in-time" in text for text in wired.said)


def test_recovery_that_is_not_allowed_is_told_and_stops_nothing(wired: Wired, monkeypatch: pytest.MonkeyPatch) -> None:
    refusing(wired, monkeypatch, "AccessDeniedException", 99)
    wired.ensure()
    (told,) = [text for text in wired.said if "point-in-time recovery" in text]
    assert "AccessDeniedException" in told and "aws dynamodb update-continuous-backups --table-name bluegreen" in told
    assert wired.table["DeletionProtectionEnabled"] is True and wired.recovery == "DISABLED"


def test_a_table_with_another_key_is_told_as_that_by_whoever_reads_it(wired: Wired) -> None:
    wired.boto.client("dynamodb").create_table(
        TableName="bluegreen",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    for read in (
        lambda: wired.records.read("shop"),
        wired.records.stacks,
        lambda: wired.records.journal("shop-1"),
        lambda: wired.records.deployments("shop"),
    ):
        with pytest.raises(CloudError, match="is not a ledger of bluegreen") as caught:
            read()
        assert caught.value.exit_code == 5 and "Its key is id;" in caught.value.why
        assert "BLUEGREEN_TABLE" in caught.value.next and lost_ledger(caught.value)


def test_another_refusal_of_a_proper_table_stays_what_it_is(wired: Wired) -> None:
    Table(wired.aws).make()
    with pytest.raises(CloudError, match="ValidationException"):
        wired.records._read("get_item", TableName="bluegreen", Key={"stack": {"S": "shop"}})
    assert wired.records.stacks() == ()
