"""The session that gives secrets to BuildKit, asked as BuildKit asks: gRPC over HTTP/2."""

from __future__ import annotations

import pytest
from h2.connection import H2Connection
from h2.events import DataReceived, Event, ResponseReceived, TrailersReceived
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.errors import Refused
from bluegreen.images import protobuf
from bluegreen.images.build_secrets import mask
from bluegreen.images.buildkit import build
from bluegreen.images.session import GET_SECRET, HEALTH, Session
from bluegreen.images.trace import Trace

LARGE = bytes(range(256)) * 200


class Asker:
    """The engine's end."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._h2 = H2Connection()
        self._h2.initiate_connection()
        self._h2.receive_data(session.greeting())

    def ask(self, path: str, message: bytes, piece: int = 1 << 20) -> tuple[bytes, str]:
        """The answer and its status; what is sent arrives in pieces."""
        stream = self._h2.get_next_available_stream_id()
        headers = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "x", "te": "trailers"}
        self._h2.send_headers(stream, list(headers.items()))
        self._h2.send_data(stream, b"\0" + len(message).to_bytes(4, "big") + message, end_stream=True)
        sent = self._h2.data_to_send()
        events: list[Event] = []
        for at in range(0, len(sent), piece):
            events += self._h2.receive_data(self._session.answer(sent[at : at + piece]))
        data = b"".join(event.data or b"" for event in events if isinstance(event, DataReceived))
        assert not data or int.from_bytes(data[1:5], "big") == len(data) - 5
        found = [event.headers for event in events if isinstance(event, ResponseReceived | TrailersReceived)]
        return data[5:], dict(found[-1] or ())[b"grpc-status"].decode()


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
@pytest.mark.parametrize("value", [b"x", b"\0\xff\n", LARGE])
def test_a_declared_secret_is_given_byte_for_byte(value: bytes, piece: int) -> None:
    asker = Asker(Session({"token": value, "other": b"no"}))
    answer, status = asker.ask(GET_SECRET, protobuf.field(1, b"token") + protobuf.field(2, b"\x0a\x01a"), piece)
    assert status == "0" and list(protobuf.fields(answer)) == [(1, value)]
    assert asker.ask(GET_SECRET, protobuf.field(1, b"other")) == (protobuf.field(1, b"no"), "0")


def test_nothing_else_is_given() -> None:
    asker = Asker(Session({"token": b"value"}))
    assert asker.ask(GET_SECRET, protobuf.field(1, b"/etc/passwd")) == (b"", "5")
    assert asker.ask(GET_SECRET, b"") == (b"", "5")
    assert asker.ask("/moby.filesync.v1.FileSync/DiffCopy", b"") == (b"", "12")
    assert asker.ask(HEALTH, b"") == (b"\x08\x01", "0")


def test_an_engine_without_buildkit_is_refused() -> None:
    class Reply:
        status_code = 404

    class Old:
        def _url(self, path: str) -> str:
            return path

        def _post(self, url: str, **_: object) -> Reply:
            assert url == "/session", "nothing is built without the session"
            return Reply()

    with pytest.raises(Refused, match="has no BuildKit"):
        build(Old(), "shop/app:1", None, {}, "linux/amd64", {"token": b"value"}, print)  # type: ignore[arg-type]


@given(st.lists(st.tuples(st.integers(1, 2**28), st.integers(0, 2**64 - 1) | st.binary())))
def test_fields_are_read_as_they_are_written(found: list[tuple[int, int | bytes]]) -> None:
    message = b"".join(protobuf.field(number, value) for number, value in found)
    assert list(protobuf.fields(message)) == found


@given(st.binary())
def test_any_bytes_are_a_message_or_a_value_error(data: bytes) -> None:
    try:
        list(protobuf.fields(data))
    except ValueError:
        return


def test_a_trace_tells_each_step_once_and_the_lines_of_the_one_that_failed() -> None:
    def vertex(digest: bytes, name: bytes, *more: bytes) -> bytes:
        return protobuf.field(1, protobuf.field(1, digest) + protobuf.field(3, name) + b"".join(more))

    def log(digest: bytes, text: bytes) -> bytes:
        return protobuf.field(3, protobuf.field(1, digest) + protobuf.field(4, text))

    told: list[str] = []
    trace = Trace(told.append)
    started = protobuf.field(5, b"")
    for message in (
        vertex(b"a", b"[1/2] RUN a") + vertex(b"i", b"[internal] load", started),
        vertex(b"a", b"[1/2] RUN a", started) + log(b"a", b"one\npar"),
        vertex(b"b", b"[2/2] RUN b", started) + log(b"b", b"".join(b"line %d\n" % n for n in range(40))),
        vertex(b"a", b"[1/2] RUN a", started, protobuf.field(6, b"")) + log(b"a", b"t\n\r50%\r100%\n"),
        vertex(b"b", b"[2/2] RUN b", started, protobuf.field(7, b"exit code: 7")),
    ):
        trace.add(message)
    shown = [line for line in told if not line.startswith("line ")]
    assert shown == ["[1/2] RUN a", "one", "[2/2] RUN b", "part", "100%"]
    assert trace.step == "[2/2] RUN b" and trace.lines == tuple(f"line {number}" for number in range(10, 40))


@given(st.text(min_size=1).filter(lambda text: text.strip() and "*" not in text))
def test_a_secret_is_masked_wherever_it_stands_in_a_line(secret: str) -> None:
    line = mask(f"before {secret} after", {"token": secret.encode()})
    assert secret.strip() not in line.replace("before ", "").replace(" after", "") and "***" in line


def test_lines_of_a_secret_are_masked_one_by_one() -> None:
    assert mask("got line-of-key, ok", {"key": b"head\nline-of-key\n"}) == "got ***, ok"
