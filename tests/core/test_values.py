"""The pure values: names fit AWS's limits, releases have stable ids, the record reads back as it was written."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.core.event import Shifting, event_from_plain, event_to_plain
from bluegreen.core.fleet import BindingRef, Colour, Fleet, deployment_id, group_name, is_older, split_deployment
from bluegreen.core.goal import Before, Goal, GroupSpec
from bluegreen.core.guard import forbidden
from bluegreen.core.observation import Binding, Group, Instance, Observation, Target
from bluegreen.core.plain import from_plain, to_plain
from bluegreen.core.record import Record
from bluegreen.core.release import Release, spread
from bluegreen.core.stack import FleetShape, architecture
from bluegreen.core.step import DeleteGroup, Deregister, SetWeights, Step, Terminate, client_token

STACKS = st.from_regex(r"[a-z]([a-z0-9]|-(?=[a-z0-9])){0,31}", fullmatch=True)
REF = BindingRef("alb", "listener", "rule", False, "alb:80")
LIVE = Fleet("shop-1", Colour.BLUE, "r1", "A", 2, ("tg-live",))
STANDBY = Fleet("shop-0", Colour.GREEN, "r0", "Z", 2, ("tg-old",))


@given(STACKS, st.sampled_from(Colour), st.integers(1, 99_999), st.integers(0, 4))
def test_group_names_are_what_elb_accepts(stack: str, colour: Colour, epoch: int, binding: int) -> None:
    name = group_name(stack, colour, epoch, binding)
    assert len(name) <= 32 and not name.startswith("-") and not name.endswith("-")
    assert all(c.isalnum() or c == "-" for c in name)


@given(STACKS, STACKS, st.integers(1, 99_999))
def test_long_names_of_two_stacks_do_not_meet(one: str, two: str, epoch: int) -> None:
    if one != two:
        assert group_name(one, Colour.BLUE, epoch, 0) != group_name(two, Colour.BLUE, epoch, 0)


@given(STACKS, st.integers(1, 99_999))
def test_deployment_ids_read_back(stack: str, epoch: int) -> None:
    assert split_deployment(deployment_id(stack, epoch)) == (stack, epoch)


@given(st.integers(1, 300), st.lists(st.sampled_from("abc"), min_size=1, max_size=6))
def test_instances_are_spread_evenly_over_zones(count: int, zones: list[str]) -> None:
    places = spread(count, {f"subnet-{i}": zone for i, zone in enumerate(zones)})
    per_zone = {zone: sum(p.count for p in places if p.zone == zone) for zone in zones}
    assert sum(per_zone.values()) == count
    assert max(per_zone.values()) - min(per_zone.values()) <= 1
    assert all(p.count > 0 for p in places)


def test_tokens_differ_by_everything_and_fit() -> None:
    base = ("shop", "shop-1", "subnet-a", "m7i.large", 0, 1)
    others = [(*base[:i], "x" if isinstance(base[i], str) else 9, *base[i + 1 :]) for i in range(6)]
    tokens = {client_token(*base), *(client_token(*other) for other in others)}  # type: ignore[arg-type]
    assert len(tokens) == 7 and all(len(t) <= 64 and t.isascii() for t in tokens)


RELEASE = Release(
    (("web", "r/web@sha256:1"),),
    "ami-1",
    "amd64",
    "abc",
    FleetShape(4, "ubuntu-24.04", ("m7i.large",), ("s",), ("g",)),
    (),
)


def test_the_version_is_a_label_and_all_else_counts() -> None:
    assert replace(RELEASE, version="2").id == RELEASE.id and len(RELEASE.id) == 12
    for change in ({"ami": "ami-2"}, {"user_data_sha256": "x"}, {"images": (("web", "r/web@sha256:2"),)}):
        assert replace(RELEASE, **change).id != RELEASE.id
    assert replace(RELEASE, fleet=RELEASE.fleet._replace(count=5)).id != RELEASE.id
    assert replace(RELEASE, fleet=RELEASE.fleet._replace(ami="ami-1")).id == RELEASE.id, "the alias is resolved"


def test_architectures_agree_with_ec2s_own_list() -> None:
    from moto.ec2.models.instance_types import INSTANCE_TYPES

    known = {"x86_64": "amd64", "arm64": "arm64"}
    for name, facts in INSTANCE_TYPES.items():
        offered = {known[a] for a in facts["ProcessorInfo"]["SupportedArchitectures"] if a in known}
        if offered:
            assert architecture(name) in offered, name


def test_a_record_and_events_read_back_as_written() -> None:
    goal = Goal("deploy", "shop", "shop-2", 1.0, LIVE, STANDBY, None, (Before(REF, (("tg", 100),), "[]"),))
    record = Record("shop", 2, goal=goal, live=LIVE, standby=STANDBY, doomed=(LIVE,), bindings=(REF,))
    assert from_plain(Record, json.loads(json.dumps(to_plain(record)))) == record
    event = Shifting(1.5, "rule", (("tg", 100),))
    assert event_from_plain(json.loads(json.dumps(event_to_plain(event)))) == event


def test_a_group_from_before_there_were_check_ports_reads_as_one_without() -> None:
    group = GroupSpec("shop-blue-7", "vpc-1", 80, "/health", 5, 4, 2, 2, "200", 60)
    older = {name: value for name, value in to_plain(group).items() if name != "check_port"}
    assert from_plain(GroupSpec, older) == group


def test_reading_forgives_unknown_keys_and_nothing_else() -> None:
    plain = to_plain(Record("shop", 2))
    assert from_plain(Record, {**plain, "later": 1}).epoch == 2
    for key, value in (("epoch", "2"), ("epoch", True), ("doomed", 3), ("live", {"deployment": 1})):
        with pytest.raises(ValueError, match=key):
            from_plain(Record, {**plain, key: value})


def world(live_healthy: int = 2, new_healthy: int = 2) -> Observation:
    def group(arn: str, healthy: int) -> Group:
        return Group(arn, tuple(Target(f"{arn}-{i}", "healthy" if i < healthy else "unhealthy") for i in range(2)))

    return Observation(
        at=0.0,
        epoch=2,
        record=Record("shop", 2, live=LIVE, standby=STANDBY),
        bindings=(Binding(REF, (("tg-live", 100), ("tg-new", 0), ("tg-old", 0)), "[]"),),
        groups={
            "tg-live": group("tg-live", live_healthy),
            "tg-new": group("tg-new", new_healthy),
            "tg-old": group("tg-old", 2),
        },
        instances=(Instance("i-live", "shop-1", "s", "running"), Instance("i-new", "shop-2", "s", "running")),
    )


FORBIDDEN: list[tuple[Step, str]] = [
    (SetWeights(REF, (("tg-new", 100),), ""), "would leave the action"),
    (SetWeights(REF, (("tg-live", 0), ("tg-none", 100)), "", minimum=0), "no healthy target"),
    (SetWeights(REF, (("tg-live", 1000),), ""), "0 to 999"),
    (SetWeights(REF, tuple((f"tg-{i}", 0) for i in range(6)), ""), "at most 5"),
    (Deregister("tg-live", ("i-live",), ""), "has weight 100"),
    (Deregister("tg-old", ("i",), ""), "still in an action"),
    (DeleteGroup("tg-live", ""), "has weight 100"),
    (Terminate("shop-1", ("i-live",), ""), "which is kept"),
    (Terminate("shop-2", ("i-strange",), ""), "not known to carry this stack's tag"),
    (Terminate("shop-2", ("i-live",), ""), "which is kept"),
]


@pytest.mark.parametrize(("step", "why"), FORBIDDEN)
def test_the_guard_forbids(step: Step, why: str) -> None:
    assert why in (forbidden(step, world()) or "")


def test_the_guard_lets_a_right_switch_through_and_no_loss_of_capacity() -> None:
    switch = SetWeights(REF, (("tg-live", 0), ("tg-new", 100), ("tg-old", 0)), "", shift=True, minimum=2)
    assert forbidden(switch, world()) is None
    assert "would fall from 2 to 1" in (forbidden(switch, world(new_healthy=1)) or "")
    assert forbidden(switch, world(live_healthy=1, new_healthy=1)) is None, "as many as before"
    assert forbidden(Terminate("shop-2", ("i-new",), ""), world()) is None


@pytest.mark.parametrize(
    ("one", "other", "older"),
    [("shop-2", "shop-10", True), ("shop-10", "shop-2", False), ("shop-2", "shop-2", False), ("", "shop-2", False)],
)
def test_which_of_two_deployments_is_older(one: str, other: str, *, older: bool) -> None:
    assert is_older(one, other) is older
