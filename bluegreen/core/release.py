"""A release: what runs. Immutable and content-addressed: the same input gives the same id on any machine, any day."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property

from bluegreen.core.plain import to_plain
from bluegreen.core.stack import FleetShape, Traffic


@dataclass(frozen=True)
class Release:
    """`images` is (service, host/repo@sha256:…) in name order; `version` is a label for people and not part of the id."""

    images: tuple[tuple[str, str], ...]
    ami: str
    architecture: str
    user_data_sha256: str
    fleet: FleetShape
    traffic: tuple[Traffic, ...]
    version: str = ""

    @cached_property
    def id(self) -> str:
        return hashlib.sha256(self.canonical().encode()).hexdigest()[:12]

    def canonical(self) -> str:
        """The canonical form: sorted keys, no spaces. The AMI stands resolved, so its alias is left out."""
        plain = to_plain(self)
        del plain["version"], plain["fleet"]["ami"]
        return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


@dataclass(frozen=True, slots=True)
class Place:
    """`count` instances for one subnet; one RunInstances call is for one subnet and so for one zone."""

    subnet: str
    zone: str
    count: int


def spread(count: int, zones: dict[str, str]) -> tuple[Place, ...]:
    """`count` instances evenly over the zones of `zones` (subnet → zone), then evenly over each zone's subnets.

    Any two zones differ by one instance at most; subnets that get none are left out.
    """
    subnets: dict[str, list[str]] = {}
    for subnet, zone in zones.items():
        subnets.setdefault(zone, []).append(subnet)
    share = dict.fromkeys(zones, 0)
    for turn in range(count):
        zone = list(subnets)[turn % len(subnets)]
        nth = turn // len(subnets)
        share[subnets[zone][nth % len(subnets[zone])]] += 1
    return tuple(Place(subnet, zones[subnet], number) for subnet, number in share.items() if number)
