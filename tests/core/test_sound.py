"""The record checked against itself: what the controller writes is sound, and each field that cannot be so is named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bluegreen.core.fleet import BindingRef, Colour, Fleet
from bluegreen.core.goal import Before, Goal, GroupSpec, LaunchSpec
from bluegreen.core.record import Owner, Record
from bluegreen.core.release import Place
from bluegreen.core.sound import wrong

ELB = "arn:aws:elasticloadbalancing:eu-west-1:123456789012"
RULE, LISTENER = f"{ELB}:listener-rule/app/alb/1/2/3", f"{ELB}:listener/app/alb/1/2"
REF = BindingRef("alb", LISTENER, RULE, False, "alb:80 host a", 80, "a")
G = {name: f"{ELB}:targetgroup/{name}/0" for name in ("live", "standby", "doomed", "new")}
LIVE = Fleet("shop-7", Colour.BLUE, "r7", "7", 4, (G["live"],))
STANDBY = Fleet("shop-5", Colour.GREEN, "r5", "5", 4, (G["standby"],))
DOOMED = Fleet("shop-3", Colour.BLUE, "r3", "3", 0, (G["doomed"],))
BEFORE = Before(REF, ((G["live"], 100), (G["standby"], 0)), "[]")
SPEC = GroupSpec("shop-green-8", "vpc", 80, "/", 5, 4, 2, 2, "200", 5)
LAUNCH = LaunchSpec("ami", ("m7i.large",), (), None, 20, None, "0", (Place("subnet-a", "a", 4),))
NEW = Fleet("shop-8", Colour.GREEN, "r8", "8", 4, ())
DEPLOY = Goal("deploy", "shop", "shop-8", 1.0, NEW, LIVE, STANDBY, (BEFORE,), (SPEC,), LAUNCH)
HEAL = Goal("heal", "shop", "shop-8", 1.0, LIVE, LIVE, STANDBY, (BEFORE,), launch=LAUNCH)
RECORD = Record(
    "shop", 8, live=LIVE, standby=STANDBY, doomed=(DOOMED,), bindings=(REF,), goal=DEPLOY, owner=Owner("a", "b")
)


def test_what_the_controller_writes_is_sound() -> None:
    adopted = replace(STANDBY, deployment="shop-0", count=0, ours=False)
    default = replace(REF, arn=LISTENER, default=True)
    for record in (
        RECORD,
        Record("shop", 1),
        replace(RECORD, owner=None),
        replace(RECORD, owner=None, goal=None),
        replace(RECORD, goal=HEAL),
        replace(RECORD, goal=replace(HEAL, kind="abort", fleet=None, stopped=DEPLOY)),
        replace(RECORD, standby=None, doomed=()),
        replace(RECORD, standby=adopted, goal=None, owner=None),
        replace(RECORD, bindings=(default,)),
        replace(RECORD, lease_s=1),
        replace(RECORD, lease_s=3600),
        replace(RECORD, live=replace(LIVE, count=1), standby=replace(STANDBY, deployment="shop-8")),
        replace(RECORD, doomed=(replace(DOOMED, deployment="shop-99", groups=()),)),
        replace(RECORD, goal=replace(DEPLOY, before=(replace(BEFORE, weights=((G["live"], 999),)),))),
        replace(RECORD, goal=replace(DEPLOY, before=(replace(BEFORE, weights=None),))),
    ):
        assert wrong(record, "shop") == ""


def live(**change: Any) -> Record:
    return replace(RECORD, live=replace(LIVE, **change))


def goal(**change: Any) -> Record:
    return replace(RECORD, goal=replace(DEPLOY, **change))


def weights(*pairs: tuple[str, int]) -> Record:
    return goal(before=(replace(BEFORE, weights=pairs),))


@pytest.mark.parametrize(
    ("record", "field"),
    [
        (replace(RECORD, stack="web"), "Record.stack"),
        (replace(RECORD, epoch=0), "Record.epoch"),
        (replace(RECORD, lease_s=0), "Record.lease_s"),
        (replace(RECORD, lease_s=3601), "Record.lease_s"),
        (replace(RECORD, goal=None), "Record.owner"),
        (replace(RECORD, live=None), "Record.live"),
        (replace(RECORD, bindings=()), "Record.bindings"),
        (live(count=0), "Record.live.count"),
        (live(count=-1, ours=False), "Record.live.count"),
        (live(deployment="x"), "Record.live.deployment"),
        (live(deployment="web-7"), "Record.live.deployment"),
        (live(deployment="shop-0"), "Record.live.deployment"),
        (live(deployment="shop-9"), "Record.live.deployment"),
        (live(groups=()), "Record.live.groups"),
        (live(groups=(G["live"], G["new"])), "Record.live.groups"),
        (live(groups=(RULE,)), "Record.live.groups[0]"),
        (live(deployment="shop-5"), "Record.standby"),
        (replace(RECORD, standby=replace(STANDBY, groups=LIVE.groups)), "Record.standby"),
        (replace(RECORD, doomed=(LIVE,)), "Record.doomed[0]"),
        (replace(RECORD, doomed=(replace(DOOMED, groups=STANDBY.groups),)), "Record.doomed[0]"),
        (replace(RECORD, doomed=(replace(DOOMED, groups=("x",)),)), "Record.doomed[0].groups[0]"),
        (replace(RECORD, doomed=(DOOMED, DOOMED)), "Record.doomed[1]"),
        (replace(RECORD, bindings=(replace(REF, arn=LISTENER),)), "Record.bindings[0].arn"),
        (replace(RECORD, bindings=(replace(REF, default=True),)), "Record.bindings[0].arn"),
        (replace(RECORD, bindings=(replace(REF, port=-1),)), "Record.bindings[0].port"),
        (
            replace(
                RECORD,
                bindings=(REF, REF),
                live=replace(LIVE, groups=(G["live"], G["new"])),
                standby=None,
            ),
            "Record.bindings",
        ),
        (live(groups=(G["live"], G["live"])), "Record.live.groups"),
        (goal(stack="web"), "Record.goal.stack"),
        (goal(deployment="shop-9"), "Record.goal.deployment"),
        (goal(deployment="shop-0"), "Record.goal.deployment"),
        (goal(fleet=None), "Record.goal"),
        (goal(launch=None), "Record.goal"),
        (goal(fleet=replace(NEW, deployment="shop-7")), "Record.goal.fleet.deployment"),
        (goal(fleet=replace(NEW, count=3)), "Record.goal.fleet.count"),
        (goal(groups=()), "Record.goal.groups"),
        (goal(live=replace(LIVE, count=0)), "Record.goal.live.count"),
        (goal(standby=replace(STANDBY, groups=("x",))), "Record.goal.standby.groups[0]"),
        (goal(before=(replace(BEFORE, binding=replace(REF, arn="x")),)), "Record.goal.before[0].arn"),
        (weights((G["live"], 1000)), "Record.goal.before[0].weights"),
        (weights((G["live"], -1)), "Record.goal.before[0].weights"),
        (weights(("x", 1)), "Record.goal.before[0].weights"),
        (replace(RECORD, goal=replace(HEAL, fleet=DOOMED)), "Record.goal.fleet"),
        (replace(RECORD, goal=replace(HEAL, kind="abort", stopped=replace(DEPLOY, fleet=None))), "Record.goal.stopped"),
    ],
)
def test_a_field_that_cannot_be_so_is_named(record: Record, field: str) -> None:
    assert wrong(record, "shop").startswith(f"{field}:"), wrong(record, "shop")
