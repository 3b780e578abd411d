"""Since when a fleet has the traffic, and by whom it got it."""

from __future__ import annotations

from bluegreen.controller.by_tags import Told
from bluegreen.core import event as ev
from bluegreen.core.fleet import Fleet
from bluegreen.core.record import Record
from bluegreen.errors import CloudError
from bluegreen.ports import Records

UNKNOWN = (0.0, "")


def since(records: Records, record: Record, fleet: Fleet | None, told: Told | None) -> tuple[float, str]:
    """When, in seconds since 1970, and by whom; 0 and "" as far as nothing tells it."""
    if fleet is None:
        return UNKNOWN
    if told is not None:
        return told.moved.at, told.moved.by
    live, goal = record.live, record.goal
    if live is not None and live.deployment == fleet.deployment:
        if record.live_since:
            return record.live_since, record.live_by
        gone = record.rolled_back
        if gone is not None and (record.standby is None or record.standby.release == gone.release):
            return gone.at, gone.by
        return _by_journal(records, fleet.deployment, ev.Promoted)
    if goal is not None and goal.fleet is not None and goal.fleet.deployment == fleet.deployment:
        return _by_journal(records, goal.deployment, ev.Shifted)
    return UNKNOWN


def _by_journal(records: Records, deployment: str, kind: type[ev.Event]) -> tuple[float, str]:
    """Of a record that an older bluegreen wrote, or of a deployment under way. What cannot be had is not known."""
    try:
        events = records.journal(deployment).events
    except (CloudError, ValueError):
        return UNKNOWN
    at = max((event.at for event in events if isinstance(event, kind)), default=0.0)
    start = next((event for event in events if isinstance(event, ev.Started)), None)
    return at, str(start.owner) if start else ""
