"""The promises I1 to I6, held against the truth after every call that has an effect. Nothing of the guard is used here.

What nobody can promise is left out. A load balancer has no compare-and-set: an act may meet what changed after its sender
looked (`_blind`), and one call of a run that was just taken over may still land (`_zombie`). Such an act is judged by the end
of all, in `ending`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bluegreen.core.fleet import Fleet
from bluegreen.core.goal import Goal
from bluegreen.core.record import Record
from bluegreen.core.step import DeleteGroup, Deregister, PutBack, SetWeights
from tests.sim.aws import Hand, Sim
from tests.sim.health import Health, Picture
from tests.sim.trace import told

JUDGED = frozenset({"ModifyRule", "DeregisterTargets", "TerminateInstances", "DeleteTargetGroup"})
MOVES = (SetWeights, PutBack)
OLDER_S = 9.0  # a run that was taken over ends within 2 s of its last fence and 7 s of its last call
TRUST_S = 10.0  # an act on a look that is older is not excused by what happened since
LOOKING_S = 1.0  # a look at several groups is not one moment
MOST_CALLS = 4_000  # of one command


class Violation(AssertionError):
    """A promise is broken. The text is the trace."""

    def __init__(self, promise: str, sim: Sim) -> None:
        super().__init__(f"{promise}\n{told(sim)}")
        self.promise = promise


@dataclass(slots=True)
class Before:
    """The world right before an act."""

    capacity: int
    serving: frozenset[str]
    able: bool
    foreign: str
    healthy: dict[str, frozenset[str]]  # by target group; of interest when targets leave
    picture: Picture
    weighted: dict[str, int]


@dataclass
class Promises:
    """The judge of one run. `kept`: the instances of a fleet when it was promoted, or healed. `renewed`: what a heal launched or
    replaces."""

    sim: Sim
    stack: str = "shop"
    kept: dict[str, frozenset[str]] = field(default_factory=dict)
    strays: set[str] = field(default_factory=set)
    renewed: set[str] = field(default_factory=set)
    found: list[str] = field(default_factory=list)
    truth: Record | None = None  # the last record that one of ours wrote
    health: Health = field(init=False)
    _was: Before | None = None
    _says: tuple[object, ...] = ()  # of the fleets, the record as it was judged last

    def __post_init__(self) -> None:
        self.health = Health(self.sim)

    def before(self, hand: Hand, operation: str, about: object) -> None:
        if hand.calls > MOST_CALLS:
            self.broken(f"I11: {hand.name} makes more than {MOST_CALLS} calls")
        if operation in JUDGED:
            rule = self.sim.account.rules.get(about.binding.arn) if isinstance(about, MOVES) else None
            foreign = rule.hand if rule else ""
            healthy = self._healthy() if operation == "DeregisterTargets" else {}
            see = self.health
            self._was = Before(
                self._capacity(), self._serving(), self._able(), foreign, healthy, see.picture(), see.weighted()
            )

    def after(self, hand: Hand, operation: str, about: object) -> None:
        if operation == "PutItem":
            if (
                isinstance(about, Record)
                and (says := (about.live, about.standby, about.doomed, about.goal)) != self._says
            ):
                self._says = says
                self._written(hand, about)
            return
        zombie = self._zombie(hand, operation)
        if isinstance(about, MOVES) and (rule := self.sim.account.rules.get(about.binding.arn)):
            moved = isinstance(about, PutBack) or about.shift
            rule.hand = "zombie" if zombie else "" if moved else rule.hand
            self.sim.account.misfortune_at = self.sim.account.time if zombie else self.sim.account.misfortune_at
        if operation in JUDGED and not zombie:
            self._judge(hand, operation, about)
        if operation == "RunInstances":
            self._count_strays(zombie)
        self._standing()

    def _written(self, hand: Hand, record: Record) -> None:
        was, self.truth = self.truth, record
        if (wrong := self.health.promotion(was, record)) and not self._unseen(hand) and not self.sim.edited:
            self.broken(wrong)
        self.health.note(record)
        if hand.word == "recover":
            self.health.rebuilt(record)
        self._standing()

    def broken(self, promise: str) -> None:
        self.found.append(promise)
        raise Violation(promise, self.sim)

    def _judge(self, hand: Hand, operation: str, about: object) -> None:
        was = self._was
        assert was is not None
        if wrong := self.health.moved(hand, was.weighted) or self.health.emptied(was.weighted):
            self.broken(wrong)
        if operation == "ModifyRule" and not was.foreign and (wrong := self.health.unasked(hand, was.picture)):
            self.broken(wrong)
        if not self._unseen(hand) and (wrong := self.health.lost(operation, about, was.picture)):
            self.broken(wrong)
        if was.foreign or self._blind(hand):
            return
        if operation == "ModifyRule":
            if hand.goal and hand.goal.kind == "heal":
                self.broken("I2: a heal writes weights")
            needed = (
                0
                if isinstance(about, PutBack) and not self._live()
                else min(was.capacity, self._agreed(hand, about, was))
            )
            if self._capacity() < needed:
                self.broken(f"I1: healthy targets behind weight fall from {was.capacity} to {self._capacity()}")
            self._pure(about)
            return
        if isinstance(about, Deregister) and hand.goal and hand.goal.kind == "heal":
            self._taken_out(hand, about, hand.goal, was)
            return
        gone = set(about) if operation == "TerminateInstances" else set()
        if isinstance(about, Deregister) and self._weight(about.group):
            gone = set(about.instances)
        if isinstance(about, DeleteGroup) and self._weight(about.group):
            self.broken(f"I5: {about.group} has weight and is deleted")
        if hit := was.serving & gone:
            self.broken(f"I5: {', '.join(sorted(hit))} is behind weight")
        if was.able and not self._able() and self._live():
            self.broken("I5: the last healthy fleet is taken away")

    def _taken_out(self, hand: Hand, about: Deregister, goal: Goal, was: Before) -> None:
        """I1 and I3: nothing that is to stay leaves, and nothing healthy while the fleet is not whole without it."""
        assert goal.fleet is not None
        if hit := set(about.instances) & set(goal.stay):
            self.broken(f"I3: {', '.join(sorted(hit))} of {goal.fleet.label} is to stay, and leaves")
        before, after = (
            len(frozenset.intersection(*(seen[arn] for arn in goal.fleet.groups)))
            for seen in (was.healthy, self._healthy())
        )
        count = self.health.agreed.get(goal.fleet.deployment, goal.fleet.count)
        if after < min(before, count) and not self.sim.touched and not self._unseen_gain(hand):
            self.broken(f"I1: healthy targets of {goal.fleet.label} fall from {before} to {after} by a heal")

    def _agreed(self, hand: Hand, about: object, was: Before) -> int:
        """The whole new fleet for a switch forward; for a way back, one healthy target at least, or as many as it has."""
        goal = hand.goal
        if goal is None or goal.fleet is None:
            return 0
        if goal.kind == "deploy":
            pools = self.sim.account.pools
            weighted = [arn for arn, weight in about.weights if weight] if isinstance(about, SetWeights) else []
            forward = any(pools[arn].deployment == goal.deployment for arn in weighted)
            return goal.fleet.count if forward else min(1, was.capacity)
        return 1 if goal.undo or self._unseen_gain(hand) else min(was.capacity, max(1, goal.fleet.count))

    def _unseen(self, hand: Hand) -> bool:
        """Something got worse or better after the actor looked."""
        return self._blind(hand) or self._unseen_gain(hand)

    def _unseen_gain(self, hand: Hand) -> bool:
        """Something that a heal launched got healthy after the actor looked."""
        return self.sim.account.fortune_at > hand.looked_at - LOOKING_S

    def _pure(self, about: object) -> None:
        """I2: what is behind weight in one action is one fleet, and nothing of another is in its group."""
        if not isinstance(about, SetWeights):
            return
        account = self.sim.account
        weighted = [account.pools[arn] for arn, weight in about.weights if weight]
        if len({pool.deployment or pool.arn for pool in weighted}) > 1:
            self.broken(f"I2: two releases have weight: {', '.join(pool.name for pool in weighted)}")
        for pool in weighted:
            whose = pool.deployment
            strange = [t.machine.id for t in pool.targets.values() if whose and t.machine.deployment != whose]
            if strange:
                self.broken(f"I2: {', '.join(strange)} is in {pool.name} and not of its fleet")

    def _standing(self) -> None:
        """I3 and I4: what must be so at any moment."""
        record = self._record()
        if record is None or self.sim.edited:
            return
        alive = self.sim.account.alive.get(self.stack, {})
        goal, known = record.goal, set()
        for fleet in (record.live, record.standby):
            if fleet is not None and fleet.ours:
                self._whole(fleet, goal, frozenset(alive.get(fleet.deployment, ())))
                known.add(fleet.deployment)
        if alive.keys() <= known:
            return
        known |= {fleet.deployment for fleet in record.fleets}
        if goal is not None:
            known |= {fleet.deployment for fleet in (goal.fleet, goal.undo, *goal.left) if fleet}
            known |= {goal.stopped.fleet.deployment} if goal.stopped and goal.stopped.fleet else set()
        for deployment in alive.keys() - known:
            if lost := alive[deployment] - self.strays:
                self.broken(
                    f"I4: {', '.join(sorted(lost))} of {deployment} runs, and nothing in the record knows of it"
                )

    def _whole(self, fleet: Fleet, goal: Goal | None, ids: frozenset[str]) -> None:
        account = self.sim.account
        kept = self.kept.setdefault(fleet.deployment, ids)
        if goal is not None and goal.kind == "heal" and goal.fleet == fleet:
            kept = self._healing(goal, fleet, ids, kept)
        if ids != kept:
            self._changed(fleet, ids, kept)
        for rule, arn in zip(self.sim.entries, fleet.groups, strict=False):
            assert rule is not None
            pool = account.pools.get(arn)
            if pool is None:
                self.broken(f"I3: the target group {arn} of {fleet.label}, which is kept, is gone")
                return
            if not rule.hand and not self.sim.touched and arn not in rule.seen().by_group:
                self.broken(f"I3: {fleet.label}, which is kept, is not attached to {rule.ref.name}")
            if (out := ids - pool.seen().ids) and (out := out - self.renewed - self.strays):
                self.broken(
                    f"I3: {', '.join(sorted(out))} of {fleet.label}, which is kept, is not registered in {pool.name}"
                )

    def _changed(self, fleet: Fleet, ids: frozenset[str], kept: frozenset[str]) -> None:
        if more := ids - kept - self.strays:
            self.broken(f"I3: {fleet.label} has grown by {', '.join(sorted(more))}")
        if gone := kept - ids - self.sim.account.casualties.keys() - self.renewed:
            self.broken(f"I3: {', '.join(sorted(gone))} of {fleet.label}, which is kept, was terminated")

    def _healing(self, goal: Goal, fleet: Fleet, ids: frozenset[str], kept: frozenset[str]) -> frozenset[str]:
        """The members of a fleet while it is healed: never more than agreed beside those that are replaced."""
        self.renewed |= (ids - kept - self.strays) | set(goal.lost)
        if len(ids - set(goal.lost) - self.strays) > fleet.count:
            self.broken(f"I3: {fleet.label} has {len(ids)} instances while it is healed, {len(goal.lost)} of them dead")
        for name in (kept - ids) & set(goal.stay) - self.sim.account.casualties.keys():
            self.broken(f"I3: {name} of {fleet.label} is to stay, and was terminated")
        self.kept[fleet.deployment] = ids
        return ids

    def _count_strays(self, zombie: bool) -> None:
        """What a run launches after it was taken over is left to gc."""
        record = self._record()
        if zombie and record is not None:
            known = {i for ids in self.kept.values() for i in ids}
            self.strays |= {i for _, ids in self.sim.account.tokens.values() for i in ids} - known

    def _zombie(self, hand: Hand, operation: str) -> bool:
        """Whether another run has taken over. I6: then no call of the old one may go out but the one in flight."""
        record = self._record()
        if record is None or hand.epoch >= record.epoch or not hand.epoch:  # without the ledger nobody has an epoch
            return False
        taken = self.sim.ledger.taken_at
        if self.sim.account.time > taken + OLDER_S and hand.paused_at < taken and not hand.dead:
            late = self.sim.account.time - taken
            self.broken(f"I6: {hand.name} calls {operation} {late:.0f} s after epoch {record.epoch} took over")
        return True

    def _blind(self, hand: Hand) -> bool:
        """Something got worse, by no act, after the actor looked, and it could not have known."""
        account = self.sim.account
        recent = hand.looked_at > account.time - TRUST_S or hand.paused_at >= hand.looked_at
        return recent and account.misfortune_at > hand.looked_at - LOOKING_S

    def _record(self) -> Record | None:
        return self.sim.ledger.records.get(self.stack)

    def _live(self) -> Fleet | None:
        record = self._record()
        return record.live if record else None

    def _weight(self, arn: str) -> int:
        return max((rule.seen().by_group.get(arn, 0) for rule in self.sim.account.rules.values()), default=0)

    def _capacity(self) -> int:
        """Of the rule that has the fewest healthy targets behind weight."""
        pools = self.sim.account.pools
        return min(
            (
                sum(pools[arn].healthy for arn, weight in rule.weights or () if weight and arn in pools)
                for rule in self.sim.account.rules.values()
            ),
            default=0,
        )

    def _healthy(self) -> dict[str, frozenset[str]]:
        pools = self.sim.account.pools.values()
        return {p.arn: frozenset(t.id for t in p.seen().targets if t.state == "healthy") for p in pools}

    def _serving(self) -> frozenset[str]:
        rules = self.sim.account.rules.values()
        weighted = {arn for rule in rules for arn, weight in rule.weights or () if weight}
        return frozenset().union(*(pool.seen().ids for arn, pool in self.sim.account.pools.items() if arn in weighted))

    def _able(self) -> bool:
        return any(pool.healthy for pool in self.sim.account.pools.values() if pool.used)
