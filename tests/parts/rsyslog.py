"""A log server: rsyslogd with a configuration of its own, over TCP and UDP, every line into one file."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.parts.daemon import Daemon, Missing, connects, free_port

SETTINGS = """\
global(workDirectory="{folder}" maxMessageSize="64k" parser.permitSlashInProgramName="on")
module(load="imtcp" MaxSessions="2000" KeepAlive="on")
module(load="imudp")
input(type="imtcp" address="{address}" port="{port}" name="tcp")
input(type="imudp" address="{address}" port="{port}" name="udp")
template(name="row" type="string" string="%fromhost-ip%\\t%inputname%\\t%syslogtag%\\t%msg%\\n")
action(type="omfile" file="{file}" template="row")
"""


@dataclass(frozen=True)
class Line:
    """`sender` is an IP address, `way` tcp or udp, `tag` what the sender called itself, without the [pid] and the colon."""

    sender: str
    way: str
    tag: str
    text: str


class Rsyslog:
    def __init__(self, folder: Path, address: str, port: int = 0) -> None:
        if not shutil.which("rsyslogd"):
            raise Missing("there is no rsyslogd (Debian package rsyslog)")
        self.address, self.port = address, port or free_port(address)
        self._file = folder / "lines"
        self._file.touch()
        settings = folder / "rsyslog.conf"
        settings.write_text(
            SETTINGS.format(folder=folder, address=address, port=self.port, file=self._file), encoding="utf-8"
        )
        words = ("rsyslogd", "-n", "-f", str(settings), "-i", str(folder / "pid"))
        self._daemon = Daemon(words, folder / "rsyslogd.log", lambda: connects(address, self.port))

    @property
    def url(self) -> str:
        return f"tcp://{self.address}:{self.port}"

    def start(self) -> None:
        self._daemon.start()

    def stop(self) -> None:
        self._daemon.stop()

    def lines(self) -> Iterator[Line]:
        """Whole lines in the order of their arrival. They come a moment after they were sent: wait with a deadline."""
        *whole, _ = self._file.read_text("utf-8", "replace").split("\n")
        for row in whole:
            sender, way, tag, text = row.split("\t", 3)
            yield Line(sender, way, tag.rstrip(":").partition("[")[0], text.removeprefix(" "))
