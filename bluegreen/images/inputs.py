"""What goes into a build context: the files that `inputs` name, and nothing else.

Links are kept as links and never followed; what a build could not repeat elsewhere (a link that leaves the folder, a socket) is
refused. Owners and times are not looked at.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from bluegreen.errors import UsageError
from bluegreen.images import ignore

_MAGIC = re.compile(r"[*?\[]")
FOLDER_MODE = 0o755  # of folders that are there only because something in them is an input


class Entry(NamedTuple):
    """`path` is relative to the context, with /. `mode` is stat's: kind and permissions. `named`: by itself in `inputs`."""

    path: str
    mode: int
    size: int = 0
    target: str = ""
    named: bool = False

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.mode)

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.mode)


class Context(NamedTuple):
    """A folder and what of it goes in, in path order."""

    folder: Path
    entries: tuple[Entry, ...]

    def values(self, patterns: tuple[str, ...] = ()) -> dict[str, str]:
        """Path → kind, mode and hash of the content; with `patterns` only of what they match."""
        chosen = {e.path for e in self.entries}
        if patterns:
            chosen = {path for pattern in patterns for path in self._of(pattern)}
        return {e.path: self.value(e) for e in self.entries if e.path in chosen}

    def value(self, entry: Entry) -> str:
        kind = f"{entry.mode:o}"
        if entry.is_folder:
            return kind
        return f"{kind} {self.digest(entry) if entry.is_file else entry.target}"

    def digest(self, entry: Entry) -> str:
        with _told(self.folder / entry.path), (self.folder / entry.path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _of(self, pattern: str) -> Iterator[str]:
        """Raises UsageError when a key file is no input: a change of it would go unseen."""
        expression = ignore.glob(str(PurePosixPath(pattern)))
        found = [e.path for e in self.entries if any(expression.fullmatch(part) for part in _self_and_above(e.path))]
        if not found:
            raise UsageError(
                f"key names {pattern}, which is no input",
                where=str(self.folder),
                next="add it to inputs, or correct the name",
            )
        return iter(found)


def collect(folder: Path, patterns: Iterable[str]) -> Context:
    """The files, folders and links below `folder` that the patterns name. Raises UsageError for one that names nothing."""
    if not folder.is_dir():
        raise UsageError(f"the context {folder} is no folder", next="correct images.NAME.context")
    rules = _ignore(folder)
    found: dict[str, Entry] = {}
    for pattern in patterns:
        paths = list(_matches(folder, str(PurePosixPath(pattern))))
        kept = [path for path in paths if not rules.line_for(path)]
        if not kept:
            raise _nothing(folder, pattern, paths, rules)
        for path in kept:
            named = path == str(PurePosixPath(pattern)) or (path in found and found[path].named)
            found[path] = _entry(folder, path, named)
    for path in list(found):
        for above in _self_and_above(path):
            found.setdefault(above, Entry(above, stat.S_IFDIR | FOLDER_MODE))
    return Context(folder, tuple(found[path] for path in sorted(found)))


def _ignore(folder: Path) -> ignore.Ignore:
    try:
        return ignore.read((folder / ignore.NAME).read_text("utf-8"))
    except FileNotFoundError:
        return ignore.Ignore()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{folder / ignore.NAME} cannot be read", why=str(error)) from None


def _matches(folder: Path, pattern: str) -> Iterator[str]:
    """Paths of what the pattern names, and of everything below those."""
    start = pattern.partition("**")[0].rpartition("/")[0] if "**" in pattern else pattern
    expression = ignore.glob(pattern)
    for root in sorted(_starts(folder, start)):
        if not os.path.lexists(folder / root):
            continue
        for path in _walk(folder, root):
            if start == pattern or any(expression.fullmatch(part) for part in _self_and_above(path)):
                yield path


def _starts(folder: Path, start: str) -> list[str]:
    if not _MAGIC.search(start):
        return [start or "."]
    return [path.relative_to(folder).as_posix() for path in folder.glob(start)]


def _walk(folder: Path, root: str) -> Iterator[str]:
    if root != ".":
        yield root
    if not stat.S_ISDIR((folder / root).lstat().st_mode):
        return
    with _told(folder / root), os.scandir(folder / root) as children:
        names = sorted(child.name for child in children)
    for name in names:
        yield from _walk(folder, name if root == "." else f"{root}/{name}")


def _entry(folder: Path, path: str, named: bool) -> Entry:
    full = folder / path
    with _told(full):
        _check_reached(folder, path)
        found = full.lstat()
        if stat.S_ISLNK(found.st_mode):
            return Entry(path, stat.S_IFLNK | 0o777, 0, _target(folder, path), named)
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        raise UsageError(f"{full} is neither file, folder nor link", next="leave it out of inputs")
    try:
        path.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{full!r} has a name that is not UTF-8", next="rename it") from None
    return Entry(path, found.st_mode, found.st_size if stat.S_ISREG(found.st_mode) else 0, "", named)


def _check_reached(folder: Path, path: str) -> None:
    for above in list(_self_and_above(path))[1:]:
        if (folder / above).is_symlink():
            raise UsageError(
                f"{folder / path} is reached through the symbolic link {above}", next="name the real folder"
            )


def _target(folder: Path, path: str) -> str:
    target = str((folder / path).readlink())
    inside = (folder / path).resolve().is_relative_to(_resolved(folder))
    if target.startswith("/") or not inside:
        raise UsageError(
            f"the symbolic link {folder / path} leaves the context",
            why=f"it leads to {target}",
            next="copy the file into the context, or leave the link out of inputs",
        )
    return target


@functools.lru_cache(maxsize=16)
def _resolved(folder: Path) -> Path:
    return folder.resolve()


def _nothing(folder: Path, pattern: str, ignored: list[str], rules: ignore.Ignore) -> UsageError:
    if ignored:
        why = f"line {rules.line_for(ignored[0])} of {ignore.NAME} keeps {ignored[0]} out"
        return UsageError(f"all that inputs name by {pattern} is ignored", where=str(folder), why=why)
    return UsageError(f"inputs name {pattern}, and there is no such file", where=str(folder), next="correct the name")


def _self_and_above(path: str) -> Iterator[str]:
    yield path
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


class _told:  # noqa: N801 - a context manager that reads as a word
    """What the operating system refuses, told with the path."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise UsageError(f"{self.path} cannot be read", why=error.strerror or str(error)) from None
