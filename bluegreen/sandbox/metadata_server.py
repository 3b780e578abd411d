"""The metadata service of all hosts: HTTP at the bridge's gateway, to which each host sends its 169.254.169.254.

Who asks is known by the address. As with IMDSv2 required, nothing is told without a token, and a token only to the host
that it was made for.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime

from aiohttp import web

from bluegreen.sandbox import metadata
from bluegreen.sandbox.model import Boot

TTL = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN = "X-aws-ec2-metadata-token"  # noqa: S105 - the name of a header
TOKENS_KEPT = 10_000
STOP_LIMIT_S = 0.2


class MetadataServer:
    def __init__(self, host: str, who: Callable[[str], Boot | None]) -> None:
        """`who` tells the instance of an address. Serves from the running event loop once started, on a free port."""
        self._host = host
        self._who = who
        self._tokens: dict[str, tuple[str, float]] = {}  # token → (address, until)
        self._runner: web.AppRunner | None = None

    async def start(self) -> int:
        """The port."""
        app = web.Application()
        app.router.add_put("/latest/api/token", self._put_token)
        app.router.add_get("/{path:.*}", self._get)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_LIMIT_S)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, 0).start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _put_token(self, request: web.Request) -> web.Response:
        seconds = metadata.token_seconds(request.headers.get(TTL))
        if self._who(request.remote or "") is None or "X-Forwarded-For" in request.headers:
            return web.Response(status=403)
        if seconds is None:
            return web.Response(status=400)
        token = secrets.token_urlsafe(40)
        while len(self._tokens) >= TOKENS_KEPT:
            del self._tokens[next(iter(self._tokens))]
        self._tokens[token] = (request.remote or "", time.monotonic() + seconds)
        return web.Response(text=token, headers={TTL: str(seconds)})

    async def _get(self, request: web.Request) -> web.Response:
        address, until = self._tokens.get(request.headers.get(TOKEN, ""), ("", 0.0))
        known = self._who(request.remote or "")
        if known is None or address != request.remote or time.monotonic() >= until:
            return web.Response(status=401)
        content = metadata.answer(known, request.path, datetime.now(UTC))
        if content is None:
            return web.Response(status=404)
        return web.Response(body=content, content_type="text/plain")
