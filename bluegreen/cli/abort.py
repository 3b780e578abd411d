"""bluegreen abort: undo a deployment that was interrupted before its fleet was promoted."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from bluegreen.cli import options as shared

EXAMPLE = "bluegreen abort shop"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("stack", metavar="STACK", help="the stack's name")
    shared.wait_lock(parser)
    shared.aws(parser)
    shared.output(parser)


def run(options: Namespace) -> int:
    from bluegreen.cli import progress, wire
    from bluegreen.cli.text import show_outcome
    from bluegreen.controller.commands import abort

    wired = wire.wire(options, progress.watcher(options))
    wired.clock.listen()
    wire.tell_notes(wired, options.stack)
    return show_outcome(
        abort(wired.world, options.stack, wire.owner(wired), options.wait_lock), options, stack=options.stack
    )
