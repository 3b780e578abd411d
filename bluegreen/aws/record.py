"""The ledger in DynamoDB: one table, partition key `stack`, sort key `item`.

Item `record` is the stack's record; items `journal#<epoch>#<number>` are its events. Every change of the record is one
conditional write on the epoch and the op id that were seen; its own op id tells our success with a lost answer from
somebody else's.
"""

from __future__ import annotations

import json
from typing import Any

from bluegreen.aws import lines
from bluegreen.aws.client import Aws
from bluegreen.aws.table import TABLE, Table
from bluegreen.core.event import Event, event_to_plain
from bluegreen.core.fleet import deployment_id, split_deployment
from bluegreen.core.plain import to_plain
from bluegreen.core.record import Record
from bluegreen.errors import CloudError, LineTaken, NotFound, OutcomeUnknown, Refused, Superseded, Unreadable
from bluegreen.ports import Journal

CONDITION_FAILED = "ConditionalCheckFailedException"


class DynamoRecords:
    """The Records port."""

    def __init__(self, aws: Aws, table: str = TABLE) -> None:
        self.aws = aws
        self.table = table

    def read(self, stack: str) -> Record | None:
        answer = self._read("get_item", TableName=self.table, Key=_key(stack, "record"), ConsistentRead=True)
        record = lines.record(stack, self.table, answer.get("Item"))
        if record is not None and record.region not in ("", self.aws.region):
            raise Refused(
                f"{stack} lives in {record.region}, and this command asks {self.aws.region}",
                why="A copy of another region's table tells nothing about the fleets here.",
                next=f"the same command with --region {record.region}",
            )
        return record

    def write(self, record: Record, epoch: int, op_id: str) -> None:
        item = {
            **_key(record.stack, "record"),
            "epoch": {"N": str(record.epoch)},
            "op_id": {"S": record.op_id},
            "rvn": {"S": record.rvn},
            "body": {"S": json.dumps(to_plain(record), sort_keys=True)},
        }
        try:
            self.aws.write("dynamodb", "put_item", TableName=self.table, Item=item, **_unchanged(epoch, op_id))
        except OutcomeUnknown:
            self._settle(record, epoch, op_id)
        except CloudError as error:
            if error.code != CONDITION_FAILED:
                raise
            self._settle(record, epoch, op_id)

    def _settle(self, record: Record, epoch: int, op_id: str) -> None:
        """After a refused or unanswered write: ours if our op id stands, undecided if nothing changed; else somebody
        else was first."""
        now = self.read(record.stack)
        if now is not None and now.op_id == record.op_id:
            return
        if now is not None and (now.epoch, now.op_id) != (epoch, op_id):
            raise Superseded(
                f"{record.stack} was taken over while this run held it",
                why=f"Epoch {now.epoch} stands, held by {now.owner or 'nobody'}.",
                next=f"bluegreen status {record.stack}",
            )
        raise OutcomeUnknown(f"the record of {record.stack} could not be written", action="dynamodb:PutItem")

    def append(self, deployment: str, number: int, event: Event) -> None:
        stack, epoch = split_deployment(deployment)
        body = json.dumps(event_to_plain(event), sort_keys=True)
        item = {**_key(stack, _line(epoch, number)), "body": {"S": body}, "line": {"S": type(event).__name__}}
        try:
            self.aws.write(
                "dynamodb",
                "put_item",
                TableName=self.table,
                Item=item,
                ConditionExpression="attribute_not_exists(#i) OR body = :b",
                ExpressionAttributeNames={"#i": "item"},
                ExpressionAttributeValues={":b": {"S": body}},
            )
        except OutcomeUnknown:
            found = self._read(
                "get_item", TableName=self.table, Key=_key(stack, _line(epoch, number)), ConsistentRead=True
            )
            stands = found.get("Item", {}).get("body", {}).get("S")
            if stands is None:
                raise
            if stands != body:
                raise LineTaken(f"line {number} of {deployment} is written already") from None
        except CloudError as error:
            if error.code == CONDITION_FAILED:
                raise LineTaken(f"line {number} of {deployment} is written already") from error
            raise

    def events(self, deployment: str) -> tuple[Event, ...]:
        found = self.journal(deployment)
        if found.unreadable:
            stack = split_deployment(deployment)[0]
            raise Unreadable(
                f"the journal of {deployment} has entries that cannot be read",
                where=f"DynamoDB table {self.table}, stack {stack}",
                why="; ".join(found.unreadable),
                next=f"bluegreen show {deployment} leaves them out; bluegreen rollback {stack} works without them",
            )
        return found.events

    def journal(self, deployment: str) -> Journal:
        stack, epoch = split_deployment(deployment)
        return lines.journal(deployment, self._query(stack, f"journal#{epoch:08d}#"))

    def deployments(self, stack: str, limit: int = 20) -> tuple[Journal, ...]:
        """The newest deployments, the newest first; what cannot be read is named and left out."""
        found: dict[int, list[dict[str, Any]]] = {}
        for item in self._query(stack, "journal#"):
            if (epoch := lines.epoch_of(item["item"]["S"])) is not None:
                found.setdefault(epoch, []).append(item)
        newest = sorted(found, reverse=True)[:limit]
        return tuple(lines.journal(deployment_id(stack, epoch), found[epoch]) for epoch in newest)

    def last_epoch(self, stack: str) -> int:
        arguments = {**self._prefix(stack, "journal#"), "ScanIndexForward": False, "Limit": 1}
        page = self._read("query", **arguments)["Items"]
        return max((lines.epoch_of(item["item"]["S"]) or 0 for item in page), default=0)

    def stacks(self) -> tuple[str, ...]:
        """Names of all stacks that have a record."""
        arguments: dict[str, Any] = {
            "TableName": self.table,
            "FilterExpression": "#i = :r",
            "ExpressionAttributeNames": {"#i": "item"},
            "ExpressionAttributeValues": {":r": {"S": "record"}},
            "ProjectionExpression": "stack",
        }
        found = tuple(sorted(item["stack"]["S"] for item in self.all_of("scan", arguments)))
        if not found:
            Table(self.aws, self.table).refuse_foreign()
        return found

    def _query(self, stack: str, prefix: str) -> list[dict[str, Any]]:
        return self.all_of("query", self._prefix(stack, prefix))

    def _prefix(self, stack: str, prefix: str) -> dict[str, Any]:
        return {
            "TableName": self.table,
            "ConsistentRead": True,
            "KeyConditionExpression": "stack = :s AND begins_with(#i, :p)",
            "ExpressionAttributeNames": {"#i": "item"},
            "ExpressionAttributeValues": {":s": {"S": stack}, ":p": {"S": prefix}},
        }

    def all_of(self, operation: str, arguments: dict[str, Any]) -> list[dict[str, Any]]:
        """The items of a query or scan, from all its pages."""
        found: list[dict[str, Any]] = []
        while True:
            page = self._read(operation, **arguments)
            found += page["Items"]
            if not page.get("LastEvaluatedKey"):
                return found
            arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def _read(self, operation: str, **arguments: Any) -> dict[str, Any]:
        try:
            return self.aws.read("dynamodb", operation, **arguments)
        except NotFound as error:
            raise NotFound(
                f"there is no DynamoDB table {self.table} in {self.aws.region}",
                action=error.action,
                code=error.code,
                why="No stack was ever deployed in this account and region, or the table was deleted.",
                next="check --region and --profile; if the table was deleted: bluegreen recover STACK",
            ) from error
        except CloudError as error:
            if error.code == "ValidationException":
                Table(self.aws, self.table).refuse_foreign()
            raise


def _key(stack: str, item: str) -> dict[str, Any]:
    return {"stack": {"S": stack}, "item": {"S": item}}


def _line(epoch: int, number: int) -> str:
    return f"journal#{epoch:08d}#{number:06d}"


def _unchanged(epoch: int, op_id: str) -> dict[str, Any]:
    if not epoch:
        return {"ConditionExpression": "attribute_not_exists(epoch)"}
    values = {":e": {"N": str(epoch)}, ":o": {"S": op_id}}
    return {"ConditionExpression": "epoch = :e AND op_id = :o", "ExpressionAttributeValues": values}
