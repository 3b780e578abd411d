"""A login is given when asked for, and never shows."""

from __future__ import annotations

import pytest
from asking import Naps, fails
from fake_registry import PASSWORD, FakeRegistry, answer

from bluegreen.errors import CloudError
from bluegreen.images.registry import Credentials, RegistryImages


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_a_login_is_used_when_asked_for_and_the_password_fetched_once(
    registry: FakeRegistry, naps: Naps, auth: str
) -> None:
    registry.auth = auth
    registry.put_image("demo/web", "A")
    registry.put_image("demo/app", "A")
    asked: list[str] = []
    images = RegistryImages({registry.host: Credentials("deploy", lambda: asked.append("") or PASSWORD)}, sleep=naps)
    assert asked == []
    images.digest(f"{registry.host}/demo/web:A", "amd64")
    images.digest(f"{registry.host}/demo/app:A", "amd64")
    assert asked == [""]
    assert [line[2] for line in registry.log if line[1] == "/v2/"] == [""]
    images.close()


def test_no_password_is_fetched_for_an_open_registry(registry: FakeRegistry, naps: Naps) -> None:
    registry.put_image("demo/web", "A")
    images = RegistryImages({registry.host: Credentials("deploy", lambda: pytest.fail("asked"))}, sleep=naps)
    images.digest(f"{registry.host}/demo/web:A", "amd64")
    images.close()


def test_an_expired_token_is_replaced(registry: FakeRegistry, images: RegistryImages) -> None:
    registry.auth = "bearer"
    registry.put_image("demo/web", "A")
    images.digest(f"{registry.host}/demo/web:A", "amd64")
    registry.faults["HEAD", "/manifests/"] = [answer(401, b"", {"WWW-Authenticate": registry.challenge()})]
    images.digest(f"{registry.host}/demo/web:A", "amd64")
    assert len([line for line in registry.log if line[1].startswith("/token")]) == 2


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_a_wrong_password_is_told_without_it(registry: FakeRegistry, images: RegistryImages, auth: str) -> None:
    registry.auth = auth
    registry.login = ("deploy", "another")
    text = fails(images, CloudError, f"{registry.host}/demo/web:A")
    assert f"{registry.host} refuses the login of deploy" in text
    assert "UNAUTHORIZED" in text


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_a_missing_login_is_told(registry: FakeRegistry, naps: Naps, auth: str) -> None:
    registry.auth = auth
    images = RegistryImages(sleep=naps)
    assert "asks for a login, and there is none" in fails(images, CloudError, f"{registry.host}/demo/web:A")
    images.close()


def test_a_good_login_that_may_not_pull_is_told_apart(registry: FakeRegistry, images: RegistryImages) -> None:
    registry.auth, registry.may_pull = "bearer", False
    assert "deploy may not pull demo/web" in fails(images, CloudError, f"{registry.host}/demo/web:A")


def test_403_is_told(registry: FakeRegistry, images: RegistryImages) -> None:
    registry.faults["HEAD", "/manifests/"] = [answer(403)]
    assert "DENIED" in fails(images, CloudError, f"{registry.host}/demo/web:A")


@pytest.mark.parametrize("reply", [answer(500), answer(200, b"{}"), answer(200, b"<html>")])
def test_a_token_service_out_of_order_is_told(registry: FakeRegistry, images: RegistryImages, reply: object) -> None:
    registry.auth = "bearer"
    registry.faults["GET", "/token"] = [reply] * 4  # type: ignore[list-item]
    assert "does not answer as it should" in fails(images, CloudError, f"{registry.host}/demo/web:A")


def test_a_login_is_not_sent_to_a_token_service_without_tls(registry: FakeRegistry, images: RegistryImages) -> None:
    registry.auth, registry.realm = "bearer", "http://auth.example.com/token"
    assert "sends to an address without TLS" in fails(images, CloudError, f"{registry.host}/demo/web:A")
