"""PURE: what BuildKit tells of a build (moby.buildkit.v1.StatusResponse, control.proto): its steps, and what they say."""

from __future__ import annotations

import collections
from collections.abc import Callable

from bluegreen.images import protobuf

VERTEX_NAME, VERTEX_STARTED, VERTEX_ERROR = 3, 5, 7
LAST_LINES = 30


class Trace:
    """`told` gets each step once, as it begins, and each line. `step` and `lines` are of the step that failed."""

    def __init__(self, told: Callable[[str], None]) -> None:
        self._told = told
        self._names: dict[str, str] = {}
        self._rests: dict[str, str] = {}
        self._lines: dict[str, collections.deque[str]] = {}
        self._failed = ""

    def add(self, status: bytes) -> None:
        """Raises ValueError when it is no such message."""
        for vertex in protobuf.inner(status, 1):
            self._vertex(vertex)
        for log in protobuf.inner(status, 3):
            self._log(protobuf.text(log, 1), protobuf.text(log, 4))

    @property
    def step(self) -> str:
        return self._names.get(self._failed, "")

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(self._lines.get(self._failed, ()))

    def _vertex(self, vertex: bytes) -> None:
        digest, name = protobuf.text(vertex, 1), protobuf.text(vertex, VERTEX_NAME)
        if digest not in self._names and any(number == VERTEX_STARTED for number, _ in protobuf.fields(vertex)):
            self._names[digest] = name
            if not name.startswith("[internal]"):
                self._told(name)
        if protobuf.text(vertex, VERTEX_ERROR):
            self._failed = digest

    def _log(self, digest: str, text: str) -> None:
        *lines, self._rests[digest] = (self._rests.get(digest, "") + text).split("\n")
        kept = self._lines.setdefault(digest, collections.deque(maxlen=LAST_LINES))
        for line in lines:
            shown = line.rstrip().rpartition("\r")[2]
            if shown:
                kept.append(shown)
                self._told(shown)
