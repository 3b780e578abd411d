"""Planted secrets are found nowhere: not raw, not in base64, in nothing that the day left behind."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from day import Day
from machines import STACK, Machine, Site

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

SERVICES = ("web", "app")
FOLDERS = ("/etc", "/home", "/root", "/tmp", "/usr/local", "/var/lib/cloud", "/var/log", "/var/tmp")


def forms(secret: str) -> list[bytes]:
    """Its first word, which no quoting changes, and that in base64 wherever it stands in a longer text."""
    word = secret.split(maxsplit=1)[0].encode()
    shifted = (base64.b64encode(b"x" * shift + word) for shift in range(3))
    return [word, *(text[4 if shift else 0 : -4] for shift, text in enumerate(shifted))]


def hits(needles: list[bytes], places: Iterator[tuple[str, bytes]]) -> tuple[list[str], int]:
    """(the places that hold one, how many there were)"""
    found, count = [], 0
    for place, data in places:
        count += 1
        if any(needle in data for needle in needles):
            found.append(place)
    return found, count


@pytest.fixture(scope="module")
def needles(site: Site) -> list[bytes]:
    return [form for secret in site.planted.values() for form in forms(secret)]


def test_the_search_finds_what_is_there(site: Site, needles: list[bytes]) -> None:
    for secret in site.planted.values():
        for text in (secret, json.dumps({"x": secret}), f"deploy:{secret}", f"a deploy:{secret}"):
            for data in (text.encode(), base64.b64encode(text.encode())):
                assert hits(needles, iter([("here", data)])) == (["here"], 1)


def test_nothing_in_aws(day: Day, site: Site, needles: list[bytes]) -> None:
    found, count = hits(needles, in_aws(site))
    assert not found and count > 10


def test_nothing_on_consoles_and_in_logs(day: Day, site: Site, needles: list[bytes]) -> None:
    def places() -> Iterator[tuple[str, bytes]]:
        machines = site.machines("live") + site.machines("standby")
        consoles = {machine.instance: site.console(machine.instance) for machine in machines}
        silent = [name for name, text in consoles.items() if "[bluegreen]" not in text]
        assert len(silent) <= 1, "a console without the boot's words shows nothing; one machine was started again"
        for machine in machines:
            yield f"console of {machine.instance}", consoles[machine.instance].encode()
            logs = [machine.run("docker", "logs", service) for service in SERVICES]
            assert all(logs), "a service that has written nothing shows nothing"
            yield f"logs of {machine.instance}", "".join(logs).encode()

    found, count = hits(needles, places())
    assert not found and count >= 8


def test_nothing_among_the_words_of_any_program(day: Day, needles: list[bytes]) -> None:
    assert not day.words_lost
    assert any("containers.py" in words for words in day.words), "no boot was seen"
    found, _ = hits(needles, ((words[:80], words.encode()) for words in day.words))
    assert not found


def test_nothing_on_the_disks_of_the_machines(day: Day, site: Site, needles: list[bytes]) -> None:
    for machine in (site.machines("live")[0], site.machines("standby")[0]):
        found, count = hits(needles, on_disk(machine))
        assert not found and count > 100


def test_nothing_in_images_and_other_containers(day: Day, site: Site, needles: list[bytes]) -> None:
    machine = site.machines("standby")[0]

    def places() -> Iterator[tuple[str, bytes]]:
        yield "info", machine.run("docker", "info").encode()
        yield "inspect web", machine.run("docker", "inspect", "web").encode()
        for image in machine.run("docker", "image", "ls", "--quiet", "--no-trunc").split():
            yield f"image {image}", machine.run("docker", "image", "inspect", image).encode()
            yield f"history {image}", machine.run("docker", "history", "--no-trunc", image).encode()

    found, count = hits(needles, places())
    assert not found and count >= 6


def test_nothing_where_the_controller_ran(day: Day, site: Site, needles: list[bytes]) -> None:
    def places() -> Iterator[tuple[str, bytes]]:
        for ended in (day.first, day.second, day.back):
            yield "output", (ended.out + ended.err).encode()
        for words in (("status", STACK), ("history", STACK), ("show", f"{STACK}-1"), ("show", f"{STACK}-2")):
            yield " ".join(words), site.box.run(*words, "--output", "json").out.encode()
        for path in Path(site.box.known["folder"]).rglob("*"):
            if path.is_file():
                yield str(path), path.read_bytes()

    found, count = hits(needles, places())
    assert not found and count > 5


def in_aws(site: Site) -> Iterator[tuple[str, bytes]]:
    ec2, elbv2 = site.box.client("ec2"), site.box.client("elbv2")
    for reservation in ec2.describe_instances()["Reservations"]:
        for instance in reservation["Instances"]:
            name = instance["InstanceId"]
            yield name, json.dumps(instance, default=str).encode()
            data = ec2.describe_instance_attribute(InstanceId=name, Attribute="userData")["UserData"].get("Value", "")
            yield f"user data of {name}", base64.b64decode(data)
    yield "tags", json.dumps(ec2.describe_tags()["Tags"]).encode()
    groups = elbv2.describe_target_groups()["TargetGroups"]
    arns = [group["TargetGroupArn"] for group in groups]
    yield "groups", json.dumps([groups, elbv2.describe_tags(ResourceArns=arns)["TagDescriptions"]]).encode()
    for item in site.box.client("dynamodb").scan(TableName="bluegreen")["Items"]:
        yield f"ledger {item.get('stack')}", json.dumps(item, default=str).encode()


def on_disk(machine: Machine) -> Iterator[tuple[str, bytes]]:
    for folder in FOLDERS:
        chunks, _ = machine.container.get_archive(folder)
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
            for member in tar:
                file = tar.extractfile(member) if member.isfile() else None
                if file:
                    yield f"{machine.instance}:{member.name}", file.read()
