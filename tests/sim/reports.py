"""What two reports from outside found in bluegreen, and what the simulator found beside it, each as a plan: none of them may
break a promise any more."""

from __future__ import annotations

from dataclasses import replace

from tests.sim.happenings import FIELDS, TAG, Event
from tests.sim.scenario import Plan
from tests.sim.stage import Shape

SHAPE = Shape(count=2, bake_s=20, poll_s=2.0)
AT_ONCE = replace(SHAPE, bake_s=0)
TWO = ("deploy A", "deploy B")


def _plan(
    command: str, *more: str, history: tuple[str, ...] = TWO, events: tuple[Event, ...] = (), shape: Shape = SHAPE
) -> Plan:
    return Plan(history, command, (), "", shape, (), 0, events, more, open_end=True)


def _ill(at: float, role: str = "live") -> Event:
    return Event(at, "fleet sick", role)


REPORTS: dict[str, Plan] = {
    "live is ill, and the fix dies in its bake": _plan(
        "deploy D@1", events=(_ill(-60.0), Event(-1.0, "fated", "D", 12.0))
    ),
    "a first deployment dies in its bake": _plan("deploy D@1", history=(), events=(Event(-1.0, "fated", "D", 17.0),)),
    "a fleet dies at the switch, without a bake": _plan(
        "deploy D@1", events=(_ill(-60.0), Event(-1.0, "fated", "D", 9.0)), shape=AT_ONCE
    ),
    "live is dead, and a good release is deployed": _plan(
        "deploy D@1", "rollback@1", events=(Event(-60.0, "fleet dies", "live"),)
    ),
    "live is ill, and a good release is deployed": _plan("deploy D@1", "gc@1", "rollback@1", events=(_ill(-60.0),)),
    "the standby dies while the older one is retired": _plan(
        "deploy D@1", history=(*TWO, "deploy C"), events=(_ill(33.0, "standby"),), shape=AT_ONCE
    ),
    "a rollback is asked for twice": _plan("rollback@1", "rollback@2"),
    "a rollback is asked for again after resume": _plan("rollback@1", "resume@1", "rollback@2", "deploy B@1"),
    "resume acknowledges, and the release comes back": _plan("rollback@1", "resume@1", "deploy B@1", "rollback@1"),
    "a rollback is asked for twice without the ledger": _plan(
        "rollback@1", "rollback@2", events=(Event(0.0, "table gone"),)
    ),
    "the ledger throttles for a moment": _plan("rollback@1", "deploy E@2", events=(Event(0.0, "throttled", "", 1.5),)),
    "the ledger throttles, and somebody else deploys": _plan(
        "rollback@1", "wait 90", "deploy E@2", "rollback@2", events=(Event(0.0, "throttled", "", 60.0),)
    ),
    "the ledger throttles half way through a rollback": _plan(
        "rollback@1", history=(*TWO, "deploy C"), events=(Event(0.4, "throttled", "", 10.0),)
    ),
    "a rule is made anew while nothing runs": _plan("deploy D@1", events=(Event(-1.0, "rule moves"),)),
    "a rule is made anew, and a rollback is asked for": _plan("rollback@1", events=(Event(-1.0, "rule moves"),)),
    "a rule is gone, and a rollback is asked for": _plan("rollback@1", "resume@1", events=(Event(-1.0, "rule gone"),)),
    "a rule is gone during a bake": _plan("deploy D@1", "rollback@1", events=(Event(22.0, "rule gone"),)),
    "the load balancer is made anew": _plan(
        "rollback@1", events=(Event(-1.0, "balancer gone"), Event(30.0, "rule back"))
    ),
    "the standby's target group is gone": _plan("heal@1", "deploy D@1", events=(Event(-1.0, "group gone", "standby"),)),
    "the record is lost": _plan("rollback@1", "deploy E@1", events=(Event(0.0, "record gone"),)),
    "the record cannot be read": _plan("rollback@1", "deploy E@1", events=(Event(0.0, "record torn"),)),
    "a line of the journal cannot be read": _plan("rollback@1", events=(Event(0.0, "line torn", "", 3.0),)),
    "a release that is declared unsafe dies in its bake": _plan(
        "deploy U@1", events=(Event(-1.0, "fated", "U", 12.0),)
    ),
    "a release that is declared unsafe is live": _plan("deploy U@1", "rollback@1", "unsafe shop-2@1"),
    "an unfinished deployment is left by rollback --to": _plan(
        "rollback shop-2@2", "gc@1", history=(*TWO, "deploy C !60"), shape=AT_ONCE
    ),
}
REPORTS |= {
    f"a deployment crashed after its promotion, the standby dies, and {command}": _plan(
        f"{command}@1",
        "rollback@1",
        history=(*TWO, "deploy C !78"),
        events=(Event(-30.0, "fleet dies", "standby"),),
        shape=AT_ONCE,
    )
    for command in ("resume", "gc", "deploy D", "rollback")
}
REPORTS |= {
    f"a deployment crashed before the switch, the other fleets fall ill, and {command}": _plan(
        f"{command}@1",
        history=(*TWO, "deploy C !60"),
        events=(_ill(-30.0), _ill(-30.0, "standby")),
        shape=AT_ONCE,
    )
    for command in ("resume", "abort", "rollback")
}
REPORTS |= {
    f"the table is set back to the first deployment, and {command}": _plan(
        f"{command}@1", history=(*TWO, "deploy C"), events=(Event(-1.0, "restored"),)
    )
    for command in ("gc", "heal", "deploy D", "rollback", "resume")
}
REPORTS |= {
    f"the record says {field}, and {command}": _plan(
        f"{command}@1", "rollback@1", events=(Event(-1.0, f"record {field}"),)
    )
    for field in FIELDS
    for command in ("heal", "gc", "rollback", "deploy D")
}
REPORTS |= {
    f"the tag {tag} of the {role} is edited, and {command}": _plan(
        f"{command}@1", "rollback@1", events=(Event(-1.0, f"tag {tag}", role), *lost)
    )
    for tag in TAG
    for role in ("live", "standby")
    for command, lost in (("gc", ()), ("rollback", (Event(0.0, "table gone"),)))
}
REPORTS |= {
    f"a note of another place, and {command}": _plan(f"{command}@1", events=(Event(-1.0, "note", "standby", 2.0),))
    for command in ("gc", "heal", "deploy D", "abort", "resume", "rollback")
}
