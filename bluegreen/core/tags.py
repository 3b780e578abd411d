"""The tags on everything that is ours. Keys use only characters that the instance metadata service allows in tag names."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bluegreen.core.fleet import Colour, Fleet, Moved, OwnedGroup, split_deployment

STACK = "bluegreen:stack"
DEPLOYMENT = "bluegreen:deployment"
COLOUR = "bluegreen:colour"
RELEASE = "bluegreen:release"
VERSION = "bluegreen:version"
BINDING = "bluegreen:binding"  # of a target group: the ARN of the rule or listener that it was made for
LIVE_SINCE = "bluegreen:live-since"  # of a target group: the epoch in which its fleet became live, the last time
DEGRADED = (
    "bluegreen:degraded"  # of a target group: the rollback without the ledger that its fleet was given the traffic by
)
UNSAFE = "bluegreen:rollback"  # of a fleet: "unsafe" when its stack file says so
HEAL = "bluegreen:heal"  # of an instance: the heal that launched it into a fleet that was live or stood by already


def fleet_tags(stack: str, fleet: Fleet) -> tuple[tuple[str, str], ...]:
    """For the instances, volumes and target groups of a fleet."""
    return (
        (STACK, stack),
        (DEPLOYMENT, fleet.deployment),
        (COLOUR, fleet.colour.value),
        (RELEASE, fleet.release),
        (VERSION, fleet.version),
        ("Name", f"{stack}-{fleet.colour}"),
        *(((UNSAFE, "unsafe"),) if fleet.rollback_unsafe else ()),
    )


LONGEST = 256  # of a tag's value
NOT_ALLOWED = re.compile(r"[^\w .:/=+@-]", re.ASCII)
BINDING_ARN = re.compile(r"arn:.*:(listener|listener-rule)/[^/]+/[^/]+/[^/]+/[^/]+(/[^/]+)?")
MOVED = re.compile(r"(\d{1,9}) (\d{1,11}) from (\S+) by (.*)", re.ASCII)


def moved_tags(moved: Moved) -> tuple[tuple[str, str], ...]:
    """For the target groups of the fleet that a rollback without the ledger gave the traffic to."""
    value = NOT_ALLOWED.sub("_", f"{moved.number} {moved.at:.0f} from {moved.left or '-'} by {moved.by}")
    return ((LIVE_SINCE, str(moved.number)), (DEGRADED, value[:LONGEST]))


def owned_group(arn: str, tags: Mapping[str, str], stack: str) -> OwnedGroup | None:
    """The group as its tags tell, or None when it is not the stack's. A tag that cannot be read counts as missing, and is named:
    anybody may edit tags."""
    if tags.get(STACK) != stack:
        return None
    name = arn.rpartition("targetgroup/")[2].partition("/")[0]
    unread: list[str] = []

    def read(key: str, fits: bool) -> str:
        value = tags.get(key, "")
        if key in tags and not fits:
            unread.append(f"target group {name} has the tag {key} = {value!r}, which cannot be read")
            return ""
        return value

    deployment = read(DEPLOYMENT, belongs(stack, tags.get(DEPLOYMENT, "")))
    colour = read(COLOUR, tags.get(COLOUR) in set(Colour))
    since = read(LIVE_SINCE, bool(re.fullmatch(r"\d{1,9}", tags.get(LIVE_SINCE, ""), re.ASCII)))
    binding = read(BINDING, bool(BINDING_ARN.fullmatch(tags.get(BINDING, ""))))
    guess = Colour.GREEN if f"-{Colour.GREEN}-" in name else Colour.BLUE
    live_since = int(since or "0")
    return OwnedGroup(
        arn,
        deployment,
        Colour(colour) if colour else guess,
        tags.get(RELEASE, ""),
        tags.get(VERSION, ""),
        binding,
        live_since,
        tags.get(UNSAFE) == "unsafe",
        _moved(tags.get(DEGRADED, ""), live_since),
        tuple(unread),
    )


def belongs(stack: str, deployment: str) -> bool:
    """Whether `deployment`, as a tag says it, is an id of the stack."""
    try:
        return split_deployment(deployment)[0] == stack
    except ValueError:
        return False


def _moved(value: str, live_since: int) -> Moved | None:
    """None as well when another operation has written the live-since since then."""
    found = MOVED.fullmatch(value)
    if found is None or int(found[1]) != live_since:
        return None
    return Moved(int(found[1]), float(found[2]), "" if found[3] == "-" else found[3], found[4])
