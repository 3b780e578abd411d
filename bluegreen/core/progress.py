"""The fold of a deployment's journal: what AWS cannot tell. A pure function of the events, in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple

from bluegreen.core import event as ev
from bluegreen.core.fleet import Fleet, Weights
from bluegreen.core.times import LATE_S


@dataclass(frozen=True, slots=True)
class Attempt:
    """One RunInstances as journaled. `instances` is None while its outcome is unknown; `refused` when AWS said no."""

    subnet: str
    batch: int
    number: int
    instance_type: str
    token: str
    at: float
    instances: tuple[str, ...] | None = None
    refused: ev.LaunchRefused | None = None
    unsure: bool = False  # a call with this token had no answer

    @property
    def may_have_run(self) -> bool:
        return self.refused is None or self.unsure


class Progress(NamedTuple):
    """A tuple, for every event makes a new one. `newest`, `made` and `launched` can be told from the rest, and are asked at
    each decision."""

    events: tuple[ev.Event, ...] = ()
    newest: Mapping[type[ev.Event], ev.Event] = MappingProxyType({})  # the last one of each kind
    groups: Mapping[int, str] = MappingProxyType({})  # binding → target group ARN
    made: tuple[str, ...] = ()  # the same ARNs, in the order of the bindings
    attempts: Mapping[str, Attempt] = MappingProxyType({})  # by token, in order
    launched: tuple[str, ...] = ()  # ids of all instances that AWS said it launched
    written: tuple[tuple[str, Weights], ...] = ()  # every (binding ARN, weights) that we set out to write
    failed: ev.Failed | None = None
    healthy_at: float | None = None  # since when the new fleet is healthy, as far as was seen
    flaps: int = 0  # how often it was healthy and then was not
    draining_at: Mapping[str, float] = MappingProxyType({})  # by deployment
    weighted_at: Mapping[str, float] = MappingProxyType({})  # group → when we last set out to give it weight

    @property
    def started_at(self) -> float:
        return self.events[0].at if self.events else 0.0

    def last(self, kind: type[ev.Event]) -> ev.Event | None:
        return self.newest.get(kind)

    def first(self, kind: type[ev.Event]) -> ev.Event | None:
        return next((e for e in self.events if isinstance(e, kind)), None)

    @property
    def unresolved(self) -> tuple[Attempt, ...]:
        return tuple(a for a in self.attempts.values() if a.instances is None and a.may_have_run)

    def late_until(self, within_s: float) -> float:
        """Until when a write to a binding that had no answer may still take effect, given that one does `within_s`."""
        times = [e.at for e in self.events if isinstance(e, ev.Unanswered) and e.of not in self.attempts]
        return max(times, default=-within_s) + within_s

    def tries(self, subnet: str, batch: int) -> tuple[Attempt, ...]:
        """The launches of a batch, in order."""
        return tuple(a for a in self.attempts.values() if (a.subnet, a.batch) == (subnet, batch))

    def named(self, fleet: Fleet) -> Fleet:
        """The fleet with the groups that were made for it, if any were."""
        return replace(fleet, groups=self.made) if self.made else fleet

    def gave_weight(self, group: str) -> float | None:
        """When we last set out to give the group weight, or None if never."""
        return self.weighted_at.get(group)


def phase(progress: Progress, kind: str) -> str:
    """Where an operation is, in a word for messages: the phase whose last line the journal does not hold yet."""
    if progress.failed:
        return "undoing"
    if kind == "gc":
        return "ending what was left behind"
    if kind not in ("deploy", "heal"):
        return "ending" if progress.last(ev.Shifted) else "switching back"
    ends: tuple[tuple[type[ev.Event], str], ...] = (
        (ev.Promoted, "retiring"),
        (ev.Shifted, "baking"),
        (ev.Healthy, "switching" if kind == "deploy" else "taking out the dead"),
        (ev.Registered, "waiting for health"),
        (ev.Launching, "launching"),
    )
    return next((word for event, word in ends if progress.last(event)), "preparing")


def fold(events: Iterable[ev.Event]) -> Progress:
    progress = Progress()
    for event in events:
        progress = after(progress, event)
    return progress


def after(progress: Progress, event: ev.Event) -> Progress:
    """The progress one event later."""
    newest = {**progress.newest, type(event): event}
    return progress._replace(events=(*progress.events, event), newest=newest, **_changes(progress, event))


def _changes(progress: Progress, event: ev.Event) -> dict[str, Any]:
    match event:
        case ev.GroupMade(binding=binding, arn=arn):
            groups = {**progress.groups, binding: arn}
            return {"groups": groups, "made": tuple(groups[number] for number in sorted(groups))}
        case ev.Launching():
            asked = Attempt(event.subnet, event.batch, event.attempt, event.instance_type, event.token, event.at)
            return _with(progress, progress.attempts.get(event.token, asked))
        case ev.Launched(token=token, instances=instances) if token in progress.attempts:
            return _with(progress, replace(progress.attempts[token], instances=instances))
        case ev.LaunchRefused(token=token, at=at) if token in progress.attempts:
            attempt = progress.attempts[token]
            unsure = attempt.unsure and at < attempt.at + LATE_S  # later on, its token would have answered with ids
            return _with(progress, replace(attempt, refused=event, unsure=unsure))
        case ev.Unanswered(of=token) if token in progress.attempts:
            return _with(progress, replace(progress.attempts[token], unsure=True, at=event.at))
        case ev.Healthy(at=at):
            return {"healthy_at": at}
        case ev.Flapped():
            return {"healthy_at": None, "flaps": progress.flaps + 1}
        case ev.Shifting(binding=binding_arn, weights=weights):
            return {"written": (*progress.written, (binding_arn, weights)), **_weighted(progress, event)}
        case ev.Shifted():
            return _weighted(progress, event)
        case ev.Draining(deployment=deployment, at=at):
            return {"draining_at": {deployment: at, **progress.draining_at}}
        case ev.Failed():
            return {"failed": progress.failed or event}
        case _:
            return {}


def _with(progress: Progress, attempt: Attempt) -> dict[str, Any]:
    attempts = {**progress.attempts, attempt.token: attempt}
    return {"attempts": attempts, "launched": tuple(i for each in attempts.values() for i in each.instances or ())}


def _weighted(progress: Progress, event: ev.Shifting | ev.Shifted) -> dict[str, Any]:
    given = {arn: max(event.at, progress.weighted_at.get(arn, event.at)) for arn, weight in event.weights if weight}
    return {"weighted_at": {**progress.weighted_at, **given}}
