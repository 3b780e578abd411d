"""The command line of every program that starts on this machine, containers included: the kernel tells of each exec.

Linux's process connector (linux/cn_proc.h, linux/connector.h): a look at /proc now and then would miss most short ones.
Only those that end within a few milliseconds may be gone before their words are read.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import threading
from pathlib import Path

from tests.parts.daemon import Missing

NETLINK_CONNECTOR = 11
SO_RCVBUFFORCE = 33
CN_IDX_PROC = CN_VAL_PROC = 1
LISTEN, IGNORE = 1, 2
EXEC = 0x2
HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
MESSAGE = struct.Struct("=IIIIHH")  # cn_msg: idx, val, seq, ack, length, flags
EVENT = struct.Struct("=IIQII")  # proc_event: what, cpu, time, pid of the thread, pid of the process
BUFFER = 8 * 1024 * 1024


class Execs:
    """`with Execs() as seen:`; afterwards, `seen.lines` are the command lines (words apart by spaces) in their order."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.lost = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="execs", daemon=True)

    def __enter__(self) -> Execs:
        if os.geteuid() != 0:
            raise Missing("only root is told of the programs that start on this machine")
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_CONNECTOR)
            self._socket.bind((0, CN_IDX_PROC))
        except OSError as error:
            raise Missing(f"this kernel does not tell of programs that start: {error.strerror}") from None
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        self._socket.settimeout(0.2)
        self._tell(LISTEN)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(10)
        self._tell(IGNORE)
        self._socket.close()

    def _tell(self, what: int) -> None:
        body = MESSAGE.pack(CN_IDX_PROC, CN_VAL_PROC, 0, 0, 4, 0) + struct.pack("=I", what)
        self._socket.send(HEADER.pack(HEADER.size + len(body), 3, 0, 0, 0) + body)

    def _listen(self) -> None:
        while not self._over.is_set():
            try:
                data = self._socket.recv(4096)
            except TimeoutError:
                continue
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self.lost = True  # the kernel had more to tell than the buffer holds
                continue
            if len(data) < HEADER.size + MESSAGE.size + EVENT.size:
                continue
            what, _, _, _, process = EVENT.unpack_from(data, HEADER.size + MESSAGE.size)
            if what == EXEC:
                with contextlib.suppress(OSError):  # gone already: the shortest of all
                    words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
                    self.lines.append(b" ".join(words).decode("utf-8", "replace").strip())
