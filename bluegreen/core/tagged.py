"""A stack as the tags of its target groups and the load balancer tell it: what is known when the ledger is not. Pure.

The tags say which fleet a group belongs to, for which binding it was made and in which epoch its fleet last became live. The
weights and the health are AWS's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bluegreen.core.fleet import BindingRef, Colour, Fleet, Moved, OwnedGroup, is_older, label_of, split_deployment
from bluegreen.core.observation import Binding, Group
from bluegreen.core.tags import BINDING_ARN


@dataclass(frozen=True, slots=True)
class Tagged:
    """A fleet. `groups` is one ARN per binding, "" where it is not attached; `weight` the highest it has, `healthy` the fewest
    of its groups, `size` how many targets are registered; `live_since` is 0 when it never was live."""

    deployment: str
    colour: Colour
    release: str
    version: str
    groups: tuple[str, ...]
    live_since: int
    rollback_unsafe: bool
    moved: Moved | None
    weight: int
    healthy: int
    size: int

    @property
    def label(self) -> str:
        return label_of(self.colour, self.deployment, self.version)

    @property
    def epoch(self) -> int:
        return split_deployment(self.deployment)[1]

    @property
    def attached(self) -> bool:
        """To every binding."""
        return bool(self.groups) and all(self.groups)

    def fleet(self) -> Fleet:
        return Fleet(
            self.deployment,
            self.colour,
            self.release,
            self.version,
            max(1, self.size),
            self.groups,
            rollback_unsafe=self.rollback_unsafe,
            once_live=bool(self.live_since),
        )


@dataclass(frozen=True, slots=True)
class Picture:
    """`bindings` are those that the attached fleets' tags name; `gone` the names of those that do not exist any more; `fleets`
    are attached to one at least, the oldest first; `strangers` are groups with weight that are no fleet's by their tags;
    `highest` is the highest number that any tag of the stack names."""

    bindings: tuple[Binding, ...]
    gone: tuple[str, ...]
    fleets: tuple[Tagged, ...]
    strangers: tuple[str, ...]
    highest: int

    @property
    def serving(self) -> tuple[Tagged, ...]:
        return tuple(fleet for fleet in self.fleets if fleet.weight)

    @property
    def sole(self) -> Tagged | None:
        """The fleet that has all the traffic of every binding, or None when none has, or several share it."""
        for fleet in self.serving:
            if all(_weighted(b) == {arn} for b, arn in zip(self.bindings, fleet.groups, strict=True)):
                return fleet
        return None

    def newer(self, than: Tagged) -> tuple[Tagged, ...]:
        return tuple(fleet for fleet in self.fleets if is_older(than.deployment, fleet.deployment))

    def older(self, than: Tagged) -> tuple[Tagged, ...]:
        return tuple(fleet for fleet in self.fleets if is_older(fleet.deployment, than.deployment))


def binding_of(arn: str) -> BindingRef:
    """A binding by the ARN of its rule or listener (…:listener-rule/app/NAME/ID/LISTENER/RULE)."""
    parts = arn.rpartition(":")[2].split("/")
    default = parts[0] == "listener"
    head = arn.rpartition(":")[0]
    listener = arn if default else f"{head}:listener/{'/'.join(parts[1:-1])}"
    name = f"{parts[2]} default action" if default else f"{parts[2]} rule {parts[-1]}"
    return BindingRef(parts[2], listener, arn, default, name)


def bindings_of(groups: Sequence[OwnedGroup]) -> tuple[BindingRef, ...]:
    """Those that the tags name."""
    return tuple(binding_of(arn) for arn in sorted({g.binding for g in groups}) if BINDING_ARN.fullmatch(arn))


def picture(groups: Sequence[OwnedGroup], bindings: Sequence[Binding], health: Mapping[str, Group | None]) -> Picture:
    """`bindings` are all that `bindings_of` names, as they are now."""
    attached = {arn for binding in bindings for arn in binding.by_group}
    fleets: dict[str, list[OwnedGroup]] = {}
    for group in groups:
        if group.arn in attached and group.deployment:
            fleets.setdefault(group.deployment, []).append(group)
    named = {group.binding for parts in fleets.values() for group in parts}
    current = tuple(b for b in bindings if b.exists and (b.ref.arn in named or attached.intersection(b.by_group)))
    current = tuple(sorted(current, key=lambda b: (_place(b, fleets), b.ref.arn)))
    gone = tuple(b.ref.name for b in bindings if not b.exists and (b.ref.arn in named or not current))
    ours = {group.arn for parts in fleets.values() for group in parts}
    strangers = sorted({arn for b in current for arn in _weighted(b) - ours})
    numbers = [group.live_since for group in groups]
    numbers += [split_deployment(group.deployment)[1] for group in groups if group.deployment]
    found = [_tagged(name, parts, current, health) for name, parts in fleets.items()]
    found.sort(key=lambda fleet: fleet.epoch)
    return Picture(current, gone, tuple(found), tuple(strangers), max(numbers, default=0))


def _tagged(
    name: str, parts: Sequence[OwnedGroup], bindings: Sequence[Binding], health: Mapping[str, Group | None]
) -> Tagged:
    first, arns = parts[0], {part.arn for part in parts}
    placed = tuple(next((arn for arn in b.by_group if arn in arns), "") for b in bindings)
    seen = [health.get(arn) or Group(arn, ()) for arn in placed]
    moved = [part.moved for part in parts if part.moved]
    return Tagged(
        name,
        first.colour,
        first.release,
        first.version,
        placed,
        max(part.live_since for part in parts),
        any(part.rollback_unsafe for part in parts),
        max(moved, key=lambda one: one.number, default=None),
        max((b.by_group[arn] for b, arn in zip(bindings, placed, strict=True) if arn), default=0),
        min((group.healthy for group in seen), default=0),
        max((len(group.ids) for group in seen), default=0),
    )


def _place(binding: Binding, fleets: Mapping[str, Sequence[OwnedGroup]]) -> int:
    """The binding's place in the stack file, by the names of the groups on it (core/fleet.py: group_name)."""
    found = []
    for name, parts in fleets.items():
        for part in parts:
            tail = re.search(rf"-{split_deployment(name)[1]}(?:-(\d+))?/[^/]*$", part.arn)
            if tail and part.arn in binding.by_group:
                found.append(int(tail[1] or 0))
    return min(found, default=0)


def _weighted(binding: Binding) -> set[str]:
    return {arn for arn, weight in binding.by_group.items() if weight}
