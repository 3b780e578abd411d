"""bluegreen heal: replace dead instances of the live or the standby fleet by the same release."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from bluegreen.cli import options as shared

EXAMPLE = "bluegreen heal shop"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("stack", metavar="STACK", help="the stack's name")
    words = "replace also what runs, is registered and fails its health check"
    parser.add_argument("--unhealthy", action="store_true", help=words)
    shared.wait_lock(parser)
    shared.aws(parser)
    shared.output(parser)


def run(options: Namespace) -> int:
    from bluegreen.cli import progress, wire
    from bluegreen.cli.text import show_outcome
    from bluegreen.controller.heal import heal

    wired = wire.wire(options, progress.watcher(options))
    wired.clock.listen()
    wire.tell_notes(wired, options.stack)
    outcome = heal(wired.world, options.stack, wire.owner(wired), unhealthy=options.unhealthy, wait_s=options.wait_lock)
    return show_outcome(outcome, options, stack=options.stack)
