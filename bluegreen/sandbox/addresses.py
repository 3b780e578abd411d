"""Where each instance answers on this machine. On Linux every instance has an own 127.x.y.z and keeps its port numbers.

Each sandbox claims one /16 of 127/8 (an abstract Unix socket is the claim: the kernel drops it with the process), so
two sandboxes never meet. Where only 127.0.0.1 works (macOS), every (instance, port) has an own free port of 127.0.0.1.
A port below 1024 that this user may not bind answers 20000 higher. Answers never change while the sandbox runs.
"""

from __future__ import annotations

import errno
import socket
import sys
import threading

FIRST_NETWORK = 77
LAST_NETWORK = 254
PRIVILEGED = 1024
SHIFT = 20_000
PER_BYTE = 253  # .2 to .254


class Addresses:
    def __init__(self, *, own_addresses: bool = True) -> None:
        self._network, self._claim = _claim_network() if own_addresses else (None, None)
        self._hosts: dict[str, str] = {}
        self._ports: dict[tuple[str, int], tuple[str, int]] = {}
        self._lock = threading.Lock()

    def of(self, instance_id: str, port: int) -> tuple[str, int]:
        with self._lock:
            known = self._ports.get((instance_id, port))
            if known is None:
                known = self._ports[instance_id, port] = self._choose(instance_id, port)
            return known

    def close(self) -> None:
        if self._claim is not None:
            self._claim.close()

    def _choose(self, instance_id: str, port: int) -> tuple[str, int]:
        if self._network is None:
            return "127.0.0.1", self._free_port()
        host = self._hosts.setdefault(instance_id, _nth(self._network, len(self._hosts)))
        return host, port + SHIFT if port < PRIVILEGED and not _may_bind(host, port) else port

    def _free_port(self) -> int:
        """Not given before. Somebody else may take it until the service binds: the boot says so then."""
        given = {port for _, port in self._ports.values()}
        while True:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = int(probe.getsockname()[1])
            if port not in given:
                return port


def taken(host: str, port: int) -> str:
    """Why nobody could bind there now; empty if it is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # ports in TIME_WAIT are free for a server
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
    return ""


def _claim_network() -> tuple[int | None, socket.socket | None]:
    if sys.platform != "linux" or taken(f"127.{FIRST_NETWORK}.0.1", 0):
        return None, None
    for network in range(FIRST_NETWORK, LAST_NETWORK + 1):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0bluegreen-sandbox-127.{network}")
        except OSError:
            claim.close()
            continue
        return network, claim
    return None, None


def _nth(network: int, number: int) -> str:
    high, low = divmod(number, PER_BYTE)
    return f"127.{network}.{high % 256}.{low + 2}"


def _may_bind(host: str, port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.errno != errno.EACCES
    return True
