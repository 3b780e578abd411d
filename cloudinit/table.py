"""What the kernel says: processes by container, disks, memory. A process that ends meanwhile is left out."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

NOT_ALIVE = "ZXxTt"  # zombies, dead ones, and those that a signal or a debugger holds: proc(5)


def processes(container: str, match: str, proc: Path = Path("/proc")) -> Iterator[tuple[int, str]]:
    """(pid, start time) of those alive in the container with this id whose command line holds `match`."""
    for folder in proc.iterdir():
        if not folder.name.isdigit():
            continue
        with contextlib.suppress(OSError):  # it has just ended
            if container not in (folder / "cgroup").read_text("utf-8", "replace"):
                continue
            words = (folder / "cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ")
            state, *rest = (folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            if state not in NOT_ALIVE and match in words.decode("utf-8", "replace"):
                yield int(folder.name), rest[18]


def there(pid: int, proc: Path = Path("/proc")) -> bool:
    return (proc / str(pid)).exists()


def disks(*folders: str) -> dict[str, dict[str, int]]:
    """The file system of each folder, told once; what is there in bytes, and free to a user that is not root."""
    found: dict[int, tuple[str, os.statvfs_result]] = {}
    for folder in folders:
        with contextlib.suppress(OSError):
            found.setdefault(Path(folder).stat().st_dev, (folder, os.statvfs(folder)))
    return {
        folder: {"size_bytes": disk.f_blocks * disk.f_frsize, "free_bytes": disk.f_bavail * disk.f_frsize}
        for folder, disk in found.values()
    }


def memory(proc: Path = Path("/proc")) -> dict[str, int]:
    lines = (proc / "meminfo").read_text("ascii").splitlines()
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    return {"size_bytes": kib["MemTotal"] * 1024, "free_bytes": kib["MemAvailable"] * 1024}
