"""From a checked stack to a release and a goal: everything that can change behind a name is fixed here, once."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bluegreen.controller.by_tags import told_by_tags
from bluegreen.controller.rebind import Found, moved_to
from bluegreen.controller.world import World
from bluegreen.core.chain import Lineage
from bluegreen.core.fleet import FULL, BindingRef, Colour, Fleet, deployment_id, group_name
from bluegreen.core.goal import Before, Goal, GroupSpec, LaunchSpec
from bluegreen.core.observation import fewest_healthy
from bluegreen.core.readiness import ready, to_command
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


def find_places(stack: Stack, world: World, found: Found | None) -> tuple[Stack, tuple[Place, ...], Found | None]:
    """The bindings that the stack file means, as they are now: the stack with them in the order of the record, and the record
    with those that take the place of what is gone. Raises Refused when they are another stack's, or not as the record says."""
    places = tuple(world.traffic.find(spec) for spec in stack.traffic)
    record = found.record if found else None
    for place in places:
        _check_owner(stack, place, record)
    if found is None or record is None or record.live is None:
        return stack, places, found
    found = _moved(stack, places, found, world.watcher.note)
    arns = [ref.arn for ref in found.record.bindings]
    pairs = sorted(zip(places, stack.traffic, strict=True), key=lambda pair: arns.index(pair[0].binding.ref.arn))
    places = tuple(place for place, _ in pairs)
    health = world.traffic.groups(found.record.kept_groups)
    for fleet in (found.record.live, found.record.standby):
        if fleet and (lost := [arn for arn in fleet.groups if health.get(arn) is None]):
            world.watcher.note(f"the target group of {fleet.label} is gone, it can serve no more: {', '.join(lost)}")
    for number, place in enumerate(places):
        _check_drift(place, number, found, {arn for arn, group in health.items() if group}, world.traffic)
    return stack._replace(traffic=tuple(spec for _, spec in pairs)), places, found


def _moved(stack: Stack, places: tuple[Place, ...], found: Found, note: Callable[[str], None]) -> Found:
    """The record's bindings that are gone, replaced by what the stack file names now. Raises Refused for one that is there."""
    record = found.record
    file = {place.binding.ref.arn: place.binding.ref for place in places}
    old = [ref for ref in record.bindings if ref.arn not in file]
    new = [ref for arn, ref in file.items() if arn not in {ref.arn for ref in record.bindings}]
    if len(places) != len(record.bindings):
        raise Refused(
            f"traffic for {record.stack} enters at {_count(record.bindings)}, but the stack file names {_count(places)}",
            where=f"{stack.source}: traffic",
            why="Adding a binding to a live stack, or taking one away, is not supported.",
            next=f"name these in the stack file: {', '.join(ref.name for ref in record.bindings)}",
        )
    for ref, now in zip(old, new, strict=True):
        if ref.arn not in found.gone:
            raise _elsewhere(stack, ref, now)
        note(
            f"{found.gone[ref.arn]}: traffic for {record.stack} enters at {now.name} from now on, as the stack file says"
        )
    moved = {ref.arn: now for ref, now in zip(old, new, strict=True)}
    gone = {arn: what for arn, what in found.gone.items() if arn not in moved}
    return Found(moved_to(record, moved), {**found.moved, **moved}, gone)


def _count(bindings: Sequence[object]) -> str:
    return f"{len(bindings)} binding{'s' if len(bindings) != 1 else ''}"


def _elsewhere(stack: Stack, ref: BindingRef, now: BindingRef) -> Refused:
    if ref.name == now.name:
        return Refused(
            f"two rules have the same conditions: {now.name}",
            where=f"{now.arn} (as the stack file finds it), {ref.arn} (with the traffic of {stack.name})",
            why="bluegreen cannot tell which of them is meant.",
            next="delete the one that is not needed: aws elbv2 delete-rule --rule-arn ARN",
        )
    return Refused(
        f"Traffic for {stack.name} is on {ref.name}, but the stack file points to {now.name}.",
        where=f"{stack.source}: traffic",
        why=f"Moving a stack to another rule is not supported while {ref.name} exists.",
        next=f"correct the stack file; or, to move the stack, delete {ref.arn} first",
    )


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


def _check_drift(place: Place, number: int, found: Found, existing: set[str], traffic: Traffic) -> None:
    """The weights must be as the record has them: nobody else's change is ever written over. Where nothing of the live fleet
    can serve any more, what the stack's other fleets have is no such change, and neither is a new rule that forwards nothing."""
    record, ref, live = found.record, place.binding.ref, found.record.live
    assert live is not None
    weighted = {arn for arn, weight in place.binding.by_group.items() if weight}
    if weighted == {live.groups[number]}:
        return
    lost = live.groups[number] not in existing
    if lost and weighted <= {arn for fleet in record.fleets for arn in fleet.groups[number : number + 1]}:
        return
    if place.binding.weights is None and ref in found.moved.values():
        return
    if told := told_by_tags(record, weighted, traffic.owned(record.stack)):
        raise Refused(
            told.sentence,
            why=f"The record still says that {live.label} is live, and a deployment would start from that.",
            next=told.next,
        )
    names = {arn: fleet.label for fleet in record.fleets for arn in fleet.groups}
    restore = _restore(record, weighted, traffic)
    raise Refused(
        f"the weights on {ref.name} are not ours: {words(place.binding.weights, names)}",
        where=ref.arn,
        why=f"The record says that {live.label} is live with all the traffic{', but its target group is gone' if lost else ''}.",
        next=f"{restore}; then deploy again" if not lost else "set its action to a fixed response; then deploy again",
    )


def _restore(record: Record, weighted: set[str], traffic: Traffic) -> str:
    """The command that makes the record and the load balancer agree: traffic back to the live fleet, if that could take it; else
    the record follows the traffic."""
    live, standby = record.live, record.standby
    assert live is not None
    fleets = [fleet for fleet in (live, standby) if fleet]
    groups = traffic.groups(tuple({arn for fleet in fleets for arn in fleet.groups} | weighted))
    able = ready(fewest_healthy(groups, live.groups), fewest_healthy(groups, weighted), live.count)
    if standby and weighted and weighted <= set(standby.groups) and not able:
        return f"keep the traffic on {standby.label}: {to_command(record.stack, live, standby)}"
    return f"put them right: bluegreen rollback {record.stack} --to {live.deployment}"


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
    forwards = [place.binding for place in places if any(place.binding.by_group.values())]
    if not forwards:
        return None
    groups = [live_group(place.binding.weights or ()) for place in places]
    if not all(groups):
        odd = next(place.binding for place, group in zip(places, groups, strict=True) if not group)
        raise Refused(
            f"{odd.ref.name} splits its traffic between several target groups: {words(odd.weights, {})}"
            if odd in forwards
            else f"{odd.ref.name} sends traffic to no target group, and {forwards[0].ref.name} does",
            where=odd.ref.arn,
            why="The first deployment takes over from one target group on each binding, or from none on any.",
            next="give one target group of it all the weight first",
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
