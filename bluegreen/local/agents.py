"""The hosts' agents over HTTP, where their addresses can be reached. Nothing but a GET; an answer is read within bounds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bluegreen.core.stack import AGENT_PORT
from bluegreen.errors import CloudError, Unreachable

if TYPE_CHECKING:
    from http.client import HTTPResponse

CONNECT_S = 1.0
WHOLE_S = 3.0
LIMIT = 64 * 1024


class HttpAgents:
    """The Agents port. `port` is another one only in tests."""

    def __init__(self, port: int = AGENT_PORT) -> None:
        self.port = port

    def status(self, address: str) -> str:
        import http.client

        where = f"the agent at {address}:{self.port}"
        connection = http.client.HTTPConnection(address, self.port, timeout=CONNECT_S)
        try:
            connection.connect()
        except ConnectionRefusedError as error:
            raise CloudError(f"{where} does not run") from error
        except OSError as error:
            raise Unreachable(f"{where} cannot be reached from here") from error
        try:
            connection.request("GET", "/status")
            return _body(connection.getresponse())
        except (OSError, http.client.HTTPException) as error:
            raise CloudError(f"{where} does not answer: {error or type(error).__name__}") from error
        finally:
            connection.close()


def _body(answer: HTTPResponse) -> str:
    """At most LIMIT bytes, and no more than arrive in WHOLE_S seconds."""
    until = time.monotonic() + WHOLE_S
    body = b""
    while len(body) < LIMIT and time.monotonic() < until:
        part = answer.read1(LIMIT - len(body))
        if not part:
            break
        body += part
    return body.decode("utf-8", "replace")
