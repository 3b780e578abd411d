"""A deployment's journal while it is written: append, and fold as we go."""

from __future__ import annotations

from bluegreen.core.event import Event
from bluegreen.core.progress import Progress, after, fold
from bluegreen.ports import Records, Watcher


class Journal:
    """`progress` is always the fold of what stands in the ledger."""

    def __init__(self, records: Records, watcher: Watcher, deployment: str) -> None:
        self.records = records
        self.watcher = watcher
        self.deployment = deployment
        self.progress: Progress = fold(records.events(deployment))

    def write(self, event: Event) -> None:
        """In the ledger first, then in the fold: what was not written has not happened."""
        self.records.append(self.deployment, len(self.progress.events), event)
        self.progress = after(self.progress, event)
        self.watcher.event(event)
