"""Whether a rollback would work now, and what it would do: the goal that it would follow, judged like the rollback judges it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bluegreen.controller.goals import rollback_goal
from bluegreen.controller.world import World
from bluegreen.core.degraded import Already, NoWay, WayBack
from bluegreen.core.fleet import Fleet
from bluegreen.core.goal import Goal
from bluegreen.core.observation import Binding, Group, fewest_healthy
from bluegreen.core.outcome import Outcome
from bluegreen.core.readiness import may_return, ready
from bluegreen.core.record import Record
from bluegreen.errors import Refused


@dataclass(frozen=True, slots=True)
class Ready:
    """`why_not` is empty when a rollback would work; `does` says what it would do, `to` is the deployment that would get the
    traffic ("" when none moves), `health` its instances in words, `takes` how long it takes."""

    why_not: str = ""
    does: str = ""
    to: str = ""
    health: str = ""
    takes: str = ""


class Looked:
    """What was seen of the load balancer, asked by fleet."""

    def __init__(self, bindings: Sequence[Binding], groups: Mapping[str, Group | None]) -> None:
        self.bindings = bindings
        self.groups = groups

    def healthy(self, fleet: Fleet) -> int:
        return fewest_healthy(self.groups, fleet.groups)

    def there(self, fleet: Fleet) -> bool:
        return all(self.groups.get(arn) for arn in fleet.groups)

    def weighted(self, fleet: Fleet) -> bool:
        return any(binding.by_group.get(arn) for binding in self.bindings for arn in fleet.groups)

    def attached(self, fleet: Fleet) -> bool:
        return all(any(arn in binding.by_group for binding in self.bindings) for arn in fleet.groups)


def by_record(world: World, record: Record, seen: Looked) -> Ready:
    """Asks the command itself what it would follow; changes nothing."""
    gone = [binding.ref.name for binding in seen.bindings if not binding.exists]
    if gone:
        return Ready(f"{', '.join(gone)} is gone from the load balancer")
    try:
        goal = rollback_goal(world, record)
    except Refused as error:
        return Ready(f"{error.what}" + (f" (next: {error.next})" if error.next else ""))
    if isinstance(goal, Outcome):
        return _nothing_to_do(record, seen, goal)
    if goal.undo:
        return _stops(goal, goal.undo, seen)
    assert goal.fleet is not None
    return _moves(goal.fleet, goal.live, seen)


def _nothing_to_do(record: Record, seen: Looked, outcome: Outcome) -> Ready:
    """A plain rollback changes nothing; whether the other fleet could take the traffic is told all the same."""
    does = f"it would change nothing: {outcome.sentence}"
    if record.standby is None or record.live is None:
        return Ready("there is no standby fleet", does)
    judged = _moves(record.standby, record.live, seen)
    return Ready(judged.why_not, does, health=judged.health)


def _moves(target: Fleet, left: Fleet | None, seen: Looked) -> Ready:
    trouble = _missing(target, seen)
    if trouble:
        return Ready(trouble)
    healthy, serving = seen.healthy(target), seen.healthy(left) if left else 0
    if not seen.weighted(target) and not ready(healthy, serving, target.count):
        return Ready(f"{healthy} of {target.count} instances of {target.label} are healthy")
    return Ready("", f"it would go to {target.label}", target.deployment, _health(target, seen), _takes(seen))


def _stops(goal: Goal, undo: Fleet, seen: Looked) -> Ready:
    back = goal.fleet
    if back and not seen.there(back):
        return Ready(_missing(back, seen))
    if not seen.weighted(undo):
        stays = f"the traffic stays on {back.label}" if back else "nothing is live yet"
        return Ready("", f"it would stop {undo.deployment} and terminate its fleet; {stays}", takes="no traffic moves")
    if back is None:
        return Ready("", f"it would stop {undo.deployment} and put the bindings as they were", takes=_takes(seen))
    if trouble := _missing(back, seen):
        return Ready(trouble)
    if not may_return(seen.healthy(back), seen.healthy(undo)):
        return Ready(f"{seen.healthy(back)} of {back.count} instances of {back.label} are healthy")
    does = f"it would stop {undo.deployment} and give the traffic back to {back.label}"
    takes = f"{_takes(seen)}; terminating the fleet of {undo.deployment} takes longer"
    return Ready("", does, back.deployment, _health(back, seen), takes)


def _missing(fleet: Fleet, seen: Looked) -> str:
    if not seen.there(fleet):
        return f"the target group of {fleet.label} is gone"
    if not seen.attached(fleet):
        return f"{fleet.label} is not attached: a rollback attaches it and waits up to 30 s for its health"
    return ""


def _health(fleet: Fleet, seen: Looked) -> str:
    count = fleet.count or max((len(g.targets) for arn in fleet.groups if (g := seen.groups.get(arn))), default=0)
    return f"{seen.healthy(fleet)}/{count} healthy"


def _takes(seen: Looked) -> str:
    return takes(len(seen.bindings))


def takes(bindings: int) -> str:
    return "1 write, traffic moves in about a second" if bindings == 1 else f"{bindings} writes, about a second each"


def by_tags(found: WayBack | Already | NoWay) -> Ready:
    match found:
        case NoWay():
            return Ready(found.why)
        case Already():
            return Ready("", f"it would change nothing: {found.target.label} serves; {found.why}")
        case WayBack():
            target = found.target
            health = f"{target.healthy}/{target.size} healthy"
            return Ready("", f"it would go to {target.label}", target.deployment, health, takes(len(found.wanted)))
