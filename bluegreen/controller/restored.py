"""A record that is older than what AWS shows: the table was restored from a backup. Its epochs would be given out a second
time, and the fleets that it does not know would be taken for left behind."""

from __future__ import annotations

from collections.abc import Iterable

from bluegreen.core.fleet import OwnedGroup, split_deployment
from bluegreen.core.record import Record
from bluegreen.errors import Refused


def refuse_restored(record: Record | None, owned: Iterable[OwnedGroup]) -> None:
    """`owned` are the stack's target groups by their tags. Raises Refused."""
    if record is None:
        return
    newer = sorted({group.label for group in owned if _epoch(group, group.arn in record.kept_groups) > record.epoch})
    if not newer:
        return
    raise Refused(
        f"the record of {record.stack} ends at epoch {record.epoch}, and there are newer fleets: {', '.join(newer)}",
        why="The DynamoDB table was restored from a backup, or the record was edited.",
        next=f"bluegreen recover {record.stack} rebuilds the record from the tags and the load balancer",
    )


def _epoch(group: OwnedGroup, kept: bool) -> int:
    """The newest epoch that its tags tell of. The record itself says whose a `kept` group is; and a rollback without
    the ledger writes a number that no record has given out."""
    made = split_deployment(group.deployment)[1] if group.deployment and not kept else 0
    return made if group.moved else max(made, group.live_since)
