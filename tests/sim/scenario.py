"""A run: a history without faults, commands that meet them, what the operator does then, and the end."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from tests.sim.baton import Turns
from tests.sim.claims import check_claims, check_status
from tests.sim.ending import check_rest, check_result
from tests.sim.faults import Trouble, draw
from tests.sim.happenings import Event, schedule
from tests.sim.invariants import Violation
from tests.sim.stage import Result, Shape, Stage
from tests.sim.wayout import way_out

TRIES = 3
OPERATOR = ("resume", "resume", "abort", "rollback")  # what is tried, in turn, until nothing is under way
LEASE_S = 21.0
HISTORIES: tuple[tuple[str, ...], ...] = (
    (),
    ("deploy A",),
    ("deploy A", "deploy B"),
    ("deploy A", "deploy B", "rollback"),
)
MOST_TROUBLES = 4


@dataclass(frozen=True, slots=True)
class Plan:
    """`history` has commands, `deploy B !40` for one whose process was gone after its 40th call, and what `Stage.prepare` knows.
    `others` are commands that begin so many seconds after `command`, at the same time; `seed` decides whose turn it is.
    `after` is what the operator does first when something is left under way. `events` happen to the world, by the clock, and
    `more` are commands that follow, `wait 60` for a pause; with an `open_end` there has to be a way out of whatever is left."""

    history: tuple[str, ...]
    command: str
    troubles: tuple[Trouble, ...] = ()
    after: str = ""
    shape: Shape = field(default_factory=Shape)
    others: tuple[tuple[float, str], ...] = ()
    seed: int = 0
    events: tuple[Event, ...] = ()
    more: tuple[str, ...] = ()  # commands that follow, in turn
    open_end: bool = False

    def __str__(self) -> str:
        troubles = "; ".join(str(t) for t in self.troubles) or "no trouble"
        others = "".join(f" + {command} after {delay:.1f} s" for delay, command in self.others)
        then = "".join(f", then {command}" for command in (*self.more, self.after) if command)
        events = "".join(f"; {event}" for event in self.events)
        return (
            f"{', '.join(self.history) or 'nothing'} | {self.command}{others} | {troubles}{events}{then} | {self.shape}"
        )


@dataclass(slots=True)
class Run:
    """What came of a plan. `broken` is None when every promise held."""

    plan: Plan
    stage: Stage
    broken: Violation | None = None

    @property
    def faults(self) -> int:
        return self.stage.sim.ever_met + self.stage.sim.troubles.met


def play(plan: Plan) -> Run:
    stage = Stage(plan.shape)
    run = Run(plan, stage)
    try:
        begin(stage, plan.history)
        stage.sim.arm(plan.troubles)
        schedule(stage, plan.events)
        _act(stage, plan)
        for command in plan.more:
            if command.startswith("wait "):
                stage.sim.account.advance(stage.sim.account.time + float(command.split()[1]))
            else:
                checked(stage, command)
        stage.sim.disarm()
        if plan.open_end:
            check_status(stage)
            way_out(stage)
            return run
        recover(stage, plan.after)
        if stage.record is not None and stage.record.goal is None:
            _cleaned(stage)
            if _healed(stage, plan):
                check_rest(stage)
    except Violation as error:
        run.broken = error
    return run


def _cleaned(stage: Stage) -> None:
    """Once more when a fleet was spared, for what was only just attached has to pass its health checks first."""
    if checked(stage, "gc").name == "needs-human":
        stage.sim.account.advance(stage.sim.account.time + 60)
        checked(stage, "gc")


def _half_registered(stage: Stage) -> bool:
    """Whether some instance of a kept fleet is in one of its groups and not in another."""
    fleets = [fleet for fleet in (stage.record.live, stage.record.standby) if fleet] if stage.record else []
    pools = [[stage.sim.account.pools.get(arn) for arn in fleet.groups] for fleet in fleets]
    targets = [[set(pool.targets) if pool else set() for pool in each] for each in pools]
    return any(set().union(*each) != set.intersection(*each) for each in targets if each)


def _healed(stage: Stage, plan: Plan) -> bool:
    """A heal that was cut short may leave one instance too many, or one that only some groups have: another heal
    settles that, unless somebody took the group out of the action."""
    commands = (*plan.history, plan.command, plan.after, *(command for _, command in plan.others))
    if not any(command.startswith("heal unhealthy") for command in commands) and not _half_registered(stage):
        return True
    healed = checked(stage, "heal")
    if healed.name == "healed":  # what was spared for its health need not be any more
        _cleaned(stage)
    return healed.name != "Refused" or not stage.sim.touched


def begin(stage: Stage, history: Iterable[str]) -> None:
    for word in history:
        command, _, crash = word.partition(" !")
        if word.split()[0] in ("lose", "sicken", "stray"):
            stage.prepare(word)
        elif crash:
            stage.sim.arm([Trouble(int(crash), "crash-after")])
            result = checked(stage, command)
            assert result.name == "crashed" or result.calls < int(crash), f"{command} did not crash at call {crash}"
            stage.backup()
            stage.sim.disarm()
            stage.sim.account.advance(stage.sim.account.time + LEASE_S)
        else:
            checked(stage, command)
            stage.backup()


def _act(stage: Stage, plan: Plan) -> None:
    if not plan.others:
        checked(stage, plan.command)
        return

    def job(command: str) -> None:
        checked(stage, command)

    jobs = [(0.0, plan.command), *plan.others]
    stage.crowded = True
    Turns(stage.sim, random.Random(plan.seed)).play([(delay, lambda c=command: job(c)) for delay, command in jobs])


def checked(stage: Stage, command: str) -> Result:
    result = stage.run(command)
    check_result(stage, result)
    check_claims(stage, result)
    return result


def recover(stage: Stage, first: str = "") -> None:
    """As an operator would, until nothing is under way: `first` once, then one command after another. What somebody else
    did to the weights may need one who puts them right by hand."""
    result = None
    for command in (*((first,) if first else ()), *OPERATOR * TRIES):
        record = stage.record
        if record is None or (record.goal is None and record.owner is None and command != first):
            return
        result = checked(stage, command)
        if result.name == "Held":
            stage.sim.account.advance(stage.sim.account.time + LEASE_S)
            result = checked(stage, command)
    if stage.sim.touched or stage.record is None or stage.record.goal is None:
        return
    goal = stage.record.goal
    which = "first deployment" if goal.live is None else goal.kind
    ends = ", ".join(dict.fromkeys(f"{each.command} {each.name}" for each in stage.results[-len(OPERATOR) :]))
    stage.promises.broken(f"I8: the {which} cannot be got out of: {ends}")


def shrunk(plan: Plan, promise: str) -> Plan:
    """The same failure with as few troubles as can be, by dropping them one by one."""
    for fewer in _fewer(plan):
        found = play(fewer)
        if found.broken is not None and found.broken.promise[:2] == promise[:2]:
            return shrunk(fewer, promise)
    return plan


def _fewer(plan: Plan) -> Iterator[Plan]:
    for number in range(len(plan.troubles)):
        yield replace(plan, troubles=plan.troubles[:number] + plan.troubles[number + 1 :])
    for number in range(len(plan.events)):
        yield replace(plan, events=plan.events[:number] + plan.events[number + 1 :])
    for number in range(len(plan.more)):
        yield replace(plan, more=plan.more[:number] + plan.more[number + 1 :])
    if plan.others:
        yield replace(plan, others=plan.others[:-1])


def widened(seed: int) -> Plan:
    """The plan of a seed of the old families: one of three is widened."""
    dice = random.Random(seed)
    plan = _plain(dice, seed)
    return _widened(plan, dice) if plan.history and dice.random() < 1 / 3 else plan


def plain(seed: int) -> Plan:
    """The plan of a seed, never widened."""
    return _plain(random.Random(seed), seed)


def _plain(dice: random.Random, seed: int) -> Plan:
    shape = Shape(
        count=dice.choice((1, 2, 4, 4)),
        bindings=dice.choice((1, 1, 1, 2)),
        bake_s=dice.choice((0, 0, 20)),
        app_s=dice.choice((1.0, 4.0, 17.0)),
        zones=dice.choice((1, 2, 3, 3)),
        poll_s=2.0,
    )
    history = dice.choice(HISTORIES)
    command = dice.choice(("deploy C", "deploy C", "deploy C", "rollback")) if history else "deploy C"
    troubles = tuple(draw(dice, 90 if command[0] == "d" else 30) for _ in range(dice.randrange(MOST_TROUBLES + 1)))
    others: tuple[tuple[float, str], ...] = ()
    if history and dice.random() < 0.4:
        also = [
            dice.choice(("rollback", "rollback", "resume", "abort", "deploy D")) for _ in range(dice.choice((1, 1, 2)))
        ]
        others = tuple((dice.uniform(0, 25), each) for each in also)
    after = dice.choice(("", "resume", "rollback", "abort", "deploy D"))
    return Plan(history, command, troubles, after, shape, others, seed)


def _widened(plan: Plan, dice: random.Random) -> Plan:
    """With a fleet that is not whole, upkeep beside the other commands, a machine that stands still for longer than its lease,
    and an outside writer."""
    upkeep = ("gc", "heal", "heal unhealthy")
    harm = ["lose live", "sicken live", *(("lose standby", "sicken standby") if len(plan.history) > 1 else ())]
    history = (*plan.history, dice.choice(harm)) if dice.random() < 0.4 else plan.history
    others, troubles, after = plan.others, plan.troubles, plan.after
    if dice.random() < 0.6:
        others = (*others, (dice.uniform(0, 40), dice.choice(upkeep)))
    if dice.random() < 0.4:
        pause = dice.uniform(LEASE_S, 120.0)
        troubles = (*troubles, Trouble(dice.randrange(1, 121), "pause", "", pause))
    if dice.random() < 0.3:
        troubles = (*troubles, draw(dice, 120, ("outside",)))
    if dice.random() < 0.3:
        after = dice.choice(upkeep)
    return replace(plan, history=history, others=others, troubles=troubles, after=after)


def drawn_heal(seed: int) -> Plan:
    """The plan of a seed in which instances are lost or sick, and healed, perhaps beside other commands."""
    dice = random.Random(f"heal {seed}")
    shape = Shape(count=dice.choice((2, 4)), bindings=dice.choice((1, 1, 2)), zones=dice.choice((1, 3)), poll_s=2.0)
    harm = [
        dice.choice(("lose", "lose", "sicken")) + dice.choice((" live", " standby"))
        for _ in range(dice.choice((1, 2, 3)))
    ]
    command = dice.choice(("heal", "heal unhealthy"))
    troubles = tuple(draw(dice, 90) for _ in range(dice.randrange(MOST_TROUBLES)))
    others: tuple[tuple[float, str], ...] = ()
    if dice.random() < 0.4:
        others = (
            (dice.uniform(0, 20), dice.choice(("rollback", "rollback", "abort", "resume", "heal", "gc", "deploy D"))),
        )
    after = dice.choice(("", "resume", "rollback", "abort", "gc", "heal", "deploy D"))
    return Plan(("deploy A", "deploy B", *harm), command, troubles, after, shape, others, seed)


def calls_of(history: Iterable[str], command: str, shape: Shape) -> int:
    """How many AWS calls the command makes when nothing goes wrong."""
    stage = Stage(shape)
    begin(stage, history)
    return stage.run(command).calls
