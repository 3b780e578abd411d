"""Which images a stack needs, by the record and the journals: what prune must leave alone. Reads the ledger, changes nothing."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator

from bluegreen.core import event as ev
from bluegreen.core.fleet import Fleet, deployment_id
from bluegreen.core.record import Record
from bluegreen.errors import Refused
from bluegreen.ports import Records

LOOK_BACK = 200  # epochs, for the newest releases: rollbacks, heals and clean-ups count too
NOTHING_DONE = "nothing was deleted"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

ImagesOf = Callable[[str], tuple[str, ...]]
"""The images, by their digests, that user data names, as the journal keeps it. Raises ValueError."""
Start = Callable[[str], ev.Started | None]


def needed(records: Records, stack: str, releases: int, images_of: ImagesOf) -> dict[str, str]:
    """Digest → who needs it: the fleets of the record, what is under way, and the last `releases` that were deployed. Raises
    Refused when the ledger does not tell, for then everything may be needed."""
    record = records.read(stack)
    if record is None:
        raise Refused(
            f"the ledger has no record of {stack}: nothing says which images it needs",
            why="It was never deployed from this account and region, or the table was lost.",
            next=f"{NOTHING_DONE}; look at --profile and --region, or restore the table",
        )

    @functools.cache
    def start(deployment: str) -> ev.Started | None:
        return next((event for event in records.events(deployment) if isinstance(event, ev.Started)), None)

    found: dict[str, str] = {}
    for who, fleet in _fleets(record):
        digests = _digests(start(fleet.deployment), images_of)
        if not digests:
            raise Refused(
                f"the journal of {fleet.deployment} does not tell its images",
                why=f"{who} needs them, so any image may be one of them.",
                next=f"{NOTHING_DONE}; bluegreen status {stack}",
            )
        found = {**dict.fromkeys(digests, who), **found}
    for started in _newest(record, releases, start):
        who = f"the release of {started.goal.deployment}"
        found = {**dict.fromkeys(_digests(started, images_of), who), **found}
    return found


def _fleets(record: Record) -> Iterator[tuple[str, Fleet]]:
    """Those that may yet launch instances. What was found at the first deployment has no journal, and no images of ours; what
    is doomed launches nothing any more."""
    named = [("live", record.live), ("standby", record.standby)]
    goal = record.goal
    while goal is not None:
        named.append(("under way:", goal.fleet))
        goal = goal.stopped
    for role, fleet in named:
        if fleet is not None and fleet.ours:
            yield f"{role} {fleet.label}", fleet


def _newest(record: Record, releases: int, start: Start) -> list[ev.Started]:
    """The newest deployment of each of the last releases, whatever became of it."""
    seen: dict[str, ev.Started] = {}
    for epoch in range(record.epoch, max(0, record.epoch - LOOK_BACK), -1):
        if len(seen) == releases:
            break
        started = start(deployment_id(record.stack, epoch))
        if started is not None and started.goal.kind == "deploy" and started.goal.fleet is not None:
            seen.setdefault(started.goal.fleet.release, started)
    return list(seen.values())


def _digests(started: ev.Started | None, images_of: ImagesOf) -> list[str]:
    """Of what the user data pulls, and of what those images were made from."""
    if started is None:
        return []
    links = started.goal.lineage.links if started.goal.lineage else ()
    try:
        pulled = images_of(started.user_data) if started.user_data else ()
    except ValueError as error:
        raise Refused(
            f"the journal of {started.goal.deployment} has user data that cannot be read",
            why=str(error),
            next=f"{NOTHING_DONE}; upgrade bluegreen, if a newer one wrote it",
        ) from None
    return [found for text in (*pulled, *(link.reference for link in links)) for found in _DIGEST.findall(text)]
