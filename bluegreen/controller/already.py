"""A rollback that has nothing to do: the newest deployment was undone, stopped or rolled back before. Reads and changes nothing.

A double click, a second engineer and a retry all ask again: the bad release must not come back by that.
"""

from __future__ import annotations

from dataclasses import dataclass

from bluegreen.controller.entries import readable
from bluegreen.controller.world import World
from bluegreen.core import event as ev
from bluegreen.core.age import ago
from bluegreen.core.fleet import Fleet, deployment_id, is_older
from bluegreen.core.goal import Goal
from bluegreen.core.observation import fewest_healthy
from bluegreen.core.outcome import Outcome
from bluegreen.core.progress import Progress, fold
from bluegreen.core.readiness import ready, to_command
from bluegreen.core.record import Record

UPKEEP = ("heal", "gc")  # a rollback goes past them: they undo nothing and are nothing to go back from
NOT_DONE = ("undone", "refused", "needs-human")  # ends of a rollback or abort that left the traffic where it was
LOOK_BACK = 20  # epochs


@dataclass(frozen=True, slots=True)
class Settled:
    """`sentence` says what was undone, when and by whom; `done` is the newest operation's journal."""

    sentence: str
    done: Progress


def settled(world: World, record: Record, newest: Progress) -> Settled | None:
    """What a plain rollback was asked for and is done already, or None."""
    live, standby, now = record.live, record.standby, world.clock.now()
    if live is None:
        return None
    started = newest.first(ev.Started)
    if isinstance(started, ev.Started) and _undid(record, started.goal, newest):
        undone, when = started.goal.undo, ago(now - newest.events[-1].at)
        if undone is None:
            return Settled(f"{started.goal.deployment} was undone already, {when}", newest)
        return Settled(f"{undone.deployment} was stopped and undone already, {when} by {started.owner}", newest)
    if standby is None or not is_older(live.deployment, standby.deployment):
        return None
    since = f", {ago(now - record.live_since)} by {record.live_by}" if record.live_since else ""
    return Settled(f"{record.stack} was rolled back already from {standby.label} to {live.label}{since}", newest)


def _undid(record: Record, goal: Goal, done: Progress) -> bool:
    """Whether the newest operation undid a deployment. Its last line may have been lost: then the record says that it is over."""
    end = done.last(ev.Finished)
    if not isinstance(end, ev.Finished) and record.goal is not None:
        return False
    if goal.kind == "deploy":
        failed = done.failed is not None and done.last(ev.Promoted) is None
        return end.result == "undone" if isinstance(end, ev.Finished) else failed
    return goal.undo is not None and not (isinstance(end, ev.Finished) and end.result in NOT_DONE)


def confirmed(world: World, record: Record, what: Settled) -> Outcome | None:
    """Exit 0, when AWS shows that the live fleet has all the traffic; None when it does not."""
    live, standby = record.live, record.standby
    assert live is not None
    for number, binding in enumerate(world.traffic.bindings(record.bindings)):
        if {arn for arn, weight in binding.by_group.items() if weight} != {live.groups[number]}:
            return None
    serving = healthy(world, live)
    sentence = f"{what.sentence}. {live.label} serves: {serving} of {live.count or '?'} instances healthy."
    if standby is None or not ready(healthy(world, standby), serving, standby.count):
        return Outcome("unchanged", sentence, next="" if serving else f"bluegreen heal {record.stack}")
    newer = is_older(live.deployment, standby.deployment)
    way = "To go forward again" if newer else "To go one further back"
    return Outcome(
        "unchanged",
        f"{sentence} {way}, name the deployment.",
        next=to_command(record.stack, live, standby),
    )


def healthy(world: World, fleet: Fleet) -> int:
    return fewest_healthy(world.traffic.groups(fleet.groups), fleet.groups)


def newest(world: World, record: Record) -> Progress:
    """The journal of the newest operation but heal and gc, and but a rollback that changed nothing. An epoch of a resume has
    no journal."""
    for epoch in range(record.epoch, max(0, record.epoch - LOOK_BACK), -1):
        done = fold(readable(world, deployment_id(record.stack, epoch)).events)
        started = done.first(ev.Started)
        if isinstance(started, ev.Started) and not _changed_nothing(started.goal, done):
            return done
    return Progress()


def _changed_nothing(goal: Goal, done: Progress) -> bool:
    end = done.last(ev.Finished)
    return goal.kind in UPKEEP or (goal.kind != "deploy" and isinstance(end, ev.Finished) and end.result in NOT_DONE)
