"""One contract, three backends: the simulator (tests/sim), the adapters on the sandbox's engine, and AWS itself.

AWS only when BLUEGREEN_CONTRACT_AWS names a JSON file that says where (see backends.Real): it launches and ends about ten small
instances, changes the named listener rule and puts it back. What needs a fault on demand is skipped there. What AWS does
otherwise than a test says belongs into docs/aws-differences.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from bluegreen.core.event import Failed, Promoted
from bluegreen.core.record import Record
from bluegreen.core.step import PutBack
from bluegreen.errors import CloudError, LineTaken, NotFound, NotYet, OutcomeUnknown, Superseded, Throttled
from bluegreen.sandbox.faults import Fault
from tests.contract.backends import BACKENDS, OPT_IN, Backend

NO_GROUP = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/none/0123456789abcdef"


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    if request.param == "aws" and OPT_IN not in os.environ:
        pytest.skip(f"set {OPT_IN} to run on a real account")
    made = BACKENDS[request.param]()
    yield made
    made.close()


@pytest.fixture
def tame(backend: Backend, request: pytest.FixtureRequest) -> Backend:
    """A backend whose calls can be made to go wrong."""
    if type(backend) is BACKENDS["aws"]:
        pytest.skip("AWS makes no faults on demand")
    return backend


# EC2


def test_an_instance_is_pending_then_running_then_ends(backend: Backend) -> None:
    (name,) = backend.launch("a")
    assert backend.until(120, lambda: backend.state(name) in ("pending", "running"))
    assert backend.until(120, lambda: backend.state(name) == "running")
    backend.terminate(name)
    found = backend.instance(name)
    assert found is not None and found.gone
    assert backend.until(300, lambda: backend.state(name) == "terminated")
    backend.terminate(name)


def test_an_instance_tells_its_deployment_and_subnet(backend: Backend) -> None:
    (name,) = backend.running("a")
    found = backend.instance(name)
    assert found is not None
    assert (found.deployment, found.subnet) == (f"{backend.stack}-1", backend.subnet)
    assert backend.fleets.look("another-stack") == ()


def test_the_same_token_gives_the_same_instances(backend: Backend) -> None:
    first = backend.launch("a", count=2)
    assert backend.launch("a", count=2) == first
    assert len(backend.fleets.look(backend.stack)) == 2
    assert set(backend.launch("b")).isdisjoint(first)


@pytest.mark.parametrize("other", [{"kind": 1}, {"count": 2}, {"data": b"#!/bin/sh\n"}])
def test_a_token_with_other_parameters_is_refused(backend: Backend, other: dict[str, object]) -> None:
    backend.launch("a")
    with pytest.raises(CloudError) as caught:
        backend.launch("a", **other)  # type: ignore[arg-type]
    assert caught.value.code == "IdempotentParameterMismatch" and type(caught.value) is CloudError


def test_the_token_of_a_terminated_instance_is_refused(backend: Backend) -> None:
    (name,) = backend.running("a")
    backend.terminate(name)
    assert backend.until(300, lambda: backend.state(name) == "terminated")
    with pytest.raises(CloudError) as caught:
        backend.launch("a")
    assert caught.value.code == "IdempotentInstanceTerminated"


def test_user_data_of_more_than_16_kb_is_refused(backend: Backend) -> None:
    with pytest.raises(CloudError) as caught:
        backend.launch("a", data=b"#!/bin/sh\n" + os.urandom(16_384))
    assert caught.value.code == "InvalidParameterValue"
    assert not backend.fleets.look(backend.stack)


def test_one_unknown_id_and_nothing_is_terminated(backend: Backend) -> None:
    (name,) = backend.running("a")
    with pytest.raises(NotFound):
        backend.terminate(name, "i-0123456789abcdef0")
    assert backend.state(name) == "running"


def test_a_launched_instance_may_be_seen_late(tame: Backend) -> None:
    tame.hide(30)
    (name,) = tame.launch("a")
    assert tame.state(name) == "unseen"
    with pytest.raises(NotFound):
        tame.terminate(name)
    assert tame.until(40, lambda: tame.state(name) == "running")


# Target groups and weights


def test_making_a_group_twice_makes_one(backend: Backend) -> None:
    arn = backend.group("g")
    assert backend.group("g") == arn
    assert [group.arn for group in backend.traffic.owned(backend.stack)] == [arn]
    assert backend.traffic.owned("another-stack") == ()


def test_what_does_not_exist_is_none_or_not_found(backend: Backend) -> None:
    assert backend.traffic.groups([NO_GROUP])[NO_GROUP] is None
    with pytest.raises(NotFound):
        backend.weigh((NO_GROUP, 1))
    with pytest.raises(NotFound):
        backend.register(NO_GROUP, *backend.running("a"))
    backend.delete(NO_GROUP)


def test_a_rule_made_anew_is_found_by_its_conditions(backend: Backend) -> None:
    ref = backend.place().binding.ref
    assert (ref.port, ref.host, ref.path) == (backend.spec.listener, backend.spec.rule.host, "")
    assert backend.traffic.find_again(ref, ()) == ref
    backend.make_rule_anew()
    (gone,) = backend.traffic.bindings([ref])
    assert not gone.exists
    found = backend.traffic.find_again(ref, ())
    assert found is not None and found.arn != ref.arn and replace(found, arn=ref.arn) == ref
    assert found == backend.place().binding.ref
    assert backend.traffic.find_again(replace(ref, host="other.example.com"), ()) is None
    assert backend.traffic.find_again(replace(ref, path="/other"), ()) is None
    assert backend.traffic.find_again(replace(ref, port=ref.port + 1), ()) is None
    with pytest.raises(NotFound):
        backend.traffic.find_again(replace(ref, load_balancer="none"), ())


def test_without_its_conditions_a_rule_is_found_by_the_groups_that_it_forwards_to(backend: Backend) -> None:
    ref, arn = backend.place().binding.ref, backend.group("g")
    backend.make_rule_anew()
    old = replace(ref, port=0, host="", path="")
    assert backend.traffic.find_again(old, (arn,)) is None
    backend.weigh((arn, 1))
    found = backend.traffic.find_again(old, (arn,))
    assert found == backend.place().binding.ref
    assert backend.traffic.find_again(old, (NO_GROUP,)) is None


def test_only_running_instances_can_be_registered(backend: Backend) -> None:
    arn = backend.group("g")
    (name,) = backend.running("a")
    backend.terminate(name)
    with pytest.raises(NotYet):
        backend.register(arn, name)
    with pytest.raises((NotYet, NotFound)):
        backend.register(arn, "i-0123456789abcdef0")
    assert backend.seen(arn).targets == ()


def test_a_target_is_unused_then_initial_then_healthy_then_draining_then_gone(backend: Backend) -> None:
    arn = backend.group("g")
    (name,) = backend.running("a")
    backend.register(arn, name)
    assert backend.seen(arn).count("unused") == 1
    backend.weigh((arn, 0))
    assert backend.until(60, lambda: backend.seen(arn).count("initial", "healthy") == 1)
    assert backend.until(240, lambda: backend.seen(arn).healthy == 1)
    backend.deregister(arn, name)
    assert backend.seen(arn).count("draining") == 1 and not backend.seen(arn).ids
    backend.deregister(arn, name)
    assert backend.until(backend.drain_s + 60, lambda: not backend.seen(arn).targets)
    backend.deregister(arn, name)


def test_registering_twice_changes_nothing_and_while_draining_begins_anew(backend: Backend) -> None:
    arn = backend.group("g")
    (name,) = backend.running("a")
    backend.weigh((arn, 0))
    backend.register(arn, name)
    assert backend.until(240, lambda: backend.seen(arn).healthy == 1)
    backend.register(arn, name)
    assert backend.seen(arn).healthy == 1
    backend.deregister(arn, name)
    backend.register(arn, name)
    assert backend.seen(arn).ids == {name}
    assert backend.until(240, lambda: backend.seen(arn).healthy == 1)


def test_a_terminated_instance_leaves_its_group(backend: Backend) -> None:
    arn = backend.group("g")
    (name,) = backend.running("a")
    backend.weigh((arn, 0))
    backend.register(arn, name)
    backend.terminate(name)
    assert backend.until(300, lambda: not backend.seen(arn).targets)


def test_a_group_that_leaves_the_action_is_checked_no_more(backend: Backend) -> None:
    one, two = backend.group("g1"), backend.group("g2")
    (name,) = backend.running("a")
    backend.weigh((one, 0), (two, 0))
    backend.register(one, name)
    assert backend.until(240, lambda: backend.seen(one).healthy == 1)
    backend.weigh((two, 100))
    assert backend.until(60, lambda: backend.seen(one).count("unused") == 1)


def test_one_write_is_the_whole_action(backend: Backend) -> None:
    one, two = backend.group("g1"), backend.group("g2")
    ref = backend.place().binding.ref
    backend.weigh((one, 100), (two, 0))
    (binding,) = backend.traffic.bindings([ref])
    assert binding.by_group == {one: 100, two: 0}
    backend.weigh((two, 999))
    (binding,) = backend.traffic.bindings([ref])
    assert binding.weights == ((two, 999),)


def test_the_action_from_before_can_be_put_back(backend: Backend) -> None:
    before = backend.place().binding
    arn = backend.group("g")
    backend.weigh((arn, 100))
    backend.traffic.perform(PutBack(before.ref, before.action, "as it was"))
    now = backend.place().binding
    assert (now.weights, now.action) == (before.weights, before.action)
    backend.delete(arn)
    assert backend.traffic.groups([arn])[arn] is None


@pytest.mark.parametrize("weight", [-1, 1000])
def test_weights_are_0_to_999(backend: Backend, weight: int) -> None:
    arn, other = backend.group("g1"), backend.group("g2")
    with pytest.raises(CloudError) as caught:
        backend.weigh((arn, weight), (other, 0))
    assert type(caught.value) is CloudError
    assert backend.place().binding.weights is None


def test_an_action_holds_at_most_five_groups(backend: Backend) -> None:
    arns = [backend.group(f"g{number}") for number in range(6)]
    backend.weigh(*((arn, 1) for arn in arns[:5]))
    with pytest.raises(CloudError):
        backend.weigh(*((arn, 1) for arn in arns))


def test_a_group_in_an_action_is_not_deleted(backend: Backend) -> None:
    one, two = backend.group("g1"), backend.group("g2")
    backend.weigh((one, 0), (two, 100))
    with pytest.raises(NotYet):
        backend.delete(one)
    backend.weigh((two, 100))
    backend.delete(one)
    backend.delete(one)
    assert backend.traffic.groups([one])[one] is None


# The ledger


def test_a_record_is_written_on_what_was_seen_only(backend: Backend) -> None:
    first = Record(backend.stack, 1, op_id="one", rvn="r1")
    assert backend.records.read(backend.stack) is None
    backend.records.write(first, 0, "")
    assert backend.records.read(backend.stack) == first
    with pytest.raises(Superseded):
        backend.records.write(replace(first, op_id="late"), 0, "")
    second = replace(first, epoch=2, op_id="two")
    backend.records.write(second, 1, "one")
    for epoch, op_id in ((1, "one"), (2, "one"), (1, "two")):
        with pytest.raises(Superseded):
            backend.records.write(replace(second, epoch=3, op_id="three"), epoch, op_id)
    assert backend.records.read(backend.stack) == second


def test_writing_what_stands_already_is_done_already(backend: Backend) -> None:
    first = Record(backend.stack, 1, op_id="one")
    backend.records.write(first, 0, "")
    backend.records.write(first, 0, "")


def test_a_journal_line_is_written_once(backend: Backend) -> None:
    deployment = f"{backend.stack}-7"
    assert backend.records.events(deployment) == ()
    backend.records.append(deployment, 0, Promoted(1.5))
    backend.records.append(deployment, 0, Promoted(1.5))
    with pytest.raises(LineTaken):
        backend.records.append(deployment, 0, Promoted(2.5))
    backend.records.append(deployment, 1, Failed(3.0, "why"))
    assert backend.records.events(deployment) == (Promoted(1.5), Failed(3.0, "why"))
    assert backend.records.events(f"{backend.stack}-70") == ()


# What may go wrong


def test_an_unanswered_write_of_the_record_is_found_to_be_ours(tame: Backend) -> None:
    tame.fault(Fault("PutItem", 1, "after"))
    first = Record(tame.stack, 1, op_id="one")
    tame.records.write(first, 0, "")
    assert tame.records.read(tame.stack) == first


def test_an_unanswered_write_that_lost_is_superseded(tame: Backend) -> None:
    tame.records.write(Record(tame.stack, 2, op_id="other"), 0, "")
    tame.fault(Fault("PutItem", 1, "after"))
    with pytest.raises(Superseded):
        tame.records.write(Record(tame.stack, 2, op_id="mine"), 1, "seen")


def test_an_unanswered_journal_line_is_found_to_be_ours(tame: Backend) -> None:
    tame.fault(Fault("PutItem", 1, "after"))
    tame.records.append(f"{tame.stack}-1", 0, Promoted(1.0))
    assert tame.records.events(f"{tame.stack}-1") == (Promoted(1.0),)


def test_an_unanswered_launch_is_found_by_its_token(tame: Backend) -> None:
    tame.fault(Fault("RunInstances", 1, "after"))
    with pytest.raises(OutcomeUnknown):
        tame.launch("a", count=2)
    found = tame.launch("a", count=2)
    assert sorted(found) == sorted(i.id for i in tame.fleets.look(tame.stack))


def test_an_unanswered_change_of_weights_stands(tame: Backend) -> None:
    arn = tame.group("g")
    tame.fault(Fault("ModifyRule", 1, "after"))
    with pytest.raises(OutcomeUnknown):
        tame.weigh((arn, 100))
    assert tame.place().binding.by_group == {arn: 100}


@pytest.mark.parametrize("kind", ["before", "throttle"])
def test_a_refused_change_of_weights_does_not_stand(tame: Backend, kind: str) -> None:
    arn = tame.group("g")
    tame.fault(Fault("ModifyRule", 1, kind, code="AccessDenied", status=403))  # type: ignore[arg-type]
    try:
        tame.weigh((arn, 100))
    except Throttled:
        assert tame.place().binding.weights is None
    except CloudError as error:
        assert error.code == "AccessDenied" and tame.place().binding.weights is None
    else:
        assert kind == "throttle", "only the adapters try again by themselves"
