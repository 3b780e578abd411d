"""PURE: patterns of paths, as .dockerignore and `inputs` have them: * ? [a-z] within a folder, ** over folders.

.dockerignore by Docker's rules: the last line that matches a path, or a folder above it, decides; ! takes it back in.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

NAME = ".dockerignore"
_TOKEN = re.compile(r"\*\*/|\*\*|\*|\?|\[\^?[^\]]+\]|\\.|.", re.S)


@functools.lru_cache(maxsize=512)
def glob(pattern: str) -> re.Pattern[str]:
    """Matches whole paths with / between their parts."""
    parts = []
    for token in _TOKEN.findall(pattern):
        match token:
            case "**/":
                parts.append("(?:.*/)?")
            case "**":
                parts.append(".*")
            case "*":
                parts.append("[^/]*")
            case "?":
                parts.append("[^/]")
            case _ if len(token) > 2:
                parts.append(token.replace("\\", "\\\\"))
            case _:
                parts.append(re.escape(token[-1]))
    return re.compile("".join(parts), re.S)


class Line(NamedTuple):
    number: int
    pattern: str
    takes_back: bool


class Ignore(NamedTuple):
    """The rules of a .dockerignore; empty ones ignore nothing."""

    lines: tuple[Line, ...] = ()

    def line_for(self, path: str) -> int:
        """The number of the line that keeps `path` out; 0 when it may go in."""
        above = tuple(_above(path))
        found = 0
        for line in self.lines:
            if line.takes_back == bool(found) and any(glob(line.pattern).fullmatch(part) for part in above):
                found = 0 if line.takes_back else line.number
        return found


def read(text: str) -> Ignore:
    lines = []
    for number, raw in enumerate(text.splitlines(), 1):
        if raw.startswith("#") or not raw.strip():
            continue
        stripped = raw.strip()
        takes_back = stripped.startswith("!")
        pattern = str(PurePosixPath(stripped.removeprefix("!").strip().lstrip("/")))
        if pattern != ".":
            lines.append(Line(number, pattern, takes_back))
    return Ignore(tuple(lines))


def _above(path: str) -> Iterator[str]:
    yield path
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
