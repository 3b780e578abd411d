"""Which journals may go: those of operations that no command looks back to, and whose fleet is neither live nor standby.

A stack that rests for years keeps all that `rollback`, `resume`, `abort` and `status` read, because a line gets its end only
from a later deployment.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from bluegreen.controller.already import LOOK_BACK
from bluegreen.controller.world import World
from bluegreen.core.fleet import split_deployment
from bluegreen.errors import BluegreenError

AFTER_S = 90 * 86_400.0
AT_ONCE = 20  # operations behind LOOK_BACK that one deployment looks at: a bound on what it reads


class Expiry(Protocol):
    def expire(self, stack: str, epochs: range, keep: Collection[int], at: float) -> int: ...


def tidy(world: World, lines: Expiry, stack: str) -> int:
    """How many lines were given an end. Nothing hangs on it: what goes wrong is said and left to the next deployment."""
    try:
        record = world.records.read(stack)
        if record is None or record.goal is not None:
            return 0
        last = record.epoch - LOOK_BACK
        epochs = range(max(1, last - AT_ONCE + 1), last + 1)
        keep = {split_deployment(fleet.deployment)[1] for fleet in record.fleets}
        return lines.expire(stack, epochs, keep, world.clock.now() + AFTER_S) if epochs else 0
    except BluegreenError as error:
        world.watcher.note(f"old journals got no end yet: {error.what}")
        return 0
