"""heal: what the live and the standby fleet have lost is launched again, one fleet after the other, until none lacks any."""

from __future__ import annotations

import base64
from dataclasses import replace

from bluegreen.controller.commands import Begun, ended, follow, refuse_unfinished
from bluegreen.controller.entries import readable
from bluegreen.controller.goals import moved_on, switched_to
from bluegreen.controller.rebind import find_bindings, keep, refuse_unseen
from bluegreen.controller.restored import refuse_restored
from bluegreen.controller.taking import must_be, take, when_free
from bluegreen.controller.world import World
from bluegreen.core import event as ev
from bluegreen.core.decide.heal import losses, missing
from bluegreen.core.fleet import BindingRef, Fleet
from bluegreen.core.goal import Before, Goal
from bluegreen.core.outcome import Outcome
from bluegreen.core.record import Owner, Record
from bluegreen.errors import CloudError, Held, NeedsHuman, Refused

ROUNDS = 4  # two fleets, and once more for what is lost meanwhile


def heal(world: World, stack: str, owner: Owner, *, unhealthy: bool = False, wait_s: float = 0.0) -> Outcome:
    """Exit 0 only when a last look shows that neither fleet lacks an instance. Raises Refused when a fleet cannot be healed."""
    said: list[str] = []
    until = world.clock.ticks() + wait_s
    for _ in range(ROUNDS):
        try:
            outcome = _one(world, stack, owner, unhealthy=unhealthy, wait_s=until - world.clock.ticks())
        except (CloudError, Refused, Held) as error:
            if not said:
                raise
            kind = Held if isinstance(error, Held) else NeedsHuman
            what = f"{' '.join(said)} But it did not go on: {error.what}"
            raise kind(what, where=error.where, why=error.why, next=error.next or f"bluegreen heal {stack}") from error
        if said and outcome.result == "unchanged":
            return Outcome("healed", " ".join(said))
        if outcome.result != "healed":
            return replace(outcome, sentence=" ".join([*said, outcome.sentence]))
        said.append(outcome.sentence)
    return Outcome(
        "undone",
        f"{stack} loses instances as fast as they are replaced. {' '.join(said)}",
        next=f"bluegreen status {stack}",
    )


def _one(world: World, stack: str, owner: Owner, *, unhealthy: bool, wait_s: float) -> Outcome:
    """Heals the first fleet that lacks any."""

    def begin(record: Record | None) -> Begun:
        return _begin(world, must_be(record, stack, owner), owner, unhealthy=unhealthy)

    return when_free(world, stack, wait_s, begin)()


def _begin(world: World, record: Record, owner: Owner, *, unhealthy: bool) -> Begun:
    found = find_bindings(world, record)
    record = found.record
    resting = record.goal if record.goal and record.goal.kind == "deploy" and not moved_on(record) else None
    if resting is None:
        refuse_unfinished(record)
    refuse_unseen(found, "nothing was healed")
    refuse_restored(record, world.traffic.owned(record.stack))
    lost = _first_loss(world, record, resting, unhealthy=unhealthy)
    if lost is None:
        keep(world, found)
        return ended(_whole(record))
    goal, user_data = lost
    hold = take(world, record, owner, goal)
    return lambda: follow(world, hold, owner, user_data, base64.b64decode(user_data), found)


def _whole(record: Record) -> Outcome:
    fleets = " and ".join(f.label for f in (record.live, record.standby) if f and f.ours)
    return Outcome(
        "unchanged",
        f"{fleets}: no instance is missing." if fleets else f"{record.stack} has no fleet of ours to heal.",
    )


def _fleets(world: World, record: Record, resting: Goal | None) -> tuple[Fleet, ...]:
    """Live and standby; first of all the fleet of a deployment that rests half done and has the traffic: what it lacks keeps it
    from being promoted."""
    kept = tuple(fleet for fleet in (record.live, record.standby) if fleet and fleet.ours)
    new = switched_to(world, resting) if resting else None
    return (new, *kept) if new else kept


def _first_loss(world: World, record: Record, resting: Goal | None, *, unhealthy: bool) -> tuple[Goal, str] | None:
    """The goal for the first fleet that has lost instances, and its user data in base64."""
    instances = world.fleets.look(record.stack)
    fleets = _fleets(world, record, resting)
    groups = world.traffic.groups(tuple(arn for fleet in fleets for arn in fleet.groups))
    bindings = resting.bindings if resting else record.bindings
    lost_groups: list[Refused] = []
    for fleet in fleets:
        if gone := [arn for arn in fleet.groups if groups.get(arn) is None]:
            lost_groups.append(_without_group(fleet, gone))
            continue
        stay, lost = losses(fleet, groups, instances, unhealthy=unhealthy)
        if len(stay) > fleet.count:
            world.watcher.note(
                f"the record says that {fleet.label} has {fleet.count}, and {len(stay)} of it are healthy: none is terminated"
            )
        if lost or len(stay) < fleet.count:
            _refuse_detached(world, record.stack, bindings, fleet)
            start = _start(world, fleet)
            assert start.goal.launch is not None
            places = missing(start.goal.launch.places, stay, instances, fleet.count)
            goal = replace(
                start.goal,
                kind="heal",
                started_at=world.clock.now(),
                fleet=fleet,
                live=record.live,
                standby=record.standby,
                before=tuple(Before(ref, None, "") for ref in bindings),
                launch=replace(start.goal.launch, places=places),
                bake_s=0,
                stay=stay,
                lost=lost,
                stopped=resting,
            )
            return goal, start.user_data
    if lost_groups:
        raise lost_groups[0]
    return None


def _without_group(fleet: Fleet, gone: list[str]) -> Refused:
    return Refused(
        f"the target group of {fleet.label} is gone: it cannot be healed",
        where=", ".join(gone),
        why="A target group belongs to one fleet, and is made with it.",
        next="bluegreen deploy FILE: a new fleet with a target group of its own takes its place",
    )


def _start(world: World, fleet: Fleet) -> ev.Started:
    """The first line of the deployment that launched the fleet: it has the launch and the user data, to the byte."""
    first = next((e for e in readable(world, fleet.deployment).events if isinstance(e, ev.Started)), None)
    if first is None or first.goal.launch is None or not first.user_data:
        raise Refused(
            f"{fleet.label} has lost instances, and how it was launched is not known any more",
            where=f"the journal of {fleet.deployment}",
            why="A heal launches with the bytes that its deployment wrote down; others would be another release.",
            next="bluegreen deploy FILE: a new fleet of the same version",
        )
    return first


def _refuse_detached(world: World, stack: str, bindings: tuple[BindingRef, ...], fleet: Fleet) -> None:
    """A group that no action names is not health-checked: nothing launched into it would ever get healthy."""
    named = {arn for binding in world.traffic.bindings(bindings) for arn in binding.by_group}
    if not named.issuperset(fleet.groups):
        raise Refused(
            f"{fleet.label} has lost instances, and the load balancer does not forward to its target group",
            why="A target group that no rule names is not health-checked.",
            next=f"bluegreen status {stack} shows the drift",
        )
