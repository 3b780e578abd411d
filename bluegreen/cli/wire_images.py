"""Joins what the image chain needs: the stack file's images, the registry with whoever logs in, the engine, Git.

Apart from wire.py, because a build needs no AWS: boto is imported only when the registry's password is kept there.
"""

from __future__ import annotations

import contextlib
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bluegreen.core.chain import SCRATCH, Lineage
from bluegreen.core.image_ref import parse
from bluegreen.errors import UsageError
from bluegreen.images.chain import Planned
from bluegreen.images.login import login
from bluegreen.images.registry import Credentials, RegistryImages

if TYPE_CHECKING:
    from bluegreen.aws.client import Aws
    from bluegreen.core.stack import Registry, Stack
    from bluegreen.images.build import Builder, Limit, Secrets

ECR_USER = "AWS"  # ECR user guide, "Private registry authentication"


def folder_of(stack: Stack) -> Path:
    return Path(stack.source).parent


def require_images(stack: Stack) -> None:
    if not stack.images:
        raise UsageError(
            f"{stack.source} has no images: there is nothing to build", next="docs/images.md says how to declare them"
        )


def logins(stack: Stack, aws: Callable[[], Aws]) -> dict[str, Credentials]:
    """`docker login`'s, for every host that the chain uses; for registry.host else the stack file's."""
    names = {image.name for image in stack.images}
    bases = {image.base for image in stack.images} - names - {SCRATCH}
    hosts = {stack.registry.host, *(parse(base).host for base in bases)}
    found = {host: known for host in sorted(hosts) if (known := login(host))}
    declared = declared_login(stack.registry, aws)
    return {stack.registry.host: declared, **found} if declared else found


def declared_login(registry: Registry, aws: Callable[[], Aws]) -> Credentials | None:
    """The stack file's; AWS is asked when the registry wants the password."""
    login = registry.login
    if login is None and not registry.ecr:
        return None

    def password() -> str:
        from bluegreen.aws.secrets import ecr_password, secret

        return secret(aws(), login.password) if login else ecr_password(aws(), registry.host)

    return Credentials(login.username if login else ECR_USER, password)


@contextlib.contextmanager
def registry(known: dict[str, Credentials], authorities: str = "") -> Iterator[RegistryImages]:
    made = RegistryImages(known, authorities=authorities)
    try:
        yield made
    finally:
        made.close()


def aws(options: Namespace, region: str) -> Callable[[], Aws]:
    """Made when it is needed."""

    def make() -> Aws:
        from bluegreen.cli import wire
        from bluegreen.cli.progress import Quiet

        return wire.wire(options, Quiet(), region).aws

    return make


@contextlib.contextmanager
def builder(
    stack: Stack,
    known: Mapping[str, Credentials],
    version: str,
    told: Callable[[str, str], None],
    limit: Limit,
    secrets: Secrets,
) -> Iterator[Builder]:
    """With the Docker engine. Raises UsageError when the SDK is not installed, Unreachable when no engine answers."""
    from bluegreen.images.build import Builder, Origin
    from bluegreen.local.git import state

    try:
        from bluegreen.images.engine import Engine

        if any(secrets.values()):
            import bluegreen.images.buildkit  # noqa: F401 - the engine takes it from here
    except ImportError as error:
        raise UsageError(
            "to build images, bluegreen needs the Docker SDK, and h2 where they have secrets",
            why=str(error),
            next="pip install 'bluegreen[build]'",
        ) from None
    commit, dirty = state(folder_of(stack))
    origin = Origin(datetime.now(UTC).isoformat(timespec="seconds"), f"{commit}-dirty" if dirty else commit, version)
    engine = Engine(known.get)
    try:
        yield Builder(engine, origin, told, limit, secrets)
    finally:
        engine.close()


def lineage(stack: Stack, chain: tuple[Planned, ...]) -> Lineage:
    from bluegreen.local.git import state

    commit, dirty = state(folder_of(stack))
    return Lineage(tuple(planned.link() for planned in chain if planned.digest), commit, dirty)
