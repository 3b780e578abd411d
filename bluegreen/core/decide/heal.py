"""heal as an ordered list of rules: what the live or the standby fleet has lost is launched again, from the same bytes.
Traffic never moves, what stays is not touched, and the dead ones leave only when the new ones are healthy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from bluegreen.core import event as ev
from bluegreen.core.decide.boot import await_boot
from bluegreen.core.decide.case import LOOK, Case, Rule, superseded
from bluegreen.core.decide.launch import boot_deadline, launch, register
from bluegreen.core.decide.retire import launches_may_appear
from bluegreen.core.decision import Act, Decision, Finish, Note, Wait
from bluegreen.core.fleet import Fleet
from bluegreen.core.observation import Group, Instance, Part
from bluegreen.core.outcome import Outcome
from bluegreen.core.release import Place
from bluegreen.core.step import Deregister, Terminate
from bluegreen.core.times import DRAIN_SLACK_S


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
    """The journal holds a failure: end what this run launched and is not healthy. What is healthy serves, and stays. Exit 3."""
    failed = case.done.failed
    if failed is None:
        return None
    mine = [i.id for i in case.seen.of(case.fleet.deployment) if i.heal == case.goal.deployment]
    ended = tuple(sorted(i for i in mine if not _able(case, i) and not _replaced(case)))
    if steps := _deregister(case, set(ended)):
        return Act(steps)
    if ended:
        return Act((Terminate(case.fleet.deployment, ended, f"end what was launched for {case.fleet.label}"),))
    if _replaced(case) and (ending := end_dead(case)):
        return ending
    if until := launches_may_appear(case):
        return Wait(until, "instances that were asked for may still appear", frozenset({"instances", "record"}))
    words = f"{len(mine)} that got healthy stay" if mine else "what it launched is ended"
    return Finish(
        Outcome(
            "undone",
            f"{case.goal.deployment} failed: {failed.reason}; {words}. "
            f"{case.fleet.label} has {case.seen.healthy(case.groups)} healthy of {case.count}.",
            why=failed.evidence,
            next=f"bluegreen show {case.goal.deployment}; then bluegreen heal {case.goal.stack}",
        )
    )


def wait_healthy(case: Case) -> Decision | None:
    """A new instance is not healthy in every group: wait to the boot deadline or to a failed boot, then fail."""
    if _replaced(case):
        return None
    mine = case.done.launched
    waiting = tuple(sorted(i for i in mine if any(_state(g, i) != "healthy" for g in _groups(case))))
    if not waiting:
        return None if case.done.last(ev.Healthy) else Note(ev.Healthy(case.seen.at))
    words = f"{len(mine) - len(waiting)} of {len(mine)} new instances healthy"
    gone = any(i not in group.ids for i in waiting for group in _groups(case))  # its instance may have died
    states = {i: next((s for g in _groups(case) if (s := _state(g, i)) != "healthy"), "") for i in waiting}
    look: frozenset[Part] = LOOK | {"instances"} if gone else LOOK
    return await_boot(case, states, words, Wait(boot_deadline(case), words, look))


def take_out(case: Case) -> Decision | None:
    """A dead instance is still registered: deregister it, and wait until the load balancer has drained it."""
    steps = _deregister(case, _leaving(case))
    name = case.fleet.deployment
    began = case.done.draining_at.get(name)
    if steps:
        return Act(steps) if began else Note(ev.Draining(case.seen.at, name))
    until = (began or 0.0) + case.goal.drain_s + DRAIN_SLACK_S
    if any(group.count("draining") for group in _groups(case)) and case.seen.at < until:
        return Wait(until, f"{case.fleet.label} finishes the open requests of what leaves", LOOK)
    return None


def end_dead(case: Case) -> Decision | None:
    """A dead instance still runs, and no target group has it: terminate it."""
    registered = {i for group in _groups(case) for i in group.ids}
    alive = tuple(sorted({i.id for i in case.seen.of(case.fleet.deployment)} & _leaving(case) - registered))
    if not alive:
        return None
    return Act((Terminate(case.fleet.deployment, alive, f"end what is dead of {case.fleet.label}"),))


def healed(case: Case) -> Decision | None:
    """What was just observed shows the goal: as many are registered as agreed, and the new ones are healthy. Exit 0."""
    missing = case.count - min((len(group.ids) for group in _groups(case)), default=0)
    if missing > 0:
        return None
    out = f", {len(case.goal.lost)} dead taken out" if case.goal.lost else ""
    healthy = case.seen.healthy(case.groups)
    words = f"{len(case.done.launched)} launched anew{out}, {healthy}/{case.count} healthy"
    return Finish(Outcome("healed", f"{case.fleet.label}: {words}."))


def lost_more(case: Case) -> Decision | None:
    """Otherwise the fleet has lost more meanwhile: end here, exit 3. The next heal sees to it."""
    return Finish(
        Outcome(
            "undone",
            f"{case.fleet.label} got {len(case.done.launched)} new instances, and has lost others meanwhile: "
            f"{case.seen.healthy(case.groups)} healthy of {case.count}.",
            next=f"bluegreen heal {case.goal.stack}",
        )
    )


RULES: tuple[Rule, ...] = (
    higher_epoch,
    undo,
    launch,
    register,
    wait_healthy,
    take_out,
    end_dead,
    healed,
    lost_more,
)


def losses(
    fleet: Fleet, groups: Mapping[str, Group | None], instances: Iterable[Instance], *, unhealthy: bool = False
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(what stays, what is to be taken out) of a fleet. Dead is what was terminated, stopped, or is not registered in every
    group; with `unhealthy` also what fails its health check. Of what fails it, not more stay than agreed; what is healthy in
    every group stays, however few the record asks for: an instance that serves is never dead."""
    seen = [groups.get(arn) or Group(arn, ()) for arn in fleet.groups]
    known = {i.id: i for i in instances if i.deployment == fleet.deployment}
    members = {i for group in seen for i in group.ids} | {name for name, i in known.items() if not i.gone}
    well, ranked = set(), []
    for name in members:
        states = {_state(group, name) for group in seen}
        runs = known[name].state in ("pending", "running") if name in known else states == {"healthy"}
        if not runs or "" in states or (unhealthy and "unhealthy" in states):
            continue
        if states <= {"healthy", "unavailable"}:
            well.add(name)
        else:
            ranked.append(("unhealthy" in states, name))
    room = max(0, fleet.count - len(well))
    stay = well | {name for _, name in sorted(ranked)[:room]}
    return tuple(sorted(stay)), tuple(sorted(members - stay))


def missing(
    places: tuple[Place, ...], stay: Iterable[str], instances: Iterable[Instance], count: int
) -> tuple[Place, ...]:
    """How many to launch in which subnet, so that with those that stay there are `count`, where they were agreed to be."""
    stay = set(stay)
    there = [i.subnet for i in instances if i.id in stay]
    found: list[Place] = []
    room = max(0, count - len(stay))
    for place in places:
        number = min(room, max(0, place.count - there.count(place.subnet)))
        room -= number
        if number:
            found.append(replace(place, count=number))
    return tuple(found)


def _groups(case: Case) -> list[Group]:
    return [case.seen.group(arn) for arn in case.groups]


def _state(group: Group, instance: str) -> str:
    """In ELB's words, "" when it is not registered or on its way out."""
    return next((t.state for t in group.targets if t.id == instance and t.state != "draining"), "")


def _able(case: Case, instance: str) -> bool:
    """Whether it is healthy everywhere, as far as AWS tells."""
    return all(_state(group, instance) in ("healthy", "unavailable") for group in _groups(case))


def _replaced(case: Case) -> bool:
    """Whether the new ones were all healthy and the dead began to leave: from here on the new ones are what the fleet has."""
    return bool(case.done.draining_at)


def _leaving(case: Case) -> set[str]:
    """What is neither to stay nor new. One that every group has and that got healthy again does not leave: it serves."""
    members = {*case.goal.stay, *case.done.launched}
    out = {*case.goal.lost, *(i.id for i in case.seen.of(case.fleet.deployment))} - members
    states = {i: {_state(group, i) for group in _groups(case)} for i in out}
    return {i for i in out if "" in states[i] or not states[i] & {"healthy", "unavailable"}}


def _deregister(case: Case, leaving: set[str]) -> tuple[Deregister, ...]:
    return tuple(
        Deregister(group.arn, tuple(sorted(out)), f"take {len(out)} of {case.fleet.label} out")
        for group in _groups(case)
        if (out := group.ids & leaving)
    )
