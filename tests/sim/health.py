"""I1 and I3 by what the load balancer sees, whatever the record says: who could take the traffic, and what an act took away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from bluegreen.core.fleet import is_older
from bluegreen.core.goal import Goal
from bluegreen.core.record import Record
from bluegreen.core.step import DeleteGroup, Deregister
from bluegreen.core.tags import UNSAFE
from tests.sim.aws import Hand, Sim
from tests.sim.physics import Pool, short

STILL = ("heal", "gc", "recover", "status")  # commands that never move traffic


class Seen(NamedTuple):
    """A fleet in the actions of all rules: healthy targets where it has the fewest, and whether it has weight anywhere."""

    able: int
    serving: bool


Picture = Mapping[str, Seen]  # by deployment


def required(serving: int, size: int) -> int:
    """How many healthy instances are needed to take the traffic from a fleet that has `serving`."""
    return max(1, min(serving, size or 1))


@dataclass
class Health:
    """`promoted`: the fleets that were live at some time. `agreed`: how many instances each was deployed with."""

    sim: Sim
    promoted: set[str] = field(default_factory=set)
    agreed: dict[str, int] = field(default_factory=dict)

    def picture(self) -> Picture:
        pools, rules = self.sim.account.pools, self.sim.entries
        found: dict[str, tuple[int, int, bool]] = {}
        for rule in rules:
            for arn, weight in (rule.weights or ()) if rule is not None else ():
                pool = pools.get(arn)
                name = pool.deployment or arn if pool is not None else arn
                healthy = pool.healthy if pool is not None else 0
                times, able, serving = found.get(name, (0, healthy, False))
                found[name] = (times + 1, min(able, healthy), serving or weight > 0)
        return {n: Seen(able, serving) for n, (times, able, serving) in found.items() if times == len(rules)}

    def ready(self, picture: Picture) -> set[str]:
        """The fleets that a rollback could really go to."""
        serving = max((seen.able for seen in picture.values() if seen.serving), default=0)
        return {
            name
            for name, seen in picture.items()
            if not seen.serving and name in self.promoted and seen.able >= required(serving, self.agreed.get(name, 0))
        }

    def lost(self, operation: str, about: object, was: Picture) -> str:
        """The promise that an act broke by what it took away, or "". A fleet that the actions lost counts as taken whole."""
        now = self.picture()
        taken = was.keys() - now.keys() | self._hit(operation, about) & was.keys()
        for name in sorted(taken):
            before = was[name]
            if before.serving or not before.able or now.get(name) == before:
                continue
            left = self.ready(now) - {name}
            if name in self.ready(was) and not left:
                return f"I3: {name} could have taken the traffic and is taken away ({operation}), and no other could"
            others = [seen.able for other, seen in was.items() if other != name and self._counts(other, seen)]
            if self.promoted and before.able > max(others, default=0):
                return f"I3: {name} is healthier than all that stays, and is taken away ({operation})"
        return ""

    def spared(self, record: Record | None, name: str) -> bool:
        """Whether a fleet that should end is in the record as doomed, and keeps running for it is healthier than what is kept."""
        doomed = next((fleet for fleet in record.doomed if fleet.deployment == name), None) if record else None
        if record is None or doomed is None:
            return False
        kept = [fleet for fleet in (record.live, record.standby) if fleet]
        pools = self.sim.account.pools
        healthy = [[pools[arn].healthy for arn in fleet.groups if arn in pools] for fleet in (doomed, *kept)]
        most, best = max(healthy[0], default=0), [min(counts, default=0) for counts in healthy[1:]]
        return most > max(best, default=0) and not any(b >= f.count > 0 for b, f in zip(best, kept, strict=True))

    def _counts(self, name: str, seen: Seen) -> bool:
        return seen.serving or name in self.promoted

    def _hit(self, operation: str, about: object) -> set[str]:
        """The deployments that a call ends, in part at least."""
        pools, machines = self.sim.account.pools, self.sim.account.machines
        if isinstance(about, Deregister | DeleteGroup):
            pool = pools.get(about.group)
            return {pool.deployment} if pool else set()
        if operation == "TerminateInstances" and isinstance(about, tuple):
            return {machines[name].deployment for name in about if name in machines}
        return set()

    def emptied(self, was: Mapping[str, int]) -> str:
        """A group with weight that had healthy targets, and has no target left by this act."""
        pools = self.sim.account.pools
        for arn, number in was.items():
            pool = pools.get(arn)
            if number and (pool is None or not registered(pool)):
                return f"I1: {short(arn)} has weight and had {number} healthy targets, and is left without any"
        return ""

    def weighted(self) -> dict[str, int]:
        """The groups that have weight, and how many healthy targets each has."""
        pools = self.sim.account.pools
        arns = {arn for rule in self.sim.entries if rule is not None for arn, weight in rule.weights or () if weight}
        return {arn: pools[arn].healthy for arn in arns if arn in pools}

    def moved(self, hand: Hand, was: Iterable[str]) -> str:
        """A command that never moves traffic, or a note of this machine, gave other groups weight."""
        if set(was) == self.weighted().keys():
            return ""
        if hand.noting:
            return f"B1: a note on this machine moves traffic ({hand.word})"
        return f"I2: {hand.word} moves traffic" if hand.word in STILL else ""

    def unasked(self, hand: Hand, was: Picture) -> str:
        """Traffic went back from a release that declares `rollback: unsafe`, and nobody had named where to."""
        before = [name for name, seen in was.items() if seen.serving]
        if hand.word == "unsafe" or len(before) != 1 or before[0] not in self.unsafe():
            return ""
        older = [name for name, seen in self.picture().items() if seen.serving and is_older(name, before[0])]
        return f"I9: {hand.word} goes back from {before[0]}, which is declared unsafe, to {older[0]}" if older else ""

    def unsafe(self) -> set[str]:
        return {pool.deployment for pool in self.sim.account.pools.values() if pool.tags.get(UNSAFE) == "unsafe"}

    def promotion(self, was: Record | None, now: Record) -> str:
        """A deploy makes its fleet the live one: it has to be whole, and the best of the others stands by."""
        goal, live = now.goal, now.live
        if goal is None or goal.kind != "deploy" or live is None or live.deployment != goal.deployment:
            return ""
        if was is not None and was.live is not None and was.live.deployment == live.deployment:
            return ""
        picture = self.picture()
        able = picture[live.deployment].able if live.deployment in picture else 0
        if able < _count(goal):
            return f"I1: {live.deployment} is promoted while {able} of {_count(goal)} instances are healthy"
        ready = self.ready(picture)
        known = {f.deployment for f in (was.live, was.standby) if f} if was else set()
        kept = now.standby.deployment if now.standby else "nothing"
        if kept not in ready and (better := sorted(ready & known)):
            return f"I3: {kept} is kept as the standby, and {better[0]} could take the traffic"
        return ""

    def rebuilt(self, record: Record) -> None:
        """Nobody knows any more how many instances were agreed: those that there are."""
        self.agreed |= {fleet.deployment: fleet.count for fleet in record.fleets}

    def note(self, record: Record) -> None:
        """What a record that one of ours writes tells of its fleets."""
        goal = record.goal
        if goal is not None and goal.kind == "deploy" and goal.fleet is not None:
            self.agreed.setdefault(goal.deployment, goal.fleet.count)
        if record.live is not None:
            self.promoted.add(record.live.deployment)


def _count(goal: Goal) -> int:
    return goal.fleet.count if goal.fleet else 0


def registered(pool: Pool) -> int:
    return sum(not target.draining and target.machine.alive for target in pool.targets.values())
