"""A deployment on one axis of seconds: the controller's phases from the journal, and under `boot` those of one instance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bluegreen.controller.history import phases
from bluegreen.core import boot as console_of
from bluegreen.core import event as ev

NOT_TAKEN = "taken when a deployment ends, and this one has not"


@dataclass(frozen=True, slots=True)
class Bar:
    """`began` is in seconds since the deployment's first line; `instance` is whose phase it is, "" the controller's."""

    phase: str
    began: float
    seconds: float
    instance: str = ""


@dataclass(frozen=True, slots=True)
class Timeline:
    """`missing` says why there are no phases of an instance."""

    bars: tuple[Bar, ...]
    missing: str = ""


def timeline(events: tuple[ev.Event, ...]) -> Timeline:
    """The instance's own seconds count from its machine's start, which is taken for the moment it was seen running."""
    bars: list[Bar] = []
    passed = 0.0
    for name, seconds in phases(events):
        bars.append(Bar(name, round(passed, 3), seconds))
        passed += seconds
    instance, inner, missing = _boot(events)
    running = next((e.at for e in events if isinstance(e, ev.Registered)), None)
    if running is None or not inner:
        return Timeline(tuple(bars), missing)
    below = list(_below(instance, inner, running - events[0].at, events))
    place = next((i for i, bar in enumerate(bars, 1) if bar.phase in ("boot", "wait")), len(bars))
    return Timeline((*bars[:place], *below, *bars[place:]))


def _boot(events: tuple[ev.Event, ...]) -> tuple[str, tuple[tuple[str, float, float], ...], str]:
    for event in events:
        if isinstance(event, ev.Booted):
            return event.instance, event.phases, event.missing
        if isinstance(event, ev.Evidence) and (found := console_of.phases(console_of.read(event.console))):
            return event.instance, found, ""
    launched = any(isinstance(event, ev.Launched) for event in events)
    failed = any(isinstance(event, ev.Evidence) for event in events)
    return "", (), "no console showed a boot" if failed else NOT_TAKEN if launched else "nothing was launched"


def _below(
    instance: str, inner: tuple[tuple[str, float, float], ...], running: float, events: tuple[ev.Event, ...]
) -> Iterator[Bar]:
    for phase, began, seconds in inner:
        yield Bar(phase, round(running + began, 3), seconds, instance)
    healthy = next((e.at - events[0].at for e in events if isinstance(e, ev.Healthy)), None)
    ready = running + max(began + seconds for _, began, seconds in inner)
    if healthy is not None and healthy >= ready:
        yield Bar("healthy", round(ready, 3), round(healthy - ready, 3), instance)
