"""bluegreen deploy: a new fleet of the stack file's release, switched in, the old one kept as standby."""

from __future__ import annotations

import functools
import sys
from argparse import ArgumentParser, Namespace

from bluegreen.cli import options as shared

EXAMPLE = "bluegreen deploy stacks/shop.yml --version 1.4.2"


def arguments(parser: ArgumentParser) -> None:
    shared.stack_file(parser)
    parser.add_argument("--build", action="store_true", help="first build and push what changed of the image chain")
    parser.add_argument("--yes", action="store_true", help="do not ask, even on a terminal")
    shared.wait_lock(parser)
    shared.aws(parser)
    shared.output(parser)


def run(options: Namespace) -> int:
    from bluegreen.cli import progress, wire
    from bluegreen.cli.image_chain import for_deploy, weight
    from bluegreen.cli.text import show_outcome
    from bluegreen.controller.commands import deploy

    stack, lineage = for_deploy(options, shared.load_stack(options))
    watcher = progress.watcher(options)
    wired = wire.wire(options, watcher, stack.region)
    wired.clock.listen()
    wire.tell_notes(wired, stack.name)
    if lineage:
        watcher.note(weight(options, wired.records, stack, lineage))
    confirm = functools.partial(_confirm, options, stack.name)
    job = wire.deploy_job(wired, options, stack, confirm, lineage)
    outcome = deploy(wired.world, job)
    if outcome.result == "deployed":
        wire.tidy(wired, stack.name)
    return show_outcome(outcome, options, stack=stack.name)


def _confirm(options: Namespace, stack: str, release: str, live: str) -> bool:
    """Asked on a terminal only."""
    if options.yes or options.output == "json" or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    version = f"version {options.version}, " if options.version else ""
    sys.stderr.write(f"Deploy {version}release {release} to {stack}; live is {live}. Go on? [Y/n] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("", "y", "yes")
