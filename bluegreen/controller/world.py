"""The ports that a run is given, together. Made by cli/wire.py, and by tests with their own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from bluegreen.controller.hold import new_id
from bluegreen.errors import Unreachable
from bluegreen.ports import Agents, Clock, Fleets, Here, Records, Traffic, Watcher


class NoAgents:
    """Outside the VPC no agent can be reached."""

    def status(self, address: str) -> str:
        raise Unreachable("the agents on the hosts cannot be reached from here")


NO_AGENTS = NoAgents()
HERE = Here()


@dataclass(frozen=True, slots=True)
class World:
    fleets: Fleets
    traffic: Traffic
    records: Records
    clock: Clock
    watcher: Watcher
    poll_s: float = 1.0
    beating: Callable[[Callable[[], None]], AbstractContextManager[None]] = lambda beat: nullcontext()
    """Calls a hold's `beat` every second while the context lasts; the loop beats too, but not during a slow call."""
    agents: Agents = NO_AGENTS
    here: Here = HERE
    ids: Callable[[], str] = new_id  # no two alike, of any process
