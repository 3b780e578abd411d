"""The promises that every state is held to: I1 capacity, I3 standby, I4 accounting, I5 guard, I6 fence, I9 truth.

An act is judged when it takes effect, against the world at that moment, by counting; nothing of the guard is used. What
nobody can promise is left out: a balancer has no compare-and-set, so an act may meet weights or health that changed after
its sender looked (`blind`), and a process that stood still between its check and its call (`paused`) is judged by the
end state alone.
"""

from __future__ import annotations

from bluegreen.core.fleet import FULL, Fleet
from bluegreen.core.goal import Goal
from bluegreen.core.record import Record
from bluegreen.core.step import DeleteGroup, Deregister, PutBack, SetWeights, Step, Terminate
from tests.explore.cloud import healthy
from tests.explore.values import Controller, State
from tests.explore.way_back import checked, taken_away

REACHED = ("deployed", "rolled-back", "aborted", "undone")


def broken_by(step: Step, before: State, after: State) -> str:
    """The promise that an act of ours breaks by taking effect, or ""."""
    kept = _capacity(step, before, after) or _behind_weight(step, before, after) or _standby(step, before)
    return kept or taken_away(step, before)


def _capacity(step: Step, before: State, after: State) -> str:
    was, now = _serving(before), _serving(after)
    if isinstance(step, PutBack) or now >= min(was, 1):
        return ""
    return f"I1: healthy targets behind weight fall from {was} to {now}"


def _serving(state: State) -> int:
    return sum(healthy(state, arn) for arn, weight in state.by_weight().items() if weight)


def _behind_weight(step: Step, before: State, after: State) -> str:
    serving = {
        name for arn, weight in before.by_weight().items() if weight for name, s in _in(before, arn) if s != "draining"
    }
    match step:
        case Terminate(instances=ids):
            hit = serving.intersection(ids)
        case Deregister(group=arn, instances=ids) if before.by_weight().get(arn):
            hit = serving.intersection(ids)
        case _:
            hit = set()
    if hit:
        return f"I5: {', '.join(sorted(hit))} is behind weight"
    taken = isinstance(step, Deregister | Terminate | DeleteGroup) and before.record.value.live
    if taken and _whole(before) and not _whole(after):
        return "I5: the last healthy fleet is taken away"
    return ""


def _in(state: State, arn: str) -> tuple[tuple[str, str], ...]:
    return dict(state.groups).get(arn, ())


def _whole(state: State) -> int:
    """Groups with a healthy target."""
    return sum(healthy(state, arn) > 0 for arn, _ in state.groups)


def _standby(step: Step, before: State) -> str:
    kept = [f for f in (before.record.value.live, before.record.value.standby) if f]
    groups = {arn for fleet in kept for arn in fleet.groups}
    match step:
        case SetWeights(weights=weights):
            out = groups & before.by_weight().keys() - dict(weights).keys()
            if out and not before.meddled:
                return f"I3: {', '.join(sorted(out))} is kept and leaves the action"
        case Deregister(group=arn) | DeleteGroup(group=arn):
            if arn in groups:
                return f"I3: {arn} is kept and is emptied or deleted"
        case Terminate(instances=ids):
            names = {fleet.deployment for fleet in kept}
            if hit := [i for i, deployment, _ in before.instances if i in ids and deployment in names]:
                return f"I3: {', '.join(hit)} is kept and is terminated"
        case _:
            pass
    return ""


def untrue(state: State, me: Controller, result: str, sentence: str = "") -> str:
    """I9: what is claimed at the end of a run is what the world shows at that moment."""
    if "has the traffic" in sentence and not state.foreign and not (me.blind or _has_all(state, me)):
        return "I9: it says that the new fleet has the traffic, and it has not"
    if result == "superseded":
        stands = state.record.value.epoch
        return "" if stands > me.epoch else f"I9: it ends as superseded, and its epoch {stands} stands"
    if result not in REACHED:
        return ""
    wrong = shows_not(state, me, result) or _runs_on(state, me, result, sentence)
    if not wrong and result == "deployed" and healthy(state, me.goal.value.fleet and _live(state).groups[0]) == 0:
        wrong = "the fleet that is live has no healthy target"
    return f"I9: it ends as {result}, and {wrong}" if wrong else ""


def _has_all(state: State, me: Controller) -> bool:
    record: Record = state.record.value
    weighted = {arn for arn, weight in state.by_weight().items() if weight}
    return record.live is not None and weighted == set(record.live.groups)


def wrong_at_rest(state: State) -> str:
    """I6 and I4, when nobody is at work and nothing is on its way: the world is what the highest epoch said."""
    if not state.crew or state.late or state.late_record or any(me.alive for me in state.crew):
        return ""
    last = max(state.crew, key=lambda me: me.epoch)
    if last.result not in REACHED:
        return ""
    wrong = shows_not(state, last, last.result)
    if wrong:
        return f"I6: {last.command} ended as {last.result} with the highest epoch, and {wrong}"
    return _unaccounted(state)


def shows_not(state: State, me: Controller, result: str) -> str:
    """What of the goal the world does not show, or ""."""
    goal: Goal = me.goal.value
    record: Record = state.record.value
    stopped = goal.fleet if result == "undone" else goal.undo
    back = stopped is not None
    fleet = goal.live if result == "undone" else goal.fleet
    if back and goal.before[0].weights is None:
        wanted: dict[str, int] | None = None
    elif back:
        wanted = {arn: weight for arn, weight in goal.before[0].weights or () if weight}
    else:
        wanted = {_live(state).groups[0]: FULL} if record.live else {}
    now = None if state.weights is None else {arn: weight for arn, weight in state.weights if weight}
    if not _same(now, wanted) and not state.foreign:
        return f"the weights are {now}, not {wanted}"
    if not back and (record.live is None or fleet is None or record.live.deployment != fleet.deployment):
        return "the record names another live fleet"
    if record.goal is not None and not me.alive:
        return "the record still holds a goal"
    known = [f.deployment for f in record.doomed]  # spared, as it is healthier than what is kept
    if stopped and stopped.deployment not in known and (alive := _alive(state, stopped)):
        return f"{', '.join(alive)} of the fleet that was stopped runs"
    return ""


def _runs_on(state: State, me: Controller, result: str, sentence: str) -> str:
    """Whether the fleet that was stopped runs, and is not one that is healthier than live and standby, and told so."""
    goal: Goal = me.goal.value
    stopped = goal.fleet if result == "undone" else goal.undo
    if stopped is None or not (alive := _alive(state, stopped)):
        return ""
    record: Record = state.record.value
    kept = [checked(state, fleet) for fleet in (record.live, record.standby) if fleet]
    healthier = checked(state, stopped) > max(kept, default=0)
    if healthier and "keeps running" in sentence:
        return ""
    return f"{', '.join(alive)} of the fleet that was stopped runs"


def _same(now: dict[str, int] | None, wanted: dict[str, int] | None) -> bool:
    """A group that has all the weight has it whatever the number."""
    if now and wanted and len(now) == len(wanted) == 1:
        return now.keys() == wanted.keys()
    return now == wanted


def _unaccounted(state: State) -> str:
    fleets: tuple[Fleet, ...] = state.record.value.fleets
    names = {fleet.deployment for fleet in fleets}
    alive = [(i, deployment) for i, deployment, s in state.instances if s != "terminated" and i not in state.strays]
    if lost := [i for i, deployment in alive if deployment not in names]:
        return f"I4: {', '.join(lost)} runs, and the record does not know of it"
    return ""


def _alive(state: State, fleet: Fleet) -> list[str]:
    alive = {i for i, deployment, s in state.instances if deployment == fleet.deployment and s != "terminated"}
    return sorted(alive - state.strays)


def _live(state: State) -> Fleet:
    live: Fleet = state.record.value.live
    return live
