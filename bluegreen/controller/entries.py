"""Reading a journal that may have been damaged: what cannot be read is told once and left out."""

from __future__ import annotations

from bluegreen.controller.world import World
from bluegreen.ports import Journal


def readable(world: World, deployment: str) -> Journal:
    """The journal of `deployment`; the watcher is told which entries of it cannot be read."""
    found = world.records.journal(deployment)
    for sentence in found.unreadable:
        world.watcher.note(f"the journal of {deployment} has an entry that cannot be read and is left out: {sentence}")
    return found
