"""A build context as a tar that is the same for the same content, on any machine: sorted, without times and owners."""

from __future__ import annotations

import hashlib
import io
import stat
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, cast

from bluegreen.errors import Refused, UsageError
from bluegreen.images import ignore
from bluegreen.images.inputs import Context, Entry

DOCKERFILE = ".bluegreen.Dockerfile"
_OURS = f"{DOCKERFILE}\n{ignore.NAME}\n"


def write(context: Context, dockerfile: str, values: Mapping[str, str], to: IO[bytes]) -> None:
    """The tar, with the Dockerfile as DOCKERFILE, and a .dockerignore that keeps both out of the image. Raises Refused when a
    file is no longer as `values` (path → mode and hash) has it."""
    with tarfile.open(fileobj=to, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, text in ((ignore.NAME, _OURS), (DOCKERFILE, dockerfile)):
            data = text.encode()
            tar.addfile(_member(Entry(name, stat.S_IFREG | 0o644, len(data))), io.BytesIO(data))
        for entry in context.entries:
            if entry.path in (ignore.NAME, DOCKERFILE):
                continue
            _add(tar, context.folder, entry, values.get(entry.path, ""))


def _add(tar: tarfile.TarFile, folder: Path, entry: Entry, value: str) -> None:
    if not entry.is_file:
        tar.addfile(_member(entry))
        return
    path = folder / entry.path
    try:
        with path.open("rb") as file:
            read = _Hashing(file)
            tar.addfile(_member(entry), cast(IO[bytes], read))
    except OSError as error:
        raise UsageError(f"{path} cannot be read", why=error.strerror or str(error)) from None
    if value and not value.endswith(read.digest.hexdigest()):
        raise Refused(f"{path} changed while the build began", next="run it again")


class _Hashing:
    """Reads on from `file`, and hashes what went by."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        return data


def _member(entry: Entry) -> tarfile.TarInfo:
    member = tarfile.TarInfo(entry.path)
    member.mode = stat.S_IMODE(entry.mode)
    member.size = entry.size
    if entry.is_folder:
        member.type = tarfile.DIRTYPE
    elif entry.target:
        member.type, member.linkname = tarfile.SYMTYPE, entry.target
    return member
