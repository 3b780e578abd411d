"""Reading a journal, or tags, that may have been damaged: what cannot be read is told once and left out."""

from __future__ import annotations

from collections.abc import Iterable

from bluegreen.controller.world import World
from bluegreen.core.fleet import OwnedGroup
from bluegreen.core.observation import Instance
from bluegreen.core.tags import DEPLOYMENT, belongs
from bluegreen.ports import Journal


def readable(world: World, deployment: str) -> Journal:
    """The journal of `deployment`; the watcher is told which entries of it cannot be read."""
    found = world.records.journal(deployment)
    for sentence in found.unreadable:
        world.watcher.note(f"the journal of {deployment} has an entry that cannot be read and is left out: {sentence}")
    return found


def tell_unread(world: World, stack: str, groups: Iterable[OwnedGroup], instances: Iterable[Instance] = ()) -> None:
    """The watcher is told which tags cannot be read."""
    for group in groups:
        for sentence in group.unread:
            world.watcher.note(f"{sentence}; it is ignored")
    for one in instances:
        if not one.gone and not belongs(stack, one.deployment):
            tag = f"{DEPLOYMENT} = {one.deployment!r}"
            world.watcher.note(f"instance {one.id} has the tag {tag}, which cannot be read; it is left alone")
