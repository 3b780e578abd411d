"""Which fleet is kept to go back to: the one that a rollback could really go to, judged by health and not by order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from bluegreen.core.decide.case import Case
from bluegreen.core.decision import Act, Decision
from bluegreen.core.fleet import Fleet, is_older
from bluegreen.core.readiness import no_plain_rollback, ready, stop_command, way_on
from bluegreen.core.step import Write


def best_way_back(case: Case, live: Fleet, fleets: Sequence[Fleet]) -> Fleet | None:
    """Of `fleets`, the preferred one first: who could take the traffic of `live` now; else who has most healthy instances.
    Where that leaves a choice, not what was rolled back."""
    serving, mark = case.seen.healthy(live.groups), case.seen.record.rolled_back

    def rank(fleet: Fleet) -> tuple[bool, int, bool]:
        healthy = case.seen.healthy(fleet.groups)
        good = mark is None or mark.release != fleet.release
        able = ready(healthy, serving, fleet.count)
        return able, 0 if able else healthy, good

    return max(fleets, key=rank, default=None)


def keep_the_better(case: Case) -> Decision | None:
    """A fleet that is to be retired could take a rollback, and the standby could not: they change places."""
    record = case.seen.record
    whole = len(record.bindings)  # a standby has a group for each binding, and a size: the record would not be sound
    proven = [fleet for fleet in record.doomed if fleet.once_live and fleet.count and len(fleet.groups) == whole > 0]
    proven = [fleet for fleet in proven if not _weighted(case, fleet)]
    if record.live is None or not proven:
        return None
    before = [record.standby] if record.standby else []
    back = best_way_back(case, record.live, [*before, *proven])
    if back is None or back == record.standby or not case.seen.healthy(back.groups):
        return None
    passed = any(f.rollback_unsafe and is_older(back.deployment, f.deployment) for f in before)
    live = replace(record.live, rollback_unsafe=record.live.rollback_unsafe or passed)
    rest = tuple(fleet for fleet in record.doomed if fleet != back)
    doomed = (*rest, *(replace(fleet, once_live=True) for fleet in before))
    return Act((Write(replace(record, live=live, standby=back, doomed=doomed), f"keep {back.label} as the standby"),))


def _weighted(case: Case, fleet: Fleet) -> bool:
    """What has the traffic and is not live was put there by somebody else: it is no standby."""
    return any(case.seen.weight(arn) for arn in fleet.groups)


def standing_by(case: Case) -> str:
    """What the record's standby is good for now, as a clause: "blue shop-1 (A) stands by"."""
    live, standby = case.seen.record.live, case.seen.record.standby
    if live is None or standby is None:
        return "there is no standby yet: this was the first deployment"
    why = no_plain_rollback(live, standby, case.seen.record.rolled_back, _healthy(case))
    return f"no rollback is ready: {why}" if why else f"{standby.label} stands by"


def way_back_from(case: Case) -> str:
    """The command that goes back to the standby, or makes it able to take the traffic; "" without one."""
    live, standby = case.seen.record.live, case.seen.record.standby
    if live is None or standby is None:
        return ""
    return way_on(case.goal.stack, live, standby, case.seen.record.rolled_back, _healthy(case))


def way_back_now(case: Case) -> str:
    """The command that goes back from this deployment, or stops it, as far as the last look tells; "" when it would be
    refused."""
    if case.promoted:
        way = way_back_from(case)
        return way if "rollback" in way else ""
    back, moved = case.goal.live, case.shifting
    old = case.seen.healthy(back.groups) if back else 0
    serving = max(case.seen.healthy(case.groups), case.seen.capacity) if back and moved else 0
    fleet = replace(case.fleet, rollback_unsafe=case.fleet.rollback_unsafe and moved)
    return stop_command(case.goal.stack, fleet, back, serving, old)


def _healthy(case: Case) -> Callable[[Fleet], int]:
    return lambda fleet: case.seen.healthy(fleet.groups)
