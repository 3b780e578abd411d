"""Questions end: with an answer over TLS, or with an error that says why."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from asking import Naps, fails
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fake_registry import (
    PASSWORD,
    FakeRegistry,
    answer,
    close_unasked,
    hang_up,
)

from bluegreen.errors import CloudError, Throttled, Unreachable, UsageError
from bluegreen.images.registry import Credentials, RegistryImages
from tests.parts.authority import Authority


def test_busy_moments_are_waited_out(registry: FakeRegistry, images: RegistryImages, naps: Naps) -> None:
    registry.put_image("demo/web", "A")
    registry.faults["HEAD", "/manifests/"] = [answer(503), answer(500), answer(429, b"", {"Retry-After": "7"})]
    registry.faults["GET", "/manifests/"] = [hang_up]
    images.digest(f"{registry.host}/demo/web:A", "amd64")
    assert naps.taken == [0.5, 1.0, 7.0, 0.5]


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (answer(500), CloudError, "HTTP 500"),
        (hang_up, CloudError, "or not whole"),
        (answer(429), Throttled, "allows no more requests"),
    ],
)
def test_tries_have_an_end(
    registry: FakeRegistry, images: RegistryImages, naps: Naps, reply: object, kind: type[CloudError], words: str
) -> None:
    registry.faults["GET", "/manifests/"] = [reply] * 9  # type: ignore[list-item]
    assert words in fails(images, kind, f"{registry.host}/demo/web:A")
    assert naps.taken == [0.5, 1.0, 2.0]


def test_a_long_retry_after_is_told_and_not_slept(registry: FakeRegistry, images: RegistryImages, naps: Naps) -> None:
    registry.faults["HEAD", "/manifests/"] = [answer(429, b"", {"Retry-After": "3600"})]
    assert "it asks to wait 3600 s" in fails(images, Throttled, f"{registry.host}/demo/web:A")
    assert naps.taken == []


def test_an_endless_answer_is_cut_off(
    registry: FakeRegistry, images: RegistryImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bluegreen.images.connections.ANSWER_LIMIT", 1000)
    registry.faults["GET", "/manifests/"] = [answer(200, b"x" * 5000)]
    assert "limit" in fails(images, CloudError, f"{registry.host}/demo/web:A")


def test_a_slow_answer_ends_at_the_deadline(registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    from bluegreen.images.transport import Transport

    ticks = iter(range(0, 100_000, 20))
    transport = Transport({}, clock=lambda: float(next(ticks)))
    registry.faults["GET", "/manifests/"] = [answer(200, b"x" * 200_000)]
    with pytest.raises(CloudError, match="does not answer"):
        transport.ask("GET", registry.host, "demo/web", "manifests/A")
    transport.close()


def test_nobody_there(naps: Naps) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    images = RegistryImages(sleep=naps)
    text = fails(images, Unreachable, f"{host}/demo/web:A")
    assert f"the registry {host} cannot be reached" in text
    assert len(naps.taken) == 3
    images.close()


def test_a_blob_that_lives_elsewhere_gets_no_login(registry: FakeRegistry, images: RegistryImages) -> None:
    registry.auth = "basic"
    registry.put_image("demo/web", "A")
    elsewhere = FakeRegistry()
    elsewhere.blobs = registry.blobs
    (name,) = registry.blobs
    location = f"http://{elsewhere.host}/v2/x/blobs/{name}"
    registry.faults["GET", "/blobs/"] = [answer(307, b"", {"Location": location})]
    images.digest(f"{registry.host}/demo/web:A", "amd64")
    assert [line[2] for line in elsewhere.log] == [""]
    elsewhere.stop()


def test_redirects_have_an_end_and_keep_tls(registry: FakeRegistry, images: RegistryImages) -> None:
    registry.faults["HEAD", "/manifests/"] = [answer(302, b"", {"Location": "/v2/demo/web/manifests/A"})] * 9
    assert "without end" in fails(images, CloudError, f"{registry.host}/demo/web:A")
    registry.faults["HEAD", "/manifests/"] = [answer(302, b"", {"Location": "http://cdn.example.com/x"})]
    assert "without TLS" in fails(images, CloudError, f"{registry.host}/demo/web:A")


def test_connections_are_kept(registry: FakeRegistry, images: RegistryImages) -> None:
    opened: list[object] = []
    accept = registry.get_request
    registry.get_request = lambda: opened.append(1) or accept()  # type: ignore[method-assign,func-returns-value]
    registry.put_image("demo/web", "A")
    images.digest(f"{registry.host}/demo/web:A", "amd64")
    images.digest(f"{registry.host}/demo/web:A", "amd64")
    assert len(registry.log) == 7
    assert len(opened) == 1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that is its own authority, for registry.test and 127.0.0.1."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "registry.test")])
    names = [x509.DNSName("registry.test"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(hours=1))
    builder = builder.not_valid_after(now + datetime.timedelta(hours=1))
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(private)
    return folder


@pytest.fixture
def tls_registry(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRegistry]:
    """Reached as registry.test, which is no loopback name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    server = FakeRegistry(context)
    server.put_image("demo/web", "A")
    _resolve_here(monkeypatch)
    yield server
    server.stop()


def _resolve_here(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest: real("127.0.0.1", *rest))


@pytest.mark.parametrize("variable", ["BLUEGREEN_REGISTRY_CA", "AWS_CA_BUNDLE"])
@pytest.mark.parametrize("name", ["registry.test", "127.0.0.1"])
def test_tls_with_an_authority_of_ones_own(
    tls_registry: FakeRegistry, certificate: Path, monkeypatch: pytest.MonkeyPatch, variable: str, name: str, naps: Naps
) -> None:
    monkeypatch.setenv(variable, str(certificate / "cert.pem"))
    images = RegistryImages(sleep=naps)
    pinned = images.digest(f"{name}:{tls_registry.server_port}/demo/web:A", "amd64").reference
    assert pinned.startswith(f"{name}:{tls_registry.server_port}/demo/web@sha256:")
    images.close()


def test_the_systems_authorities_count_beside_ones_own(
    tls_registry: FakeRegistry, certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, naps: Naps
) -> None:
    host = f"registry.test:{tls_registry.server_port}"
    other = Authority(tmp_path).ca
    images = RegistryImages(ca_file=str(other), sleep=naps)
    assert "CERTIFICATE_VERIFY_FAILED" in fails(images, Unreachable, f"{host}/demo/web:A")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    images = RegistryImages(authorities=other.read_text("ascii"), sleep=naps)
    assert images.find(f"{host}/demo/web:A")
    images.close()


@pytest.mark.parametrize("name", ["registry.test", "127.0.0.1"])
def test_an_unknown_authority_is_refused_on_loopback_too(tls_registry: FakeRegistry, name: str, naps: Naps) -> None:
    images = RegistryImages({f"{name}:{tls_registry.server_port}": Credentials("deploy", lambda: PASSWORD)}, sleep=naps)
    text = fails(images, Unreachable, f"{name}:{tls_registry.server_port}/demo/web:A")
    assert "CERTIFICATE_VERIFY_FAILED" in text
    assert "BLUEGREEN_REGISTRY_CA" in text
    assert naps.taken == []
    images.close()


def test_plain_http_is_refused_off_loopback(
    registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch, naps: Naps
) -> None:
    registry.put_image("demo/web", "A")
    _resolve_here(monkeypatch)
    host = f"registry.test:{registry.server_port}"
    images = RegistryImages({host: Credentials("deploy", lambda: PASSWORD)}, sleep=naps)
    text = fails(images, Unreachable, f"{host}/demo/web:A")
    assert "plain HTTP is for loopback only" in text
    assert not [line for line in registry.log if line[2]]
    images.close()


def test_a_missing_authority_file_is_named(
    tls_registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch, naps: Naps
) -> None:
    images = RegistryImages(ca_file="/nowhere/ca.pem", sleep=naps)
    assert "/nowhere/ca.pem" in fails(images, UsageError, f"registry.test:{tls_registry.server_port}/demo/web:A")


def test_a_connection_that_the_server_closed_is_made_anew(
    registry: FakeRegistry, images: RegistryImages, naps: Naps
) -> None:
    registry.put_image("demo/web", "A")
    found = images.find(f"{registry.host}/demo/web:A")
    registry.faults["HEAD", ""] = [close_unasked]
    assert images.find(f"{registry.host}/demo/web:A") == found and not naps.taken


def test_docker_hub_has_another_address_for_its_api(monkeypatch: pytest.MonkeyPatch, naps: Naps) -> None:
    asked: list[str] = []

    def nowhere(host: str, *_: object) -> list[object]:
        asked.append(host)
        raise socket.gaierror("not in this test")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    images = RegistryImages(sleep=naps)
    fails(images, Unreachable, "nginx:1.27")
    assert set(asked) == {"registry-1.docker.io"}
    images.close()
