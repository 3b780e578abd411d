"""What a rollback or an abort has to reach, from the record and the journals. Reads the ledger and changes nothing."""

from __future__ import annotations

from dataclasses import replace

from bluegreen.controller.entries import readable
from bluegreen.controller.resolve import before_now
from bluegreen.controller.world import World
from bluegreen.core import event as ev
from bluegreen.core.fleet import Fleet, deployment_id, is_older
from bluegreen.core.goal import Goal, RolledBack
from bluegreen.core.outcome import Outcome
from bluegreen.core.progress import Progress, fold
from bluegreen.core.record import Record
from bluegreen.core.times import APPEAR_S, WATCH_S
from bluegreen.errors import Refused

UPKEEP = ("heal", "gc")  # a rollback goes past them: they undo nothing and are nothing to go back from
UNDONE = ("undone", "aborted", "refused")
LOOK_BACK = 20  # epochs


def rollback_goal(world: World, record: Record, to: str = "", *, unsafe: bool = False) -> Goal | Outcome:
    """What a rollback of the stack as it stands would follow; an Outcome when there is nothing to do. `unsafe`: `to` was
    named to go back there even from a release that declares it unsafe. Raises Refused."""
    unfinished = record.goal if record.goal and record.goal.kind not in UPKEEP and not moved_on(record) else None
    before = unfinished.live.deployment if unfinished and unfinished.live else ""
    if unfinished and (not to or (unsafe and to == before)):
        goal: Goal | Outcome = stop_goal(world, record, "rollback", unsafe=unsafe)
    else:
        goal = _swap_goal(world, record, to, unsafe=unsafe)
    if isinstance(goal, Outcome):
        return goal
    if record.goal and record.goal.kind == "heal":
        stopped = f"{record.goal.deployment} was stopped; bluegreen heal {record.stack} begins anew"
        goal = replace(goal, reason=stopped)
    return replace(goal, watch_s=WATCH_S) if record.owner else goal  # its holder may have one write under way


def moved_on(record: Record) -> bool:
    """Whether the goal in force is a deploy that was promoted: then it counts as finished, but for its clean-up."""
    goal, live = record.goal, record.live
    return goal is not None and goal.kind == "deploy" and live is not None and live.deployment == goal.deployment


def _swap_goal(world: World, record: Record, to: str, *, unsafe: bool) -> Goal | Outcome:
    """All weight to the standby, or to the fleet that `to` names; the fleet that serves now becomes the standby."""
    live, standby = record.live, record.standby
    if live is None:
        raise Refused(
            f"{record.stack} has no live fleet: nothing was ever promoted", next=f"bluegreen status {record.stack}"
        )
    newest, done = _newest(world, record)
    if not to and (undone := _was_undone(record, newest, done)):
        return undone
    if to == live.deployment:
        target, other = live, standby
    elif standby is not None and to in ("", standby.deployment):
        target, other = standby, live
    else:
        raise _no_way_back(record, to)
    if not unsafe:
        _refuse_unsafe(record.stack, _switched_to(world, record) or live, target)
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
        rolled_back=_mark(record, live, target, world.clock.now()),
    )


def _mark(record: Record, left: Fleet, target: Fleet | None, now: float) -> RolledBack | None:
    """What the record says once the traffic has gone from `left` to `target`. To go forward again to what was rolled
    back says that it is good."""
    before = record.rolled_back
    if target is not None and target.release == left.release:
        return before
    if target is not None and before is not None and before.release == target.release:
        return None
    return RolledBack(left.release, left.label, now)


def _switched_to(world: World, record: Record) -> Fleet | None:
    """The fleet of an unfinished deployment that was given weight."""
    goal = record.goal
    if goal is None or goal.kind != "deploy" or goal.fleet is None:
        return None
    return goal.fleet if _moved(fold(readable(world, goal.deployment).events)) else None


def _moved(done: Progress) -> bool:
    return any(done.gave_weight(arn) for arn in done.groups.values())


def _refuse_unsafe(stack: str, left: Fleet, target: Fleet | None) -> None:
    if target is None or not left.rollback_unsafe or not is_older(target.deployment, left.deployment):
        return
    raise Refused(
        f"{left.label} is declared `rollback: unsafe`: traffic stays where it is",
        why=f"{target.label} may not work with what this release leaves behind, such as a database's new schema.",
        next=f"if it does: bluegreen rollback {stack} --unsafe-to {target.deployment}; else deploy a mended release",
    )


def _no_way_back(record: Record, to: str) -> Refused:
    kept = [fleet.label for fleet in (record.live, record.standby) if fleet]
    what = f"{to} runs no more" if to else f"{record.stack} has no standby fleet to go back to"
    return Refused(
        what,
        why=f"Kept are: {', '.join(kept)}.",
        next="deploy the older version again: bluegreen deploy FILE --version V",
    )


def _was_undone(record: Record, deployment: str, done: Progress) -> Outcome | None:
    end = done.last(ev.Finished)
    if not isinstance(end, ev.Finished) or end.result not in UNDONE:
        return None
    further = (
        f" To go one further back: bluegreen rollback {record.stack} --to {record.standby.deployment}"
        if record.standby
        else ""
    )
    serving = record.live.label if record.live else "nothing"
    return Outcome("unchanged", f"{deployment} was undone already; {serving} serves.{further}")


def _newest(world: World, record: Record) -> tuple[str, Progress]:
    """The newest operation but heal and gc, and but a rollback that changed nothing. An epoch of a resume has no journal."""
    for epoch in range(record.epoch, max(0, record.epoch - LOOK_BACK), -1):
        deployment = deployment_id(record.stack, epoch)
        done = fold(readable(world, deployment).events)
        started = done.first(ev.Started)
        if isinstance(started, ev.Started) and not _changed_nothing(started.goal, done):
            return deployment, done
    return "", Progress()


def _changed_nothing(goal: Goal, done: Progress) -> bool:
    end = done.last(ev.Finished)
    undone = isinstance(end, ev.Finished) and end.result in UNDONE
    return goal.kind in UPKEEP or (goal.kind != "deploy" and undone)


def stop_goal(world: World, record: Record, kind: str, *, unsafe: bool = False) -> Goal:
    """The weights as they were before the unfinished deployment, then its fleet ended. Raises Refused."""
    goal = record.goal
    assert goal is not None
    if goal.kind != "deploy":
        return replace(goal, started_at=world.clock.now())
    assert goal.fleet is not None
    found = readable(world, goal.deployment)
    done = fold(found.events)
    moved = _moved(done)
    if moved and not unsafe:
        _refuse_unsafe(record.stack, goal.fleet, goal.live)
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
        rolled_back=_mark(record, goal.fleet, goal.live, world.clock.now()) if moved else record.rolled_back,
        stopped=goal,
    )
