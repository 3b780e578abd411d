"""When lines of the journal expire: DynamoDB deletes an item some time after the moment that its `ttl` names.

A line is written without one. It gets it when nobody can need its deployment any more; the record never has one.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from bluegreen.aws.record import DynamoRecords

ATTRIBUTE = "ttl"
BATCH = 25  # BatchWriteItem
ON = ("ENABLED", "ENABLING")


class DynamoExpiry:
    def __init__(self, records: DynamoRecords) -> None:
        self.records = records
        self.aws = records.aws
        self.table = records.table

    def enable(self) -> None:
        """Tells the table which attribute it is. AWS refuses to be told twice, so it is asked first."""
        about = self.aws.read("dynamodb", "describe_time_to_live", TableName=self.table)["TimeToLiveDescription"]
        if about["TimeToLiveStatus"] not in ON:
            wanted = {"Enabled": True, "AttributeName": ATTRIBUTE}
            self.aws.write("dynamodb", "update_time_to_live", TableName=self.table, TimeToLiveSpecification=wanted)

    def expire(self, stack: str, epochs: range, keep: Collection[int], at: float) -> int:
        """Every line of these epochs that has no end yet, but for those to keep, gets this one. How many there were."""
        lines = [item for item in self._lines(stack, epochs) if int(item["item"]["S"].split("#")[1]) not in keep]
        if lines:
            self.enable()
        for start in range(0, len(lines), BATCH):
            puts = [
                {"PutRequest": {"Item": {**item, ATTRIBUTE: {"N": str(int(at))}}}} for item in lines[start:][:BATCH]
            ]
            # what is not processed is met again by the next deployment
            self.aws.write("dynamodb", "batch_write_item", RequestItems={self.table: puts})
        return len(lines)

    def _lines(self, stack: str, epochs: range) -> list[dict[str, Any]]:
        arguments: dict[str, Any] = {
            "TableName": self.table,
            "KeyConditionExpression": "stack = :s AND #i BETWEEN :a AND :z",
            "FilterExpression": "attribute_not_exists(#t)",
            "ExpressionAttributeNames": {"#i": "item", "#t": ATTRIBUTE},
            "ExpressionAttributeValues": {
                ":s": {"S": stack},
                ":a": {"S": f"journal#{epochs.start:08d}#"},
                ":z": {"S": f"journal#{epochs.stop - 1:08d}#~"},
            },
        }
        return self.records.all_of("query", arguments)
