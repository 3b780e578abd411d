"""Going back, as an ordered list of rules: traffic first, bookkeeping second, clean-up last.

Two shapes share it. A finished deployment is undone by giving all weight to the standby: no EC2 call. An unfinished one
(`goal.undo` names its fleet) is stopped: the weights are put as they were before it, then its fleet is ended.
"""

from __future__ import annotations

from dataclasses import replace

from bluegreen.core import event as ev
from bluegreen.core.decide.back import back
from bluegreen.core.decide.case import Case, Rule, superseded
from bluegreen.core.decide.retire import retire, spared
from bluegreen.core.decision import Act, Decision, Fail, Finish, Wait
from bluegreen.core.fleet import Fleet, Weights, weights_of
from bluegreen.core.observation import ALL_PARTS, Part
from bluegreen.core.outcome import Outcome, Result
from bluegreen.core.readiness import may_return, ready
from bluegreen.core.step import PutBack, SetWeights, Step, Write
from bluegreen.core.times import CHECKED_S, LATE_S
from bluegreen.core.traffic import all_to, attach

WATCHED: frozenset[Part] = frozenset({"record", "traffic", "health"})


def decide(case: Case) -> Decision:
    for rule in RULES:
        decision = rule(case)
        if decision is not None:
            return decision
    raise AssertionError("the last rule always decides")


def higher_epoch(case: Case) -> Decision | None:
    """A higher epoch stands: stop, change nothing more, exit 6."""
    return Finish(superseded(case)) if case.seen.record.epoch > case.seen.epoch else None


def binding_gone(case: Case) -> Decision | None:
    """A rule or listener is gone: nothing can be switched there; say which, and ask for a human."""
    there = {b.ref.arn for b in case.seen.bindings if b.exists}
    gone = [b.name for b in case.goal.bindings if b.arn not in there]
    if not gone:
        return None
    live = case.seen.record.live
    begun = case.done.last(ev.Shifting) is not None
    to = f", forwarding to {', '.join(live.groups)}" if live else ""
    return Finish(
        Outcome(
            "needs-human",
            f"{', '.join(gone)} is gone from the load balancer. All fleets keep running.",
            next=f"make it again with the same conditions{to}: then the same command finds it and goes on",
        ),
        over=not begun and case.goal.undo is None,
        again=None if begun else case.goal.stopped,
    )


def attach_first(case: Case) -> Decision | None:
    """The fleet to go back to was taken out of the action: attach it at weight 0, so that it is health-checked."""
    fleet = case.goal.fleet
    if fleet is None:
        return None
    steps = tuple(
        SetWeights(now.ref, attach(now, arn), f"attach {fleet.label} at weight 0 again")
        for arn, (_, now) in zip(fleet.groups, case.pairs, strict=False)
        if now.weights and arn not in now.by_group and case.seen.groups.get(arn)
    )
    return Act(steps) if steps else None


def given_up(case: Case) -> Decision | None:
    """The journal holds a failure: the bindings that have moved get their weights back, so that one fleet serves."""
    serving, failed = _serving(case), case.done.failed
    if failed is None or serving is None:
        return None
    steps = tuple(
        SetWeights(now.ref, all_to(now, arn), f"{now.ref.name} to {serving.label} again", shift=True, minimum=1)
        for arn, (_, now) in zip(serving.groups, case.pairs, strict=False)
        if {a for a, weight in now.by_group.items() if weight} != {arn}
    )
    if steps:
        return Act(steps)
    if case.seen.at < (until := case.done.late_until(LATE_S)):
        return Wait(until, "a switch that had no answer may still happen", WATCHED)
    return _not_back(case, serving, "undone", f"{case.goal.deployment} failed and was undone: {failed.reason}.")


def not_able(case: Case) -> Decision | None:
    """The fleet to go back to could carry less than what serves now: refuse. Where a binding has moved, undo that first."""
    fleet, serving = case.goal.fleet, _serving(case)
    if fleet is None or _traffic_is_right(case) or _written(case, fleet):
        return None
    if serving and (gone := [arn for arn in fleet.groups if case.seen.groups.get(arn) is None]):
        return _not_back(case, serving, "refused", f"The target group of {fleet.label} is gone: {', '.join(gone)}.")
    able = case.seen.healthy(fleet.groups)
    attached = case.done.first(ev.Shifting)
    if attached and not able and case.seen.at < attached.at + CHECKED_S:
        return Wait(attached.at + CHECKED_S, f"{fleet.label} is attached again: its health is checked", WATCHED)
    now = max(case.seen.healthy(serving.groups) if serving else 0, _capacity(case, fleet))
    restored = case.goal.undo is not None or (not now and _name(case.seen.record.live) == fleet.deployment)
    enough = may_return(able, now) if restored else ready(able, now, fleet.count)
    if enough or serving is None or _unchecked(case, fleet, now):
        return None
    reason = f"{able} of {fleet.count or '?'} instances of {fleet.label} are healthy, and {now} of what serves now"
    moved = any(now.by_group.get(arn) for arn, (_, now) in zip(fleet.groups, case.pairs, strict=False))
    return Fail(reason) if moved else _not_back(case, serving, "refused", f"{reason}.")


def traffic_back(case: Case) -> Decision | None:
    """A binding does not have its weights as they shall be: set them, absolutely, and read back."""
    steps = _steps_back(case)
    return Act(steps) if steps else None


def swap(case: Case) -> Decision | None:
    """The record does not name the fleet that serves now as live: write it."""
    record, goal = case.seen.record, case.goal
    live, standby = (record.live, record.standby) if goal.undo else (goal.fleet, goal.standby)
    mark = goal.rolled_back if goal.kind == "rollback" else record.rolled_back
    wanted = replace(record, live=live, standby=standby, doomed=_doomed(case), rolled_back=mark)
    if _name(live) != _name(record.live):
        wanted = replace(wanted, live_since=case.seen.at, live_by=str(record.owner or ""))
    if wanted == record:
        return None
    return Act((Write(wanted, "write down which fleet is live", promote=goal.fleet),))


def mark(case: Case) -> Decision | None:
    """The target groups do not tell yet which fleet is live again: tag them, for a rollback without the ledger."""
    fleet = case.goal.fleet
    return None if fleet is None or case.goal.undo else case.mark(fleet)


def watch(case: Case) -> Decision | None:
    """The run that was taken over may have one late write in flight: watch, and set the weights again if it lands."""
    since = max((e.at for e in (case.done.last(ev.Shifted), case.done.first(ev.Started)) if e), default=case.seen.at)
    until = since + case.goal.watch_s
    look = ALL_PARTS if case.goal.undo else WATCHED
    if not case.goal.watch_s or case.seen.at >= until:
        return None
    return Wait(until, "traffic is back; watching for a late write of the run that was taken over", look)


def checked(case: Case) -> Decision | None:
    """The fleet that got the traffic was not health-checked before: give the load balancer half a minute to find it healthy."""
    fleet, moved = case.goal.fleet, case.done.last(ev.Shifted)
    if fleet is None or moved is None or case.seen.healthy(fleet.groups):
        return None
    until = moved.at + CHECKED_S
    new = any(case.seen.group(arn).count("initial") for arn in fleet.groups)
    return (
        Wait(until, f"{fleet.label} has the traffic; its health is checked", WATCHED)
        if new and case.seen.at < until
        else None
    )


def clean_up(case: Case) -> Decision | None:
    """The fleet of the deployment that was stopped is left: out of the action, drained, terminated, groups deleted."""
    fleet = case.goal.undo
    if fleet is None or spared(case, fleet):
        return None
    ending = retire(case, fleet)
    if ending:
        return ending
    if fleet in case.seen.record.doomed:
        rest = tuple(f for f in case.seen.record.doomed if f != fleet)
        return Act((Write(replace(case.seen.record, doomed=rest), f"{fleet.label} is retired"),))
    return None


RULES: tuple[Rule, ...] = (
    higher_epoch,
    binding_gone,
    attach_first,
    given_up,
    not_able,
    traffic_back,
    swap,
    mark,
    watch,
    checked,
    clean_up,
    back,
)


def _serving(case: Case) -> Fleet | None:
    """The fleet that the traffic is to be taken from."""
    return case.goal.undo or case.goal.live


def _capacity(case: Case, fleet: Fleet) -> int:
    """Healthy targets that have weight and are not of `fleet`, on the binding that has fewest."""
    weighted = ([arn for arn, weight in now.by_group.items() if weight] for _, now in case.pairs)
    counts = [sum(case.seen.group(arn).healthy for arn in arns if arn not in fleet.groups) for arns in weighted]
    return min(counts, default=0)


def _unchecked(case: Case, fleet: Fleet, serving: int) -> bool:
    """Whether nothing serves, and no action names the fleet's groups, so that AWS does not check their health: an entry that
    was made anew. There is nothing to lose then."""
    there = all(case.seen.groups.get(arn) is not None for arn in fleet.groups)
    return not serving and there and not any(case.seen.attached(arn) for arn in fleet.groups)


def _written(case: Case, fleet: Fleet) -> bool:
    """Whether the record says that the traffic is back: from there on it is set again, whoever takes it away."""
    live = case.seen.record.live
    return case.goal.undo is None and live is not None and live.deployment == fleet.deployment != _name(case.goal.live)


def _healable(case: Case) -> bool:
    """Whether `heal` could do something: the groups of the kept fleets are there, and in their action."""
    kept = [f for f in (case.seen.record.live, case.seen.record.standby) if f and f.ours]
    return bool(kept) and all(
        case.seen.attached(arn) and case.seen.groups.get(arn) is not None for f in kept for arn in f.groups
    )


def _name(fleet: Fleet | None) -> str:
    return fleet.deployment if fleet else ""


def _not_back(case: Case, serving: Fleet, result: Result, what: str) -> Decision:
    """The traffic stays where it is. A deployment that was to be stopped is in force again: it can be finished."""
    stack, record = case.goal.stack, case.seen.record
    rest = tuple(fleet for fleet in record.doomed if fleet != case.goal.undo)
    if rest != record.doomed:
        return Act((Write(replace(record, doomed=rest), f"{serving.label} is not to be ended any more"),))
    if case.goal.undo is None:
        why = "Going back would leave less capacity than there is."
        if not _capacity(case, case.goal.fleet or serving):
            why = "Nothing is healthy on either fleet: going back would not help."
        heal = f"bluegreen heal {stack}; or " if _healable(case) else ""
        outcome = Outcome(result, what, why=why, next=f"{heal}deploy another version")
        return Finish(outcome, again=case.goal.stopped)
    return Finish(
        Outcome(
            "needs-human" if result == "undone" else result,
            f"{what} The traffic stays with {serving.label}, and {serving.deployment} is unfinished, as it was.",
            why="Going back would leave nothing that serves.",
            next=f"bluegreen heal {stack}, then bluegreen resume {stack}",
        ),
        again=case.goal.stopped,
    )


def _steps_back(case: Case) -> tuple[Step, ...]:
    steps: list[Step] = []
    for number, (before, now) in enumerate(case.pairs):
        wanted = _wanted(case, number)
        why = f"{now.ref.name} back to {case.goal.fleet.label if case.goal.fleet else 'what it was'}"
        if wanted is None:
            if now.weights is not None and before.action:
                steps.append(PutBack(now.ref, before.action, why))
        elif not _carries(now.by_group, wanted, _kept(case)):
            steps.append(SetWeights(now.ref, wanted, why, shift=True, minimum=1))
    return tuple(steps)


def _traffic_is_right(case: Case) -> bool:
    return not _steps_back(case)


def _wanted(case: Case, number: int) -> Weights | None:
    """The absolute weights for a binding; groups that are attached now stay attached, at 0."""
    before, now = case.pairs[number]
    if case.goal.undo:
        if before.weights is None:
            return None
        there = {
            arn: w for arn, w in before.weights if w or arn in now.by_group or case.seen.groups.get(arn) is not None
        }
        return weights_of({**dict.fromkeys(now.by_group, 0), **there})
    assert case.goal.fleet is not None
    known = [arn for arn in before.groups if arn in now.by_group or case.seen.groups.get(arn) is not None]
    return all_to(now, case.goal.fleet.groups[number], known)


def _carries(now: dict[str, int], wanted: Weights, kept: set[str]) -> bool:
    """Whether every wanted group has its weight, those that are kept are attached, and no other has any; a retired group
    that left is no matter."""
    goal = dict(wanted)
    right = all(now.get(arn, 0) == weight and (arn in now or arn not in kept) for arn, weight in goal.items())
    return right and not any(weight for arn, weight in now.items() if arn not in goal)


def _kept(case: Case) -> set[str]:
    """The groups of the fleets that stay, as far as they exist."""
    fleets = [fleet for fleet in (case.goal.fleet, case.goal.standby) if fleet]
    return {arn for fleet in fleets for arn in fleet.groups if case.seen.groups.get(arn) is not None}


def _doomed(case: Case) -> tuple[Fleet, ...]:
    undo, doomed = case.goal.undo, case.seen.record.doomed
    known = {fleet.deployment for fleet in doomed}
    doomed = (*doomed, *(fleet for fleet in case.goal.left if fleet.deployment not in known))
    if undo is None or any(f.deployment == undo.deployment for f in doomed):
        return doomed
    ended = retire(case, undo) is None
    return doomed if ended else (*doomed, undo)
