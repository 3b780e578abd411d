"""Listening on 127.0.0.1, and who is there already: the one place that knows how a taken port is explained."""

from __future__ import annotations

import contextlib
import errno
import socket
from pathlib import Path

from bluegreen.errors import Refused
from bluegreen.sandbox import pids
from bluegreen.sandbox.pids import PROC
from bluegreen.sandbox.state import SERVER_MARK

HOST = "127.0.0.1"
LISTENING = "0A"


def listen(port: int, what: str, option: str) -> socket.socket:
    """A listening socket; port 0 is any free one. `option` is how the user chooses another port."""
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise refusal(port, what, option, error) from None
    return listener


def refusal(port: int, what: str, option: str, error: OSError) -> Refused:
    if error.errno == errno.EACCES:
        reason, why = "is not free for all", "ports below 1024 need more rights"
    else:
        who = holder(port) or f"another user's program (root can ask: ss -ltnp sport = :{port})"
        reason, why = "is taken", f"{who} listens there"
    return Refused(
        f"port {port} {reason}, and {what} needs it",
        where=f"{HOST}:{port}, {what} of the sandbox",
        why=why,
        next=f"end that program, or choose another port: bluegreen sandbox up {option} N (0 is any free one)",
    )


def holder(port: int) -> str:
    """Which program listens there ("python3 (pid 1234)"), as far as this user may see; empty if not."""
    inodes = {f"socket:[{inode}]" for inode in _inodes(port)}
    for process in PROC.glob("[0-9]*") if inodes else ():
        with contextlib.suppress(OSError):  # it ended, or it is another user's
            if any(str(entry.readlink()) in inodes for entry in (process / "fd").iterdir()):
                return f"{_name(int(process.name))} (pid {process.name})"
    return ""


def _name(pid: int) -> str:
    _, _, folder = pids.mark_of(pid, SERVER_MARK).partition(":")
    return f"the sandbox of {folder}" if folder else (PROC / str(pid) / "comm").read_text("utf-8", "replace").strip()


def _inodes(port: int) -> set[str]:
    """Of the listening IPv4 and IPv6 sockets on `port` (proc_net_tcp.txt of the kernel)."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text("ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    found.add(fields[9])
    return found
