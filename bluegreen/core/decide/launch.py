"""The rules that bring instances up: launch by journaled tokens, register as soon as an instance runs."""

from __future__ import annotations

from bluegreen.core.decide.case import Case
from bluegreen.core.decision import Act, Decision, Fail, Wait
from bluegreen.core.event import Launching, Resumed
from bluegreen.core.progress import Attempt
from bluegreen.core.release import Place
from bluegreen.core.step import MAX_BATCH, Launch, Register, Step, client_token
from bluegreen.core.tags import HEAL, fleet_tags
from bluegreen.core.times import LATE_S

BEGINNINGS = (Launching, Resumed)
USED_UP = "IdempotentInstanceTerminated"  # RunInstances: all that this token launched is terminated
MOST_USED_UP = 3  # tokens of one batch: whoever ends what we launch goes on doing it


def launch(case: Case) -> Decision | None:
    """Fewer instances than wanted were asked for: launch, all zones at once, each call with its journaled token."""
    spec = case.goal.launch
    if case.promoted or case.shifting or spec is None or case.goal.wanted <= len(case.done.launched):
        return None
    steps: list[Step] = []
    waits: list[Wait] = []
    for place in spec.places:
        for batch, count in enumerate(batches(place.count)):
            match _next_try(case, place, batch, count):
                case Fail() as failure:
                    return failure
                case Launch() as step:
                    steps.append(step)
                case Wait() as wait:
                    waits.append(wait)
                case None:
                    pass
    return Act(tuple(steps)) if steps else next(iter(waits), None)


def register(case: Case) -> Decision | None:
    """An instance runs and is not registered: register it now, so that health checks overlap boot and pull."""
    if case.promoted or case.shifting:
        return None
    launched = set(case.done.launched)
    mine = [i for i in case.seen.instances if i.id in launched]
    if dead := next((i for i in mine if i.gone), None):
        return Fail(f"{dead.id} was terminated while it booted", (dead.id,))
    running = {i.id for i in mine if i.state == "running"}
    steps: list[Step] = []
    for number, arn in enumerate(case.groups):
        missing = tuple(sorted(running - case.seen.group(arn).ids))
        if missing:
            port = case.goal.groups[number].port
            steps.append(Register(arn, port, missing, f"register {len(missing)} of {case.goal.wanted} instances"))
    if steps:
        return Act(tuple(steps))
    return _await_running(case, len(running))


def boot_deadline(case: Case) -> float:
    """Launch to healthy is bounded from the first launch; a resumed run gets its boot time anew."""
    begun = (case.done.first(Launching), case.done.last(Resumed))
    return max((e.at for e in begun if e), default=case.seen.at) + case.goal.boot_timeout_s


def _await_running(case: Case, running: int) -> Decision | None:
    if running >= case.goal.wanted:
        return None
    begun = [e.at for e in case.done.events if isinstance(e, BEGINNINGS)]
    deadline = max(begun, default=case.seen.at) + case.goal.boot_timeout_s
    if case.seen.at >= deadline:
        return Fail(f"{running} of {case.goal.wanted} instances run after {case.goal.boot_timeout_s} s")
    return Wait(deadline, f"{running}/{case.goal.wanted} running", frozenset({"instances", "record"}))


def batches(count: int) -> tuple[int, ...]:
    """`count` in batches of at most MAX_BATCH: 250 is 100, 100, 50."""
    full, rest = divmod(count, MAX_BATCH)
    return (MAX_BATCH,) * full + ((rest,) if rest else ())


def _next_try(case: Case, place: Place, batch: int, count: int) -> Launch | Fail | Wait | None:
    tries = case.done.tries(place.subnet, batch)
    if not tries:
        return _try(case, place, batch, count, 1)
    last = tries[-1]
    if last.instances is not None:
        return None
    if last.refused is None:  # its outcome is unknown: the same token again, never a new one
        return _try(case, place, batch, count, last.number)
    return _after_refusal(case, place, batch, count, last)


def _after_refusal(case: Case, place: Place, batch: int, count: int, last: Attempt) -> Launch | Fail | Wait:
    assert case.goal.launch is not None and last.refused is not None
    types = case.goal.launch.instance_types
    said = f"{last.refused.code}: {last.refused.message}"
    used_up = _used_up(case, place, batch)
    if last.refused.code == USED_UP and used_up <= MOST_USED_UP:
        return _try(case, place, batch, count, last.number + 1)
    if not last.refused.capacity:
        return Fail(f"AWS refused to launch in {place.subnet} ({place.zone}): {said}")
    if last.unsure:  # an earlier call with this token may still launch: another type now could make too many
        if case.seen.at < (until := last.at + LATE_S):
            return Wait(until, f"a launch in {place.zone} that had no answer may still happen", frozenset({"record"}))
        return _try(case, place, batch, count, last.number)
    if last.number - used_up >= len(types):
        return Fail(f"no capacity in {place.zone} for {', '.join(types)}; the last answer was {said}")
    return _try(case, place, batch, count, last.number + 1)


def _used_up(case: Case, place: Place, batch: int) -> int:
    """How many tokens of the batch are used up: each costs a number, and no instance type."""
    tries = case.done.tries(place.subnet, batch)
    return sum(each.refused is not None and each.refused.code == USED_UP for each in tries)


def _try(case: Case, place: Place, batch: int, count: int, number: int) -> Launch:
    assert case.goal.launch is not None
    kind = case.goal.launch.instance_types[number - 1 - _used_up(case, place, batch)]
    token = client_token(case.goal.stack, case.goal.deployment, place.subnet, kind, batch, number)
    tags = fleet_tags(case.goal.stack, case.fleet)
    if case.goal.kind == "heal":
        tags = (*tags, (HEAL, case.goal.deployment))
    why = f"launch {count} × {kind} in {place.zone}"
    return Launch(place.subnet, batch, number, kind, count, token, tags, why)
