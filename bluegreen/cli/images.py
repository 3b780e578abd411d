"""bluegreen images prune: take out of the registry what no release of the stack needs any more. Only says so, without --yes."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from bluegreen.cli import options as shared

if TYPE_CHECKING:
    from bluegreen.core.prune import Verdict
    from bluegreen.images.registry import RegistryImages
    from bluegreen.images.transport import Credentials

EXAMPLE = "bluegreen images prune stacks/shop.yml --keep 20 --yes"
KEEP = 10
DAY_S = 86_400.0


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("action", choices=("prune",))
    parser.add_argument(
        "files", metavar="FILE", nargs="+", help="the stack file; all of them, where several share images"
    )
    shared.values(parser)
    text = f"keep what the last K releases of each stack need, beside live and standby (default {KEEP})"
    parser.add_argument("--keep", type=int, default=KEEP, metavar="K", help=text)
    text = "keep what was built less than T ago, as it may be about to be deployed: 30m, 12h (default 24h)"
    parser.add_argument("--younger", type=shared.seconds, default=DAY_S, metavar="T", help=text)
    parser.add_argument("--yes", action="store_true", help="delete; without it, only say what would be deleted")
    shared.aws(parser)
    shared.output(parser)


def run(options: Namespace) -> int:
    """The ledger is read after the registry, so that a deployment that began meanwhile is heard."""
    from bluegreen.cli import wire, wire_images
    from bluegreen.cli.progress import Quiet
    from bluegreen.core.prune import judge
    from bluegreen.errors import UsageError
    from bluegreen.images.inventory import survey

    if options.keep < 0:
        raise UsageError(f"--keep {options.keep}: expected 0 or more")
    stacks = [shared.load_stack(options, file, placeholders=True) for file in options.files]
    known: dict[str, Credentials] = {}
    for stack in stacks:
        wire_images.require_images(stack)
        known.update(wire_images.logins(stack, wire_images.aws(options, stack.region)))
    with wire_images.registry(known, "".join(stack.registry.ca for stack in stacks)) as registry:
        found = survey(registry, (image.repository for stack in stacks for image in stack.images))
        needed: dict[str, str] = {}
        for stack in stacks:
            needed.update(wire.needed_images(wire.wire(options, Quiet(), stack.region), stack, options.keep))
        verdicts = judge(found, needed, time.time(), options.younger)
        goes = [verdict.stored.reference for verdict in verdicts if not verdict.stays]
        if options.yes:
            _delete(registry, goes)
    _say(options, verdicts)
    return 0


def _delete(registry: RegistryImages, references: list[str]) -> None:
    """One that fails ends it; the next run goes on from there."""
    from bluegreen.errors import BluegreenError

    for number, reference in enumerate(references):
        try:
            registry.delete(reference)
        except BluegreenError as error:
            error.why = f"{error.why}; {number} of {len(references)} were deleted before".lstrip("; ")
            raise


def _say(options: Namespace, verdicts: tuple[Verdict, ...]) -> None:
    from bluegreen.cli.text import as_json, say, say_json

    goes = sum(not verdict.stays for verdict in verdicts)
    if as_json(options):
        say_json({"exit_code": 0, "deleted": options.yes, "images": [_plain(verdict, options) for verdict in verdicts]})
        return
    for verdict in verdicts:
        name = f"{verdict.stored.repository}:{verdict.stored.tags[0]}"
        say(f"{_action(verdict, options):<10} {name}  because {verdict.why}")
    if not goes:
        say("there is nothing to delete")
    elif options.yes:
        say(f"{_count(goes)} deleted; the registry's own garbage collection frees the space")
    else:
        say(f"{_count(goes)} would be deleted\nnext: the same command with --yes")


def _action(verdict: Verdict, options: Namespace) -> str:
    return "stays" if verdict.stays else "deleted" if options.yes else "would go"


def _plain(verdict: Verdict, options: Namespace) -> dict[str, Any]:
    stored = verdict.stored
    return {
        "reference": stored.reference,
        "tags": list(stored.tags),
        "action": _action(verdict, options),
        "because": verdict.why,
    }


def _count(number: int) -> str:
    return f"{number} image" + ("s" if number != 1 else "")
