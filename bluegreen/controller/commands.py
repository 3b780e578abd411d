"""The commands that change traffic, each as: may we, take the epoch with a goal, follow it to an outcome."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, replace

from bluegreen.controller.hold import Hold, refuse_if_held
from bluegreen.controller.resolve import Facts, Render, before_now, deploy_goal, find_places, make_release
from bluegreen.controller.run import Run
from bluegreen.controller.world import World
from bluegreen.core import event as ev
from bluegreen.core.decide.case import VISIBILITY_S
from bluegreen.core.decide.upkeep import left_behind
from bluegreen.core.fleet import deployment_id
from bluegreen.core.goal import Before, Goal
from bluegreen.core.outcome import Outcome
from bluegreen.core.progress import Progress, fold, phase
from bluegreen.core.record import Owner, Record
from bluegreen.core.stack import Stack
from bluegreen.errors import Held, NotFound, Refused
from bluegreen.ports import Images

UNDONE = ("undone", "aborted", "refused")
LOOK_BACK = 20  # epochs


@dataclass(frozen=True, slots=True)
class Deploy:
    """What a deploy needs beside the world: `confirm` is asked (release id, live label) on a terminal."""

    stack: Stack
    version: str
    owner: Owner
    facts: Callable[[str], Facts]  # given the VPC
    images: Images
    render: Render
    confirm: Callable[[str, str], bool] = lambda release, live: True
    wait_s: float = 0.0  # for somebody else who holds the stack
    prepare: Callable[[], None] = lambda: None  # right before the first write: makes the ledger's table if need be


WATCH_S = 10  # a rollback that took over a run watches the weights for so long: one late write of that run may land
TAKES = 20  # tries to take a stack whose record changes under us: its holder beats every few seconds


def deploy(world: World, job: Deploy) -> Outcome:
    """A new fleet of the stack's release, to the end of its bake. What is live and healthy already is left alone."""
    stack = job.stack
    record = _free(world, _read(world, stack.name), job.wait_s)
    _refuse_unfinished(record)
    places = find_places(stack, world.traffic, record)
    facts = job.facts(places[0].vpc)
    world.watcher.note(f"resolving images of {stack.name}")
    release, rendered = make_release(stack, job.version, facts, job.images, job.render)
    if already := _already_live(world, record, release.id):
        return already
    live = record.live.label if record and record.live else "nothing"
    if not job.confirm(release.id, live):
        return Outcome("refused", "Not confirmed: nothing was changed.")
    goal = deploy_goal(stack, release, facts, places, record, world.clock.now())
    job.prepare()
    hold = Hold.take(world.records, world.clock, record, stack.name, job.owner, goal)
    return _follow(world, hold, job.owner, rendered.text, rendered.user_data)


def rollback(world: World, stack: str, owner: Owner, to: str = "") -> Outcome:
    """Undo the newest deployment, at once: no lease is waited for and EC2 is not called for a finished one."""
    for _ in range(TAKES):
        record = _known(world, stack)
        goal = rollback_goal(world, record, to)
        if isinstance(goal, Outcome):
            return goal
        try:
            hold = _take(world, record, owner, goal)
        except Held:  # it beat, or got on, since we looked; or another rollback was faster
            world.clock.sleep(0.05)
            continue
        return _follow(world, hold, owner)
    raise Held(f"{stack} changes hands faster than this rollback could take it", next=f"bluegreen status {stack}")


def abort(world: World, stack: str, owner: Owner, wait_s: float = 0.0) -> Outcome:
    """Undo a deployment whose controller died or was interrupted."""
    record = _free(world, _known(world, stack), wait_s)
    if record is None or record.goal is None:
        return Outcome("aborted", f"nothing is under way on {stack}: nothing to abort.")
    if _moved_on(record) or record.goal.kind != "deploy":
        raise Refused(
            f"{record.goal.deployment} is past the point of no return: its fleet is live",
            next=f"bluegreen resume {stack} to finish it, or bluegreen rollback {stack} to go back",
        )
    return _follow(world, _take(world, record, owner, _stop_goal(world, record, "abort")), owner)


def resume(world: World, stack: str, owner: Owner, wait_s: float = 0.0) -> Outcome:
    """Go on with the goal in force, under a new epoch and in the same journal."""
    record = _free(world, _known(world, stack), wait_s)
    if record is None or record.goal is None:
        return Outcome("unchanged", f"nothing is under way on {stack}: nothing to resume.")
    goal = record.goal
    hold = Hold.take(world.records, world.clock, record, stack, owner, lambda epoch: goal)
    run = Run(world, hold, goal)
    started = run.journal.progress.first(ev.Started)
    if isinstance(started, ev.Started) and started.user_data:
        run.performer.user_data = base64.b64decode(started.user_data)
    elif started is None:
        run.journal.write(ev.Started(world.clock.now(), hold.record.epoch, owner, goal))
    run.journal.write(ev.Resumed(world.clock.now(), hold.record.epoch, owner))
    return run.follow()


def gc(world: World, stack: str, owner: Owner, wait_s: float = 0.0) -> Outcome:
    """End what was left behind: fleets whose tags say they are the stack's, and that its record does not keep."""
    record = _free(world, _known(world, stack), wait_s)
    _refuse_unfinished(record)
    assert record is not None
    left = left_behind(record, world.traffic.owned(stack), world.fleets.look(stack))
    if not left:
        return Outcome("unchanged", f"{stack}: nothing was left behind.")
    goal = Goal(
        kind="gc",
        stack=stack,
        deployment="",
        started_at=world.clock.now(),
        fleet=None,
        live=record.live,
        standby=record.standby,
        before=tuple(Before(ref, None, "") for ref in record.bindings),
        left=left,
    )
    return _follow(world, _take(world, record, owner, goal), owner)


def _follow(world: World, hold: Hold, owner: Owner, text: str = "", user_data: bytes | None = None) -> Outcome:
    goal = hold.record.goal
    assert goal is not None
    run = Run(world, hold, goal, user_data)
    run.journal.write(ev.Started(world.clock.now(), hold.record.epoch, owner, goal, text))
    return run.follow()


def _free(world: World, record: Record | None, wait_s: float) -> Record | None:
    """The record as it stands once nobody alive holds the stack. Raises Held."""
    if record is None or record.owner is None:
        return record
    refuse_if_held(world.records, world.clock, record, lambda held: _phase(world, held), wait_s, world.watcher.note)
    return world.records.read(record.stack)


def _phase(world: World, record: Record) -> str:
    assert record.goal is not None
    return phase(fold(world.records.events(record.goal.deployment)), record.goal.kind)


def _take(world: World, record: Record, owner: Owner, goal: Goal) -> Hold:
    def numbered(epoch: int) -> Goal:
        return replace(goal, deployment=deployment_id(goal.stack, epoch))

    return Hold.take(world.records, world.clock, record, record.stack, owner, numbered)


def rollback_goal(world: World, record: Record, to: str = "") -> Goal | Outcome:
    """What a rollback of the stack as it stands would follow; an Outcome when there is nothing to do."""
    unfinished = record.goal is not None and not _moved_on(record)
    goal = _stop_goal(world, record, "rollback") if unfinished and not to else _swap_goal(world, record, to)
    if isinstance(goal, Outcome) or record.owner is None:
        return goal
    return replace(goal, watch_s=WATCH_S)  # whoever followed that goal may have one write under way


def _read(world: World, stack: str) -> Record | None:
    """None without a table too: the first deployment of a region makes it."""
    try:
        return world.records.read(stack)
    except NotFound:
        return None


def _known(world: World, stack: str) -> Record:
    record = world.records.read(stack)
    if record is None:
        raise Refused(
            f"there is no stack {stack} in this account and region",
            next="bluegreen status lists the stacks; check --region and --profile",
        )
    return record


def _moved_on(record: Record) -> bool:
    """Whether the goal in force is a deploy that was promoted: then it counts as finished, but for its clean-up."""
    goal, live = record.goal, record.live
    return goal is not None and goal.kind == "deploy" and live is not None and live.deployment == goal.deployment


def _refuse_unfinished(record: Record | None) -> None:
    if record is None or record.goal is None:
        return
    undo = "rollback" if _moved_on(record) else "abort"
    raise Refused(
        f"{record.goal.kind} {record.goal.deployment} of {record.stack} was not finished",
        next=f"bluegreen resume {record.stack} to finish it, or bluegreen {undo} {record.stack} to undo it",
    )


def _already_live(world: World, record: Record | None, release: str) -> Outcome | None:
    if record is None or record.live is None or record.live.release != release:
        return None
    groups = world.traffic.groups(record.live.groups)
    healthy = min((group.healthy if group else 0 for group in groups.values()), default=0)
    if healthy < record.live.count:
        return None
    return Outcome(
        "unchanged", f"{record.live.label} is live already with this release: {healthy}/{record.live.count} healthy."
    )


def _swap_goal(world: World, record: Record, to: str) -> Goal | Outcome:
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
    """The newest operation but gc. An epoch of a resume has no journal of its own."""
    for epoch in range(record.epoch, max(0, record.epoch - LOOK_BACK), -1):
        deployment = deployment_id(record.stack, epoch)
        done = fold(world.records.events(deployment))
        started = done.first(ev.Started)
        if isinstance(started, ev.Started) and started.goal.kind != "gc":
            return deployment, done
    return "", Progress()


def _stop_goal(world: World, record: Record, kind: str) -> Goal:
    """The weights as they were before the unfinished deployment, then its fleet ended."""
    goal = record.goal
    assert goal is not None
    if goal.kind != "deploy":
        return replace(goal, started_at=world.clock.now())
    assert goal.fleet is not None
    done = fold(world.records.events(goal.deployment))
    unseen = [world.clock.now() + VISIBILITY_S] if record.owner and not done.attempts else []
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
        undo_launched=done.launched,
        undo_until=max([a.at + VISIBILITY_S for a in done.attempts.values() if a.may_have_run] + unseen, default=0.0),
        watch_s=WATCH_S if record.owner or done.late_until(WATCH_S) > world.clock.now() else 0,
    )
