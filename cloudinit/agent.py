"""The host's own word on its services, at one port. It tells no secret, changes nothing, and so asks nobody who he is.

GET /health   200 when every service is up, healthy, on its digest and has its workers, and disk and memory are sane;
              otherwise 503, and why, a line for each fault
GET /status   the same as JSON, with release, restarts, workers, boot, disk and memory
Its end with code 75 asks the keeper (keeper.sh) for another run of the boot: Docker gave a container up.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from console import Console
from engine import Engine
from watch import Watch

RUN_AGAIN = 75
TICK_S = 5.0
MANY = 100  # lines on the console; after that it gets one a minute
SLOW_S = 60.0
AT_ONCE = 32


class Handler(BaseHTTPRequestHandler):
    watch: Watch
    room = threading.BoundedSemaphore(AT_ONCE)
    timeout = 5
    server_version = "bluegreen"
    sys_version = ""

    def handle(self) -> None:
        if self.room.acquire(blocking=False):  # whoever opens more at once than that is no load balancer
            try:
                with contextlib.suppress(OSError):
                    super().handle()
            finally:
                self.room.release()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        status = self.watch.status()
        if path == "/status":
            self._answer(200, "application/json", json.dumps(status, indent=1))
        elif path == "/health":
            healthy = status["healthy"]
            self._answer(200 if healthy else 503, "text/plain", "\n".join(status["reasons"]) or "healthy")
        else:
            self._answer(404, "text/plain", "there are /health and /status")

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Checks come every few seconds, for ever."""

    def _answer(self, code: int, kind: str, text: str) -> None:
        body = text.encode() + b"\n"
        self.send_response(code)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def tell(watch: Watch, console: Console) -> int:
    """A line on the console whenever the verdict changes. Returns when Docker has given a container up."""
    told: list[str] = []
    lines = 0
    given_up = 0
    while given_up < 2:  # looks in a row
        reasons = watch.status()["reasons"]
        if reasons != told:
            told, lines = reasons, lines + 1
            console.say(*(["unhealthy", "; ".join(reasons)] if reasons else ["recovered"]))
        given_up = given_up + 1 if watch.given_up() else 0
        time.sleep(TICK_S if lines < MANY else SLOW_S)
    return RUN_AGAIN


def main(arguments: list[str]) -> int:
    document = json.loads(Path(arguments[0]).read_text("utf-8"))
    folder = Path(os.environ.get("BLUEGREEN_RUN_DIR", "/run/bluegreen"))
    with contextlib.suppress(OSError):  # when memory runs out, whoever says so should be there
        Path("/proc/self/oom_score_adj").write_text("-500", "ascii")
    Handler.watch = Watch(document, folder, Engine())
    server = ThreadingHTTPServer(("", document["agent"]["port"]), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return tell(Handler.watch, Console(os.environ.get("BLUEGREEN_CONSOLE", "/dev/console"), 0))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
