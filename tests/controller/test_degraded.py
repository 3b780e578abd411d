"""Without the ledger: a rollback goes by tags and the load balancer, a deploy is refused, and a later command writes it down."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bluegreen.controller import degraded
from bluegreen.core.outcome import Outcome
from bluegreen.core.step import Mark, SetWeights, Step
from bluegreen.core.tagged import bindings_of
from bluegreen.errors import BluegreenError, CloudError, Refused, Throttled, Unreachable
from bluegreen.local.book import LocalBook
from bluegreen.ports import Here
from tests.controller.stage import OWNER, Stage, shop

BOOK = LocalBook()


@pytest.fixture
def stage(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setenv("BLUEGREEN_STATE_DIR", str(tmp_path))
    return Stage()


def back(stage: Stage, to: str = "") -> Outcome:
    return degraded.rollback_anyway(stage.world, "shop", OWNER, BOOK, to)


def noted() -> list[str]:
    return [kept.note.deployment for kept in BOOK.notes("shop") if kept.note]


def crash_before_the_switch(stage: Stage) -> None:
    """C is healthy, attached at weight 0, and never was live."""

    def crash(step: Step) -> None:
        if isinstance(step, SetWeights) and step.shift:
            raise SystemExit

    stage.eyes.on_step = crash
    with pytest.raises(SystemExit):
        stage.deploy("C")
    stage.eyes.on_step = lambda step: None


def by_version(stage: Stage) -> dict[str, int]:
    owned = {group.arn: group.version for group in stage.world.traffic.owned("shop")}
    refs = bindings_of(stage.world.traffic.owned("shop"))
    (binding,) = stage.world.traffic.bindings(refs)
    return {owned[arn]: weight for arn, weight in binding.by_group.items()}


def test_without_the_table_the_fleet_before_gets_the_traffic_back(stage: Stage) -> None:
    for version in "ABC":
        stage.deploy(version)
    stage.drop_table()
    stage.engine.calls.clear()
    outcome = back(stage)
    assert outcome.result == "rolled-back" and "DEGRADED" in outcome.sentence and "green shop-2 (B)" in outcome.sentence
    assert by_version(stage) == {"B": 100, "C": 0}
    assert not [call for call in stage.calls() if call[0] == "ec2"]
    assert "CreateTable" not in {operation for _, operation in stage.calls()}
    assert outcome.next == "bluegreen recover shop"
    assert noted() == ["shop-2"]
    assert back(stage, "shop-3").result == "rolled-back" and by_version(stage) == {"B": 0, "C": 100}


def test_a_deploy_without_the_table_is_refused_and_makes_none(stage: Stage) -> None:
    stage.deploy("A")
    stage.drop_table()
    with pytest.raises(BluegreenError) as caught:
        stage.deploy("B")
    assert caught.value.exit_code == 7 and "no record" in caught.value.what
    assert stage.boto.client("dynamodb").list_tables()["TableNames"] == []


def test_an_empty_table_is_a_lost_ledger_too(stage: Stage) -> None:
    stage.deploy("A")
    stage.deploy("B")
    stage.drop_table()
    stage.table.make()
    assert back(stage).result == "rolled-back" and by_version(stage) == {"A": 100, "B": 0}


def test_a_fleet_that_was_never_live_is_no_way_back(stage: Stage) -> None:
    stage.deploy("A")
    stage.deploy("B")
    crash_before_the_switch(stage)
    stage.drop_table()
    assert by_version(stage) == {"A": 0, "B": 100, "C": 0}
    outcome = back(stage)
    assert outcome.result == "unchanged" and "green shop-2 (B) serves" in outcome.sentence
    assert "blue shop-3 (C) has no traffic" in outcome.sentence and "--to shop-1" in outcome.sentence
    assert by_version(stage) == {"A": 0, "B": 100, "C": 0}
    assert back(stage, "shop-1").result == "rolled-back" and by_version(stage) == {"A": 100, "B": 0, "C": 0}


def test_going_back_twice_goes_to_the_one_that_was_live_last(stage: Stage) -> None:
    stage.deploy("A")
    stage.deploy("B")
    stage.rollback()
    stage.deploy("C", shop("C", bake_s=0))
    stage.drop_table()
    assert "blue shop-1 (A)" in back(stage).sentence


def test_it_is_refused_when_the_standby_could_carry_less(stage: Stage) -> None:
    stage.deploy("A")
    stage.deploy("B")
    stage.sick |= {i.id for i in stage.world.fleets.look("shop") if stage._version(i.id) == "A"}
    stage.clock.time += 60
    stage.drop_table()
    outcome = back(stage)
    assert outcome.result == "refused" and "0 healthy of 4" in outcome.sentence
    assert by_version(stage) == {"A": 0, "B": 100}


class Ill:
    """DynamoDB, for a number of calls or until it is cured: each call of an operation in `of` raises `error`."""

    def __init__(self, stage: Stage, error: Callable[[], CloudError], calls: int = 10**6, of: str = "") -> None:
        self.stage, self.error, self.left, self.of = stage, error, calls, of
        self.real = stage.aws._once
        stage.aws._once = self._once  # type: ignore[method-assign]

    def _once(self, service: str, operation: str, arguments: Any) -> dict[str, Any]:
        if service == "dynamodb" and self.left > 0 and self.of in operation:
            self.left -= 1
            raise self.error()
        return self.real(service, operation, arguments)

    def cure(self) -> None:
        self.left = 0


def throttled() -> CloudError:
    return Throttled("AWS refused dynamodb:GetItem: slow down", action="dynamodb:GetItem", code="ThrottlingException")


def unreachable() -> CloudError:
    return Unreachable("dynamodb cannot be reached", action="dynamodb:GetItem")


@pytest.mark.parametrize("calls", [1, 2, 4, 12])
def test_throttles_that_pass_are_waited_for_and_the_record_is_written(stage: Stage, calls: int) -> None:
    """Two throttles within half a second made it DEGRADED once, and the record went on to name the fleet that was left."""
    stage.deploy("A")
    stage.deploy("B")
    stage.aws.attempts = 2
    Ill(stage, throttled, calls)
    since = stage.clock.time
    outcome = back(stage)
    assert outcome.result == "rolled-back" and "DEGRADED" not in outcome.sentence
    assert stage.record().live.version == "A" and stage.weights() == {"A": 100, "B": 0}  # type: ignore[union-attr]
    assert stage.clock.time - since < 30 and noted() == []
    assert stage.deploy("C").result == "deployed"


def test_a_ledger_that_is_back_within_the_watch_is_written_and_no_degraded_end(stage: Stage) -> None:
    stage.deploy("A")
    stage.deploy("B")
    stage.aws.attempts = 2
    ill = Ill(stage, throttled)
    moved: list[float] = []

    def on_step(step: Step) -> None:
        if isinstance(step, SetWeights) and not moved:
            moved.append(stage.clock.time)

    def on_sleep() -> None:
        if moved and stage.clock.time > moved[0] + 4:
            ill.cure()

    stage.eyes.on_step, stage.clock.on_sleep = on_step, on_sleep
    since = stage.clock.time
    outcome = back(stage)
    assert moved[0] - since < 8, "the traffic does not wait for the ledger"
    assert outcome.result == "rolled-back" and "DEGRADED" not in outcome.sentence
    assert stage.record().live.version == "A" and stage.record().rolled_back and noted() == []  # type: ignore[union-attr]


def test_half_of_all_calls_throttled_is_no_degraded_end(stage: Stage) -> None:
    stage.deploy("A")
    stage.deploy("B")
    stage.aws.attempts = 2
    real, turn = stage.aws._once, itertools.count()

    def once(service: str, operation: str, arguments: Any) -> dict[str, Any]:
        if service == "dynamodb" and next(turn) % 4 in (0, 1):
            raise throttled()
        return real(service, operation, arguments)

    stage.aws._once = once  # type: ignore[method-assign]
    outcome = back(stage)
    assert outcome.result == "rolled-back" and "DEGRADED" not in outcome.sentence
    stage.aws._once = real  # type: ignore[method-assign]
    assert stage.record().live.version == "A"  # type: ignore[union-attr]


def test_other_machines_see_by_the_tags_what_a_degraded_rollback_did(stage: Stage, monkeypatch: Any) -> None:
    stage.deploy("A")
    stage.deploy("B")
    stage.aws.attempts = 2
    ill = Ill(stage, unreachable)
    outcome = back(stage)
    assert outcome.result == "rolled-back" and "DEGRADED" in outcome.sentence
    assert outcome.next.startswith("bluegreen rollback shop, when the ledger answers again")
    ill.cure()
    monkeypatch.setenv("BLUEGREEN_STATE_DIR", "/nonexistent/of another machine")
    (moved,) = [group.moved for group in stage.world.traffic.owned("shop") if group.moved]
    assert moved.left == "shop-2" and moved.number > 2 and "ann" in moved.by
    with pytest.raises(Refused) as caught:
        stage.deploy("C")
    assert "without the ledger" in caught.value.what and "shop-2" not in caught.value.next
    assert caught.value.next == "bluegreen rollback shop"
    assert back(stage).exit_code == 0 and by_version(stage) == {"A": 100, "B": 0}
    assert stage.record().live.version == "A"  # type: ignore[union-attr]
    assert stage.deploy("C").result == "deployed"


def test_a_second_rollback_without_the_ledger_changes_nothing_and_to_goes_forward(stage: Stage) -> None:
    stage.deploy("A")
    stage.deploy("B")
    stage.drop_table()
    assert back(stage).result == "rolled-back" and by_version(stage) == {"A": 100, "B": 0}
    for _ in range(2):
        again = back(stage)
        assert (again.result, again.exit_code) == ("unchanged", 0), again
        assert "rolled back from green shop-2 (B)" in again.sentence and "ann" in again.sentence
        assert "--to shop-2" in again.sentence and by_version(stage) == {"A": 100, "B": 0}
    forward = back(stage, "shop-2")
    assert forward.result == "rolled-back" and by_version(stage) == {"A": 0, "B": 100}
    assert back(stage, "shop-2").result == "unchanged"
    assert back(stage).result == "rolled-back" and by_version(stage) == {"A": 100, "B": 0}


def test_a_rollback_that_was_killed_before_its_tags_is_told_by_the_next_one(stage: Stage) -> None:
    stage.deploy("A")
    stage.deploy("B")
    stage.drop_table()

    def crash(step: Step) -> None:
        if isinstance(step, Mark):
            raise SystemExit

    stage.eyes.on_step = crash
    with pytest.raises(SystemExit):
        back(stage)
    stage.eyes.on_step = lambda step: None
    assert by_version(stage) == {"A": 100, "B": 0}
    assert not [group.moved for group in stage.world.traffic.owned("shop") if group.moved]
    assert back(stage).result == "unchanged" and by_version(stage) == {"A": 100, "B": 0}
    assert [group.moved.left for group in stage.world.traffic.owned("shop") if group.moved] == ["shop-2"]


@pytest.mark.parametrize("table", [True, False])
def test_a_wrong_region_is_told_as_that(stage: Stage, table: bool) -> None:
    if not table:
        stage.drop_table()
    stage.world = replace(stage.world, here=Here("eu-central-1", "", "bluegreen"))
    with pytest.raises(Refused) as caught:
        back(stage)
    assert caught.value.what == "there is nothing of shop in eu-central-1: no record, no target group with its tag"
    assert "check --region and --profile" in caught.value.next and caught.value.exit_code == 5


def test_a_rule_that_is_gone_is_told_in_a_sentence(stage: Stage) -> None:
    stage.deploy("A")
    stage.deploy("B")
    (ref,) = stage.record().bindings
    stage.drop_table()
    stage.boto.client("elbv2").delete_rule(RuleArn=ref.arn)
    outcome = back(stage)
    assert outcome.exit_code == 5 and "none of the rules and listeners that the tags name exists" in outcome.sentence
    assert "is not there" not in outcome.sentence


def test_a_rule_that_was_made_anew_is_found_by_the_groups_it_forwards_to(stage: Stage) -> None:
    stage.deploy("A")
    stage.deploy("B")
    (ref,) = stage.record().bindings
    elbv2 = stage.boto.client("elbv2")
    rule = elbv2.describe_rules(RuleArns=[ref.arn])["Rules"][0]
    elbv2.delete_rule(RuleArn=ref.arn)
    again = {name: rule[name] for name in ("Conditions", "Actions")}
    new = elbv2.create_rule(ListenerArn=ref.listener, Priority=int(rule["Priority"]), **again)["Rules"][0]["RuleArn"]
    stage.drop_table()
    stage.clock.time += 60  # the groups are checked again since they are in an action
    assert new != ref.arn and back(stage).result == "rolled-back"
    (now,) = stage.world.traffic.bindings((replace(ref, arn=new),))
    versions = {group.arn: group.version for group in stage.world.traffic.owned("shop")}
    assert {versions[arn]: weight for arn, weight in now.by_group.items()} == {"A": 100, "B": 0}


def test_traffic_that_goes_to_a_stranger_is_moved_only_when_it_is_typed(stage: Stage) -> None:
    stage.deploy("A")
    stage.deploy("B")
    (ref,) = stage.record().bindings
    elbv2 = stage.boto.client("elbv2")
    vpc = elbv2.describe_target_groups()["TargetGroups"][0]["VpcId"]
    made = elbv2.create_target_group(Name="other", Protocol="HTTP", Port=80, VpcId=vpc)
    other = made["TargetGroups"][0]["TargetGroupArn"]
    (now,) = stage.world.traffic.bindings((ref,))
    stage.world.traffic.perform(SetWeights(ref, ((other, 100), *((arn, 0) for arn in now.by_group)), "by hand"))
    stage.drop_table()
    outcome = back(stage)
    assert outcome.exit_code == 5 and "the traffic goes to other" in outcome.sentence
    assert outcome.next == "bluegreen rollback shop --to shop-2"
    assert back(stage, "shop-2").result == "rolled-back" and by_version_of(stage, "B") == 100


def by_version_of(stage: Stage, version: str) -> int:
    owned = stage.world.traffic.owned("shop")
    (binding,) = stage.world.traffic.bindings(bindings_of(owned))
    return max(binding.by_group[group.arn] for group in owned if group.version == version)
