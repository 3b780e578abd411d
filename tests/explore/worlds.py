"""The small worlds that are explored: what stands before the first command, and who may come after it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bluegreen.core.event import Finished
from bluegreen.core.fleet import Colour, Fleet, Weights
from bluegreen.core.goal import Before, Goal, GroupSpec, LaunchSpec
from bluegreen.core.record import Owner, Record
from bluegreen.core.release import Place
from tests.explore.commands import first_of, holding
from tests.explore.values import NOW, REF, Controller, Shape, State, keep, started


@dataclass(frozen=True)
class Small:
    """`fleets` how many stand before: 0, 1 (live) or 2 (live and standby); or "found": a foreign group to adopt.

    `first` is the command under way at the beginning (None: the stack rests after a deployment), `then` the commands
    that may begin at any later moment, at most `commands` of them. `troubles` may happen in all, in any order: a lost
    reply, a call that lands late, a refusal, a death, an interrupt, a lost instance, and `outside` foreign writes. Beside
    them, `ills` changes of health of any instance of any fleet, and `edits`: the rule deleted, or made anew.
    """

    fleets: int | str = 2
    first: bool = True
    then: tuple[str, ...] = ("rollback", "resume", "abort")
    commands: int = 1
    size: int = 1
    bake_s: int = 0
    troubles: int = 1
    outside: int = 1
    ills: int = 0
    edits: int = 0

    @property
    def name(self) -> str:
        under_way = "deploying" if self.first else "resting"
        return (
            f"{self.fleets} fleets of {self.size}, {under_way}, then {self.commands} of {'/'.join(self.then)}, "
            f"bake {self.bake_s} s, {self.troubles} troubles"
            + (f", {self.ills} changes of health" if self.ills else "")
            + (f", {self.edits} of the rule" if self.edits else "")
        )

    @property
    def shape(self) -> Shape:
        return Shape(self.size, self.bake_s)

    @property
    def before(self) -> Weights | None:
        if self.fleets == "found":
            return (("tg-found", 1),)
        stand = self._stand()
        if not stand:
            return None
        return tuple((f"tg-{n}", 100 if n == stand[-1] else 0) for n in stand)

    def _stand(self) -> list[int]:
        return [] if isinstance(self.fleets, str) else list(range(1, self.fleets + 1))

    def beginning(self) -> State:
        stand = [_fleet(n, self.size) for n in self._stand()]
        live, standby = ([*reversed(stand), None, None])[:2]
        epoch = len(stand)
        record = Record("shop", epoch, live=live, standby=standby, bindings=(REF,) if live else ())
        groups = {f.groups[0]: tuple((f"i-{f.deployment}-a{k}", "healthy") for k in range(f.count)) for f in stand}
        instances = [(f"i-{f.deployment}-a{k}", f.deployment, "running") for f in stand for k in range(f.count)]
        if self.fleets == "found":
            groups["tg-found"] = (("i-found", "healthy"),)
        state = State(
            keep(record), self.before, tuple(sorted(groups.items())), tuple(instances), (), (), self.troubles,
            outside=self.outside, ills=self.ills, edits=self.edits, stood=frozenset(f.deployment for f in stand),
        )  # fmt: skip
        if not self.first:
            done = (started(epoch, replace(record, owner=Owner("", "")), self._goal(epoch, live, standby)),)
            return state.with_journal(f"shop-{epoch}", keep((*done, Finished(NOW, "deployed", ""))))
        goal = self._goal(epoch + 1, live or self._found(), standby)
        return holding(state._replace(crew=(Controller("deploy", "take"),)), 0, first_of(record, goal))

    def _found(self) -> Fleet | None:
        return (
            Fleet("shop-0", Colour.GREEN, "", "as found", 0, ("tg-found",), False) if self.fleets == "found" else None
        )

    def _goal(self, epoch: int, live: Fleet | None, standby: Fleet | None) -> Goal:
        return Goal(
            kind="deploy",
            stack="shop",
            deployment=f"shop-{epoch}",
            started_at=NOW,
            fleet=replace(_fleet(epoch, self.size), groups=()),
            live=live,
            standby=standby,
            before=(Before(REF, self.before, "[]"),),
            groups=(GroupSpec(str(epoch), "vpc", 80, "/", 5, 4, 2, 2, "200", 5),),
            launch=LaunchSpec("ami", ("m7i.large",), (), None, 20, None, "", (Place("subnet-a", "a", self.size),)),
            boot_timeout_s=200,
            bake_s=self.bake_s,
        )


def _fleet(n: int, size: int) -> Fleet:
    colour = Colour.BLUE if n % 2 else Colour.GREEN
    return Fleet(f"shop-{n}", colour, f"release-{n}", "", size, (f"tg-{n}",))


SMALL = (
    Small(fleets=1, outside=0),
    Small(fleets=2, commands=0),
    Small(fleets=2, troubles=0),
    Small(fleets=2, first=False, then=("rollback", "resume"), commands=2),
    Small(fleets=1, commands=0, troubles=2, bake_s=30),
    Small(fleets=0, then=("rollback",), outside=0),
    Small(fleets="found", troubles=0),
    Small(fleets=1, size=2, commands=0),
)
FREE = ("rollback", "rollback --to standby", "resume", "heal")  # what needs no new fleet
EVERY = (*FREE, "rollback --to live", "abort", "gc", "deploy")
ILL = (  # fleets of any age that get sick, die and recover at any moment
    Small(fleets=2, commands=0, troubles=0, ills=2, bake_s=30),
    Small(fleets=1, commands=0, troubles=0, ills=2),
    Small(fleets=0, commands=0, troubles=0, ills=2, bake_s=30),
    Small(fleets=2, size=2, commands=0, troubles=0, ills=1, bake_s=30),
    Small(fleets=2, troubles=0, ills=1, outside=0),
    Small(fleets=2, commands=0, ills=1, outside=0),
    Small(fleets=2, first=False, then=FREE, commands=2, troubles=0, ills=1),
    Small(fleets=2, first=False, then=("gc", "deploy"), troubles=0, ills=2),
)
MOVED = (  # a rule that somebody deletes and makes anew, and a target group
    Small(fleets=2, first=False, then=EVERY, troubles=0, edits=3),
    Small(fleets=2, commands=0, troubles=0, edits=2),
    Small(fleets=1, then=("rollback",), troubles=0, edits=2),
)
ILL_AND_LARGE = (
    Small(fleets=2, troubles=0, ills=2, outside=0),
    Small(fleets=2, commands=0, troubles=0, ills=4, bake_s=30),
    Small(fleets=2, size=2, commands=0, troubles=0, ills=2, bake_s=30),
    Small(fleets=2, first=False, then=EVERY, commands=2, troubles=0, ills=1),
    Small(fleets=2, first=False, then=EVERY, commands=2, troubles=0, edits=2),
    Small(fleets=2, then=EVERY, troubles=0, edits=2),
    Small(fleets=2, then=("rollback", "resume"), troubles=0, ills=1, edits=2, outside=0),
)
LARGE = (
    *ILL_AND_LARGE,
    Small(fleets=2),
    Small(fleets=0, outside=0),
    Small(fleets="found", outside=0),
    Small(fleets=1, bake_s=30, outside=0),
    Small(fleets=2, commands=0, troubles=2),
    Small(fleets=2, size=2, troubles=0),
    Small(fleets=1, then=("abort",), troubles=2, outside=0),
)
LARGEST = (
    Small(fleets=2, first=False, then=FREE, commands=3, troubles=0, ills=2),
    Small(fleets=2, commands=0, troubles=1, ills=2, bake_s=30, outside=0),
    Small(fleets=1, then=("rollback",), troubles=2, outside=0),
    Small(fleets=1, then=("resume",), troubles=2, outside=0),
    Small(fleets=2, commands=0, troubles=3),
)
