"""bluegreen build: the image chain. What the registry has under its key is neither built nor pulled."""

from __future__ import annotations

import time
from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bluegreen.cli import options as shared

if TYPE_CHECKING:
    from bluegreen.core.stack import Stack
    from bluegreen.images.chain import Planned
    from bluegreen.images.registry import RegistryImages
    from bluegreen.images.weight import Report

EXAMPLE = "bluegreen build stacks/shop.yml --version 1.4.2 --explain"
LARGEST = 10


def arguments(parser: ArgumentParser) -> None:
    shared.stack_file(parser)
    text = "push what was built; with --no-push it stays in the engine (default: --push)"
    parser.add_argument("--push", action=BooleanOptionalAction, default=True, help=text)
    parser.add_argument("--platform", choices=("linux/amd64", "linux/arm64"), help="build all images for this platform")
    parser.add_argument("--explain", action="store_true", help="only say what would be built, and why")
    parser.add_argument("--report", action="store_true", help="say what the images weigh, and what went into each")
    text = "how long building and pushing may take together: 30m, 3h (default 2h)"
    parser.add_argument("--timeout", metavar="T", type=shared.seconds, help=text)
    shared.aws(parser)
    shared.output(parser)


def run(options: Namespace) -> int:
    from bluegreen.cli import wire_images
    from bluegreen.cli.image_chain import make, why
    from bluegreen.images.chain import survey

    since = time.monotonic()
    stack = for_platform(shared.load_stack(options), options.platform)
    wire_images.require_images(stack)
    known = wire_images.logins(stack, wire_images.aws(options, stack.region))
    with wire_images.registry(known, stack.registry.ca) as registry:
        chain = survey(stack.images, wire_images.folder_of(stack), registry)
        reasons = why(chain, registry) if options.explain or not all(one.digest for one in chain) else {}
        before = _manifests(stack, chain, registry, newest=True) if options.report else {}
        if not options.explain:
            version, push = options.version or "", options.push
            chain = make(stack, chain, registry, known, reasons, version=version, push=push, timeout_s=options.timeout)
        report = _report(stack, chain, registry, before) if options.report else None
    _say(options, stack, chain, reasons, report, time.monotonic() - since)
    return 0


def for_platform(stack: Stack, platform: str | None) -> Stack:
    if not platform:
        return stack
    return stack._replace(images=tuple(image._replace(platform=platform) for image in stack.images))


def _manifests(stack: Stack, chain: tuple[Planned, ...], registry: RegistryImages, *, newest: bool) -> dict[str, Any]:
    """What the services run, by service; with `newest` as the push before had it. What is not there is left out."""
    from bluegreen.errors import NotFound

    by_name = {planned.name: planned for planned in chain}
    found = {}
    for service in stack.services:
        planned = by_name.get(service.image)
        reference = service.image if planned is None else planned.newest if newest else planned.reference
        architecture = (planned.image.platform if planned else stack.images[0].platform).partition("/")[2]
        try:
            found[service.name] = registry.manifest(reference, architecture)
        except NotFound:
            continue
    return found


def _report(stack: Stack, chain: tuple[Planned, ...], registry: RegistryImages, before: dict[str, Any]) -> Report:
    from bluegreen.images.weight import weigh

    return weigh(_manifests(stack, chain, registry, newest=False), before)


def _say(
    options: Namespace,
    stack: Stack,
    chain: tuple[Planned, ...],
    reasons: Mapping[str, tuple[str, ...]],
    report: Report | None,
    seconds: float,
) -> None:
    from bluegreen.cli.text import as_json, say, say_json

    if as_json(options):
        say_json(
            {
                "exit_code": 0,
                "stack": stack.name,
                "images": [_plain(planned, options, reasons) for planned in chain],
                "seconds": round(seconds, 3),
                **({"report": _plain_report(report, chain)} if report else {}),
            }
        )
        return
    for planned in chain:
        done = _action(planned, options, reasons)
        say(f"{planned.name:<12} {done:<12} {planned.reference}{planned.digest and '@' + planned.digest[:19]}")
        for word in reasons.get(planned.name, ()) if options.explain else ():
            say(f"{'':<12} because {word}")
    if report:
        _say_report(report, chain)


def _action(planned: Planned, options: Namespace, reasons: Mapping[str, tuple[str, ...]]) -> str:
    if planned.name not in reasons:
        return "reused"
    if options.explain:
        return "to be built"
    return "built" if options.push else "built here"


def _plain(planned: Planned, options: Namespace, reasons: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    return {
        "name": planned.name,
        "action": _action(planned, options, reasons),
        "because": list(reasons.get(planned.name, ())),
        "key": planned.key,
        "reference": planned.reference,
        "digest": planned.digest,
        "base": planned.base,
    }


def _inputs(planned: Planned) -> list[tuple[str, int]]:
    """The largest first."""
    files = [(entry.path, entry.size) for entry in planned.context.entries if entry.is_file]
    return sorted(files, key=lambda pair: (-pair[1], pair[0]))


def _plain_report(report: Report, chain: tuple[Planned, ...]) -> dict[str, Any]:
    return {
        "pull_bytes": report.pull,
        "shared_bytes": report.shared,
        "new_bytes": report.new,
        "twice": list(report.twice),
        "layers": {
            name: [{"digest": blob.digest, "bytes": blob.size_bytes} for blob in layers]
            for name, layers in report.images
        },
        "inputs": {
            planned.name: [{"path": path, "bytes": size} for path, size in _inputs(planned)] for planned in chain
        },
    }


def _say_report(report: Report, chain: tuple[Planned, ...]) -> None:
    from bluegreen.cli.text import say
    from bluegreen.images.weight import megabytes

    for name, layers in report.images:
        say(f"\n{name}: {megabytes(sum(blob.size_bytes for blob in layers))} in {len(layers)} layers")
        for blob in layers:
            say(f"  {megabytes(blob.size_bytes):>10}  {blob.digest[:19]}")
    say(f"\n{report.line()}")
    for words in report.twice:
        say(f"look: {words}")
    for planned in chain:
        files = _inputs(planned)
        say(f"\ninto {planned.name}: {len(files)} files, {megabytes(sum(size for _, size in files))}")
        for path, size in files[:LARGEST]:
            say(f"  {megabytes(size):>10}  {path}")
        if len(files) > LARGEST:
            say(f"  and {len(files) - LARGEST} more")
