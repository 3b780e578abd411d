"""bluegreen status: what serves, what stands by, and whether a rollback would work now. Read from AWS, not remembered."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from bluegreen.cli import options as shared

if TYPE_CHECKING:
    from bluegreen.cli.wire import Wired
    from bluegreen.controller.status import Status

EXAMPLE = "bluegreen status shop --watch"
WATCH_S = 2.0


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("stack", metavar="STACK", nargs="?", help="the stack's name (default: all stacks here)")
    parser.add_argument("--watch", action="store_true", help="look again every 2 s until Ctrl-C")
    shared.aws(parser)
    shared.output(parser)


def run(options: Namespace) -> int:
    from bluegreen.cli import wire
    from bluegreen.cli.progress import Quiet

    wired = wire.wire(options, Quiet())
    while True:
        _once(options, wired)
        if not options.watch:
            return 0
        time.sleep(WATCH_S)


def _once(options: Namespace, wired: Wired) -> None:
    from bluegreen.cli.text import as_json, say, say_json
    from bluegreen.controller.status import status
    from bluegreen.errors import NotFound, Refused

    try:
        names = [options.stack] if options.stack else list(wired.records.stacks())
        found = [status(wired.records, wired.world.traffic, name, wired.clock.now()) for name in names]
    except NotFound:
        names, found = [], []
    if options.stack and not any(found):
        raise Refused(f"there is no stack {options.stack} in this account and region", next="bluegreen status")
    stacks = [one for one in found if one]
    if as_json(options):
        views = [view(one) for one in stacks]
        say_json({"exit_code": 0, **views[0]} if options.stack else {"exit_code": 0, "stacks": views})
        return
    say("\n\n".join(words(one) for one in stacks) if stacks else "no stack was deployed here yet")


def view(one: Status) -> dict[str, Any]:
    """The documented JSON object of a stack."""
    record, gone = one.record, one.record.rolled_back
    return {
        "stack": one.stack,
        "epoch": record.epoch,
        "fleets": [
            {
                "role": f.role,
                "colour": f.fleet.colour.value,
                "deployment": f.fleet.deployment,
                "version": f.fleet.version,
                "release": f.fleet.release,
                "weight": f.weight,
                "healthy": f.healthy,
                "count": f.fleet.count,
                "lost": f.lost,
                "targets": [{"id": i, "state": state, "reason": why} for i, state, why in f.targets],
            }
            for f in one.fleets
        ],
        "bindings": [{"name": b.name, "exists": b.exists, "weights": dict(b.weights or ())} for b in one.bindings],
        "rollback_ready": not one.not_ready,
        "rollback_not_ready_because": one.not_ready,
        "drift": list(one.drift),
        "well": one.well,
        "rolled_back": {"release": gone.release, "fleet": gone.fleet, "at": gone.at} if gone else None,
        "operation": {"kind": record.goal.kind, "deployment": record.goal.deployment} if record.goal else None,
        "held_by": str(record.owner) if record.owner else None,
    }


def words(one: Status) -> str:
    from bluegreen.cli.text import age

    record = one.record
    lines = [f"stack {one.stack}, epoch {record.epoch}"]
    for f in one.fleets:
        count = f.fleet.count or len(f.targets)
        lines.append(f"  {f.role:<8} {f.fleet.label:<28} weight {f.weight:>3}   {f.healthy}/{count} healthy")
        lines += [f"           {i}: {state} {why}".rstrip() for i, state, why in f.targets if state != "healthy"]
    if not one.fleets:
        lines.append("  nothing is live yet")
    lines.append(f"  rollback ready: {'no: ' + one.not_ready if one.not_ready else _ready(one)}")
    lines += [f"  drift: {sentence}" for sentence in one.drift]
    if gone := record.rolled_back:
        lines.append(
            f"  rolled back: {gone.fleet}, {age(one.at - gone.at)} ago; bluegreen resume {one.stack} lets it be deployed again"
        )
    lines += [f"  {f.fleet.label} has lost {f.lost} of {f.fleet.count} instances" for f in one.to_heal]
    if one.to_heal:
        lines.append(f"  next: bluegreen heal {one.stack}")
    if record.goal:
        holder = (
            f"by {record.owner}, alive {age(one.at - record.beat_at)} ago" if record.owner else "and nobody follows it"
        )
        lines.append(f"  under way: {record.goal.kind} {record.goal.deployment} {holder}")
        if not record.owner:
            lines.append(f"  next: bluegreen resume {one.stack}, or bluegreen abort {one.stack}")
    return "\n".join(lines)


def _ready(one: Status) -> str:
    by_role = {fleet.role: fleet for fleet in one.fleets}
    if "new" in by_role:
        return f"yes, it would stop and undo {by_role['new'].fleet.deployment}"
    standby = by_role["standby"]
    return f"yes, {standby.healthy}/{standby.fleet.count or len(standby.targets)} healthy"
