"""HTTP exchanges with registries, over connections that are kept. By the standard library alone: the start of a build counts.

Only for requests that may be sent twice: a kept connection that its server has closed is found out by using it.
"""

from __future__ import annotations

import contextlib
import http.client
import ssl
import threading
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from bluegreen import __version__
from bluegreen.errors import UsageError
from bluegreen.images import failures

CONNECT_S = 2.0
READ_S = 5.0
ANSWER_S = 30.0
ANSWER_LIMIT = 4 << 20  # distribution and containerd refuse larger manifests
CLOSED = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)  # by the server, while nobody asked


class Reply(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes


class NotConnectedError(OSError):
    """Nothing was sent."""


class Connections:
    """Safe for several threads. `authorities` are PEM texts: trusted, as those in `ca_file` are, beside the system's."""

    def __init__(self, ca_file: str | None, authorities: str, clock: Callable[[], float]) -> None:
        self._ca_file = ca_file
        self._authorities = authorities
        self._own = bool(ca_file or authorities)
        self._clock = clock
        self._lock = threading.Lock()
        self._idle: dict[tuple[str, str], list[http.client.HTTPConnection]] = {}
        self._contexts: dict[bool, ssl.SSLContext] = {}

    def close(self) -> None:
        with self._lock:
            for kept in self._idle.values():
                while kept:
                    kept.pop().close()

    def exchange(self, method: str, url: str, headers: Mapping[str, str]) -> Reply:
        """Raises NotConnectedError, ssl.SSLError, other OSError, http.client.HTTPException; CloudError beyond the limits."""
        to = urlsplit(url)
        kept = self._kept(to)
        if kept is not None:
            with contextlib.suppress(*CLOSED):
                return self._ask(kept, to, method, headers)
        return self._ask(self._connect(to), to, method, headers)

    def _kept(self, to: SplitResult) -> http.client.HTTPConnection | None:
        with self._lock:
            kept = self._idle.get((to.scheme, to.netloc))
            return kept.pop() if kept else None

    def _ask(
        self, connection: http.client.HTTPConnection, to: SplitResult, method: str, headers: Mapping[str, str]
    ) -> Reply:
        """The connection is kept when its answer was read to the end, else closed."""
        try:
            reply, open_still = self._answer(connection, to, method, headers)
        except BaseException:
            connection.close()
            raise
        if open_still:
            with self._lock:
                self._idle.setdefault((to.scheme, to.netloc), []).append(connection)
        return reply

    def _answer(
        self, connection: http.client.HTTPConnection, to: SplitResult, method: str, headers: Mapping[str, str]
    ) -> tuple[Reply, bool]:
        deadline = self._clock() + ANSWER_S
        path = to.path + (f"?{to.query}" if to.query else "")
        connection.request(method, path, headers={"User-Agent": f"bluegreen/{__version__}", **headers})
        with connection.getresponse() as response:
            body = bytearray()
            while chunk := response.read1(1 << 16):
                body += chunk
                if len(body) > ANSWER_LIMIT or self._clock() > deadline:
                    limit = f"an answer may have {ANSWER_LIMIT >> 20} MiB and take {ANSWER_S:.0f} s"
                    raise failures.broken(to.netloc, limit, "limit")
            if response.length:
                raise http.client.IncompleteRead(bytes(body), response.length)
            return Reply(response.status, response.headers, bytes(body)), not response.will_close

    def _connect(self, to: SplitResult) -> http.client.HTTPConnection:
        """An authority of one's own is tried alone first: to read all those of the system takes longer than to connect."""
        if to.scheme != "https":
            return _connected(http.client.HTTPConnection(to.netloc, timeout=CONNECT_S))
        if self._own:
            with contextlib.suppress(ssl.SSLCertVerificationError):
                return _connected(http.client.HTTPSConnection(to.netloc, timeout=CONNECT_S, context=self._tls(False)))
        return _connected(http.client.HTTPSConnection(to.netloc, timeout=CONNECT_S, context=self._tls(True)))

    def _tls(self, system: bool) -> ssl.SSLContext:
        """Who is trusted: those of one's own, and with `system` its authorities too."""
        with self._lock:
            if system not in self._contexts:
                self._contexts[system] = self._context(system)
            return self._contexts[system]

    def _context(self, system: bool) -> ssl.SSLContext:
        if not self._own:
            return ssl.create_default_context()
        try:
            context = ssl.create_default_context(cafile=self._ca_file, cadata=self._authorities or None)
        except OSError as error:
            where = self._ca_file or "registry.ca"
            raise UsageError(f"no certificates can be read from {where}", why=str(error)) from None
        if system:
            context.load_default_certs()
        return context


def _connected(connection: http.client.HTTPConnection) -> http.client.HTTPConnection:
    try:
        connection.connect()
    except ssl.SSLError:
        connection.close()
        raise
    except OSError as error:
        connection.close()
        raise NotConnectedError(error.strerror or str(error)) from error
    connection.sock.settimeout(READ_S)
    return connection
