"""What is done with a run that its controller left: gone on with, given up, or dropped. The stack is held already."""

from __future__ import annotations

import base64
from dataclasses import replace

from bluegreen.controller.hold import Hold
from bluegreen.controller.journal import Journal
from bluegreen.controller.rebind import ELSEWHERE, Found, tag_groups
from bluegreen.controller.run import Run
from bluegreen.controller.world import World
from bluegreen.core import event as ev
from bluegreen.core.goal import Goal
from bluegreen.core.outcome import Outcome
from bluegreen.core.record import Owner


def go_on(world: World, hold: Hold, goal: Goal, owner: Owner, found: Found) -> Outcome:
    run = Run(world, hold, goal)
    if found.moved:
        tag_groups(world, hold, found, *((run.journal.progress.named(goal.fleet),) if goal.fleet else ()))
    started = run.journal.progress.first(ev.Started)
    if isinstance(started, ev.Started) and started.user_data:
        run.performer.user_data = base64.b64decode(started.user_data)
    elif started is None:
        run.journal.write(ev.Started(world.clock.now(), hold.record.epoch, owner, goal))
    run.journal.write(ev.Resumed(world.clock.now(), hold.record.epoch, owner))
    return run.follow()


def drop(world: World, hold: Hold, goal: Goal, gone: str) -> Outcome:
    """A binding is gone, so nothing can be switched and nothing may be ended: the goal is dropped, and all keeps running."""
    what = f"{goal.kind} {goal.deployment} was given up: {gone}. All instances keep running."
    journal = Journal(world.records, world.watcher, goal.deployment, hold)
    journal.write(ev.Finished(world.clock.now(), "aborted", what))
    hold.let_go(keep_goal=False)
    then = f"create it again, or {ELSEWHERE}; then bluegreen gc {goal.stack} to end what {goal.deployment} left behind"
    return Outcome("needs-human", what, why="Without it no traffic can be switched here.", next=then)


def give_up(world: World, hold: Hold, goal: Goal, owner: Owner, found: Found) -> Outcome:
    """The same heal, gone on with as one that has failed."""
    tag_groups(world, hold, found)
    run = Run(world, hold, goal)
    if not run.journal.progress.events:
        run.journal.write(ev.Started(world.clock.now(), hold.record.epoch, owner, goal))
    run.journal.write(ev.Resumed(world.clock.now(), hold.record.epoch, owner))
    run.journal.write(ev.Failed(world.clock.now(), "it was aborted"))
    outcome = run.follow()
    return replace(outcome, result="aborted") if outcome.result == "undone" else outcome
