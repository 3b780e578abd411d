"""What the registry lacks of a chain is built, independent images at once; and pushed when all of it is there."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from threading import Event
from typing import IO, Protocol

from bluegreen.core.image_ref import parse
from bluegreen.errors import BuildFailed, CloudError
from bluegreen.images import chain, context, dockerfile, guard
from bluegreen.images.chain import Planned, Registry

JOBS = 4
LIMIT_S = 7200.0  # for all builds and pushes of a command
Told = Callable[[str, str], None]  # image, line
Secrets = Mapping[str, Mapping[str, bytes]]  # image → id → value


class Engine(Protocol):
    def has(self, reference: str, labels: Mapping[str, str] | None = None) -> bool: ...

    def pull(self, reference: str, platform: str, told: Callable[[str], None]) -> None: ...

    def build(
        self,
        tag: str,
        context: IO[bytes],
        arguments: Mapping[str, str],
        platform: str,
        told: Callable[[str], None],
        secrets: Mapping[str, bytes],
    ) -> None: ...

    def push(self, reference: str, told: Callable[[str], None]) -> str: ...

    def tag(self, reference: str, other: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Origin:
    """What the labels of a new image say: `created` as RFC 3339, `revision` Git's commit (with -dirty), `version` for people."""

    created: str
    revision: str = ""
    version: str = ""


class Limit:
    """`seconds` from now on, for everything that is built and pushed together."""

    def __init__(self, seconds: float = LIMIT_S, ticks: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._ticks = ticks
        self._end = ticks() + seconds

    def left(self) -> float:
        return max(0.0, self._end - self._ticks())


class _NotBegunError(Exception):
    """Another image failed first."""


def check(chain_: Iterable[Planned]) -> None:
    """Before an engine is asked for anything. Raises Refused when something must not go into an image by accident."""
    for planned in chain_:
        if planned.digest:
            continue
        guard.check(planned.name, planned.context)


@dataclass(frozen=True, slots=True)
class Builder:
    """For a chain that `check` has passed. What does not end in time is left behind: the engine stops it when we hang up."""

    engine: Engine
    origin: Origin
    told: Told
    limit: Limit = field(default_factory=Limit)
    secrets: Secrets = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)  # image → its last line

    def build(self, chain_: Iterable[Planned]) -> tuple[Planned, ...]:
        """All images without a digest, and the images that were built now. Raises BuildFailed, Refused, CloudError of the first
        that failed, or BuildFailed at the limit; those not begun by then are not begun. Pushes nothing."""
        missing = [planned for planned in chain_ if not planned.digest]
        everything = {planned.name: planned for planned in chain_}
        stopped = Event()
        pool = ThreadPoolExecutor(JOBS, "build")
        waiting: dict[str, Future[None]] = {}
        try:
            for planned in missing:  # parents first, so a worker that waits for one waits for one that runs
                parent = waiting.get(planned.image.base)
                waiting[planned.name] = pool.submit(self._one, planned, everything, parent, stopped)
            self._await(waiting)
        finally:
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
        return tuple(missing)

    def _await(self, building: Mapping[str, Future[None]]) -> None:
        done, late = wait(building.values(), self.limit.left())
        errors = [future.exception() for future in building.values() if future in done]
        real = [error for error in errors if error is not None and not isinstance(error, _NotBegunError)]
        if real:
            raise real[0]
        for name, future in building.items():  # parents first: the first that is late is the one that runs
            if future in late:
                raise BuildFailed(name, self.said.get(name, ""), self._too_long(), ())

    def _too_long(self) -> str:
        return f"after {self.limit.seconds:.0f} s it was not done; build --timeout sets another limit"

    def _one(
        self, planned: Planned, everything: Mapping[str, Planned], parent: Future[None] | None, stopped: Event
    ) -> None:
        if parent is not None and parent.exception() is not None:
            raise _NotBegunError
        if stopped.is_set():
            raise _NotBegunError
        try:
            self._build(planned, everything.get(planned.image.base))
        except BaseException:
            stopped.set()
            raise

    def _build(self, planned: Planned, parent: Planned | None) -> None:
        def told(line: str) -> None:
            self.said[planned.name] = line
            self.told(planned.name, line)

        if self.engine.has(planned.reference, {chain.KEY_LABEL: planned.key}):
            told("the engine has it already")
            return
        base = self._base(planned, parent, told)
        arguments = {**({"BASE": base} if base else {}), **dict(planned.image.args)}
        text = dockerfile.with_labels(planned.dockerfile, self._labels(planned, parent))
        with tempfile.TemporaryFile(prefix="bluegreen-context-") as tar:
            context.write(planned.context, text, planned.values, tar)
            tar.seek(0)
            secrets = self.secrets.get(planned.name, {})
            self.engine.build(planned.reference, tar, arguments, planned.image.platform, told, secrets)

    def _base(self, planned: Planned, parent: Planned | None, told: Callable[[str], None]) -> str:
        """The image under it, in the engine by now. One that was built before comes by its digest."""
        if parent is not None and not parent.digest:
            return parent.reference
        base = f"{parent.image.repository}@{parent.digest}" if parent else planned.base
        if base:
            self.engine.pull(base, planned.image.platform, told)
        return base

    def _labels(self, planned: Planned, parent: Planned | None) -> dict[str, str]:
        base = parent.reference if parent else planned.image.base
        digest = parent.digest if parent else planned.base.rpartition("@")[2]
        found = {
            "created": self.origin.created,
            "title": planned.name,
            "version": self.origin.version,
            "revision": self.origin.revision,
            "base.name": base,
            "base.digest": digest,
        }
        named = {f"org.opencontainers.image.{name}": value for name, value in found.items() if value}
        return {**chain.labels(planned), **named}

    def push(self, built: Iterable[Planned], registry: Registry) -> tuple[Planned, ...]:
        """Each by its key, read back from the registry; then the newest tags, when all are there."""
        pushed = []
        for planned in built:
            digest = self._push(planned.reference, lambda line, name=planned.name: self.told(name, line))  # type: ignore[misc]
            _check_arrived(planned, digest, registry.find(planned.reference))
            self.told(planned.name, f"pushed {planned.reference}")
            pushed.append(planned._replace(digest=digest))
        for planned in pushed:
            self.engine.tag(planned.reference, planned.newest)
            self._push(planned.newest, lambda line: None)
        return tuple(pushed)

    def _push(self, reference: str, told: Callable[[str], None]) -> str:
        pool = ThreadPoolExecutor(1, "push")
        try:
            pushing = pool.submit(self.engine.push, reference, told)
            if not wait([pushing], self.limit.left()).done:
                next = "what was pushed whole is used by the next build"
                raise CloudError(
                    f"{reference} is not pushed",
                    action="registry:push",
                    where=reference,
                    why=self._too_long(),
                    next=next,
                )
            return pushing.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _check_arrived(planned: Planned, pushed: str, found: str) -> None:
    if found == pushed:
        return
    raise CloudError(
        f"the registry has another {planned.reference} than was pushed",
        action="registry:push",
        code="DIGEST_INVALID",
        where=parse(planned.reference).name,
        why=f"pushed {pushed}, found {found or 'nothing'}",
        next="somebody else may have pushed it: build again; else look at the registry's storage",
    )
