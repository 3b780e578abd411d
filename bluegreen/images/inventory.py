"""What the registry has of the chain's repositories, as core/prune.py judges it."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from bluegreen.core.prune import Stored
from bluegreen.errors import CloudError, NotFound
from bluegreen.images.chain import KEY_LABEL
from bluegreen.images.registry import UNUSABLE, Described

AT_ONCE = 8
CREATED_LABEL = "org.opencontainers.image.created"


class Registry(Protocol):
    def tags(self, repository: str) -> tuple[str, ...]: ...

    def find(self, reference: str) -> str: ...

    def describe(self, reference: str) -> Described: ...


def survey(registry: Registry, repositories: Iterable[str]) -> tuple[Stored, ...]:
    """Every manifest that has a tag in one of these (host/repository), in their order and that of its first tag."""
    found: dict[tuple[str, str], Stored] = {}
    with ThreadPoolExecutor(AT_ONCE, "prune") as pool:
        for repository in dict.fromkeys(repositories):
            tags = sorted(registry.tags(repository))
            described = pool.map(functools.partial(_describe, registry, repository), tags)
            for tag, one in zip(tags, described, strict=True):
                if one is None:
                    continue
                known = found.get((repository, one.digest), _stored(repository, one))
                found[repository, one.digest] = replace(known, tags=(*known.tags, tag))
    return tuple(found.values())


def _describe(registry: Registry, repository: str, tag: str) -> Described | None:
    """None for what has gone since the tags were listed. What is no image (a signature) has a digest all the same."""
    reference = f"{repository}:{tag}"
    try:
        return registry.describe(reference)
    except NotFound:
        return None
    except CloudError as error:
        if error.code != UNUSABLE:
            raise
        return Described(registry.find(reference))


def _stored(repository: str, one: Described) -> Stored:
    created = _seconds(one.labels.get(CREATED_LABEL, ""))
    return Stored(repository, one.digest, (), one.labels.get(KEY_LABEL, ""), created, one.children)


def _seconds(created: str) -> float | None:
    """Since 1970; None for what is no time with an offset."""
    try:
        found = datetime.fromisoformat(created)
    except ValueError:
        return None
    return found.timestamp() if found.tzinfo else None
