"""bluegreen resume: finish what was interrupted, with the goal that the record holds."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from bluegreen.cli import options as shared

EXAMPLE = "bluegreen resume shop"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("stack", metavar="STACK", help="the stack's name")
    shared.wait_lock(parser)
    shared.aws(parser)
    shared.output(parser)


def run(options: Namespace) -> int:
    from bluegreen.cli import progress, wire
    from bluegreen.cli.text import show_outcome
    from bluegreen.controller.commands import resume

    wired = wire.wire(options, progress.watcher(options))
    wired.clock.listen()
    written = wire.write_notes(wired, options.stack)
    outcome = written or resume(wired.world, options.stack, wire.owner(wired), options.wait_lock)
    return show_outcome(outcome, options, stack=options.stack)
