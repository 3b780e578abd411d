"""bluegreen rollback: undo the newest deployment. Needs no stack file, no registry, no launch."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from bluegreen.cli import options as shared

EXAMPLE = "bluegreen rollback shop"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("stack", metavar="STACK", help="the stack's name")
    parser.add_argument("--to", metavar="DEPLOYMENT", default="", help="the deployment whose fleet shall serve: shop-7")
    shared.aws(parser)
    shared.output(parser)


def run(options: Namespace) -> int:
    import gc

    gc.disable()  # a rollback is over before garbage matters, and a collection costs it up to 50 ms
    from bluegreen.cli import progress, wire
    from bluegreen.cli.text import show_outcome
    from bluegreen.controller.commands import rollback

    watcher = progress.watcher(options)
    wired = wire.wire(options, watcher)
    wired.clock.listen()
    if sys.stderr.isatty() and (record := wired.records.read(options.stack)) and record.live:
        back = record.standby.label if record.standby else "nothing"
        watcher.note(f"now live: {record.live.label}; standby: {back}")
    return show_outcome(
        rollback(wired.world, options.stack, wire.local_owner(), options.to), options, stack=options.stack
    )
