"""bluegreen show: one deployment, from its journal: phases with seconds, every event, and why it failed."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from bluegreen.cli import options as shared

if TYPE_CHECKING:
    from bluegreen.controller.history import Past
    from bluegreen.core.chain import Lineage
    from bluegreen.core.event import Event, Evidence

EXAMPLE = "bluegreen show shop-7 --timeline"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("deployment", metavar="DEPLOYMENT", help="the deployment's id, for example shop-7")
    parser.add_argument("--timeline", action="store_true", help="the phases on one axis, those of a boot included")
    shared.aws(parser)
    shared.output(parser)


def run(options: Namespace) -> int:
    from bluegreen.cli import wire
    from bluegreen.cli.progress import Quiet
    from bluegreen.cli.text import as_json, say, say_json
    from bluegreen.cli.timeline import lines as drawn
    from bluegreen.controller.history import past
    from bluegreen.controller.timeline import timeline
    from bluegreen.core import event as ev
    from bluegreen.core.fleet import split_deployment
    from bluegreen.core.plain import to_plain
    from bluegreen.errors import Refused, UsageError

    try:
        split_deployment(options.deployment)
    except ValueError as error:
        raise UsageError(str(error), next="bluegreen history STACK lists them") from error
    wired = wire.wire(options, Quiet())
    journal = wired.records.journal(options.deployment)
    events = journal.events
    if not events and not journal.unreadable:
        raise Refused(f"there is no deployment {options.deployment} here", next="bluegreen history STACK lists them")
    one = past(journal)
    shown = timeline(events) if options.timeline else None
    if as_json(options):
        lines = [ev.event_to_plain(event) for event in events if not isinstance(event, ev.Started)]
        more = {"timeline": to_plain(shown)} if shown else {}
        say_json({"exit_code": 0, **to_plain(one), "phases": dict(one.phases), **more, "events": lines})
        return 0
    say(
        f"{one.deployment}: {one.kind} {one.version}: {one.result}\n{one.sentence}\nby {one.who} {one.build_url}".rstrip()
    )
    for sentence in one.unreadable:
        say(f"an entry cannot be read and is left out: {sentence}")
    for text in drawn(shown, bars=sys.stdout.isatty()) if shown else _story(one, events):
        say(text)
    return 0


def _story(one: Past, events: tuple[Event, ...]) -> Iterator[str]:
    """What its images were made from, phases, events, and what was taken from the instances that failed."""
    from bluegreen.core import event as ev

    yield from (f"  {line}" for line in _lineage(one.lineage))
    for name, seconds in one.phases:
        yield f"  {name:<9} {seconds:7.1f} s"
    for event in events:
        if not isinstance(event, ev.Started | ev.Evidence | ev.Booted):
            yield f"  {event.at - one.started_at:7.1f} s  {_told(ev.event_to_plain(event))}"
    for event in events:
        if isinstance(event, ev.Evidence):
            yield from _capsule(event)


def _told(line: dict[str, Any]) -> str:
    rest = ", ".join(f"{key} {_short(value)}" for key, value in line.items() if key not in ("kind", "at") and value)
    return f"{line['kind']}  {rest}"


def _capsule(found: Evidence) -> Iterator[str]:
    """What was taken from an instance before it was ended."""
    yield ""
    yield f"{found.instance}: {found.cause}"
    facts = (("EC2", found.ec2), ("load balancer", found.health), *(("not there", text) for text in found.missing))
    yield from (f"  {name}: {text}" for name, text in facts if text)
    for name, text in (("console", found.console), ("agent", found.agent)):
        if text:
            yield f"  {name}:"
            yield from (f"    {line}" for line in text.splitlines())


def _lineage(found: Lineage | None) -> list[str]:
    """Each image with its key and digest, and the commit they were deployed from."""
    if found is None:
        return []
    lines = [
        f"image {link.name} {link.key[:12]}  {link.reference}" + (f"  on {link.base}" if link.base else "")
        for link in found.links
    ]
    dirty = ", and files that were not committed" if found.dirty else ""
    return [*lines, *([f"commit {found.commit}{dirty}"] if found.commit else [])]


def _short(value: Any) -> str:
    """A value on one line: names in place of ARNs, and no brackets."""
    if isinstance(value, list):
        return " ".join(_short(item) for item in value)
    text = str(value)
    if not text.startswith("arn:"):
        return text
    parts = text.split(":", 5)[-1].split("/")
    return parts[1] if parts[0] == "targetgroup" else "/".join(parts[-2:])
