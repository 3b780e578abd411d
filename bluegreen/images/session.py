"""A BuildKit session: while a build runs, the engine asks back over one connection, and is given the build's secrets.

The roles are turned around: the engine is the client of gRPC over HTTP/2, and the server is here. No bytes are read or sent in
this file. Protocol: moby.buildkit.secrets.v1 (secrets.proto), grpc.health.v1; gRPC over HTTP/2 (PROTOCOL-HTTP2.md).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset

from bluegreen.images import protobuf

GET_SECRET = "/moby.buildkit.secrets.v1.Secrets/GetSecret"  # noqa: S105 - the name of a call
HEALTH = "/grpc.health.v1.Health/Check"
SERVING = protobuf.field(1, 1)
NOT_FOUND, UNIMPLEMENTED = "5", "12"
PREFIX = 5  # of a gRPC message: compressed or not, and its length


class Session:
    """`secrets` is id → value. For one connection."""

    def __init__(self, secrets: Mapping[str, bytes]) -> None:
        self.id = uuid.uuid4().hex
        self._secrets = secrets
        self._calls: dict[int, tuple[str, bytes]] = {}
        self._h2 = H2Connection(H2Configuration(client_side=False))
        self._h2.initiate_connection()

    def headers(self) -> dict[str, str]:
        """Of the request that opens the connection; BuildKit asks for no more than is named here."""
        return {
            "Connection": "Upgrade",
            "Upgrade": "h2c",
            "X-Docker-Expose-Session-Uuid": self.id,
            "X-Docker-Expose-Session-Name": "bluegreen",
            "X-Docker-Expose-Session-Grpc-Method": GET_SECRET,
        }

    def greeting(self) -> bytes:
        return self._h2.data_to_send()

    def answer(self, data: bytes) -> bytes:
        """What is to be sent for what came. Raises h2.exceptions.ProtocolError."""
        for event in self._h2.receive_data(data):
            if isinstance(event, RequestReceived):
                self._calls[event.stream_id] = (dict(event.headers).get(b":path", b"").decode("ascii", "replace"), b"")
            elif isinstance(event, DataReceived):
                path, request = self._calls[event.stream_id]
                self._calls[event.stream_id] = path, request + event.data
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, StreamEnded):
                self._reply(event.stream_id, *self._calls.pop(event.stream_id))
            elif isinstance(event, StreamReset):
                self._calls.pop(event.stream_id, None)
        return self._h2.data_to_send()

    def _reply(self, stream: int, path: str, request: bytes) -> None:
        if path == HEALTH:
            return self._send(stream, SERVING)
        if path != GET_SECRET:
            return self._refuse(stream, UNIMPLEMENTED, f"there is no {path} here")
        name = protobuf.text(request[PREFIX:], 1)
        if name not in self._secrets:
            return self._refuse(stream, NOT_FOUND, f"secret {name} is not declared")
        return self._send(stream, protobuf.field(1, self._secrets[name]))

    def _send(self, stream: int, message: bytes) -> None:
        self._h2.send_headers(stream, [(":status", "200"), ("content-type", "application/grpc")])
        framed = b"\0" + len(message).to_bytes(4, "big") + message
        size = self._h2.max_outbound_frame_size
        for at in range(0, len(framed), size):
            self._h2.send_data(stream, framed[at : at + size])
        self._h2.send_headers(stream, [("grpc-status", "0")], end_stream=True)

    def _refuse(self, stream: int, status: str, why: str) -> None:
        headers = [(":status", "200"), ("content-type", "application/grpc")]
        self._h2.send_headers(stream, [*headers, ("grpc-status", status), ("grpc-message", why)], end_stream=True)
