"""Cases in plain words, for the tables of the rules: fleets, what was seen, what the journal holds.

The stack is "shop". `LIVE` (shop-6, tg-live) serves, `STANDBY` (shop-5, tg-standby) stands by, and the deployment `NEW` (shop-7,
tg-new) is under way at epoch 7. Each fleet has four instances: live-1 to live-4, standby-1 …, new-1 …. It is NOW.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bluegreen.core import event as ev
from bluegreen.core.decide.case import Case
from bluegreen.core.fleet import BindingRef, Colour, Fleet, Weights, weights_of
from bluegreen.core.goal import Before, Goal, GroupSpec, LaunchSpec
from bluegreen.core.observation import Binding, Group, Instance, Observation, Target
from bluegreen.core.progress import fold
from bluegreen.core.record import Owner, Record
from bluegreen.core.release import Place

NOW = 1000.0
OWNER = Owner("ann", "laptop")
RULE = BindingRef("shop-alb", "listener-443", "rule-1", False, "shop-alb:443")
SECOND = BindingRef("shop-alb", "listener-80", "rule-2", False, "shop-alb:80")
ACTION = '[{"Type": "fixed-response"}]'

STANDBY = Fleet("shop-5", Colour.GREEN, "r5", "5.0", 4, ("tg-standby",))
LIVE = Fleet("shop-6", Colour.BLUE, "r6", "6.0", 4, ("tg-live",))
NEW = Fleet("shop-7", Colour.GREEN, "r7", "7.0", 4, ("tg-new",))
NAMES = {"tg-standby": "standby", "tg-live": "live", "tg-new": "new", "tg-older": "older"}
PLACES = (Place("subnet-a", "zone-a", 2), Place("subnet-b", "zone-b", 2))
TYPES = ("m7i.large", "m6i.large")
BEFORE = weights_of({"tg-live": 100, "tg-standby": 0})
SWITCHED = weights_of({"tg-live": 0, "tg-standby": 0, "tg-new": 100})


def spec(name: str = "shop-green-7", **change: Any) -> GroupSpec:
    return GroupSpec(
        **{
            "name": name,
            "vpc": "vpc-1",
            "port": 8080,
            "path": "/health",
            "interval_s": 5,
            "timeout_s": 4,
            "healthy": 2,
            "unhealthy": 2,
            "matcher": "200",
            "drain_s": 20,
            **change,
        }
    )


def launch_spec(*places: Place) -> LaunchSpec:
    return LaunchSpec("ami-1", TYPES, ("sg-1",), "web", 20, None, "hash", places or PLACES)


def goal(kind: str = "deploy", **change: Any) -> Goal:
    """A deploy of NEW over LIVE; with `kind` another run, and `change` what is different about it."""
    known: dict[str, Any] = {
        "kind": kind,
        "stack": "shop",
        "deployment": "shop-7",
        "started_at": 900.0,
        "fleet": Fleet("shop-7", Colour.GREEN, "r7", "7.0", 4, ()),
        "live": LIVE,
        "standby": STANDBY,
        "before": (Before(RULE, BEFORE, ""),),
        "groups": (spec(),),
        "launch": launch_spec(),
        "boot_timeout_s": 300,
    }
    return Goal(**{**known, **change})


def group(arn: str, first: int = 1, **states: int) -> Group:
    """Targets by state: group("tg-new", healthy=3, unhealthy=1) has new-1 to new-3 healthy and new-4 not."""
    who = NAMES.get(arn, arn.removeprefix("tg-"))
    found = [state for state, number in states.items() for _ in range(number)]
    return Group(arn, tuple(Target(f"{who}-{i}", state) for i, state in enumerate(found, first)))


def whole(*arns: str) -> dict[str, Group]:
    return {arn: group(arn, healthy=4) for arn in arns}


def instances(
    deployment: str, who: str, count: int = 4, state: str = "running", heal: str = ""
) -> tuple[Instance, ...]:
    """Half of them in each subnet, in turn."""
    subnets = ("subnet-a", "subnet-b")
    return tuple(Instance(f"{who}-{i + 1}", deployment, subnets[i % 2], state, heal=heal) for i in range(count))


RUNNING = (*instances("shop-5", "standby"), *instances("shop-6", "live"), *instances("shop-7", "new"))


def forwarding(ref: BindingRef = RULE, **weights: int) -> Binding:
    """forwarding(tg_live=100, tg_new=0): what the rule's action is seen to be."""
    return Binding(ref, weights_of({arn.replace("_", "-"): weight for arn, weight in weights.items()}), "")


def seen(
    *bindings: Binding,
    at: float = NOW,
    groups: Mapping[str, Group | None] | None = None,
    instances: Iterable[Instance] = RUNNING,
    consoles: Mapping[str, str] | None = None,
    consoles_at: float = 0.0,
    **record: Any,
) -> Observation:
    """What was seen. `groups` are all three of four healthy ones but for those given; `record` is what is different of it."""
    known: dict[str, Any] = {"stack": "shop", "epoch": 7, "live": LIVE, "standby": STANDBY, "bindings": (RULE,)}
    return Observation(
        at,
        7,
        Record(**{**known, **record}),
        bindings or (forwarding(tg_live=100, tg_standby=0),),
        {**whole("tg-standby", "tg-live", "tg-new"), **(groups or {})},
        tuple(instances),
        consoles or {},
        consoles_at,
    )


def case(what: Goal, now: Observation, *journal: ev.Event) -> Case:
    return Case(what, now, fold(journal))


def asked(
    subnet: str = "subnet-a", token: str = "t-a", at: float = 950.0, number: int = 1, kind: str = TYPES[0]
) -> ev.Launching:
    return ev.Launching(at, subnet, 0, number, kind, token)


def refused(
    code: str = "InsufficientInstanceCapacity", token: str = "t-a", at: float = 955.0, capacity: bool = True
) -> ev.LaunchRefused:
    return ev.LaunchRefused(at, token, code, "no room", capacity)


MADE: tuple[ev.Event, ...] = (ev.GroupMade(945.0, 0, "tg-new"),)
LAUNCHED: tuple[ev.Event, ...] = (
    *MADE,
    asked("subnet-a", "t-a"),
    asked("subnet-b", "t-b"),
    ev.Launched(951.0, "t-a", ("new-1", "new-3")),
    ev.Launched(951.0, "t-b", ("new-2", "new-4")),
)
BOOTED: tuple[ev.Event, ...] = (*LAUNCHED, ev.Healthy(980.0))


def gave_weight(at: float = 990.0, weights: Weights = SWITCHED, arn: str = "rule-1") -> tuple[ev.Event, ...]:
    """The journal of a switch to the new fleet."""
    return (ev.Shifting(at, arn, weights), ev.Shifted(at, arn, weights))
