"""bluegreen rollback: undo the newest deployment. Needs no stack file, no registry, no launch."""

from __future__ import annotations

import contextlib
import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from bluegreen.cli import options as shared

if TYPE_CHECKING:
    from bluegreen.core.record import Record
    from bluegreen.ports import Watcher

EXAMPLE = "bluegreen rollback shop"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("stack", metavar="STACK", help="the stack's name")
    parser.add_argument("--to", metavar="DEPLOYMENT", default="", help="the deployment whose fleet shall serve: shop-7")
    text = "as --to, even if the release that serves declares `rollback: unsafe`"
    parser.add_argument("--unsafe-to", metavar="DEPLOYMENT", default="", help=text)
    shared.aws(parser)
    shared.output(parser)


def run(options: Namespace) -> int:
    import gc

    gc.disable()  # a rollback is over before garbage matters, and a collection costs it up to 50 ms
    from bluegreen.cli import progress, wire
    from bluegreen.cli.text import show_outcome
    from bluegreen.controller.degraded import rollback_anyway
    from bluegreen.errors import BluegreenError

    watcher = progress.watcher(options)
    wired = wire.wire(options, watcher)
    wired.clock.listen()
    wired.aws.attempts = 2  # the loop tries again; a ledger that does not answer shall be found out soon
    if sys.stderr.isatty():
        with contextlib.suppress(BluegreenError):  # the rollback itself meets it in a moment, and knows what to do
            _show(watcher, wired.records.read(options.stack))
    to, unsafe = options.unsafe_to or options.to, bool(options.unsafe_to)
    outcome = rollback_anyway(wired.world, options.stack, wire.local_owner(), wired.book, to, unsafe=unsafe)
    return show_outcome(outcome, options, stack=options.stack)


def _show(watcher: Watcher, record: Record | None) -> None:
    """Which release serves now, and which will."""
    if record and record.live:
        back = record.standby.label if record.standby else "nothing"
        watcher.note(f"now live: {record.live.label}; standby: {back}")
