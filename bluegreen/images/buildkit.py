"""A build by the engine's BuildKit, for what its older builder cannot: secrets that RUN --mount=type=secret sees, and no layer.

The Docker SDK knows neither sessions nor BuildKit's answers; its HTTP with the engine (socket, TLS, SSH) is used for both.
"""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any

from h2.exceptions import ProtocolError

from bluegreen.errors import BuildFailed, Refused
from bluegreen.images.build_secrets import mask
from bluegreen.images.context import DOCKERFILE
from bluegreen.images.session import Session
from bluegreen.images.trace import Trace

TRACE = "moby.buildkit.trace"
SWITCHED = 101
END_S = 10


def build(
    api: Any,
    tag: str,
    context: IO[bytes],
    arguments: Mapping[str, str],
    platform: str,
    secrets: Mapping[str, bytes],
    told: Callable[[str], None],
) -> None:
    """The image `tag`, from a tar. Raises BuildFailed with the step and its last lines, Refused where there is no BuildKit."""
    trace = Trace(lambda line: told(mask(line, secrets)))
    session = Session(secrets)
    asked = {
        "version": "2",
        "session": session.id,
        "t": tag,
        "dockerfile": DOCKERFILE,
        "buildargs": json.dumps(dict(arguments)),
        "platform": platform,
    }
    with _served(api, session):
        headers = {"Content-Type": "application/x-tar"}
        reply = api._post(api._url("/build"), data=context, params=asked, headers=headers, stream=True)
        api._raise_for_status(reply)
        for answer in api._stream_helper(reply, decode=True):
            if answer.get("id") == TRACE:
                trace.add(base64.b64decode(answer["aux"]))
            if "error" in answer:
                why = mask(str(answer["error"]).strip(), secrets)
                lines = tuple(mask(line, secrets) for line in trace.lines)
                raise BuildFailed(tag, mask(trace.step, secrets), why, lines)


@contextlib.contextmanager
def _served(api: Any, session: Session) -> Iterator[None]:
    """The engine's questions are answered while this lasts."""
    reply = api._post(api._url("/session"), headers=session.headers(), stream=True)
    if reply.status_code != SWITCHED:
        raise Refused(
            "the Docker engine has no BuildKit, and without it a build can have no secrets",
            why=f"HTTP {reply.status_code} to POST /session",
            next="use an engine with BuildKit (Docker 18.09 or newer, on Linux)",
        )
    hijacked = api._get_raw_response_socket(reply)
    connection = getattr(hijacked, "_sock", hijacked)
    thread = threading.Thread(target=_serve, args=(session, reply.raw._fp.fp, connection), name="session", daemon=True)
    thread.start()
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        thread.join(END_S)
        reply.close()


def _serve(session: Session, reader: Any, connection: Any) -> None:
    """`reader` may hold bytes already that came with the end of the HTTP headers. A connection that breaks ends the build: the
    engine says so there."""
    with contextlib.suppress(OSError, ValueError, ProtocolError):
        connection.sendall(session.greeting())
        while data := reader.read1(1 << 16):
            connection.sendall(session.answer(data))
