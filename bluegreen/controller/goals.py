"""What a rollback or an abort has to reach, from the record and the journals. Reads the ledger and changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bluegreen.controller.already import UPKEEP, confirmed, healthy, newest, settled
from bluegreen.controller.by_tags import told_by_tags
from bluegreen.controller.entries import readable
from bluegreen.controller.resolve import before_now
from bluegreen.controller.restored import refuse_restored
from bluegreen.controller.world import World
from bluegreen.core.fleet import Fleet, is_older
from bluegreen.core.goal import Goal, RolledBack
from bluegreen.core.outcome import Outcome
from bluegreen.core.progress import Progress, fold
from bluegreen.core.readiness import ready, to_command
from bluegreen.core.record import Record
from bluegreen.core.times import APPEAR_S, WATCH_S
from bluegreen.errors import Refused


def rollback_goal(world: World, record: Record, to: str = "", *, unsafe: bool = False, by: str = "") -> Goal | Outcome:
    """What a rollback of the stack as it stands would follow; an Outcome when there is nothing to do. `unsafe`: `to` was
    named to go back there even from a release that declares it unsafe; `by` is who asks. Raises Refused."""
    unfinished = in_force(record)
    deploy = unfinished if unfinished and unfinished.kind == "deploy" else None
    before = deploy.live.deployment if deploy and deploy.live else ""
    if unfinished and unfinished.live and not to and _goes_forward(unfinished):
        to = unfinished.live.deployment  # a plain rollback never goes on to what was rolled back
    if unfinished and not to and record.owner is None and (told := _gone_back_already(world, record, unfinished)):
        return told
    if unfinished and (not to or to == before):
        goal = stop_goal(world, record, unfinished, "rollback", unsafe=unsafe, by=by)
    else:
        past = newest(world, record)
        if not to and (done := settled(world, record, past)):
            if outcome := confirmed(world, record, done):
                return outcome
            to = record.live.deployment if record.live else ""  # somebody else moved the traffic away
        if to and record.live and to == record.live.deployment:
            owned = world.traffic.owned(record.stack)
            refuse_restored(record, owned)  # what has the traffic may be what the record lost
        goal = _swap_goal(world, record, to, past, unfinished, unsafe=unsafe, by=by)
    if record.goal and record.goal.kind == "heal":
        stopped = f"{record.goal.deployment} was stopped; bluegreen heal {record.stack} begins anew"
        goal = replace(goal, reason=stopped)
    return replace(goal, watch_s=WATCH_S) if record.owner else goal  # its holder may have one write under way


def _goes_forward(goal: Goal) -> bool:
    """Whether it is a rollback to a fleet that is newer than what it takes the traffic from."""
    ends = goal.kind == "rollback" and goal.undo is None
    return (
        ends
        and goal.fleet is not None
        and goal.live is not None
        and is_older(goal.live.deployment, goal.fleet.deployment)
    )


def _gone_back_already(world: World, record: Record, unfinished: Goal) -> Outcome | None:
    """The tags tell of a rollback that went further back without the ledger: to stop the deployment now would undo that."""
    live = unfinished.live
    weighted = {
        arn for b in world.traffic.bindings(unfinished.bindings) for arn, weight in b.by_group.items() if weight
    }
    if live is None or not weighted or weighted <= {*live.groups, *(unfinished.undo or live).groups}:
        return None
    told = told_by_tags(record, weighted, world.traffic.owned(record.stack))
    if told is None:
        return None
    target = replace(live, deployment=told.fleet)
    return Outcome(
        "unchanged",
        f"{told.sentence}; the record does not say so yet, and {unfinished.deployment} is unfinished in it.",
        next=to_command(record.stack, live, target),
    )


def in_force(record: Record) -> Goal | None:
    """The deploy, rollback or abort that is not finished; a heal may have come between."""
    goal = record.goal.stopped if record.goal and record.goal.kind == "heal" else record.goal
    if goal is None or goal.kind in UPKEEP or moved_on(record, goal):
        return None
    return goal


def moved_on(record: Record, goal: Goal | None = None) -> bool:
    """Whether the goal in force is a deploy that was promoted: then it counts as finished, but for its clean-up."""
    goal, live = goal or record.goal, record.live
    return goal is not None and goal.kind == "deploy" and live is not None and live.deployment == goal.deployment


def _swap_goal(
    world: World, record: Record, to: str, done: Progress, unfinished: Goal | None, *, unsafe: bool, by: str
) -> Goal:
    """All weight to the standby, or to the fleet that `to` names; the fleet that serves now becomes the standby."""
    live, standby = record.live, record.standby
    if live is None:
        raise Refused(
            f"{record.stack} has no live fleet: nothing was ever promoted", next=f"bluegreen status {record.stack}"
        )
    if to == live.deployment:
        target, other = live, standby
    elif standby is not None and to in ("", standby.deployment):
        target, other = standby, live
    else:
        raise _no_way_back(record, to)
    if not to and record.rolled_back and record.rolled_back.release == target.release:
        raise Refused(
            f"{target.label} was rolled back before: a plain rollback does not go there again",
            next=f"{to_command(record.stack, live, target)}, if that is what you want",
        )
    if not unsafe:
        _refuse_unsafe(world, record, switched_to(world, unfinished) or live, target)
    left = _left(world, unfinished, (target, other)) if unfinished else ()
    stopped = f"{left[0].deployment} was stopped; bluegreen gc {record.stack} terminates its fleet" if left else ""
    return Goal(
        kind="rollback",
        stack=record.stack,
        deployment="",
        started_at=world.clock.now(),
        fleet=target,
        live=live,
        standby=other,
        before=before_now(record.bindings, live, standby),
        watch_s=WATCH_S if done.late_until(WATCH_S) > world.clock.now() else 0,
        left=left,
        reason=stopped,
        stopped=unfinished,
        rolled_back=_mark(record, live, target, world.clock.now(), by),
    )


def _left(world: World, unfinished: Goal, kept: Iterable[Fleet | None]) -> tuple[Fleet, ...]:
    """The fleet that an unfinished operation brought up, or was ending: the record has to know of it."""
    fleet = unfinished.undo
    if unfinished.kind == "deploy" and unfinished.fleet:
        fleet = fold(readable(world, unfinished.deployment).events).named(unfinished.fleet)
    names = {one.deployment for one in kept if one}
    return tuple(one for one in (*unfinished.left, fleet) if one and one.deployment not in names)


def _mark(record: Record, left: Fleet, target: Fleet | None, now: float, by: str) -> RolledBack | None:
    """What the record says once the traffic has gone from `left` to `target`. To go forward again to what was rolled
    back says that it is good."""
    before = record.rolled_back
    if target is not None and (target.release == left.release or target.deployment == left.deployment):
        return before
    if target is not None and before is not None and before.release == target.release:
        return None
    return RolledBack(left.release, left.label, now, by)


def switched_to(world: World, goal: Goal | None) -> Fleet | None:
    """The fleet of an unfinished deployment that was given weight, with its groups."""
    if goal is None or goal.kind != "deploy" or goal.fleet is None:
        return None
    done = fold(readable(world, goal.deployment).events)
    return done.named(goal.fleet) if _moved(done) else None


def _moved(done: Progress) -> bool:
    return any(done.gave_weight(arn) for arn in done.groups.values())


def _refuse_unsafe(world: World, record: Record, left: Fleet, target: Fleet | None) -> None:
    if target is None or not left.rollback_unsafe or not is_older(target.deployment, left.deployment):
        return
    stack = record.stack
    entries = world.traffic.bindings(record.bindings)
    able = ready(healthy(world, target), healthy(world, left), target.count) and all(b.exists for b in entries)
    anyway = f"bluegreen rollback {stack} --unsafe-to {target.deployment} if it does, or " if able else ""
    raise Refused(
        f"{left.label} is declared `rollback: unsafe`: traffic stays where it is",
        why=f"{target.label} may not work with what this release leaves behind, such as a database's new schema.",
        next=f"{anyway}deploy a fixed release; bluegreen status {stack} shows both fleets",
    )


def _no_way_back(record: Record, to: str) -> Refused:
    fleets = [fleet for fleet in (record.live, record.standby) if fleet]
    kept = ", ".join(fleet.label for fleet in fleets)
    if named := [fleet for fleet in fleets if to and to == fleet.version]:
        return Refused(
            f"{to} is a version: name the deployment that runs it",
            why=f"Fleets still available: {kept}.",
            next=f"bluegreen rollback {record.stack} --to {named[0].deployment}",
        )
    return Refused(
        f"{to} is no longer running" if to else f"{record.stack} has no standby fleet to go back to",
        why=f"Fleets still available: {kept}.",
        next="bluegreen deploy FILE --version V, with the older version",
    )


def stop_goal(world: World, record: Record, goal: Goal, kind: str, *, unsafe: bool = False, by: str = "") -> Goal:
    """The weights as they were before the unfinished deployment `goal`, then its fleet ended. Raises Refused."""
    if goal.kind != "deploy":
        return replace(goal, started_at=world.clock.now())
    assert goal.fleet is not None
    found = readable(world, goal.deployment)
    done = fold(found.events)
    moved = _moved(done)
    if moved and not unsafe:
        _refuse_unsafe(world, record, goal.fleet, goal.live)
    unseen = [world.clock.now() + APPEAR_S] if (record.owner and not done.attempts) or found.unreadable else []
    return Goal(
        kind="abort" if kind == "abort" else "rollback",
        stack=record.stack,
        deployment="",
        started_at=world.clock.now(),
        fleet=goal.live,
        live=goal.live,
        standby=goal.standby,
        before=goal.before,
        groups=goal.groups,
        undo=done.named(goal.fleet),
        undo_launched=() if done.unresolved or found.unreadable else done.launched,
        undo_until=max([a.at + APPEAR_S for a in done.attempts.values() if a.may_have_run] + unseen, default=0.0),
        watch_s=WATCH_S if record.owner or done.late_until(WATCH_S) > world.clock.now() else 0,
        rolled_back=_mark(record, goal.fleet, goal.live, world.clock.now(), by) if moved else record.rolled_back,
        stopped=goal,
    )
