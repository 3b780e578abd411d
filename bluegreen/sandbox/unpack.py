"""One layer of an image onto a folder. Nothing is ever written outside of it, and no more than the limit.

tarfile's "data" filter is the guard. Before it: links to absolute paths mean the image's root and are made relative;
devices are left out (a process needs none); whiteouts (.wh.name) remove what an earlier layer had.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from bluegreen.sandbox.console import BootError

LARGEST = 2 * 1024**3
WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"


def unpack(layer: BinaryIO, root: Path, check: Callable[[], None], limit: int = LARGEST) -> int:
    """The bytes unpacked. `check` is called between files and may raise."""
    size = 0
    try:
        with tarfile.open(fileobj=layer, mode="r:*") as archive:
            for member in archive:
                check()
                size += member.size
                if size > limit:
                    raise BootError(f"the image is larger than {limit // 1024**2} MiB, the sandbox's limit")
                _place(archive, member, root)
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise BootError(f"a layer cannot be unpacked: {' '.join(str(error).split())}") from None
    return size


def _place(archive: tarfile.TarFile, member: tarfile.TarInfo, root: Path) -> None:
    if member.ischr() or member.isblk() or member.isfifo():
        return
    path = PurePosixPath(member.name)
    if path.name.startswith(WHITEOUT):
        _remove(root, path)
        return
    if member.issym() and member.linkname.startswith("/"):
        member = member.replace(linkname=_relative(path, member.linkname), deep=False)
    elif member.islnk():
        member = member.replace(linkname=member.linkname.lstrip("/"), deep=False)
    target = inside(root, member.name)
    merges = member.isdir() and target is not None and target.is_dir() and not target.is_symlink()
    if target is not None and not merges and os.path.lexists(target):
        _delete(target)  # a later layer replaces; tarfile would write through a link, or fail on a folder
    archive.extract(member, root, filter="data")


def inside(root: Path, path: str) -> Path | None:
    """Where the image's `path` is under `root`, None if it would lead out. The last part is not followed."""
    place = Path(os.path.normpath(f"{root}/{path}"))
    top = root.resolve()
    if place == root:
        return root
    return place if (place.parent.resolve() == top or top in place.parent.resolve().parents) else None


def _relative(path: PurePosixPath, target: str) -> str:
    up = "../" * (len([part for part in path.parts if part not in ("/", ".")]) - 1)
    return os.path.normpath(up + target.lstrip("/"))


def _remove(root: Path, path: PurePosixPath) -> None:
    hidden = str(path.parent) if path.name == OPAQUE else str(path.parent / path.name.removeprefix(WHITEOUT))
    place = inside(root, hidden)
    if place is None:
        raise tarfile.TarError(f"the whiteout {path} points out of the image")
    if path.name == OPAQUE:
        for entry in place.iterdir() if place.is_dir() else ():
            _delete(entry)
    elif place != root:
        _delete(place)


def _delete(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
