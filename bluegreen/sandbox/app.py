"""The demo application, put into the demo images as it stands: python3 app.py. It needs the standard library only.

One thread around one poll(): a slow answer is an entry with a time, not a thread, so that it holds up nobody. Few
imports, because a demo runs a dozen of these. SIGTERM: nothing new is accepted, what has arrived is answered, then it ends.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time

IDLE_S = 75.0  # longer than any balancer keeps an idle connection: the one who sends must be the one who closes
STOP_LIMIT_S = 10.0
LONGEST_DELAY_S = 30.0
LARGEST_HEAD = 16 * 1024
LARGEST_BODY = 1024 * 1024
REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    411: "Length Required",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
}


class Answer:
    """`at` is when it may be sent; `last` closes the connection after it."""

    def __init__(self, status: int, body: str, kind: str = "text/plain", *, delay_s: float = 0.0) -> None:
        self.status = status
        self.body = body.encode()
        self.kind = kind
        self.at = time.monotonic() + delay_s
        self.with_body = True
        self.last = False


class Pages:
    """What is answered to which path."""

    def __init__(self, version: str, instance: str) -> None:
        self.version = version
        self._json = f'{{"version": "{version}", "instance": "{instance}"}}\n'

    def page(self, target: str) -> Answer:
        path, _, query = target.partition("?")
        if path == "/":
            return Answer(200, self._json, "application/json")
        if path == "/health":
            return Answer(500, "broken\n") if self.version == "broken" else Answer(200, "ok\n")
        if path == "/slow":
            return self._slow(query)
        return Answer(404, "not found\n")

    def _slow(self, query: str) -> Answer:
        fields = dict(field.partition("=")[::2] for field in query.split("&"))
        try:
            seconds = float(fields.get("seconds", "1"))
        except ValueError:
            seconds = -1.0
        if not seconds >= 0:  # neither is nan
            return Answer(400, "seconds is to be a number from 0 to 30\n")
        return Answer(200, self._json, "application/json", delay_s=min(seconds, LONGEST_DELAY_S))


class Request:
    """The first request in `data`; `size` is what it takes of it, `refused` the status it gets if it is none."""

    def __init__(self, data: bytearray) -> None:
        self.refused = self.size = 0
        self.method = self.target = ""
        head, end, _ = bytes(data[: LARGEST_HEAD + 4]).partition(b"\r\n\r\n")
        self.complete = bool(end)
        self.keep_alive = False
        if end:
            self._read(head.decode("latin-1").split("\r\n"), len(head) + len(end), len(data))
        elif len(data) > LARGEST_HEAD:
            self.refused = 431

    def _read(self, lines: list[str], head_size: int, arrived: int) -> None:
        words = lines[0].split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            self.refused = 400
            return
        self.method, self.target = words[:2]
        fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        length = fields.get("content-length", "0")
        if "transfer-encoding" in fields:
            self.refused = 411
        elif not (length.isascii() and length.isdigit()):
            self.refused = 400
        elif len(length) > 9 or int(length) > LARGEST_BODY:
            self.refused = 413
        else:
            self.size = head_size + int(length)
            self.complete = arrived >= self.size
        wish = fields.get("connection", "").lower()
        self.keep_alive = "close" not in wish and (words[2] != "HTTP/1.0" or "keep-alive" in wish)


class Client:
    """One connection: one answer at a time; what arrives meanwhile waits."""

    def __init__(self, connection: socket.socket, pages: Pages) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection = connection
        self.pages = pages
        self.arrived = bytearray()
        self.leaving = b""
        self.answer: Answer | None = None
        self.closed = False
        self.stopping = False
        self.until = time.monotonic() + IDLE_S

    def idle(self) -> bool:
        return self.answer is None and not self.leaving and not self.arrived

    def due(self) -> float:
        return self.until if self.answer is None else min(self.until, self.answer.at)

    def wants(self) -> int:
        return select.POLLOUT if self.leaving else select.POLLIN

    def read(self) -> None:
        try:
            data = self.connection.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.arrived += data
        self.closed = not data or len(self.arrived) > LARGEST_HEAD + LARGEST_BODY + 65536
        self.go_on()

    def go_on(self) -> None:
        """As far as it goes now: take a request, answer it when its time has come, send."""
        while not self.closed:
            if self.leaving:
                self._send()
                if self.leaving:
                    return
            elif self.answer is not None:
                if time.monotonic() < self.answer.at:
                    return
                self._compose(self.answer)
            elif not self._take():
                return

    def _take(self) -> bool:
        request = Request(self.arrived)
        if request.refused:
            self.answer = Answer(request.refused, REASONS[request.refused] + "\n")
            self.answer.last = True
            self.arrived.clear()
        elif not request.complete:
            return False
        else:
            del self.arrived[: request.size]
            known = request.method in ("GET", "HEAD")
            self.answer = self.pages.page(request.target) if known else Answer(405, "only GET and HEAD\n")
            self.answer.with_body = request.method != "HEAD"
            self.answer.last = not request.keep_alive
        self.until = max(self.answer.at, time.monotonic()) + IDLE_S
        return True

    def _compose(self, answer: Answer) -> None:
        head = f"HTTP/1.1 {answer.status} {REASONS[answer.status]}\r\nContent-Type: {answer.kind}\r\n"
        head += f"Content-Length: {len(answer.body)}\r\nX-Version: {self.pages.version}\r\n"
        if answer.last or self.stopping:
            answer.last = True
            head += "Connection: close\r\n"
        self.leaving = head.encode("latin-1") + b"\r\n" + (answer.body if answer.with_body else b"")

    def _send(self) -> None:
        try:
            self.leaving = self.leaving[self.connection.send(self.leaving) :]
        except BlockingIOError:
            return
        except OSError:
            self.closed = True
        if not self.leaving and self.answer is not None:
            self.closed = self.closed or self.answer.last
            self.answer = None
            self.until = time.monotonic() + IDLE_S


class Server:
    def __init__(self, listener: socket.socket, pages: Pages) -> None:
        self._listener = listener
        self._pages = pages
        self._clients: dict[int, Client] = {}
        self._poll = select.poll()
        self._poll.register(listener, select.POLLIN)
        self._stop_at = 0.0

    def run(self, wake: int) -> None:
        """Until SIGTERM, which makes `wake` readable, and what was in flight then."""
        self._poll.register(wake, select.POLLIN)
        while not self._stop_at or (self._clients and time.monotonic() < self._stop_at):
            ready = {number for number, _ in self._poll.poll(self._patience_ms())}
            if wake in ready:
                self._poll.unregister(wake)
                self._stop()
            if self._listener.fileno() in ready:
                self._accept()
            for number in ready & self._clients.keys():
                client = self._clients[number]
                client.go_on() if client.leaving else client.read()
            self._pass_time()
        for client in self._clients.values():
            client.connection.close()

    def _patience_ms(self) -> float | None:
        times = [client.due() for client in self._clients.values()]
        if self._stop_at:
            times.append(self._stop_at)
        return max(0.0, min(times) - time.monotonic()) * 1000 + 1 if times else None

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # no more of them, or too many
                return
            client = self._clients[connection.fileno()] = Client(connection, self._pages)
            client.stopping = bool(self._stop_at)
            self._poll.register(connection, select.POLLIN)

    def _pass_time(self) -> None:
        now = time.monotonic()
        for number, client in list(self._clients.items()):
            if client.answer is not None and not client.leaving and client.answer.at <= now:
                client.go_on()
            if client.closed or client.until <= now or (self._stop_at and client.idle()):
                self._poll.unregister(number)
                del self._clients[number]
                client.connection.close()
            else:
                self._poll.modify(number, client.wants())

    def _stop(self) -> None:
        """What is on its way in the kernel has arrived for its sender: it is taken before the doors close."""
        self._stop_at = time.monotonic() + STOP_LIMIT_S
        self._accept()
        self._poll.unregister(self._listener)
        self._listener.close()
        for client in self._clients.values():
            client.stopping = True
            if client.idle():
                client.read()
        self._pass_time()


def plain(text: str) -> str:
    """Only what may stand in a header and in JSON as it is."""
    return "".join(character for character in text if "!" <= character <= "~" and character not in '"\\')


def main() -> None:
    instance = plain(os.environ.get("INSTANCE_ID", os.uname().nodename))
    pages = Pages(plain(os.environ.get("VERSION", "")) or "dev", instance)
    host, _, port = os.environ.get("BLUEGREEN_BIND", "0.0.0.0:8000").rpartition(":")
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, int(port)))
    listener.listen(512)
    listener.setblocking(False)
    wake, alarm = os.pipe()
    os.set_blocking(alarm, False)
    signal.set_wakeup_fd(alarm)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    sys.stdout.write(f"bluegreen demo {pages.version} listens on {host}:{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    Server(listener, pages).run(wake)


if __name__ == "__main__":
    main()
