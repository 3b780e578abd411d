"""Who holds a stack, who waits, who takes over, and what a controller does that was taken over while it stood still."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bluegreen.controller import commands
from bluegreen.controller.hold import Hold, refuse_if_held
from bluegreen.core.goal import Goal
from bluegreen.core.record import Owner
from bluegreen.core.step import Launch, Register, SetWeights, Step, Terminate
from bluegreen.errors import BluegreenError, Held, Interrupted, OutcomeUnknown, Refused, Superseded
from tests.controller.stage import OWNER, Stage, during, shop


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_a_dead_controllers_stack_is_free_after_a_lease_of_standing_still(stage: Stage) -> None:
    stage.deploy("A")
    record = stage.record()
    dead = replace(
        record, owner=Owner("ann", "gone"), goal=_goal(stage), beat_at=stage.clock.now() + 3600, op_id="dead"
    )
    stage.records.write(dead, record.epoch, record.op_id)
    began = stage.clock.now()
    refuse_if_held(stage.records, stage.clock, dead, lambda held: "baking")
    assert dead.lease_s <= stage.clock.now() - began <= dead.lease_s + 2, "a clock that is ahead changes nothing"


def test_a_living_one_is_waited_for_as_long_as_asked(stage: Stage) -> None:
    stage.deploy("A")
    waited: list[float] = []

    def second() -> str:
        began = stage.clock.now()
        with pytest.raises(Held) as caught:
            commands.deploy(stage.world, replace(stage.job("C", shop("C")), wait_s=0))
        waited.append(stage.clock.now() - began)
        error: BluegreenError = caught.value
        assert "waiting for health" in error.what or "launching" in error.what
        assert "bluegreen rollback shop" in error.next and "--wait-lock" in error.next
        return str(error.exit_code)

    assert during(stage, Register, second) == []
    assert stage.deploy("B").result == "deployed"
    assert waited and waited[0] < 6


def test_resume_right_after_a_kill_waits_for_the_lease_and_goes_on(stage: Stage) -> None:
    stage.deploy("A")

    def killed() -> str:
        raise SystemExit

    during(stage, Register, killed)
    with pytest.raises(SystemExit):
        stage.deploy("B")
    stage.eyes.on_step = lambda step: None
    assert stage.record().owner is not None
    assert stage.resume().result == "deployed"


def test_resume_of_a_living_run_is_refused(stage: Stage) -> None:
    stage.deploy("A")
    errors: list[BluegreenError] = []

    def second() -> str:
        hold_record = stage.record()

        def beats() -> None:  # the other run is alive: its record changes
            record = stage.record()
            if record.rvn == hold_record.rvn and stage.clock.now() - record.beat_at > 4:
                beat = replace(record, rvn="beat", op_id=record.op_id, beat_at=stage.clock.now())
                stage.records.write(beat, record.epoch, record.op_id)

        stage.clock.on_sleep = beats
        with pytest.raises(Held) as caught:
            stage.resume()
        errors.append(caught.value)
        stage.clock.on_sleep = lambda: None
        return "refused"

    during(stage, Register, second)
    assert stage.deploy("B").result == "deployed"
    assert (errors[0].exit_code == 4 and "waiting for health" in errors[0].what) or "launching" in errors[0].what


def test_what_changes_between_look_and_take_is_never_written_over(stage: Stage) -> None:
    stage.deploy("A")
    seen = stage.record()
    stage.deploy("B")
    with pytest.raises(Held):
        Hold.take(stage.records, stage.clock, seen, "shop", OWNER, lambda epoch: _goal(stage))
    same_epoch = replace(stage.record(), op_id="other", doomed=())
    stage.records.write(same_epoch, stage.record().epoch, stage.record().op_id)
    with pytest.raises(Superseded):
        stage.records.write(replace(same_epoch, op_id="late"), same_epoch.epoch, "not-" + same_epoch.op_id)


def test_a_late_write_of_our_own_is_no_lost_hold(stage: Stage) -> None:
    stage.deploy("A")
    hold = Hold.take(stage.records, stage.clock, stage.record(), "shop", OWNER, lambda epoch: _goal(stage))
    stage.clock.time += 3
    real = stage.records.write
    late: list[object] = []

    def given_up(record: object, epoch: int, op_id: str) -> None:
        late.append((record, epoch, op_id))
        raise OutcomeUnknown("no answer")

    stage.records.write = given_up  # type: ignore[method-assign, assignment]
    with pytest.raises(OutcomeUnknown):
        hold.fence()
    stage.records.write = real  # type: ignore[method-assign]
    real(*late[0])  # type: ignore[misc]  # and now it lands
    hold.fence()
    assert stage.record().op_id == hold.record.op_id


@pytest.mark.parametrize("kind", [Launch, Register, SetWeights])
def test_nothing_is_changed_by_a_run_that_was_taken_over(stage: Stage, kind: type[Step]) -> None:
    stage.deploy("A")
    stage.deploy("B")
    mutations: list[str] = []

    def take_over() -> str:
        result = stage.rollback().result
        mutations.append(result)
        stage.engine.calls.clear()
        stage.clock.time += 60
        return result

    during(stage, kind, take_over)
    outcome = stage.deploy("C")
    assert (outcome.result, outcome.exit_code, mutations) == ("superseded", 6, ["rolled-back"])
    changed = [c for c in stage.calls() if c[0] in ("ec2", "elbv2") and not c[1].startswith(("Describe", "Get"))]
    assert changed == []
    assert stage.weights() == {"A": 0, "B": 100}


def test_a_write_that_left_before_a_pause_is_put_right_by_the_one_that_sent_it(stage: Stage) -> None:
    stage.deploy("A")
    stage.deploy("B")
    traffic = stage.world.traffic
    real, paused = traffic.perform, []

    def perform(step: Step) -> str:
        if isinstance(step, SetWeights) and step.shift and not paused:
            paused.append(step)
            stage.clock.time += 400  # SIGSTOP between the fence and the socket
            paused.append(stage.rollback().result)
            return real(step)  # the zombie's write lands on the rollback's
        return real(step)  # type: ignore[arg-type]

    traffic.perform = perform  # type: ignore[method-assign, assignment]
    outcome = stage.deploy("C")
    assert outcome.result == "superseded" and paused[1] == "rolled-back"
    assert stage.weights()["B"] == 100 and not any(w for v, w in stage.weights().items() if v != "B")


def test_a_rollback_watches_and_sets_the_weights_again(stage: Stage) -> None:
    stage.deploy("A")
    stage.deploy("B")
    sent: list[object] = []

    def late_write() -> None:
        record = stage.record()
        if record.goal and record.goal.kind == "rollback" and record.live and record.live.version == "B" and not sent:
            (binding,) = stage.world.traffic.bindings(record.bindings)
            weights = tuple((arn, 100 if arn in record.standby.groups else 0) for arn in binding.by_group)  # type: ignore[union-attr]
            sent.append(stage.world.traffic.perform(SetWeights(binding.ref, weights, "a zombie")))

    def crash() -> str:
        raise SystemExit  # the deployer dies with the stack in its hands

    during(stage, Terminate, crash)
    with pytest.raises(SystemExit):
        stage.deploy("C")  # promoted C, B stands by, A is being retired
    stage.eyes.on_step = lambda step: None
    stage.clock.on_sleep = late_write
    assert stage.record().owner is not None
    began = stage.clock.now()
    assert stage.rollback().result == "rolled-back"
    assert stage.clock.now() - began >= 10
    assert sent and stage.weights()["B"] == 100


def test_gc_ends_what_was_left_behind_and_nothing_else(stage: Stage) -> None:
    stage.deploy("A")
    stage.deploy("B")
    assert stage.gc().result == "unchanged"
    assert stage.rollback().result == stage.rollback("shop-2").result == "rolled-back"  # epoch 4
    ec2, elbv2 = stage.boto.client("ec2"), stage.boto.client("elbv2")
    mine = ec2.describe_instances(InstanceIds=[stage.world.fleets.look("shop")[0].id])["Reservations"][0]["Instances"][
        0
    ]
    tags = [{"Key": "bluegreen:stack", "Value": "shop"}, {"Key": "bluegreen:deployment", "Value": "shop-3"}]
    late = ec2.run_instances(
        ImageId=mine["ImageId"],
        InstanceType="m7i.large",
        MinCount=2,
        MaxCount=2,
        SubnetId=mine["SubnetId"],
        TagSpecifications=[{"ResourceType": "instance", "Tags": [*tags, {"Key": "bluegreen:version", "Value": "C"}]}],
    )
    group = elbv2.create_target_group(
        Name="shop-blue-3", Protocol="HTTP", Port=8080, VpcId=mine["VpcId"], TargetType="instance", Tags=tags
    )["TargetGroups"][0]["TargetGroupArn"]
    stage.clock.time += 10
    elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": late["Instances"][0]["InstanceId"]}])
    outcome = stage.gc()
    assert outcome.result == "cleaned" and "shop-3" in outcome.sentence, outcome
    assert stage.running() == {"A": 4, "B": 4} and stage.weights() == {"A": 0, "B": 100}
    assert len(elbv2.describe_target_groups()["TargetGroups"]) == 2
    assert stage.gc().result == "unchanged"
    assert stage.rollback().result == "rolled-back", "gc is no deployment: rollback looks past it"


def test_gc_never_takes_what_has_weight(stage: Stage) -> None:
    stage.deploy("A")
    stage.deploy("B")
    record = stage.record()
    stage.records.write(replace(record, live=record.standby, standby=None, op_id="wrong"), record.epoch, record.op_id)
    with pytest.raises(BluegreenError) as caught:
        stage.gc()
    assert caught.value.exit_code == 7 and "weight 100" in caught.value.what
    assert stage.running() == {"A": 4, "B": 4}


def test_deploy_is_refused_while_a_rollback_stands(stage: Stage) -> None:
    stage.deploy("A")
    stage.deploy("B")

    def interrupt() -> str:
        stage.clock.interrupt = True
        return "interrupted"

    during(stage, SetWeights, interrupt)
    with pytest.raises(Interrupted):
        stage.rollback()
    stage.eyes.on_step = lambda step: None
    with pytest.raises(BluegreenError, match="not finished") as caught:
        stage.deploy("C")
    assert caught.value.exit_code == 5 and "resume" in caught.value.next
    assert stage.resume().result == "rolled-back"
    assert stage.deploy("C").result == "deployed"


def _goal(stage: Stage) -> Goal:
    live = stage.record().live
    return Goal("rollback", "shop", "shop-1", stage.clock.now(), live, live, None, ())


def test_gc_is_refused_while_a_bake_is_unfinished(stage: Stage) -> None:
    stage.deploy("A")

    def on_step(step: Step) -> None:
        stage.clock.interrupt = isinstance(step, SetWeights) and step.shift

    stage.eyes.on_step = on_step
    with pytest.raises(Interrupted):
        stage.deploy("B", rollout=shop("B").rollout._replace(bake_s=60))
    before = stage.running()
    with pytest.raises(Refused, match="deploy shop-2 of shop was not finished"):
        stage.gc()
    assert stage.running() == before == {"A": 4, "B": 4}
