"""A deployment as its journal tells it: who, when, how it ended, and how long each phase took. A fold, nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from bluegreen.core import event as ev
from bluegreen.core.chain import Lineage
from bluegreen.ports import Journal

PHASES: tuple[tuple[str, type[ev.Event]], ...] = (
    ("prepare", ev.Launching),
    ("launch", ev.Launched),
    ("register", ev.Registered),
    ("boot", ev.Healthy),
    ("switch", ev.Shifted),
    ("bake", ev.Promoted),
    ("retire", ev.Finished),
)
UNDONE = (*PHASES[:3], ("wait", ev.Failed), ("undo", ev.Finished))
BACK: tuple[tuple[str, type[ev.Event]], ...] = (
    ("switch", ev.Shifted),
    ("record", ev.Promoted),
    ("clean-up", ev.Finished),
)


@dataclass(frozen=True, slots=True)
class Past:
    """One deployment. `phases` is (name, seconds) in order, from its first entry to its last; `unreadable` names the entries
    that could not be read and are not in it."""

    deployment: str
    kind: str
    version: str
    release: str
    started_at: float
    seconds: float
    result: str
    sentence: str
    who: str
    build_url: str
    phases: tuple[tuple[str, float], ...]
    lineage: Lineage | None = None
    unreadable: tuple[str, ...] = ()


def past(journal: Journal, *, newest: bool = True) -> Past:
    """A run without an end is under way, or was: when a newer one is there, that one has taken over."""
    events = journal.events
    start = next((e for e in events if isinstance(e, ev.Started)), None)
    end = next((e for e in reversed(events) if isinstance(e, ev.Finished | ev.Interrupted)), None)
    fleet = start.goal.fleet if start else None
    return Past(
        deployment=journal.deployment,
        kind=start.goal.kind if start else "unknown",
        version=fleet.version if fleet else "",
        release=fleet.release if fleet else "",
        started_at=events[0].at if events else 0.0,
        seconds=events[-1].at - events[0].at if events else 0.0,
        result=_result(end, newest),
        sentence=end.sentence if isinstance(end, ev.Finished) else "",
        who=f"{start.owner.identity} on {start.owner.host}" if start else "",
        build_url=start.owner.build_url if start else "",
        phases=phases(events),
        lineage=start.goal.lineage if start else None,
        unreadable=journal.unreadable,
    )


def _result(end: ev.Finished | ev.Interrupted | None, newest: bool) -> str:
    if end is None:
        return "under way" if newest else "taken over"
    return end.result if isinstance(end, ev.Finished) else "interrupted"


def phases(events: tuple[ev.Event, ...]) -> tuple[tuple[str, float], ...]:
    """Each phase ends with the last event of its kind; what did not happen is left out."""
    found: list[tuple[str, float]] = []
    since = events[0].at if events else 0.0
    start = next((e for e in events if isinstance(e, ev.Started)), None)
    failed = any(isinstance(e, ev.Failed) for e in events)
    back = start is not None and not start.goal.undoable
    for name, kind in BACK if back else UNDONE if failed else PHASES:
        times = [e.at for e in events if isinstance(e, kind)]
        if times and max(times) >= since:
            found.append((name, round(max(times) - since, 3)))
            since = max(times)
    return tuple(found)
