"""The ports that a run is given, together. Made by cli/wire.py, and by tests with their own."""

from __future__ import annotations

from dataclasses import dataclass

from bluegreen.ports import Clock, Fleets, Records, Traffic, Watcher


@dataclass(frozen=True, slots=True)
class World:
    fleets: Fleets
    traffic: Traffic
    records: Records
    clock: Clock
    watcher: Watcher
    poll_s: float = 1.0
