"""Credentials that expire and permissions that are missing: each is named, and what was begun can be finished."""

from __future__ import annotations

from typing import Any

import pytest

from bluegreen.core import event as ev
from bluegreen.core.step import Launch, MakeGroup, Register, SetWeights, Step
from bluegreen.errors import BluegreenError, NeedsHuman
from tests.controller.answers import Answering, answer, nothing_of_b
from tests.controller.stage import Stage, during


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.mark.parametrize("kind", [MakeGroup, Launch, Register, SetWeights])
@pytest.mark.parametrize("code", ["ExpiredToken", "RequestExpired", "ExpiredTokenException"])
def test_credentials_that_expire_end_nothing_and_leave_it_to_resume(stage: Stage, kind: type[Step], code: str) -> None:
    stage.deploy("A")
    found: list[Answering] = []
    during(stage, kind, lambda: found.append(answer(stage, code)))
    with pytest.raises(BluegreenError) as caught:
        stage.deploy("B")
    assert caught.value.exit_code == 7 and "expired" in caught.value.what, caught.value
    assert "sign in again" in caught.value.next and "bluegreen resume shop" in caught.value.next
    found[0].over = True
    stage.eyes.on_step = lambda step: None
    assert stage.record().goal is not None and stage.weights()["A"] == 100
    assert stage.resume().result == "deployed"
    assert stage.weights() == {"A": 0, "B": 100} and stage.running() == {"A": 4, "B": 4}


def test_credentials_that_expire_while_it_waits_are_no_end(stage: Stage) -> None:
    stage.deploy("A")
    real, found = stage.eyes.wait, []

    def wait(wait: Any) -> None:
        real(wait)
        if "healthy" in wait.why and not found:
            found.append(answer(stage, "ExpiredToken"))

    stage.eyes.wait = wait  # type: ignore[method-assign]
    with pytest.raises(NeedsHuman, match="have expired"):
        stage.deploy("B")
    found[0].over = True
    assert not [e for e in stage.records.events("shop-2") if isinstance(e, ev.Finished | ev.Healthy)]
    assert stage.resume().result == "deployed"


@pytest.mark.parametrize(
    ("operation", "action"),
    [
        ("CreateTargetGroup", "elasticloadbalancing:CreateTargetGroup"),
        ("RunInstances", "ec2:RunInstances"),
        ("RegisterTargets", "elasticloadbalancing:RegisterTargets"),
    ],
)
def test_a_missing_permission_is_named_and_undone(stage: Stage, operation: str, action: str) -> None:
    stage.deploy("A")
    code = "UnauthorizedOperation" if operation == "RunInstances" else "AccessDenied"
    answer(stage, code, operation, status=403)
    outcome = stage.deploy("B")
    assert outcome.exit_code == 3 and code in outcome.sentence
    assert action in outcome.sentence
    nothing_of_b(stage)


def test_a_missing_permission_that_stops_the_undo_too_is_left_to_resume(stage: Stage) -> None:
    stage.deploy("A")
    found: list[Answering] = []
    during(stage, SetWeights, lambda: found.append(answer(stage, "AccessDenied", "ModifyRule", status=403)), shift=True)
    with pytest.raises(NeedsHuman, match="elasticloadbalancing:ModifyRule") as caught:
        stage.deploy("B")
    assert caught.value.exit_code == 7 and "bluegreen resume shop" in caught.value.next
    assert stage.weights()["A"] == 100
    found[0].over = True
    assert stage.resume().exit_code == 3
    nothing_of_b(stage)


def test_too_many_targets_end_it_before_the_switch(stage: Stage) -> None:
    stage.deploy("A")
    answer(stage, "TooManyTargets", "RegisterTargets")
    outcome = stage.deploy("B")
    assert outcome.exit_code == 3 and "TooManyTargets" in outcome.sentence
    nothing_of_b(stage)


@pytest.mark.parametrize("shift", [False, True])
def test_an_outage_of_the_ledger_stops_a_deploy_where_it_is(stage: Stage, shift: bool) -> None:
    """Before the switch, and between the switch and its journal line: nothing is finished, both fleets keep running."""
    stage.deploy("A")
    found: list[Answering] = []
    dynamo = ("PutItem", "GetItem", "Query")

    def out() -> None:
        found.append(answer(stage, "InternalServerError", *dynamo, status=500))
        stage.engine.calls.clear()

    during(stage, SetWeights if shift else Register, out, shift=shift)
    with pytest.raises(NeedsHuman, match="errors in a row") as caught:
        stage.deploy("B")
    assert caught.value.exit_code == 7 and "bluegreen resume shop" in caught.value.next
    acts = {operation for _, operation in stage.calls()} & {"TerminateInstances", "ModifyRule", "DeregisterTargets"}
    assert acts == set(), "without the ledger nothing is changed"
    found[0].over = True
    stage.eyes.on_step = lambda step: None
    stage.clock.time += 21
    assert stage.running() == {"A": 4, "B": 4} and stage.weights()["A"] == 100
    assert stage.resume().result == "deployed"
