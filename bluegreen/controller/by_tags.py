"""A look at a stack by its tags and the load balancer alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bluegreen.core.fleet import BindingRef, Moved, OwnedGroup, is_older
from bluegreen.core.observation import Binding
from bluegreen.core.record import Record
from bluegreen.core.tagged import Picture, bindings_of, picture
from bluegreen.errors import (
    BluegreenError,
    CloudError,
    NotFound,
    OutcomeUnknown,
    Refused,
    Throttled,
    Unreachable,
    Unreadable,
)
from bluegreen.ports import Here, Traffic


def look(traffic: Traffic, owned: Sequence[OwnedGroup]) -> Picture:
    bindings = _bindings(traffic, owned)
    attached = sorted({arn for binding in bindings for arn in binding.by_group})
    return picture(owned, bindings, traffic.groups(attached))


def _bindings(traffic: Traffic, owned: Sequence[OwnedGroup]) -> tuple[Binding, ...]:
    """Those that the tags name. One that was made anew has another ARN: it is the one that forwards to the same groups."""
    found = traffic.bindings(bindings_of(owned))
    refs = [binding.ref for binding in found]
    for number, binding in enumerate(found):
        if not binding.exists:
            groups = [group.arn for group in owned if group.binding == binding.ref.arn]
            refs[number] = found_again(traffic, binding.ref, groups) or binding.ref
    if refs == [binding.ref for binding in found]:
        return found
    return traffic.bindings(tuple({ref.arn: ref for ref in refs}.values()))


def found_again(traffic: Traffic, ref: BindingRef, groups: Sequence[str]) -> BindingRef | None:
    """The rule or listener that forwards to one of `groups`, with its conditions."""
    try:
        return traffic.find_again(ref, groups)
    except NotFound:
        return None


def lost_ledger(error: BluegreenError) -> bool:
    """Whether the error says that the ledger cannot be used: the table is missing, DynamoDB does not answer, or an item
    cannot be read."""
    return _cause(error) is not None


def passing(error: BluegreenError) -> bool:
    """Whether the ledger may answer again in a moment."""
    return isinstance(_cause(error), Throttled | Unreachable | OutcomeUnknown)


def _cause(error: BluegreenError) -> BluegreenError | None:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, Unreadable) or (isinstance(seen, CloudError) and seen.action.startswith("dynamodb:")):
            return seen
        seen = seen.__cause__
    return None


def nothing_here(stack: str, here: Here) -> Refused:
    """No record, and no target group with its tag: most often the wrong region or account."""
    at = f" in {here.region}" if here.region else " in this account and region"
    return Refused(
        f"there is nothing of {stack}{at}: no record, no target group with its tag",
        next="check --region and --profile; bluegreen status lists the stacks that are there",
    )


@dataclass(frozen=True, slots=True)
class Told:
    """A rollback without the ledger that the record does not know: a sentence, and the command that writes it down."""

    moved: Moved
    fleet: str
    sentence: str
    next: str


def told_by_tags(record: Record, weighted: Collection[str], owned: Sequence[OwnedGroup]) -> Told | None:
    """Whether the tags explain why `weighted` have the traffic, and not the live fleet of the record."""
    ours = [group for group in owned if group.arn in weighted and group.moved]
    if not ours or {group.arn for group in ours} != set(weighted) or len({g.deployment for g in ours}) != 1:
        return None
    group = ours[0]
    assert group.moved is not None
    if group.moved.at < record.live_since:
        return None  # the record has been written since
    back = is_older(group.deployment, group.moved.left)
    unsafe = record.live is not None and record.live.rollback_unsafe
    option = f" --unsafe-to {group.deployment}" if back and unsafe else "" if back else f" --to {group.deployment}"
    return Told(
        group.moved,
        group.deployment,
        f"{record.stack} was rolled back to {group.label} without the ledger, by {group.moved.by}",
        f"bluegreen rollback {record.stack}{option}",
    )
