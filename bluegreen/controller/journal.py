"""A deployment's journal while it is written: append, and fold as we go."""

from __future__ import annotations

from dataclasses import replace

from bluegreen.controller.hold import Hold
from bluegreen.core.event import Event
from bluegreen.core.fleet import split_deployment
from bluegreen.core.progress import Progress, after, fold
from bluegreen.errors import LineTaken, Unreadable
from bluegreen.ports import Records, Watcher

TRIES = 5


class Journal:
    """`progress` is always the fold of what stands in the ledger."""

    def __init__(self, records: Records, watcher: Watcher, deployment: str, hold: Hold) -> None:
        """Lines of another machine whose clock is ahead count as of now: no wait is longer than its own span."""
        self.records = records
        self.watcher = watcher
        self.deployment = deployment
        self.hold = hold
        self.number = 0  # of the next entry; more than there are events, when some were lost
        self.progress: Progress = self._read()

    def write(self, event: Event) -> None:
        """In the ledger first, then in the fold: what was not written has not happened. A line that stands where ours
        should go is an earlier one of ours that was not answered, or the last one of a run that we took over: when the
        stack is still ours, it is read and ours goes after it. Raises Superseded when it is not."""
        for _ in range(TRIES):
            try:
                self.records.append(self.deployment, self.number, event)
            except LineTaken:
                self.hold.fence(0.0)
                self.progress = self._read()
            else:
                self.number += 1
                self.progress = after(self.progress, event)
                self.watcher.event(event)
                return
        raise LineTaken(f"somebody else keeps writing the journal of {self.deployment}")

    def _read(self) -> Progress:
        """Raises Unreadable: what a run does next hangs on every entry of its own journal."""
        now, found = self.hold.clock.now(), self.records.journal(self.deployment)
        if found.unreadable:
            stack = split_deployment(self.deployment)[0]
            raise Unreadable(
                f"the journal of {self.deployment} has entries that cannot be read",
                why="; ".join(found.unreadable),
                next=f"bluegreen rollback {stack} stops {self.deployment} without them",
            )
        self.number = found.next_number
        return fold(replace(event, at=min(event.at, now)) for event in found.events)
