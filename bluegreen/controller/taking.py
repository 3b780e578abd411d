"""Taking a stack: wait until nobody alive follows a goal on it, make the goal from the record as it stands, take the epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from bluegreen.controller.hold import Hold, refuse_if_held
from bluegreen.controller.world import World
from bluegreen.core.fleet import deployment_id
from bluegreen.core.goal import Goal
from bluegreen.core.progress import fold, phase
from bluegreen.core.record import Owner, Record
from bluegreen.errors import Held, Refused

Made = TypeVar("Made")
AGAIN_S = 0.5  # after somebody else was faster


def when_free(
    world: World,
    stack: str,
    wait_s: float,
    begin: Callable[[Record | None], Made],
    *,
    read: Callable[[str], Record | None] | None = None,
    hasty: bool = False,
) -> Made:
    """What `begin` answers, given the record as it was when nobody alive held the stack. When somebody else takes the stack
    before `begin` does (it raises Held), that run is waited for too, within the same `wait_s`. Raises Held after that."""
    until = world.clock.ticks() + wait_s
    while True:
        record = (read or world.records.read)(stack)
        try:
            return begin(free(world, record, until - world.clock.ticks(), hasty=hasty))
        except Held as error:
            if world.clock.ticks() >= until:
                raise
            world.watcher.note(f"{error.what}: waiting for that run to end")
            world.clock.sleep(AGAIN_S)


def free(world: World, record: Record | None, wait_s: float, *, hasty: bool = False) -> Record | None:
    """The record as it was when nobody alive held the stack. Raises Held."""
    if record is None or record.owner is None:
        return record

    def where(held: Record) -> str:
        return _phase(world, held)

    return refuse_if_held(world.records, world.clock, record, where, wait_s, world.watcher.note, hasty)


def _phase(world: World, record: Record) -> str:
    assert record.goal is not None
    return phase(fold(world.records.journal(record.goal.deployment).events), record.goal.kind)


def take(world: World, record: Record, owner: Owner, goal: Goal) -> Hold:
    """With a goal of its own, numbered by the epoch. Raises Held when somebody was faster."""

    def numbered(epoch: int) -> Goal:
        return replace(goal, deployment=deployment_id(goal.stack, epoch))

    return Hold.take(world.records, world.clock, record, record.stack, owner, numbered, world.ids)


def take_again(world: World, record: Record, owner: Owner, goal: Goal) -> Hold:
    """With the goal that is in force, under a new epoch. Raises Held when somebody was faster."""
    return Hold.take(world.records, world.clock, record, record.stack, owner, lambda epoch: goal, world.ids)


def known(world: World, stack: str) -> Record:
    """Raises Refused when there is no such stack, and NotFound without a table."""
    return must_be(world.records.read(stack), stack)


def must_be(record: Record | None, stack: str, owner: Owner | None = None) -> Record:
    """Raises Refused when there is no such stack, or when `owner` has credentials for another account than the stack's."""
    if record is None:
        raise Refused(
            f"there is no stack {stack} in this account and region",
            next="bluegreen status lists the stacks; check --region and --profile",
        )
    mine = account_of(owner.identity) if owner else ""
    if mine and record.account not in ("", mine):
        raise Refused(
            f"these credentials are for account {mine}, but {stack} is in account {record.account}",
            why="The record was written there, and so are its fleets: this table is a copy, or is shared.",
            next="use the right AWS_PROFILE",
        )
    return record


def account_of(identity: str) -> str:
    """The account in the ARN of whoever asks; "" when it is not an ARN."""
    parts = identity.split(":")
    return parts[4] if len(parts) > 5 and parts[0] == "arn" else ""
