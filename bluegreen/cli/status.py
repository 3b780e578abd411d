"""bluegreen status: what serves, what stands by, and whether a rollback would work now. Read from AWS, not remembered."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from bluegreen.cli import options as shared

if TYPE_CHECKING:
    from bluegreen.cli.wire import Wired
    from bluegreen.controller.status import FleetStatus, Status
    from bluegreen.core.record import Record

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
    names = [options.stack] if options.stack else None
    while True:
        _once(options, wired, names if names is not None else _stacks(wired))
        if not options.watch:
            return 0
        time.sleep(WATCH_S)


def _stacks(wired: Wired) -> list[str]:
    """Those of the ledger and those that only tags tell of: a table may be lost, or made anew."""
    from bluegreen.controller.by_tags import lost_ledger
    from bluegreen.errors import BluegreenError, NotFound

    found = set(wired.world.traffic.stacks())
    try:
        found |= set(wired.records.stacks())
    except BluegreenError as error:
        if not lost_ledger(error) or not (found or isinstance(error, NotFound)):
            raise
    return sorted(found)


def _once(options: Namespace, wired: Wired, names: list[str]) -> None:
    from bluegreen.cli.text import as_json, say, say_json
    from bluegreen.controller.by_tags import nothing_here
    from bluegreen.controller.status import status

    found = [status(wired.world, name) for name in names]
    if options.stack and not any(found):
        raise nothing_here(options.stack, wired.world.here)
    stacks = [one for one in found if one]
    notes = {one.stack: [kept.file for kept in wired.book.notes(one.stack)] for one in stacks}
    if as_json(options):
        views = [{**view(one), "notes": notes[one.stack]} for one in stacks]
        say_json({"exit_code": 0, **views[0]} if options.stack else {"exit_code": 0, "stacks": views})
        return
    texts = [
        "\n".join(
            [words(one), *(f"  a note of a rollback without the ledger is in {file}" for file in notes[one.stack])]
        )
        for one in stacks
    ]
    say("\n\n".join(texts) if stacks else "no stack was deployed here yet")


def view(one: Status) -> dict[str, Any]:
    """The documented JSON object of a stack."""
    record, serving = one.record, one.serving
    gone, goal = (record.rolled_back, record.goal) if record else (None, None)
    return {
        "stack": one.stack,
        "account": one.account,
        "region": one.here.region,
        "endpoint": one.here.endpoint,
        "epoch": record.epoch if record else None,
        "degraded": one.lost,
        "serving": {
            "deployment": serving.fleet.deployment,
            "version": serving.fleet.version,
            "colour": serving.fleet.colour.value,
            "healthy": serving.healthy,
            "count": serving.count,
            "since": one.since or None,
            "by": one.by,
        }
        if serving
        else None,
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
        "rollback": {"to": one.ready.to, "does": one.ready.does, "takes": one.ready.takes},
        "drift": list(one.drift),
        "well": one.well,
        "rolled_back": {"release": gone.release, "fleet": gone.fleet, "at": gone.at, "by": gone.by} if gone else None,
        "operation": {"kind": goal.kind, "deployment": goal.deployment} if goal else None,
        "held_by": str(record.owner) if record and record.owner else None,
        "unreadable": list(one.unreadable),
        "next": one.next,
    }


def words(one: Status) -> str:
    """What serves, whether a rollback is ready, then the rest."""
    lines = [f"{one.stack}: {_serves(one)}", f"  rollback ready: {_ready(one)}"]
    if one.lost:
        lines.append(f"  DEGRADED: {one.lost}; all of this is from tags and the load balancer")
    lines += [f"  drift: {sentence}" for sentence in one.drift]
    lines += [f"  left out: {sentence}" for sentence in one.unreadable]
    if one.next:
        lines.append(f"  next: {one.next}")
    at = f", endpoint {one.here.endpoint}" if one.here.endpoint else ""
    epoch = f", epoch {one.record.epoch}" if one.record else ""
    lines.append(f"  account {one.account or 'unknown'}, region {one.here.region}{at}{epoch}")
    for f in one.fleets:
        lines.append(f"  {_role(one, f):<17} {f.fleet.label:<28} weight {f.weight:>3}   {f.healthy}/{f.count} healthy")
        lines += [
            f"                    {i}: {state} {why}".rstrip() for i, state, why in f.targets if state != "healthy"
        ]
    if one.record:
        lines += _of_record(one, one.record)
    return "\n".join(lines)


def _serves(one: Status) -> str:
    from bluegreen.cli.text import age, moment

    f = one.serving
    if f is None:
        shared = ", ".join(f"{x.fleet.label} has weight {x.weight}" for x in one.fleets if x.weight)
        return f"no one fleet has all the traffic: {shared}" if shared else "none of its fleets has any traffic"
    since = f", since {moment(one.since)} ({age(one.at - one.since)} ago)" if one.since else ""
    by = f", by {one.by}" if one.by else ""
    version = f.fleet.version or "what was found"
    return f"{version} serves: {f.fleet.colour} {f.fleet.deployment}, {f.healthy}/{f.count} healthy{since}{by}"


def _ready(one: Status) -> str:
    ready = one.ready
    if ready.why_not:
        return f"no: {ready.why_not}"
    parts = "; ".join(part for part in (ready.does, ready.takes) if part)
    return f"yes, {ready.health}: {parts}" if ready.health else f"yes: {parts}"


def _role(one: Status, f: FleetStatus) -> str:
    """What a fleet does now. During a bake the new one serves, and the live one of the record is the way back."""
    if f.role == "doomed":
        return "retiring"
    baking = any(x.role == "new" and x.weight for x in one.fleets)
    name = "previous" if baking and f.role == "live" else f.role
    if f.weight:
        return f"{name}, serving"
    back = one.ready.to == f.fleet.deployment and not one.ready.why_not
    return f"{name}, ready" if back else name


def _of_record(one: Status, record: Record) -> list[str]:
    from bluegreen.cli.text import age

    lines = []
    if gone := record.rolled_back:
        by = f" by {gone.by}" if gone.by else ""
        lines.append(f"  rolled back: {gone.fleet}, {age(one.at - gone.at)} ago{by}")
        if gone.acknowledged:
            lines.append("  acknowledged: its release may be deployed again")
        else:
            lines.append(
                f"  its release is not deployed again until bluegreen resume {one.stack} acknowledges the rollback"
            )
    lines += [f"  {f.fleet.label} has lost {f.lost} of {f.fleet.count} instances" for f in one.to_heal]
    if one.to_heal:
        lines.append(f"  next: bluegreen heal {one.stack}")
    if record.goal:
        alive = age(one.at - record.beat_at)
        holder = f"by {record.owner}, alive {alive} ago" if record.owner else "and no process follows it"
        lines.append(f"  under way: {record.goal.kind} {record.goal.deployment} {holder}")
        if not record.owner:
            lines.append(f"  next: bluegreen resume {one.stack}, or bluegreen abort {one.stack}")
    return lines
