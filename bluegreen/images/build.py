"""What the registry lacks of a chain is built, independent images at once; and pushed when all of it is there."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Event
from typing import IO, Protocol

from bluegreen.core.image_ref import parse
from bluegreen.errors import CloudError, Refused
from bluegreen.images import chain, context, dockerfile, guard
from bluegreen.images.chain import Planned, Registry

JOBS = 4
Told = Callable[[str, str], None]  # image, line


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
    ) -> None: ...

    def push(self, reference: str, told: Callable[[str], None]) -> str: ...

    def tag(self, reference: str, other: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Origin:
    """What the labels of a new image say: `created` as RFC 3339, `revision` Git's commit (with -dirty), `version` for people."""

    created: str
    revision: str = ""
    version: str = ""


class _NotBegunError(Exception):
    """Another image failed first."""


def check(chain_: Iterable[Planned]) -> None:
    """Before an engine is asked for anything. Raises Refused when something must not go into an image by accident."""
    for planned in chain_:
        if planned.digest:
            continue
        guard.check(planned.name, planned.context)
        if planned.image.secrets:
            raise Refused(
                f"{planned.name} declares secrets, and builds with secrets are not supported yet",
                next="fetch what needs them before the build, and give it as an input",
            )


@dataclass(frozen=True, slots=True)
class Builder:
    """For a chain that `check` has passed."""

    engine: Engine
    origin: Origin
    told: Told

    def build(self, chain_: Iterable[Planned]) -> tuple[Planned, ...]:
        """All images without a digest, and the images that were built now. Raises BuildFailed, Refused, CloudError of the first
        that failed; those not begun by then are not begun. Pushes nothing."""
        missing = [planned for planned in chain_ if not planned.digest]
        everything = {planned.name: planned for planned in chain_}
        stopped = Event()
        pool = ThreadPoolExecutor(JOBS, "build")
        waiting: dict[str, Future[None]] = {}
        try:
            for planned in missing:  # parents first, so a worker that waits for one waits for one that runs
                parent = waiting.get(planned.image.base)
                waiting[planned.name] = pool.submit(self._one, planned, everything, parent, stopped)
            self._await(waiting.values(), stopped)
        finally:
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
        return tuple(missing)

    def _await(self, all_of: Iterable[Future[None]], stopped: Event) -> None:
        errors = []
        for future in all_of:
            error = future.exception()
            if error is not None and not isinstance(error, _NotBegunError):
                errors.append(error)
        if errors:
            raise errors[0]

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
            self.engine.build(planned.reference, tar, arguments, planned.image.platform, told)

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
            digest = self.engine.push(planned.reference, lambda line, name=planned.name: self.told(name, line))  # type: ignore[misc]
            _check_arrived(planned, digest, registry.find(planned.reference))
            self.told(planned.name, f"pushed {planned.reference}")
            pushed.append(replace(planned, digest=digest))
        for planned in pushed:
            self.engine.tag(planned.reference, planned.newest)
            self.engine.push(planned.newest, lambda line: None)
        return tuple(pushed)


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
