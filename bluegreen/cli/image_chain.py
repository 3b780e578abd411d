"""What build and deploy do with the image chain of a stack file."""

from __future__ import annotations

import contextlib
from argparse import Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bluegreen.errors import Interrupted, NotFound, Refused, Unreadable

if TYPE_CHECKING:
    from bluegreen.aws.record import DynamoRecords
    from bluegreen.core.chain import Lineage
    from bluegreen.core.stack import Stack
    from bluegreen.images.chain import Planned
    from bluegreen.images.manifest import Manifest
    from bluegreen.images.registry import RegistryImages
    from bluegreen.images.transport import Credentials


def why(chain: tuple[Planned, ...], registry: RegistryImages) -> dict[str, tuple[str, ...]]:
    """Image → why it has to be built; those that have not are left out."""
    from bluegreen.images.chain import because

    return {planned.name: because(planned, registry) for planned in chain if not planned.digest}


def make(
    stack: Stack,
    chain: tuple[Planned, ...],
    registry: RegistryImages,
    known: Mapping[str, Credentials],
    reasons: Mapping[str, tuple[str, ...]],
    *,
    version: str,
    push: bool,
    timeout_s: float | None = None,
) -> tuple[Planned, ...]:
    """The chain with what was missing built, and pushed if that is wanted."""
    if all(planned.digest for planned in chain):
        return chain
    from bluegreen.cli import wire_images
    from bluegreen.cli.build_progress import watched
    from bluegreen.images.build import LIMIT_S, Limit, check
    from bluegreen.images.build_secrets import read
    from bluegreen.local.signals import as_ctrl_c

    check(chain)
    secrets = read(chain, wire_images.folder_of(stack))
    limit = Limit(LIMIT_S if timeout_s is None else timeout_s)
    as_ctrl_c()
    with watched() as watcher, wire_images.builder(stack, known, version, watcher.told, limit, secrets) as builder:
        for name, words in reasons.items():
            watcher.told(name, "building: " + _few(words))
        try:
            built = builder.build(chain)
            if not push:
                return chain
            pushed = {planned.name: planned for planned in builder.push(built, registry)}
        except KeyboardInterrupt:
            why = "The engine ends what it was building; what was pushed whole is used by the next build."
            raise Interrupted("the build was interrupted", why=why, next="the same command") from None
    return tuple(pushed.get(planned.name, planned) for planned in chain)


def for_deploy(options: Namespace, stack: Stack) -> tuple[Stack, Lineage | None]:
    """The stack with the images of its chain put in, and where they come from. With --build what is missing is built; without,
    a missing image is a refusal. A stack whose services name none of its images is left as it is."""
    named = {image.name for image in stack.images} & {service.image for service in stack.services}
    if not named and not options.build:
        return stack, None
    from bluegreen.cli import wire_images
    from bluegreen.images.chain import survey

    wire_images.require_images(stack)
    known = wire_images.logins(stack, wire_images.aws(options, stack.region))
    with wire_images.registry(known, stack.registry.ca) as registry:
        chain = survey(stack.images, wire_images.folder_of(stack), registry)
        if options.build:
            reasons = why(chain, registry)
            chain = make(stack, chain, registry, known, reasons, version=options.version or "", push=True)
        for planned in chain:
            if planned.name in named and not planned.digest:
                raise _missing(stack, planned, why((planned,), registry)[planned.name])
    return stack.with_images({planned.name: planned.reference for planned in chain}), wire_images.lineage(stack, chain)


def weight(options: Namespace, records: DynamoRecords, stack: Stack, lineage: Lineage) -> str:
    """What a bare machine pulls of the images of the chain, and what of it the live release has not."""
    from bluegreen.cli import wire_images
    from bluegreen.controller.history import past
    from bluegreen.images.weight import weigh

    try:
        record = records.read(stack.name)
    except (NotFound, Unreadable):
        record = None  # the first deployment of a region makes the table; the deployment itself meets what is wrong
    live = past(records.journal(record.live.deployment)) if record and record.live else None
    known = wire_images.logins(stack, wire_images.aws(options, stack.region))
    with wire_images.registry(known, stack.registry.ca) as registry:
        now, before = (_manifests(stack, found, registry) for found in (lineage, live.lineage if live else None))
    return weigh(now, before).line("the live release")


def _manifests(stack: Stack, lineage: Lineage | None, registry: RegistryImages) -> dict[str, Manifest]:
    """Of the images that the services run; what is not there any more is left out."""
    run = {service.image.rpartition(":")[0] for service in stack.services}
    architecture = stack.images[0].platform.partition("/")[2]
    found = {}
    for link in lineage.links if lineage else ():
        if link.reference.partition("@")[0] in run:
            with contextlib.suppress(NotFound):
                found[link.name] = registry.manifest(link.reference, architecture)
    return found


def _missing(stack: Stack, planned: Planned, reasons: tuple[str, ...]) -> Refused:
    return Refused(
        f"the registry does not have the image {planned.name} as the files here are now",
        where=planned.reference,
        why=_few(reasons),
        next=f"bluegreen build {stack.source}, or deploy with --build",
    )


def _few(words: tuple[str, ...]) -> str:
    return ", ".join(words[:3]) + (f" and {len(words) - 3} more" if len(words) > 3 else "")
