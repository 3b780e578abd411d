"""The two ways into an engine: a boto3 session of this process, and a WSGI application for all others.

Beside AWS the application answers at /_sandbox: GET health, GET calls[?service=&operation=], POST calls/clear.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

import boto3
import botocore.session
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError

from bluegreen.sandbox import moto_seams as moto
from bluegreen.sandbox.calls import AwsError, Wire, not_implemented

if TYPE_CHECKING:
    from botocore.compat import HTTPHeaders

    from bluegreen.sandbox.engine import Engine

ACCOUNT_HEADER = "x-moto-account-id"
OWN = "/_sandbox/"

APART = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}

Environ = dict[str, Any]
StartResponse = Callable[..., Any]


def session(engine: Engine, region: str) -> boto3.Session:
    """What the environment and the user's files say of AWS does not count here."""
    inner = botocore.session.Session(session_vars=APART)
    inner.register_component("data_loader", _loader())
    inner.set_config_variable("ignore_configured_endpoint_urls", True)
    made = boto3.Session("sandbox", "sandbox", region_name=region, botocore_session=inner)

    def answer(event_name: str, request: Any, **_: Any) -> Any:
        request.headers[ACCOUNT_HEADER] = engine.account
        service, operation = event_name.split(".")[-2:]
        reply = engine.dispatch(lambda: moto.process(request))
        if reply.lost:
            raise ConnectionClosedError(endpoint_url=request.url)
        json_like = "json" in str(request.headers.get("Content-Type", ""))
        status, headers, body = reply.wire or _unknown(engine, service, operation, json_like)
        return AWSResponse(request.url, status, cast("HTTPHeaders", headers), moto.MockRawResponse(body))

    made.events.register_first("before-send", answer)
    return made


@cache
def _loader() -> Any:
    """Shared, as reading EC2's model takes 0.2 s."""
    return botocore.session.Session().get_component("data_loader")


class Application:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._moto = moto.application()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        body = _read(environ)  # before the lock is taken
        if environ.get("PATH_INFO", "").startswith(OWN):
            return _respond(start_response, self._own(environ))
        environ[f"HTTP_{ACCOUNT_HEADER.upper().replace('-', '_')}"] = self._engine.account
        reply = self._engine.dispatch(lambda: self._ask_moto(environ))
        if reply.lost:
            _hang_up(environ)
            return _respond(start_response, (200, {}, b""))
        return _respond(start_response, reply.wire or _unknown(self._engine, *_described(environ, body)))

    def _ask_moto(self, environ: Environ) -> Wire:
        told: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
            told[:] = [int(status[:3]), dict(headers)]

        body = b"".join(self._moto(environ, start))
        return told[0], told[1], body

    def _own(self, environ: Environ) -> Wire:
        asked = (environ["REQUEST_METHOD"], environ["PATH_INFO"].removeprefix(OWN).strip("/"))
        if asked == ("GET", "health"):
            return _json(200, {"status": "ok", "account": self._engine.account, "calls": len(self._engine.calls)})
        if asked == ("GET", "calls"):
            return _json(200, {"calls": self._calls(parse_qs(environ.get("QUERY_STRING", "")))})
        if asked == ("POST", "calls/clear"):
            self._engine.calls.clear()
            return _json(200, {"status": "ok"})
        return _json(404, {"error": "there is GET health, GET calls, POST calls/clear"})

    def _calls(self, query: Mapping[str, list[str]]) -> list[dict[str, Any]]:
        records = [
            {
                "at": record.at,
                "service": record.service,
                "operation": record.operation,
                "status": record.status,
                "error": record.error,
                "resource": record.resource,
            }
            for record in self._engine.calls
        ]
        wanted = {name: query[name] for name in ("service", "operation") if name in query}
        return [each for each in records if all(each[name] in values for name, values in wanted.items())]


def _read(environ: Environ) -> bytes:
    """The body; it can be read again."""
    ended = bool(environ.get("wsgi.input_terminated")) and not environ.get("CONTENT_LENGTH")
    body: bytes = environ["wsgi.input"].read(-1 if ended else int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"], environ["CONTENT_LENGTH"] = BytesIO(body), str(len(body))
    return body


def _unknown(engine: Engine, service: str, operation: str, json_like: bool) -> Wire:
    """moto has no such service, or no such operation that it could parse."""
    wire = _plain_error(not_implemented(service, operation), service, json_like)
    engine.record(service, operation, wire)
    return wire


def _plain_error(error: AwsError, service: str, json_like: bool) -> Wire:
    status = error.status or 400
    if json_like:
        return _json(status, {"__type": error.code, "message": error.message})
    told = (
        f"<Error><Type>Sender</Type><Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message></Error>"
    )
    body = (
        f"<Response><Errors>{told}</Errors></Response>"
        if service == "ec2"
        else f"<ErrorResponse>{told}</ErrorResponse>"
    )
    return status, {"Content-Type": "text/xml"}, body


def _described(environ: Environ, body: bytes) -> tuple[str, str, bool]:
    """Service and operation of a request that moto could not read, and whether it speaks JSON."""
    scope = str(environ.get("HTTP_AUTHORIZATION", "")).partition("Credential=")[2].split(",")[0].split("/")
    service = scope[3] if len(scope) > 3 else "unknown"
    target = str(environ.get("HTTP_X_AMZ_TARGET", ""))
    if target:
        return service, target.rpartition(".")[2], True
    form = parse_qs(body.decode("utf-8", "replace")) if b"Action=" in body else {}
    path = f"{environ.get('REQUEST_METHOD')} {environ.get('PATH_INFO')}"
    return service, form.get("Action", [path])[0], "json" in str(environ.get("CONTENT_TYPE", ""))


def _json(status: int, plain: object) -> Wire:
    return status, {"Content-Type": "application/json"}, json.dumps(plain).encode()


def _respond(start_response: StartResponse, wire: Wire) -> Iterable[bytes]:
    status, headers, body = wire
    raw = body.encode() if isinstance(body, str) else bytes(body)
    told = [(name, str(value)) for name, value in headers.items() if name.lower() not in ("content-length", "status")]
    start_response(f"{status} {HTTPStatus(status).phrase}", [*told, ("Content-Length", str(len(raw)))])
    return [raw]


def _hang_up(environ: Environ) -> None:
    """The caller sees a broken connection, as if the answer had been lost on its way."""
    if (connection := environ.get("werkzeug.socket")) is not None:
        connection.shutdown(2)
