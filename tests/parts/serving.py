"""A server of a test: it answers in a thread of its own until it is stopped."""

from __future__ import annotations

import socketserver
import threading


class Serving(socketserver.BaseServer):
    """Mixed into a server of the standard library, before it."""

    daemon_threads = True

    def begin(self) -> None:
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()
