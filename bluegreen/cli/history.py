"""bluegreen history: what was deployed, when, by whom, and how it ended."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace

from bluegreen.cli import options as shared

EXAMPLE = "bluegreen history shop --limit 5"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("stack", metavar="STACK", help="the stack's name")
    parser.add_argument("--limit", type=int, default=20, metavar="N", help="how many deployments (default 20)")
    shared.aws(parser)
    shared.output(parser)


def run(options: Namespace) -> int:
    from bluegreen.cli import wire
    from bluegreen.cli.progress import Quiet
    from bluegreen.cli.text import as_json, say, say_json
    from bluegreen.controller.history import past
    from bluegreen.core.plain import to_plain
    from bluegreen.errors import Refused

    wired = wire.wire(options, Quiet())
    journals = wired.records.deployments(options.stack, options.limit)
    found = [past(journal, newest=not number) for number, journal in enumerate(journals)]
    if not found:
        raise Refused(f"{options.stack} has no deployments in this account and region", next="bluegreen status")
    if as_json(options):
        say_json(
            {
                "exit_code": 0,
                "stack": options.stack,
                "deployments": [{**to_plain(one), "phases": dict(one.phases)} for one in found],
            }
        )
        return 0
    for one in found:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.started_at))
        build = f"  {one.build_url}" if one.build_url else ""
        say(
            f"{when}  {one.deployment:<16} {one.kind:<8} {one.version:<10} {one.result:<12} "
            f"{one.seconds:6.1f} s  {one.who}{build}"
        )
    for one in found:
        for sentence in one.unreadable:
            say(f"{one.deployment} has an entry that cannot be read and is left out: {sentence}")
    return 0
