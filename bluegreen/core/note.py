"""The note that a rollback without the ledger leaves on its machine, and when it may be believed. Pure.

It is a hint for a person. It never moves traffic: it only lets `rollback` and `resume` write into the record what AWS shows
already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bluegreen.core.observation import Binding
from bluegreen.core.record import Record

KEPT_S = 7 * 86_400.0  # a note that could not be used is deleted after this
SKEW_S = 5.0  # clocks of two machines that follow AWS's


@dataclass(frozen=True, slots=True)
class Note:
    """`groups` got all the weight at `at`; they are target groups of `deployment`."""

    stack: str
    account: str
    endpoint: str
    region: str
    table: str
    deployment: str
    groups: tuple[str, ...]
    at: float
    why: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A note and the file it is in. `wrong` says why it is none that could ever be used: then there is no `note`."""

    file: str
    note: Note | None
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a note is not used. `void`: it never will be."""

    why: str
    void: bool = True


def account_of(arn: str) -> str:
    """123456789012 of arn:aws:elasticloadbalancing:eu-west-1:123456789012:…; "" when there is none."""
    parts = arn.split(":")
    return parts[4] if len(parts) > 5 else ""


def doubt(note: Note, record: Record | None, bindings: Sequence[Binding]) -> Doubt | None:
    """Why the note must not be written into the record, or None. `bindings` are the record's, as they are now."""
    if record is None:
        return Doubt("the ledger has no record of the stack", void=False)
    if record.account and record.account != note.account:
        return Doubt(f"the stack is in account {record.account}, and the note is of account {note.account}")
    if record.live and record.live.deployment == note.deployment and record.goal is None:
        return Doubt("the record says so already")
    if record.beat_at > note.at + SKEW_S:
        return Doubt("the stack was worked on after it")
    weighted = {arn for binding in bindings for arn, weight in binding.by_group.items() if weight}
    if weighted != set(note.groups):
        return Doubt("the load balancer shows other weights")
    candidates = [record.standby, record.live, record.goal.live if record.goal else None]
    if note.deployment not in [fleet.deployment for fleet in candidates if fleet]:
        return Doubt(f"the record does not keep {note.deployment}")
    return None
