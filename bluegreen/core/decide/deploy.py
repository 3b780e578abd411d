"""A deploy as an ordered list of rules: the first that applies decides. The documentation of the lifecycle is made from
RULES, so each rule's docstring is written for readers. Steps of one decision are independent."""

from __future__ import annotations

from dataclasses import replace

from bluegreen.core import event as ev
from bluegreen.core.decide.bake import bake, unknown, whole
from bluegreen.core.decide.boot import wait_healthy
from bluegreen.core.decide.case import LOOK, Case, Rule, superseded
from bluegreen.core.decide.foreign import as_seen, foreign_hand, names, same
from bluegreen.core.decide.launch import launch, register
from bluegreen.core.decide.retire import retire, spared
from bluegreen.core.decide.standby import best_way_back, keep_the_better, standing_by, way_back_from
from bluegreen.core.decision import Act, Decision, Fail, Finish, Note, Wait
from bluegreen.core.fleet import Fleet, Weights, is_older, weights_of
from bluegreen.core.observation import Binding
from bluegreen.core.outcome import Outcome
from bluegreen.core.readiness import to_command
from bluegreen.core.step import MakeGroup, PutBack, SetWeights, Step, Write
from bluegreen.core.tags import BINDING, fleet_tags
from bluegreen.core.times import LATE_S, VISIBILITY_S
from bluegreen.core.traffic import all_to, attach, words

DETACHED = 3  # times that somebody else takes the new fleet's group out of the action: then the deployment fails


def decide(case: Case) -> Decision:
    for rule in RULES:
        decision = rule(case)
        if decision is not None:
            return decision
    raise AssertionError("the last rule always decides")


def higher_epoch(case: Case) -> Decision | None:
    """A higher epoch stands: stop, change nothing more, exit 6."""
    return Finish(superseded(case)) if case.seen.record.epoch > case.seen.epoch else None


def undo(case: Case) -> Decision | None:
    """The journal holds a failure: traffic as before, then the new fleet out of the action, ended, and exit 3. Where nothing
    of the old fleet could serve and the new one does, it goes on instead."""
    if case.done.failed is None or case.promoted or _no_way_back(case):
        return None
    if steps := _traffic_back(case):
        return Act(steps)
    if case.seen.at < (until := case.done.late_until(LATE_S)):
        return Wait(until, "a switch that had no answer may still happen", LOOK)
    if spared(case, case.fleet):
        return Finish(_kept_alive(case, case.done.failed))
    ending = retire(case, case.fleet, drain=case.shifting)
    return ending or Finish(_undone(case, case.done.failed))


def make_groups(case: Case) -> Decision | None:
    """A target group of the new fleet is missing: make it."""
    if case.promoted or len(case.done.groups) == len(case.goal.groups):
        return None
    specs = [(i, spec) for i, spec in enumerate(case.goal.groups) if i not in case.done.groups]
    tags = fleet_tags(case.goal.stack, case.fleet)
    arns = [before.binding.arn for before in case.goal.before]
    steps = tuple(MakeGroup(s, i, (*tags, (BINDING, arns[i])), f"make target group {s.name}") for i, s in specs)
    return Act(steps)


def attach_groups(case: Case) -> Decision | None:
    """A target group of the new fleet is not in its action: add it at weight 0, so that it is health-checked; with it those of
    live and standby, which an action that somebody made anew lacks."""
    if case.promoted or case.shifting:
        return None
    missing = [(i, now, case.done.groups[i]) for i, (_, now) in enumerate(case.pairs)]
    missing = [(i, now, arn) for i, now, arn in missing if arn not in now.by_group]
    if case.done.attempts and (taken := _taken_out(case, [(now, arn) for _, now, arn in missing])):
        return taken
    why = f"attach {case.fleet.label} at weight 0"
    steps = [SetWeights(now.ref, attach(now, arn, *_attachable(case, i)), why) for i, now, arn in missing]
    return Act(tuple(steps)) if steps else None


def _taken_out(case: Case, missing: list[tuple[Binding, str]]) -> Note | Fail | None:
    """Nothing is launched before the groups were seen in their action: who took them out was not us."""
    for now, arn in missing:
        told = sum(isinstance(e, ev.Detached) and e.binding == now.ref.arn for e in case.done.events)
        wrote = sum(ref == now.ref.arn and dict(weights).get(arn) == 0 for ref, weights in case.done.written)
        if told >= DETACHED:
            seen = words(now.weights, names(case))
            return Fail(
                f"somebody else changed the load balancer: {case.fleet.label} was taken out of {now.ref.name} {told} times;"
                f" it has {seen}"
            )
        if told < wrote:
            return Note(ev.Detached(case.seen.at, now.ref.arn))
    return None


def shift(case: Case) -> Decision | None:
    """A binding does not have all its weight on the new fleet: switch it, with absolute weights, and read back."""
    steps = [
        SetWeights(now.ref, goal, f"switch {now.ref.name} to {case.fleet.label}", True, case.count)
        for now, goal in _unswitched(case)
    ]
    return Act(tuple(steps)) if steps else None


def mark(case: Case) -> Decision | None:
    """The target groups do not tell yet that this fleet goes live: tag them, for a rollback without the ledger."""
    return None if case.promoted else case.mark(case.fleet, unsafe=_passes_unsafe(case, _way_back(case)))


def promote(case: Case) -> Decision | None:
    """The bake is over and the record names another live fleet: promote. From here on there is no undo, only rollback."""
    if case.promoted:
        return None
    record, mark = case.seen.record, case.seen.record.rolled_back
    before = [fleet for fleet in (case.goal.live, case.goal.standby) if fleet]
    back = _way_back(case)
    doomed = {fleet.deployment for fleet in record.doomed}
    older = tuple(f for f in before if f != back and f.deployment not in doomed)
    new = replace(
        record,
        live=replace(
            case.fleet, once_live=True, rollback_unsafe=case.fleet.rollback_unsafe or _passes_unsafe(case, back)
        ),
        standby=replace(back, once_live=True) if back else None,
        doomed=record.doomed + tuple(replace(fleet, once_live=True) for fleet in older),
        bindings=case.goal.bindings,
        rolled_back=mark if mark and back and mark.release == back.release else None,
        live_since=case.seen.at,
        live_by=str(record.owner or ""),
    )
    return Act((Write(new, f"promote {case.fleet.label} to live", promote=case.fleet),))


def _way_back(case: Case) -> Fleet | None:
    """Which of the fleets before this one a rollback will go to."""
    return best_way_back(case, case.fleet, [fleet for fleet in (case.goal.live, case.goal.standby) if fleet])


def _passes_unsafe(case: Case, back: Fleet | None) -> bool:
    """Whether a rollback to `back` goes past a release that declares it unsafe."""
    before = [fleet for fleet in (case.goal.live, case.goal.standby) if fleet and fleet != back]
    return any(f.rollback_unsafe and back and is_older(back.deployment, f.deployment) for f in before)


def retire_older(case: Case) -> Decision | None:
    """A fleet older than the standby is left: out of the action, drained, terminated, its target groups deleted."""
    for fleet in case.seen.record.doomed:
        if spared(case, fleet):
            continue
        ending = retire(case, fleet)
        if ending:
            return ending
        rest = tuple(f for f in case.seen.record.doomed if f != fleet)
        return Act((Write(replace(case.seen.record, doomed=rest), f"{fleet.label} is retired"),))
    return None


def deployed(case: Case) -> Decision | None:
    """What was just observed shows the goal: all weight on the new fleet, and it is healthy. Exit 0."""
    healthy = case.seen.healthy(case.groups)
    if _unswitched(case) or healthy < case.count:
        return None
    live = f"{case.fleet.label} is live: {healthy}/{case.count} healthy"
    return Finish(Outcome("deployed", f"{live}; {standing_by(case)}.", next=way_back_from(case)))


def stuck(case: Case) -> Decision | None:
    """Otherwise: give the new fleet two minutes to be healthy again, then say what is where and ask for a human."""
    since = max(case.shifted_at + case.goal.bake_s, e.at if (e := case.done.last(ev.Promoted)) else 0.0)
    healthy, stack = case.seen.healthy(case.groups), case.goal.stack
    if case.seen.at < since + VISIBILITY_S:
        why = f"{healthy}/{case.count} healthy"
        return Wait(since + VISIBILITY_S, why, LOOK)
    return Finish(
        Outcome(
            "needs-human",
            f"{case.fleet.label} is live, but only {healthy} of {case.count} instances are healthy.",
            next=f"bluegreen heal {stack}" + (f", or {way}" if "rollback" in (way := way_back_from(case)) else ""),
        ),
        over=case.promoted,
    )


RULES: tuple[Rule, ...] = (
    higher_epoch,
    foreign_hand,
    undo,
    make_groups,
    attach_groups,
    launch,
    register,
    wait_healthy,
    shift,
    bake,
    unknown,
    whole,
    mark,
    promote,
    keep_the_better,
    retire_older,
    deployed,
    stuck,
)


def _attachable(case: Case, number: int) -> tuple[str, ...]:
    """The groups of live and standby for a binding, as far as they exist."""
    fleets = (case.goal.live, case.goal.standby)
    arns = (arn for fleet in fleets if fleet for arn in fleet.groups[number : number + 1])
    return tuple(arn for arn in arns if case.seen.groups.get(arn) is not None)


def _unswitched(case: Case) -> list[tuple[Binding, Weights]]:
    """The bindings that do not have all their weight on the new fleet, and the weights that they shall have."""
    goals = [(now, all_to(now, case.groups[i])) for i, (_, now) in enumerate(case.pairs)]
    return [(now, goal) for now, goal in goals if now.weights != goal]


def _traffic_back(case: Case) -> tuple[Step, ...]:
    """Steps that give every binding its weights from before, the new group staying at 0 until it is retired."""
    steps: list[Step] = []
    for before, now in case.pairs:
        mine = {arn: 0 for arn in case.groups if arn in now.by_group}
        if not any(now.by_group[arn] for arn in mine):
            continue
        why = f"traffic on {now.ref.name} as it was before {case.goal.deployment}"
        if before.weights is None:
            steps.append(PutBack(now.ref, before.action, why))
        else:
            weights = weights_of({**dict(before.weights), **mine})
            steps.append(SetWeights(now.ref, weights, why, shift=True, minimum=1))
    return tuple(steps)


def _no_way_back(case: Case) -> bool:
    """Whether the traffic would have to go from a fleet that serves to one that has nothing healthy."""
    back = case.goal.live
    if back is None or not case.shifting or not _traffic_back(case):
        return False
    return not case.seen.healthy(back.groups) and case.seen.healthy(case.groups) > 0


def _kept_alive(case: Case, failed: ev.Failed) -> Outcome:
    stack, fleet = case.goal.stack, case.fleet
    return Outcome(
        "needs-human",
        f"{case.goal.deployment} failed ({failed.reason}), and its fleet keeps running: it has {case.seen.healthy(fleet.groups)} "
        "healthy instances, more than the live fleet and the standby.",
        why="The healthiest fleet of a stack is never terminated.",
        next=f"bluegreen heal {stack}, then bluegreen abort {stack}",
    )


def _undone(case: Case, failed: ev.Failed) -> Outcome:
    live = case.goal.live
    if strange := [as_seen(case, now) for before, now in case.pairs if not same(before, now)]:
        return Outcome(
            "needs-human",
            f"{case.goal.deployment} failed ({failed.reason}) and its fleet is ended, but the weights are not as before, "
            f"by somebody else's hand: {'; '.join(strange)}.",
            next=f"bluegreen rollback {case.goal.stack} --to {live.deployment}"
            if live and case.seen.healthy(live.groups) and not any("is gone" in one for one in strange)
            else f"bluegreen status {case.goal.stack}",
        )
    return Outcome(
        "undone",
        f"{case.goal.deployment} failed and was undone: {failed.reason}. {_serving_again(case)}",
        why=failed.evidence,
        next=f"bluegreen show {case.goal.deployment}{_better_than_before(case)}",
    )


def _serving_again(case: Case) -> str:
    live = case.goal.live
    if live is None:
        return "Nothing was live before, and nothing is now."
    if not any(case.seen.weight(arn) for arn in live.groups):
        return f"Nothing is forwarded to {live.label}, as it was before."
    if case.seen.healthy(live.groups):
        return f"{live.label} serves as before."
    return f"{live.label} has the traffic again, and nothing of it is healthy."


def _better_than_before(case: Case) -> str:
    """The way to a standby that could serve when the fleet from before cannot."""
    live, standby = case.goal.live, case.goal.standby
    if live is None or standby is None or case.seen.healthy(live.groups) or not case.seen.healthy(standby.groups):
        return ""
    return f"; then {to_command(case.goal.stack, live, standby)}"
