"""From a checked stack to a release and a goal: everything that can change behind a name is fixed here, once."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bluegreen.controller.by_tags import told_by_tags
from bluegreen.core.chain import Lineage
from bluegreen.core.fleet import FULL, BindingRef, Colour, Fleet, deployment_id, group_name
from bluegreen.core.goal import Before, Goal, GroupSpec, LaunchSpec
from bluegreen.core.record import Record
from bluegreen.core.release import Release, spread
from bluegreen.core.stack import Stack, architecture
from bluegreen.core.traffic import live_group, words
from bluegreen.errors import NeedsHuman, Refused
from bluegreen.ports import Images, Place, Traffic


@dataclass(frozen=True, slots=True)
class Facts:
    """What AWS was asked once: the caller's account, the subnets' zones, the AMI behind the alias."""

    account: str
    zones: Mapping[str, str]
    ami: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """User data and its fingerprint, which does not depend on the compression."""

    user_data: bytes
    fingerprint: str

    @property
    def text(self) -> str:
        return base64.b64encode(self.user_data).decode()


Render = Callable[[Stack, Mapping[str, str]], Rendered]


def stack_architecture(stack: Stack) -> str:
    """Raises Refused when the instance types do not share one."""
    kinds = {architecture(t): t for t in stack.fleet.instance_types}
    if len(kinds) > 1:
        raise Refused(
            f"instance types of two architectures: {' and '.join(kinds.values())}",
            where=f"{stack.source}: fleet.instance_types",
            why="One AMI and one image digest cannot fit both.",
        )
    return next(iter(kinds))


def find_places(stack: Stack, traffic: Traffic, record: Record | None) -> tuple[Place, ...]:
    """The bindings as they are now. Raises Refused when they are another stack's, or not as the record says."""
    places = tuple(traffic.find(spec) for spec in stack.traffic)
    for place in places:
        _check_owner(stack, place, record)
        if record is not None and record.live is not None:
            _check_drift(place, record, traffic)
    return places


def _check_owner(stack: Stack, place: Place, record: Record | None) -> None:
    others = place.stacks - {stack.name}
    if others:
        raise Refused(
            f"{place.binding.ref.name} belongs to stack {', '.join(sorted(others))}",
            where=f"{stack.source}: traffic",
            next="give this stack its own listener rule",
        )
    if record is None and place.stacks:
        raise NeedsHuman(
            f"fleets of {stack.name} are attached to {place.binding.ref.name}, but the ledger has no record of it",
            why="The DynamoDB table was lost, or this is another account's or region's table.",
            next=f"bluegreen recover {stack.name} rebuilds it, or restore the table from its backup",
        )


def _check_drift(place: Place, record: Record, traffic: Traffic) -> None:
    """The weights must be as the record has them: nobody else's change is ever written over."""
    assert record.live is not None
    expected = set(record.live.groups)
    weighted = {arn for arn, weight in place.binding.by_group.items() if weight}
    if place.binding.ref.arn not in {b.arn for b in record.bindings}:
        raise Refused(
            f"{place.binding.ref.name} is not where {record.live.label} serves: {', '.join(b.name for b in record.bindings)}",
            why="Moving a stack to another rule is not supported.",
        )
    if not weighted <= expected or not weighted:
        names = {arn: fleet.label for fleet in record.fleets for arn in fleet.groups}
        if told := told_by_tags(record, weighted, traffic.owned(record.stack)):
            raise Refused(
                told.sentence,
                why=f"The record still says that {record.live.label} is live, and a deployment would start from that.",
                next=told.next,
            )
        raise Refused(
            f"the weights on {place.binding.ref.name} are not ours: {words(place.binding.weights, names)}",
            why=f"The record says that {record.live.label} is live with all the traffic.",
            next=f"put them right: bluegreen rollback {record.stack} --to {record.live.deployment}; then deploy again",
        )


def make_release(stack: Stack, version: str, facts: Facts, images: Images, render: Render) -> tuple[Release, Rendered]:
    """Tags to digests and rendered user data: from here on nothing behind a name matters."""
    arch = stack_architecture(stack)
    pinned = {service.name: images.digest(service.image, arch).reference for service in stack.services}
    rendered = render(stack, pinned)
    release = Release(
        images=tuple(sorted(pinned.items())),
        ami=facts.ami,
        architecture=arch,
        user_data_sha256=rendered.fingerprint,
        fleet=stack.fleet,
        traffic=stack.traffic,
        version=version,
    )
    return release, rendered


def adopted(stack: str, places: tuple[Place, ...], colour: Colour) -> Fleet | None:
    """What is live at the first deployment and not ours: the fleet to go back to. Raises Refused when it has no one
    group that carries all the traffic."""
    forwards = [place for place in places if any(place.binding.by_group.values())]
    if not forwards:
        return None
    groups = [live_group(place.binding.weights or ()) for place in places]
    if not all(groups):
        raise Refused(
            f"{forwards[0].binding.ref.name} shares its traffic between target groups: {forwards[0].binding.weights}",
            why="The first deployment takes over from one live group.",
            next="give one of them all the weight first",
        )
    arns = tuple(group for group in groups if group)
    return Fleet(f"{stack}-0", colour, "", "as found", 0, arns, ours=False)


def deploy_goal(
    stack: Stack,
    release: Release,
    facts: Facts,
    places: tuple[Place, ...],
    record: Record | None,
    at: float,
    lineage: Lineage | None = None,
) -> Callable[[int], Goal]:
    """The goal of a deployment, once its epoch is known."""
    live = record.live if record else None
    if live is None:
        live = adopted(stack.name, places, Colour.GREEN)
    colour = live.colour.other if live else Colour.BLUE

    def goal(epoch: int) -> Goal:
        return Goal(
            kind="deploy",
            stack=stack.name,
            deployment=deployment_id(stack.name, epoch),
            started_at=at,
            fleet=Fleet(
                deployment_id(stack.name, epoch),
                colour,
                release.id,
                release.version,
                stack.fleet.count,
                (),
                rollback_unsafe=stack.rollout.rollback_unsafe,
            ),
            live=live,
            standby=record.standby if record else None,
            before=tuple(Before(p.binding.ref, p.binding.weights, p.binding.action) for p in places),
            groups=_group_specs(stack, places, colour, epoch),
            launch=_launch_spec(stack, release, facts),
            boot_timeout_s=stack.rollout.boot_timeout_s,
            bake_s=stack.rollout.bake_s,
            lineage=lineage,
        )

    return goal


def _group_specs(stack: Stack, places: tuple[Place, ...], colour: Colour, epoch: int) -> tuple[GroupSpec, ...]:
    return tuple(
        GroupSpec(
            name=group_name(stack.name, colour, epoch, number),
            vpc=place.vpc,
            port=spec.port,
            path=spec.health.path,
            interval_s=spec.health.interval_s,
            timeout_s=spec.health.timeout_s,
            healthy=spec.health.healthy,
            unhealthy=spec.health.unhealthy,
            matcher=spec.health.matcher,
            drain_s=spec.drain_s,
            check_port=spec.health.port,
        )
        for number, (spec, place) in enumerate(zip(stack.traffic, places, strict=True))
    )


def _launch_spec(stack: Stack, release: Release, facts: Facts) -> LaunchSpec:
    fleet = stack.fleet
    return LaunchSpec(
        ami=release.ami,
        instance_types=fleet.instance_types,
        security_groups=fleet.security_groups,
        instance_profile=fleet.instance_profile,
        disk_gib=fleet.disk.size_gib,
        throughput_mibps=fleet.disk.throughput_mibps,
        user_data_sha256=release.user_data_sha256,
        places=spread(fleet.count, dict(facts.zones)),
    )


def before_now(bindings: tuple[BindingRef, ...], live: Fleet, other: Fleet | None) -> tuple[Before, ...]:
    """The bindings as a finished deployment left them: all weight on `live`, `other` attached at 0."""
    return tuple(
        Before(ref, ((live.groups[i], FULL), *(((other.groups[i], 0),) if other else ())), "[]")
        for i, ref in enumerate(bindings)
    )
