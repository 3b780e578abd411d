"""PURE: what is wrong with this host, a line for each fault; nothing, when it may have traffic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DISK_LEFT = 0.02  # of its size; below that containers fail in odd ways
MEMORY_LEFT = 0.02
MIB = 1 << 20


def reasons(services: Mapping[str, Any], boot: str, status: Mapping[str, Any]) -> list[str]:
    """`services` of boot.json by name, the cause of a boot that failed or "", and what /status tells."""
    found = [f"boot: {boot}"] if boot else []
    for name, service in services.items():
        wrong = of_service(service, status["services"].get(name))
        found += [f"{name}: {wrong}"] if wrong else []
    for folder, disk in status["disk"].items():
        if disk["free_bytes"] < DISK_LEFT * disk["size_bytes"]:
            found.append(f"disk {folder}: {_of(disk)} free")
    if status["memory"]["free_bytes"] < MEMORY_LEFT * status["memory"]["size_bytes"]:
        found.append(f"memory: {_of(status['memory'])} available")
    return found


def of_service(service: Mapping[str, Any], seen: Mapping[str, Any] | None) -> str:
    """The first thing that is wrong with one service, or ""."""
    if seen is None:
        return "has no container"
    if seen["image"] != service["image"]:
        return f"runs {seen['image']}"
    if seen["state"] == "exited" and seen["exit_code"] == 0 and service["restart"].startswith(("no", "on-failure")):
        return ""  # it has done its work
    if seen["state"] != "running":
        return f"is {seen['state']}, exit code {seen['exit_code']}, {seen['restarts']} restarts"
    if seen["health"] not in ("", "none", "healthy"):
        return f"is {seen['health']}"
    workers = seen["workers"]
    if workers and workers["alive"] < workers["count"]:
        return f"{workers['alive']} of {workers['count']} workers"
    return ""


def _of(part: Mapping[str, int]) -> str:
    return f"{part['free_bytes'] // MIB} of {part['size_bytes'] // MIB} MiB"
