"""The commands that change traffic, each as: may we, take the epoch with a goal, follow it to an outcome."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from bluegreen.controller.already import healthy
from bluegreen.controller.entries import tell_unread
from bluegreen.controller.goals import moved_on, rollback_goal, stop_goal
from bluegreen.controller.hold import Hold
from bluegreen.controller.rebind import Found, find_bindings, keep, refuse_unseen, tag_groups, words
from bluegreen.controller.resolve import Facts, Render, deploy_goal, find_places, make_release
from bluegreen.controller.restored import refuse_restored
from bluegreen.controller.run import Run
from bluegreen.controller.taking import known, must_be, take, take_again, when_free
from bluegreen.controller.unfinished import drop, give_up, go_on
from bluegreen.controller.world import World
from bluegreen.core import event as ev
from bluegreen.core.age import ago
from bluegreen.core.chain import Lineage
from bluegreen.core.decide.upkeep import left_behind, strays
from bluegreen.core.fleet import is_older
from bluegreen.core.goal import Before, Goal, RolledBack
from bluegreen.core.outcome import Outcome
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


Begun = Callable[[], Outcome]  # what is left to be done once the stack is taken, or needs not be


def ended(outcome: Outcome) -> Begun:
    """There is nothing to be done but to tell this."""
    return lambda: outcome


TAKES = 20  # tries to take a stack whose record changes under us: its holder beats every few seconds


def deploy(world: World, job: Deploy) -> Outcome:
    """A new fleet of the stack's release, to the end of its bake. What is live and healthy already is left alone."""
    confirmed: set[tuple[str, str]] = set()

    def begin(record: Record | None) -> Begun:
        return _begin_deploy(world, job, record, confirmed)

    def read(stack: str) -> Record | None:
        try:
            return world.records.read(stack)
        except NotFound:  # the first deployment of a region makes the table
            return None

    return when_free(world, job.stack.name, job.wait_s, begin, read=read, hasty=True)()


def _begin_deploy(world: World, job: Deploy, record: Record | None, confirmed: set[tuple[str, str]]) -> Begun:
    """`confirmed` are the questions that were answered with yes: none is asked twice."""
    _refuse_elsewhere(record, job.stack)
    refuse_unfinished(record)
    refuse_restored(record, world.traffic.owned(job.stack.name))
    found = find_bindings(world, record) if record else None
    stack, places, found = find_places(job.stack, world, found)
    record = found.record if found else None
    facts = job.facts(places[0].vpc)
    world.watcher.note(f"resolving images of {stack.name}")
    release, rendered = make_release(stack, job.version, facts, job.images, job.render)
    if already := _already_live(world, record, release.id):
        if found:
            keep(world, found)
        return ended(already)
    _refuse_rolled_back(record, release.id, world.clock.now())
    question = (release.id, record.live.label if record and record.live else "nothing")
    if question not in confirmed and not job.confirm(*question):
        return ended(Outcome("refused", "Not confirmed: nothing was changed."))
    confirmed.add(question)
    goal = deploy_goal(stack, release, facts, places, record, world.clock.now(), job.lineage)
    job.prepare()
    pinned = replace(record or Record(stack.name, 0), account=stack.account, region=stack.region)
    hold = Hold.take(world.records, world.clock, pinned, stack.name, job.owner, goal, world.ids)
    return lambda: follow(world, hold, job.owner, rendered.text, rendered.user_data, found)


def rollback(world: World, stack: str, owner: Owner, to: str = "", *, unsafe: bool = False) -> Outcome:
    """Undo the newest deployment, at once: no lease is waited for and EC2 is not called for a finished one. `unsafe`: go
    back to `to` even from a release that declares it unsafe. Only when it ends at a rule or listener that is gone, one that was
    made anew is looked for: the usual rollback does not wait for that."""
    outcome = _rollback(world, stack, owner, to, unsafe=unsafe)
    if outcome.result != "needs-human":
        return outcome
    found = find_bindings(world, known(world, stack))
    if not found.moved:
        return outcome
    keep(world, found)
    return _rollback(world, stack, owner, to, unsafe=unsafe)


def _rollback(world: World, stack: str, owner: Owner, to: str, *, unsafe: bool) -> Outcome:
    for _ in range(TAKES):
        record = known(world, stack)
        goal = rollback_goal(world, record, to, unsafe=unsafe, by=str(owner))
        try:
            if isinstance(goal, Outcome):
                block_again(world, record, owner)
                return goal
            hold = take(world, record, owner, goal)
        except (Held, Superseded):  # it beat, or got on, since we looked; or another rollback was faster
            world.clock.sleep(0.05)
            continue
        return follow(world, hold, owner)
    raise Held(f"{stack} changes hands faster than this rollback could take it", next=f"bluegreen status {stack}")


def abort(world: World, stack: str, owner: Owner, wait_s: float = 0.0) -> Outcome:
    """Undo a deployment whose controller died or was interrupted."""
    return when_free(world, stack, wait_s, lambda record: _begin_abort(world, must_be(record, stack, owner), owner))()


def _begin_abort(world: World, record: Record, owner: Owner) -> Begun:
    found = find_bindings(world, record)
    record, stack, goal = found.record, record.stack, found.record.goal
    if goal is None:
        return ended(Outcome("aborted", f"nothing is under way on {stack}: nothing to abort."))
    if found.gone:
        hold = take_again(world, record, owner, goal)
        return lambda: drop(world, hold, goal, words(found))
    if not goal.undoable:
        raise Refused(
            f"{goal.kind} {goal.deployment} was not finished: it can be finished, not undone",
            next=f"bluegreen resume {stack}",
        )
    if goal.kind == "heal":
        world.records.events(goal.deployment)  # what cannot be read is met before the stack is taken
        hold = take_again(world, record, owner, goal)
        return lambda: give_up(world, hold, goal, owner, found)
    if moved_on(record):
        raise Refused(
            f"{goal.deployment} is past the point of no return: its fleet is live",
            next=f"bluegreen resume {stack} to finish it",
        )
    hold = take(world, record, owner, stop_goal(world, record, goal, "abort", by=str(owner)))
    return lambda: follow(world, hold, owner, found=found)


def resume(world: World, stack: str, owner: Owner, wait_s: float = 0.0) -> Outcome:
    """Go on with the goal in force, under a new epoch and in the same journal. Where none is, but a rollback stands,
    that is acknowledged."""
    return when_free(world, stack, wait_s, lambda record: _begin_resume(world, must_be(record, stack, owner), owner))()


def _begin_resume(world: World, record: Record, owner: Owner) -> Begun:
    found = find_bindings(world, record) if record.goal else Found(record)
    record, stack, goal = found.record, record.stack, found.record.goal
    if goal is None and record.rolled_back and not record.rolled_back.acknowledged:
        return ended(_acknowledge(world, record, record.rolled_back))
    if goal is None:
        return ended(Outcome("unchanged", f"nothing is under way on {stack}: nothing to resume."))
    events = world.records.events(goal.deployment)  # what cannot be read is met before the stack is taken
    if goal.undoable and not events:
        again = "deploy FILE" if goal.kind == "deploy" else f"heal {stack}"
        raise Refused(
            f"{goal.deployment} ended before its first line was written: there is nothing to go on from",
            next=f"bluegreen abort {stack}, then bluegreen {again}",
        )
    refuse_unseen(found, f"{goal.deployment} cannot go on")
    hold = take_again(world, record, owner, goal)
    return lambda: go_on(world, hold, goal, owner, found)


def gc(world: World, stack: str, owner: Owner, wait_s: float = 0.0) -> Outcome:
    """End what was left behind: fleets whose tags say they are the stack's, and that its record does not keep."""
    return when_free(world, stack, wait_s, lambda record: _begin_gc(world, must_be(record, stack, owner), owner))()


def _begin_gc(world: World, record: Record, owner: Owner) -> Begun:
    refuse_unfinished(record)
    found = find_bindings(world, record)
    refuse_unseen(found, "nothing was ended")
    record = found.record
    instances = world.fleets.look(record.stack)
    owned = world.traffic.owned(record.stack)
    refuse_restored(record, owned)
    tell_unread(world, record.stack, owned, instances)
    nameless = [group.arn for group in owned if not group.deployment]  # whose fleet they are cannot be told
    kept = world.traffic.groups((*record.kept_groups, *nameless))
    registered = {target.id for group in kept.values() if group for target in group.targets}
    left = left_behind(record, owned, instances, registered)
    lost = strays(record, kept, instances)
    if not left and not lost:
        keep(world, found)
        return ended(Outcome("unchanged", f"{record.stack}: nothing was left behind."))
    goal = Goal(
        kind="gc",
        stack=record.stack,
        deployment="",
        started_at=world.clock.now(),
        fleet=None,
        live=record.live,
        standby=record.standby,
        before=tuple(Before(ref, None, "") for ref in record.bindings),
        left=left,
        lost=lost,
    )
    hold = take(world, record, owner, goal)
    return lambda: follow(world, hold, owner, found=found)


def follow(
    world: World,
    hold: Hold,
    owner: Owner,
    text: str = "",
    user_data: bytes | None = None,
    found: Found | None = None,
) -> Outcome:
    goal = hold.record.goal
    assert goal is not None
    try:
        if found is not None:
            tag_groups(world, hold, found)
        run = Run(world, hold, goal, user_data)
        run.journal.write(ev.Started(world.clock.now(), hold.record.epoch, owner, goal, text))
    except (CloudError, Refused):
        with suppress(CloudError, Refused, Superseded):  # the first error is told, and the lease lapses by itself
            hold.let_go(keep_goal=not goal.undoable)
        raise
    return run.follow()


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
    gone = record.rolled_back if record else None
    if record is None or gone is None or gone.release != release or gone.acknowledged:
        return
    by = f" by {gone.by}" if gone.by else ""
    raise Refused(
        f"this release ({release}) was rolled back {ago(now - gone.at)}{by}, when {gone.fleet} ran it",
        why="It is not deployed again until the rollback is acknowledged.",
        next=f"bluegreen resume {record.stack} to allow it again; or deploy a fixed release",
    )


def block_again(world: World, record: Record, owner: Owner) -> None:
    """A rollback that finds the stack rolled back says once more that the release is bad: an acknowledgement ends with it.
    One conditional write; nothing when the release is blocked. Raises Superseded when the record has changed."""
    live, left, gone = record.live, record.standby, record.rolled_back
    if live is None or left is None or record.goal is not None or not is_older(live.deployment, left.deployment):
        return
    if left.release == live.release or (gone is not None and gone.release == left.release and not gone.acknowledged):
        return
    mark = RolledBack(left.release, left.label, world.clock.now(), str(owner))
    world.records.write(replace(record, op_id=world.ids(), rolled_back=mark), record.epoch, record.op_id)
    world.watcher.note(
        f"{left.label} may not be deployed again until bluegreen resume {record.stack} acknowledges the rollback"
    )


def _acknowledge(world: World, record: Record, gone: RolledBack) -> Outcome:
    """One conditional write on the record as it was read; nobody holds the stack, and nothing else changes."""
    try:
        mark = replace(gone, acknowledged=True)
        world.records.write(replace(record, op_id=world.ids(), rolled_back=mark), record.epoch, record.op_id)
    except Superseded as error:
        raise Held(f"somebody else has just taken {record.stack}", next=f"bluegreen status {record.stack}") from error
    return Outcome(
        "acknowledged", f"the rollback from {gone.fleet} is acknowledged: its release may be deployed again."
    )


def _already_live(world: World, record: Record | None, release: str) -> Outcome | None:
    if record is None or record.live is None or record.live.release != release:
        return None
    live = healthy(world, record.live)
    if live < record.live.count:
        return None
    return Outcome(
        "unchanged", f"{record.live.label} is live already with this release: {live}/{record.live.count} healthy."
    )
