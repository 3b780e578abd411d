"""The tags on everything that is ours. Keys use only characters that the instance metadata service allows in tag names."""

from __future__ import annotations

from bluegreen.core.fleet import Fleet

STACK = "bluegreen:stack"
DEPLOYMENT = "bluegreen:deployment"
COLOUR = "bluegreen:colour"
RELEASE = "bluegreen:release"
VERSION = "bluegreen:version"
BINDING = "bluegreen:binding"  # of a target group: the ARN of the rule or listener that it was made for
LIVE_SINCE = "bluegreen:live-since"  # of a target group: the epoch in which its fleet became live, the last time
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
