"""bluegreen show: one deployment, from its journal: phases with seconds, every event, and why it failed."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from bluegreen.cli import options as shared

EXAMPLE = "bluegreen show shop-7"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("deployment", metavar="DEPLOYMENT", help="the deployment's id, for example shop-7")
    shared.aws(parser)
    shared.output(parser)


def run(options: Namespace) -> int:
    from bluegreen.cli import wire
    from bluegreen.cli.progress import Quiet
    from bluegreen.cli.text import as_json, say, say_json
    from bluegreen.controller.history import past
    from bluegreen.core import event as ev
    from bluegreen.core.fleet import split_deployment
    from bluegreen.core.plain import to_plain
    from bluegreen.errors import Refused, UsageError

    try:
        split_deployment(options.deployment)
    except ValueError as error:
        raise UsageError(str(error), next="bluegreen history STACK lists them") from error
    wired = wire.wire(options, Quiet())
    events = wired.records.events(options.deployment)
    if not events:
        raise Refused(f"there is no deployment {options.deployment} here", next="bluegreen history STACK lists them")
    one = past(options.deployment, events)
    lines = [ev.event_to_plain(event) for event in events if not isinstance(event, ev.Started)]
    if as_json(options):
        say_json({"exit_code": 0, **to_plain(one), "phases": dict(one.phases), "events": lines})
        return 0
    say(
        f"{one.deployment}: {one.kind} {one.version}: {one.result}\n{one.sentence}\nby {one.who} {one.build_url}".rstrip()
    )
    for name, seconds in one.phases:
        say(f"  {name:<9} {seconds:7.1f} s")
    for line in lines:
        rest = ", ".join(f"{key} {_short(value)}" for key, value in line.items() if key not in ("kind", "at") and value)
        say(f"  {line['at'] - one.started_at:7.1f} s  {line['kind']}  {rest}")
    return 0


def _short(value: Any) -> str:
    """A value on one line: names in place of ARNs, and no brackets."""
    if isinstance(value, list):
        return " ".join(_short(item) for item in value)
    text = str(value)
    if not text.startswith("arn:"):
        return text
    parts = text.split(":", 5)[-1].split("/")
    return parts[1] if parts[0] == "targetgroup" else "/".join(parts[-2:])
