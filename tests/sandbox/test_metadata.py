"""IMDSv2 as an instance sees it: the answers, and the server that wants a token for each."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import aiohttp
import pytest

from bluegreen.sandbox import metadata
from bluegreen.sandbox.metadata_server import TOKEN, TTL, MetadataServer
from bluegreen.sandbox.model import Boot

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BOOT = Boot(
    instance_id="i-0123456789abcdef0",
    region="eu-west-1",
    user_data=b"#cloud-config\n\x00\xff",
    tags=(("Name", "web"), ("bluegreen:stack", "shop")),
    account="123456789012",
    image_id="ami-1",
    instance_type="m7i.large",
    zone="eu-west-1b",
    address="10.99.64.5",
    role="demo-web",
    tags_in_metadata=True,
)


def told(path: str, boot: Boot = BOOT) -> str | None:
    answer = metadata.answer(boot, path, NOW)
    return answer.decode() if answer is not None else None


def test_what_an_instance_hears() -> None:
    assert told("/latest/meta-data/instance-id") == BOOT.instance_id
    assert told("/2021-03-23/meta-data/local-ipv4") == "10.99.64.5"
    assert told("/latest/meta-data/placement/region") == "eu-west-1"
    assert told("/latest/meta-data/tags/instance/bluegreen:stack") == "shop"
    assert metadata.answer(BOOT, "/latest/user-data", NOW) == BOOT.user_data
    assert json.loads(told("/latest/dynamic/instance-identity/document") or "")["instanceId"] == BOOT.instance_id


def test_folders_are_listed_with_a_slash_behind_folders() -> None:
    assert told("/latest/meta-data/tags/instance/") == "Name\nbluegreen:stack"
    assert told("/latest/meta-data/iam/security-credentials/") == "demo-web"
    assert "placement/" in (told("/latest/meta-data/") or "").split("\n")
    assert told("/latest/meta-data/iam/") == "security-credentials/"
    assert "latest" in (told("/") or "").split("\n")


def test_credentials_are_the_roles_and_end() -> None:
    known = json.loads(told("/latest/meta-data/iam/security-credentials/demo-web") or "")
    assert known["Code"] == "Success"
    assert known["Expiration"] == "2026-01-02T09:04:05Z"


@pytest.mark.parametrize(
    "path",
    ["/latest/meta-data/nothing", "/1999-01-01/meta-data/", "/latest/meta-data/instance-id/", "/latest/meta-data/tag"],
)
def test_what_is_not_there_is_not_found(path: str) -> None:
    assert told(path) is None


def test_what_the_launch_did_not_give_is_not_there() -> None:
    plain = Boot("i-0", "eu-west-1", b"", (("Name", "web"),), address="10.99.0.9")
    assert told("/latest/user-data", plain) is None
    assert told("/latest/meta-data/tags/instance/Name", plain) is None
    assert told("/latest/meta-data/iam/security-credentials/", plain) is None


@pytest.mark.parametrize("header", [None, "", "0", "21601", "-1", "x", "1.5", "²"])
def test_a_token_needs_a_life_of_a_second_to_six_hours(header: str | None) -> None:
    assert metadata.token_seconds(header) is None
    assert metadata.token_seconds("21600") == 21600


@asynccontextmanager
async def served(who: Callable[[str], Boot | None]) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    server = MetadataServer("127.0.0.1", who)
    port = await server.start()
    try:
        async with aiohttp.ClientSession() as client:
            yield client, f"http://127.0.0.1:{port}/latest"
    finally:
        await server.stop()


async def asked(client: aiohttp.ClientSession, method: str, url: str, **headers: str) -> tuple[int, str]:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    async with client.request(method, url, headers=named) as answer:
        return answer.status, await answer.text()


async def check_tokens() -> None:
    here: dict[str, Boot | None] = {"127.0.0.1": BOOT}
    async with served(here.get) as (client, base):
        question = f"{base}/meta-data/instance-id"
        assert (await asked(client, "GET", question))[0] == 401
        assert (await asked(client, "GET", question, **{TOKEN: "made-up"}))[0] == 401
        assert (await asked(client, "PUT", f"{base}/api/token"))[0] == 400
        status, token = await asked(client, "PUT", f"{base}/api/token", **{TTL: "60"})
        assert status == 200
        assert await asked(client, "GET", question, **{TOKEN: token}) == (200, BOOT.instance_id)
        assert (await asked(client, "GET", f"{base}/meta-data/none", **{TOKEN: token}))[0] == 404
        assert (await asked(client, "PUT", f"{base}/api/token", **{TTL: "60", "X-Forwarded-For": "1.2.3.4"}))[0] == 403
        here.clear()
        assert (await asked(client, "GET", question, **{TOKEN: token}))[0] == 401
        assert (await asked(client, "PUT", f"{base}/api/token", **{TTL: "60"}))[0] == 403


def test_nothing_is_told_without_a_token() -> None:
    asyncio.run(check_tokens())
