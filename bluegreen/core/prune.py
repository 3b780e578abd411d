"""PURE: which images of a chain may leave the registry. An image that anything speaks for stays, and the answer says what does.

Deleting is by digest: it takes every tag of that digest with it. So one tag that is not ours keeps the whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bluegreen.core.chain import SHORT

_KEY_TAG = re.compile(rf"[0-9a-f]{{{SHORT}}}")


@dataclass(frozen=True, slots=True)
class Stored:
    """A manifest in the registry: `repository` has the host, `tags` are all that lead to it. `key` and `created_at` are what its
    labels say, "" and None when they do not; `children` the manifests of an index."""

    repository: str
    digest: str
    tags: tuple[str, ...]
    key: str = ""
    created_at: float | None = None
    children: tuple[str, ...] = ()

    @property
    def reference(self) -> str:
        return f"{self.repository}@{self.digest}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`why` is a clause: "standby green shop-7 (1.4.2) needs it"."""

    stored: Stored
    stays: bool
    why: str


def is_key_tag(tag: str) -> bool:
    """By its looks: a Git commit may look like that too."""
    return _KEY_TAG.fullmatch(tag) is not None


def judge(found: Iterable[Stored], needed: Mapping[str, str], now: float, young_s: float) -> tuple[Verdict, ...]:
    """`needed` is digest → who needs it. What was built less than `young_s` ago may be about to be deployed."""
    everything = tuple(found)
    parts = {child: index for index in everything for child in index.children}
    return tuple(_judge(one, needed, parts, now, young_s) for one in everything)


def _judge(one: Stored, needed: Mapping[str, str], parts: Mapping[str, Stored], now: float, young_s: float) -> Verdict:
    others = [tag for tag in one.tags if not is_key_tag(tag)]
    if who := needed.get(one.digest):
        return Verdict(one, True, f"{who} needs it")
    if others:
        return Verdict(one, True, f"it is tagged {', '.join(others)}")
    if one.children or not one.key or any(tag != one.key[:SHORT] for tag in one.tags):
        return Verdict(one, True, "bluegreen build did not make it")
    if index := parts.get(one.digest):
        return Verdict(one, True, f"it is part of the index {', '.join(index.tags) or index.digest}")
    if one.created_at is None:
        return Verdict(one, True, "nothing says when it was built")
    if now - one.created_at < young_s:
        return Verdict(one, True, "it was built a short while ago, and may be about to be deployed")
    return Verdict(one, False, "no release that is kept needs it")
