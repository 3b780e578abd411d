"""A registry for tests: images made of texts, served over the OCI distribution API from a thread. Loopback only."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MANIFEST = "application/vnd.oci.image.manifest.v1+json"

# Answers /health with $STATUS, everything else with its environment; ends on SIGTERM as an application should.
SERVER = """
import http.server, json, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        health = self.path == "/health"
        body = b"" if health else json.dumps({"env": dict(os.environ), "argv": sys.argv, "cwd": os.getcwd()}).encode()
        self.send_response(int(os.environ.get("STATUS", "200")) if health else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
class Server(http.server.ThreadingHTTPServer):
    def server_bind(self):
        self.socket.setsockopt(1, 2, 1)
        self.socket.bind(self.server_address)
host, _, port = os.environ["BLUEGREEN_BIND"].rpartition(":")
server = Server((host, int(port)), Handler)
print("listens on", host, port, flush=True)
server.serve_forever()
"""


def tar(members: Sequence[tarfile.TarInfo | tuple[str, str]]) -> bytes:
    """A gzip layer of (path, text) files and of ready members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            content = member[1].encode()
            info.size, info.mode = len(content), 0o755
            archive.addfile(info, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)


class ImageShelf:
    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.asked: list[tuple[str, str]] = []  # path, Authorization
        self.login = ""
        shelf = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                shelf.asked.append((self.path, self.headers.get("Authorization", "")))
                refused = shelf.login and self.headers.get("Authorization") != shelf.login
                body = shelf.blobs.get(self.path.rpartition("/")[2])
                self.send_response(401 if refused else 404 if body is None else 200)
                content = b"" if refused or body is None else body
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Content-Type", MANIFEST)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def put(self, content: bytes) -> str:
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        self.blobs[digest] = content
        return digest

    def image(self, layers: Sequence[bytes], config: Mapping[str, Any], name: str = "shop/web") -> str:
        """Its whole name, by digest."""
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"digest": self.put(json.dumps({"config": config}).encode())},
            "layers": [{"digest": self.put(layer)} for layer in layers],
        }
        return f"{self.host}/{name}@{self.put(json.dumps(manifest).encode())}"

    def server_image(self, **config: Any) -> str:
        """The web application above, in two layers."""
        run = {"Entrypoint": ["python3", "/app/server.py"], "WorkingDir": "/app", "Env": ["FROM_IMAGE=yes"], **config}
        return self.image([tar([("app/note", "old")]), tar([("app/server.py", SERVER), ("app/note", "new")])], run)
