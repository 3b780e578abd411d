"""bluegreen recover: rebuild the record of a stack from its tags and the load balancer, when it is lost or cannot be read."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from bluegreen.cli import options as shared

EXAMPLE = "bluegreen recover shop"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("stack", metavar="STACK", help="the stack's name")
    parser.add_argument("--yes", action="store_true", help="do not ask, even on a terminal")
    shared.aws(parser)
    shared.output(parser)


def run(options: Namespace) -> int:
    from bluegreen.aws.shelf import DynamoShelf
    from bluegreen.cli import progress, wire
    from bluegreen.cli.text import show_outcome
    from bluegreen.controller.recover import recover

    watcher = progress.watcher(options)
    wired = wire.wire(options, watcher)
    wired.clock.listen()

    def confirm(found: Sequence[str]) -> bool:
        for line in found:
            watcher.note(line)
        return _confirm(options)

    shelf = DynamoShelf(wired.records, lambda: wire.ensure_table(wired, watcher.note))
    outcome = recover(wired.world, options.stack, shelf, confirm)
    if outcome.exit_code == 0:
        for kept in wired.book.notes(options.stack):
            wired.book.forget(kept.file)
    return show_outcome(outcome, options, stack=options.stack)


def _confirm(options: Namespace) -> bool:
    """Asked on a terminal only."""
    if options.yes or options.output == "json" or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    sys.stderr.write(f"Write this as the record of {options.stack}? No traffic moves. [Y/n] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("", "y", "yes")
