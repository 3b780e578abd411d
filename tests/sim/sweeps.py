"""The lists of plans that the sweeps go through: every single trouble, and every crash, at every call of every command."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.sim.faults import CRASHES, KINDS, Trouble
from tests.sim.open_findings import cause_of
from tests.sim.scenario import Plan, Run, calls_of, play, shrunk
from tests.sim.stage import Shape

SHAPE = Shape(poll_s=2.0)
AMOUNTS: dict[str, tuple[float, ...]] = {
    "later": (0.5, 6.0),
    "hidden": (100.0,),
    "pause": (3.0, 30.0),
    "jump": (-3600.0, 3600.0),
    "outside": (1.0, 2.0, 3.0, 4.0),
    "die": (0.0, 5.0),
    "sick": (0.0, 5.0),
}
CASES: dict[str, tuple[tuple[str, ...], str]] = {
    "first deploy": ((), "deploy A"),
    "second deploy": (("deploy A",), "deploy B"),
    "third deploy": (("deploy A", "deploy B"), "deploy C"),
    "rollback": (("deploy A", "deploy B"), "rollback"),
    "rollback of a rollback": (("deploy A", "deploy B", "rollback"), "rollback"),
}
HARMED = ("deploy A", "deploy B", "lose live", "lose standby")
SICK = ("deploy A", "deploy B", "sicken live")
HEALS = ("heal", "heal unhealthy")
STOPPED = {  # a run that crashed, and after which call
    "launching": ("deploy A", "deploy B !20"),
    "waiting for health": ("deploy A", "deploy B !40"),
    "switched": ("deploy A", "deploy B !60"),
    "healing": (*SICK, "heal unhealthy !20"),
    "waiting for what it launched": (*SICK, "heal unhealthy !30"),
    "taking out the dead": (*SICK, "heal unhealthy !60"),
}
OPERATOR: dict[str, tuple[tuple[str, ...], str]] = {
    f"{command} after a crash {where}": (history, command)
    for where, history in STOPPED.items()
    for command in ("resume", "abort", "rollback")
} | {
    "resume of a rollback": (("deploy A", "deploy B", "rollback !6"), "resume"),
    "rollback after a rollback that crashed": (("deploy A", "deploy B", "rollback !6"), "rollback"),
    **{case: (HARMED if case == "heal" else SICK, case) for case in HEALS},
    "gc": (("deploy A", "deploy B", "stray"), "gc"),
}
ALL = CASES | OPERATOR
AFTER = ("resume", "rollback", "abort", "gc", "heal", "deploy D")


@dataclass(slots=True)
class Tally:
    """What came of many runs: the first run of each kind of failure, and how often a known finding was met."""

    runs: int = 0
    calls: int = 0
    faults: int = 0
    known: dict[str, int] = field(default_factory=dict)
    broken: list[Run] = field(default_factory=list)

    def add(self, plan: Plan, *, strict: bool = False) -> Run:
        run = play(plan)
        self.runs += 1
        self.calls += run.stage.sim.calls
        self.faults += run.faults
        if run.broken is not None:
            cause = "" if strict else cause_of(run.broken.promise)
            if cause:
                self.known[cause] = self.known.get(cause, 0) + 1
            else:
                self.broken.append(run)
        return run

    def report(self) -> str:
        """The first failure with as few troubles as can be, and its trace."""
        run = self.broken[0]
        assert run.broken is not None
        again = play(shrunk(run.plan, run.broken.promise))
        return f"{len(self.broken)} of {self.runs} runs broke a promise; the first: {again.plan}\n{again.broken or run.broken}"


def singles(case: str) -> Iterator[Plan]:
    """Every trouble but a crash, at every call."""
    history, command = ALL[case]
    for number in range(1, calls_of(history, command, SHAPE) + 1):
        for kind in (*KINDS, "blind"):
            if kind not in CRASHES:
                for amount in AMOUNTS.get(kind, (0.0,)):
                    yield Plan(history, command, (Trouble(number, kind, "", amount),), "", SHAPE)


def crashes(case: str, after: str) -> Iterator[Plan]:
    """A crash before and after every call, and then `after`."""
    history, command = ALL[case]
    for number in range(1, calls_of(history, command, SHAPE) + 1):
        for kind in CRASHES:
            yield Plan(history, command, (Trouble(number, kind),), after, SHAPE)


def whole(case: str) -> Iterator[Plan]:
    """All of the above, with every way on."""
    yield from singles(case)
    for after in AFTER:
        yield from crashes(case, after)
