"""gc as an ordered list of rules: what is tagged as ours and belongs to no fleet that is kept is ended, in the safe order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from bluegreen.core import event as ev
from bluegreen.core.decide.case import Case, Rule, superseded
from bluegreen.core.decide.deploy import retire_older
from bluegreen.core.decide.retire import spared
from bluegreen.core.decide.standby import keep_the_better
from bluegreen.core.decision import Act, Decision, Finish
from bluegreen.core.fleet import Colour, Fleet, OwnedGroup
from bluegreen.core.observation import Group, Instance
from bluegreen.core.outcome import Outcome
from bluegreen.core.record import Record
from bluegreen.core.step import Terminate, Write
from bluegreen.core.tags import belongs


def decide(case: Case) -> Decision:
    for rule in RULES:
        decision = rule(case)
        if decision is not None:
            return decision
    raise AssertionError("the last rule always decides")


def higher_epoch(case: Case) -> Decision | None:
    """A higher epoch stands: stop, change nothing more, exit 6."""
    return Finish(superseded(case)) if case.seen.record.epoch > case.seen.epoch else None


def adopt(case: Case) -> Decision | None:
    """A fleet that was left behind is not in the record: write it down as doomed."""
    known = {fleet.deployment for fleet in case.seen.record.fleets}
    ended = {e.deployment for e in case.done.events if isinstance(e, ev.Retired)}
    left = tuple(fleet for fleet in case.goal.left if fleet.deployment not in known | ended)
    if not left:
        return None
    record = replace(case.seen.record, doomed=case.seen.record.doomed + left)
    return Act((Write(record, f"write down what was left behind: {', '.join(f.label for f in left)}"),))


def end_strays(case: Case) -> Decision | None:
    """An instance that a heal launched runs, and no target group has it: terminate it."""
    registered = {i for group in case.seen.groups.values() if group for i in group.ids}
    strays = {*case.goal.lost} - registered
    found = [i for i in case.seen.instances if i.id in strays and not i.gone]
    steps = {
        i.deployment: Terminate(
            i.deployment,
            tuple(sorted(other.id for other in found if other.deployment == i.deployment)),
            f"end what no target group of {i.deployment} has",
        )
        for i in found
    }
    return Act(tuple(steps.values())) if steps else None


def kept_alive(case: Case) -> Decision | None:
    """A fleet that was left behind is healthier than both live and standby: it is not ended; say so, exit 7."""
    left = [fleet for fleet in case.seen.record.doomed if spared(case, fleet)]
    if not left:
        return None
    stack, live = case.goal.stack, case.seen.record.live
    counts = ", ".join(f"{case.seen.healthy(f.groups)} healthy instances of {f.label}" for f in left)
    return Finish(
        Outcome(
            "needs-human",
            f"{stack}: {counts} keep running: {live.label if live else 'the live fleet'} and the standby have fewer.",
            why="The healthiest fleet of a stack is never terminated.",
            next=f"bluegreen heal {stack}, then bluegreen gc {stack}",
        ),
        over=True,
    )


def cleaned(case: Case) -> Decision | None:
    """Nothing doomed is left. Exit 0."""
    kept = {fleet.deployment for fleet in case.seen.record.fleets}
    names = ", ".join([*(fleet.label for fleet in case.goal.left if fleet.deployment not in kept), *case.goal.lost])
    return Finish(Outcome("cleaned", f"{case.goal.stack}: {names} ended; nothing else was left behind."))


RULES: tuple[Rule, ...] = (higher_epoch, adopt, keep_the_better, retire_older, end_strays, kept_alive, cleaned)


def left_behind(
    record: Record,
    groups: Iterable[OwnedGroup],
    instances: Iterable[Instance],
    registered: Collection[str] = (),
) -> tuple[Fleet, ...]:
    """Fleets that the tags tell of and the record does not keep: target groups, or instances that are not gone. What the
    record counts as doomed already comes first. Nothing of what the record keeps is among them, whatever its tags say: neither
    a target group nor an instance that is `registered` in one; and nothing whose tags do not name a deployment of this stack."""
    kept = {fleet.deployment for fleet in (record.live, record.standby) if fleet}
    found = {fleet.deployment: fleet for fleet in record.doomed}
    for group in groups:
        if not group.deployment or group.deployment in kept or group.arn in record.kept_groups:
            continue
        fleet = found.get(group.deployment) or Fleet(
            group.deployment, group.colour, group.release, group.version, 0, ()
        )
        if group.arn not in fleet.groups:
            fleet = replace(fleet, groups=(*fleet.groups, group.arn))
        found[group.deployment] = replace(fleet, once_live=fleet.once_live or group.live_since > 0)
    instances = tuple(instances)
    for instance in instances:
        name = instance.deployment
        known = name in kept or name in found or instance.id in registered
        if not instance.gone and not known and belongs(record.stack, name):
            found[name] = Fleet(name, Colour.BLUE, "", "", 0, ())
    alive = Counter(instance.deployment for instance in instances if not instance.gone)
    doomed = {fleet.deployment for fleet in record.doomed}
    counted = {n: f if n in doomed else replace(f, count=alive[n] or f.count) for n, f in found.items()}
    return tuple(counted[name] for name in sorted(counted))


def strays(record: Record, groups: Mapping[str, Group | None], instances: Iterable[Instance]) -> tuple[str, ...]:
    """Instances that a heal launched into the live or the standby fleet and that none of its target groups has: it was cut
    short."""
    healed = [i for i in instances if i.heal and i.state in ("pending", "running")]
    found: list[str] = []
    for fleet in (record.live, record.standby):
        seen = [groups.get(arn) for arn in fleet.groups] if fleet else []
        if fleet and all(seen):
            known = {i for group in seen if group for i in group.ids}
            found += [i.id for i in healed if i.deployment == fleet.deployment and i.id not in known]
    return tuple(sorted(found))
