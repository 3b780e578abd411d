"""The record's item itself, for `recover`: a record that cannot be read is put aside, never deleted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bluegreen.aws.record import CONDITION_FAILED, DynamoRecords
from bluegreen.errors import CloudError, Superseded

ATTRIBUTES = ("body", "epoch", "op_id", "rvn")  # of a record's item


@dataclass(frozen=True, slots=True)
class DynamoShelf:
    """`make` makes the table and waits for it."""

    records: DynamoRecords
    make: Callable[[], None]

    def broken_epoch(self, stack: str) -> int:
        text = (self._item(stack) or {}).get("epoch", {}).get("N", "")
        return int(text) if text.isdecimal() else 0

    def set_aside(self, stack: str, at: float) -> str:
        item = self._item(stack)
        if item is None:
            return ""
        name = f"record#broken#{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(at))}"
        write, table = self.records.aws.write, self.records.table
        write("dynamodb", "put_item", TableName=table, Item={**item, "item": {"S": name}})
        try:
            write("dynamodb", "delete_item", TableName=table, Key=_key(stack), **_unchanged(item))
        except CloudError as error:
            if error.code == CONDITION_FAILED:
                raise Superseded(f"the record of {stack} has just been changed") from error
            raise
        return name

    def _item(self, stack: str) -> dict[str, Any] | None:
        found = self.records.aws.read(
            "dynamodb", "get_item", TableName=self.records.table, Key=_key(stack), ConsistentRead=True
        )
        return found.get("Item")


def _key(stack: str) -> dict[str, Any]:
    return {"stack": {"S": stack}, "item": {"S": "record"}}


def _unchanged(item: dict[str, Any]) -> dict[str, Any]:
    """The condition that the item still is as it was read."""
    names = {f"#{number}": name for number, name in enumerate(ATTRIBUTES)}
    values = {f":{number}": item[name] for number, name in enumerate(ATTRIBUTES) if name in item}
    parts = [
        f"#{number} = :{number}" if f":{number}" in values else f"attribute_not_exists(#{number})"
        for number in range(len(ATTRIBUTES))
    ]
    condition = {"ConditionExpression": " AND ".join(parts), "ExpressionAttributeNames": names}
    return {**condition, "ExpressionAttributeValues": values} if values else condition
