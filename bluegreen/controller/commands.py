"""The commands that change traffic, each as: may we, take the epoch with a goal, follow it to an outcome."""

from __future__ import annotations

import base64
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from bluegreen.controller.entries import tell_unread
from bluegreen.controller.goals import moved_on, rollback_goal, stop_goal
from bluegreen.controller.hold import Hold, refuse_if_held
from bluegreen.controller.resolve import Facts, Render, deploy_goal, find_places, make_release
from bluegreen.controller.run import Run
from bluegreen.controller.world import World
from bluegreen.core import event as ev
from bluegreen.core.chain import Lineage
from bluegreen.core.decide.upkeep import left_behind, strays
from bluegreen.core.fleet import deployment_id
from bluegreen.core.goal import Before, Goal, RolledBack
from bluegreen.core.outcome import Outcome
from bluegreen.core.progress import fold, phase
from bluegreen.core.record import Owner, Record
from bluegreen.core.stack import Stack
from bluegreen.errors import CloudError, Held, NotFound, Refused, Superseded
from bluegreen.ports import Images


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
    lineage: Lineage | None = None  # of the images that the stack's own chain made
    prepare: Callable[[], None] = lambda: None  # right before the first write: makes the ledger's table if need be


TAKES = 20  # tries to take a stack whose record changes under us: its holder beats every few seconds


def deploy(world: World, job: Deploy) -> Outcome:
    """A new fleet of the stack's release, to the end of its bake. What is live and healthy already is left alone."""
    stack = job.stack
    record = free(world, _read(world, stack.name), job.wait_s, hasty=True)
    _refuse_elsewhere(record, stack)
    refuse_unfinished(record)
    places = find_places(stack, world.traffic, record)
    facts = job.facts(places[0].vpc)
    world.watcher.note(f"resolving images of {stack.name}")
    release, rendered = make_release(stack, job.version, facts, job.images, job.render)
    if already := _already_live(world, record, release.id):
        return already
    _refuse_rolled_back(record, release.id, world.clock.now())
    live = record.live.label if record and record.live else "nothing"
    if not job.confirm(release.id, live):
        return Outcome("refused", "Not confirmed: nothing was changed.")
    goal = deploy_goal(stack, release, facts, places, record, world.clock.now(), job.lineage)
    job.prepare()
    pinned = replace(record or Record(stack.name, 0), account=stack.account, region=stack.region)
    hold = Hold.take(world.records, world.clock, pinned, stack.name, job.owner, goal, world.ids)
    return follow(world, hold, job.owner, rendered.text, rendered.user_data)


def rollback(world: World, stack: str, owner: Owner, to: str = "", *, unsafe: bool = False) -> Outcome:
    """Undo the newest deployment, at once: no lease is waited for and EC2 is not called for a finished one. `unsafe`: go
    back to `to` even from a release that declares it unsafe."""
    for _ in range(TAKES):
        record = known(world, stack)
        goal = rollback_goal(world, record, to, unsafe=unsafe)
        if isinstance(goal, Outcome):
            return goal
        try:
            hold = take(world, record, owner, goal)
        except Held:  # it beat, or got on, since we looked; or another rollback was faster
            world.clock.sleep(0.05)
            continue
        return follow(world, hold, owner)
    raise Held(f"{stack} changes hands faster than this rollback could take it", next=f"bluegreen status {stack}")


def abort(world: World, stack: str, owner: Owner, wait_s: float = 0.0) -> Outcome:
    """Undo a deployment whose controller died or was interrupted."""
    record = free(world, known(world, stack), wait_s)
    if record is None or record.goal is None:
        return Outcome("aborted", f"nothing is under way on {stack}: nothing to abort.")
    if not record.goal.undoable:
        raise Refused(
            f"{record.goal.kind} {record.goal.deployment} was not finished: it can be finished, not undone",
            next=f"bluegreen resume {stack}",
        )
    if record.goal.kind == "heal":
        world.records.events(record.goal.deployment)  # what cannot be read is met before the stack is taken
        return _give_up(world, record, record.goal, owner)
    if moved_on(record):
        raise Refused(
            f"{record.goal.deployment} is past the point of no return: its fleet is live",
            next=f"bluegreen resume {stack} to finish it, or bluegreen rollback {stack} to go back",
        )
    return follow(world, take(world, record, owner, stop_goal(world, record, "abort")), owner)


def _give_up(world: World, record: Record, goal: Goal, owner: Owner) -> Outcome:
    """The same heal, gone on with as one that has failed."""
    hold = Hold.take(world.records, world.clock, record, record.stack, owner, lambda epoch: goal, world.ids)
    run = Run(world, hold, goal)
    if not run.journal.progress.events:
        run.journal.write(ev.Started(world.clock.now(), hold.record.epoch, owner, goal))
    run.journal.write(ev.Resumed(world.clock.now(), hold.record.epoch, owner))
    run.journal.write(ev.Failed(world.clock.now(), "it was aborted"))
    outcome = run.follow()
    return replace(outcome, result="aborted") if outcome.result == "undone" else outcome


def resume(world: World, stack: str, owner: Owner, wait_s: float = 0.0) -> Outcome:
    """Go on with the goal in force, under a new epoch and in the same journal. Where none is, but a rollback stands,
    that is acknowledged."""
    record = free(world, known(world, stack), wait_s)
    if record is not None and record.goal is None and record.rolled_back:
        return _acknowledge(world, record, record.rolled_back)
    if record is None or record.goal is None:
        return Outcome("unchanged", f"nothing is under way on {stack}: nothing to resume.")
    goal = record.goal
    events = world.records.events(goal.deployment)  # what cannot be read is met before the stack is taken
    if goal.undoable and not events:
        again = "deploy FILE" if goal.kind == "deploy" else f"heal {stack}"
        raise Refused(
            f"{goal.deployment} ended before its first line was written: there is nothing to go on from",
            next=f"bluegreen abort {stack}, then bluegreen {again}",
        )
    hold = Hold.take(world.records, world.clock, record, stack, owner, lambda epoch: goal, world.ids)
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
    record = free(world, known(world, stack), wait_s)
    refuse_unfinished(record)
    assert record is not None
    instances = world.fleets.look(stack)
    owned = world.traffic.owned(stack)
    tell_unread(world, stack, owned, instances)
    kept = world.traffic.groups(record.kept_groups)
    registered = {target.id for group in kept.values() if group for target in group.targets}
    left = left_behind(record, owned, instances, registered)
    lost = strays(record, kept, instances)
    if not left and not lost:
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
        lost=lost,
    )
    return follow(world, take(world, record, owner, goal), owner)


def follow(world: World, hold: Hold, owner: Owner, text: str = "", user_data: bytes | None = None) -> Outcome:
    goal = hold.record.goal
    assert goal is not None
    try:
        run = Run(world, hold, goal, user_data)
        run.journal.write(ev.Started(world.clock.now(), hold.record.epoch, owner, goal, text))
    except (CloudError, Refused):
        with suppress(CloudError, Refused, Superseded):  # the first error is told, and the lease lapses by itself
            hold.let_go(keep_goal=not goal.undoable)
        raise
    return run.follow()


def free(world: World, record: Record | None, wait_s: float, *, hasty: bool = False) -> Record | None:
    """The record as it stands once nobody alive holds the stack. Raises Held."""
    if record is None or record.owner is None:
        return record

    def where(held: Record) -> str:
        return _phase(world, held)

    refuse_if_held(world.records, world.clock, record, where, wait_s, world.watcher.note, hasty)
    return world.records.read(record.stack)


def _phase(world: World, record: Record) -> str:
    assert record.goal is not None
    return phase(fold(world.records.journal(record.goal.deployment).events), record.goal.kind)


def take(world: World, record: Record, owner: Owner, goal: Goal) -> Hold:
    def numbered(epoch: int) -> Goal:
        return replace(goal, deployment=deployment_id(goal.stack, epoch))

    return Hold.take(world.records, world.clock, record, record.stack, owner, numbered, world.ids)


def _read(world: World, stack: str) -> Record | None:
    """None without a table too: the first deployment of a region makes it."""
    try:
        return world.records.read(stack)
    except NotFound:
        return None


def known(world: World, stack: str) -> Record:
    record = world.records.read(stack)
    if record is None:
        raise Refused(
            f"there is no stack {stack} in this account and region",
            next="bluegreen status lists the stacks; check --region and --profile",
        )
    return record


def _refuse_elsewhere(record: Record | None, stack: Stack) -> None:
    if record is None or (record.account, record.region) in (("", ""), (stack.account, stack.region)):
        return
    raise Refused(
        f"{stack.name} lives in account {record.account}, {record.region}; the stack file says {stack.account}, {stack.region}",
        where=f"{stack.source}: account, region",
        why="The record says where its fleets are.",
        next="correct the stack file, or give the new stack another name",
    )


def refuse_unfinished(record: Record | None) -> None:
    """A deployment that is live and lacks its clean-up only is no reason: the next one cleans up after both."""
    if record is None or record.goal is None or moved_on(record):
        return
    undo = f", or bluegreen abort {record.stack} to undo it" if record.goal.undoable else ""
    raise Refused(
        f"{record.goal.kind} {record.goal.deployment} of {record.stack} was not finished",
        next=f"bluegreen resume {record.stack} to finish it{undo}",
    )


def _refuse_rolled_back(record: Record | None, release: str, now: float) -> None:
    """A rollback stands until somebody says that it is over: no scheduled job brings the same release back meanwhile."""
    if record is None or record.rolled_back is None or record.rolled_back.release != release:
        return
    gone = record.rolled_back
    raise Refused(
        f"{gone.fleet} was rolled back {(now - gone.at) / 60:.0f} min ago, and this is the same release, {release}",
        why="What a rollback took out does not come back by itself.",
        next=f"deploy a corrected release, or acknowledge the rollback: bluegreen resume {record.stack}",
    )


def _acknowledge(world: World, record: Record, gone: RolledBack) -> Outcome:
    """One conditional write on the record as it was read; nobody holds the stack, and nothing else changes."""
    try:
        world.records.write(replace(record, op_id=world.ids(), rolled_back=None), record.epoch, record.op_id)
    except Superseded as error:
        raise Held(f"somebody else has just taken {record.stack}", next=f"bluegreen status {record.stack}") from error
    return Outcome(
        "acknowledged", f"the rollback from {gone.fleet} is acknowledged: its release may be deployed again."
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
