"""What the Docker engine is asked for, and the image's recipe: plain values."""

from __future__ import annotations

import dataclasses

import pytest

from bluegreen.sandbox import container
from bluegreen.sandbox.model import Boot

docker = pytest.importorskip("docker")
SITE = container.Site("0123456789abcdef", 1000, "bluegreen-01234567", "10.99.0.1", 5600, 40001, 5601)
BOOT = Boot("i-0a", "eu-west-1", b"", (), address="10.99.64.5")
ROUTES = (
    "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
    "eth0\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
    "eth0\t0002A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
    "tun0\t0000630A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"  # 10.99.0.0/16
)


def test_a_host_has_the_address_that_ec2_tells_and_a_volume_of_its_own() -> None:
    body = container.host(SITE, BOOT, "image:1", bounding=0)
    assert body.config["NetworkingConfig"]["EndpointsConfig"][SITE.network]["IPAMConfig"] == {
        "IPv4Address": "10.99.64.5"
    }
    assert body.config["HostConfig"]["Binds"] == [f"{body.name}:/var/lib/docker"]
    assert body.labels == {"bluegreen.sandbox": SITE.token, "bluegreen.user": "1000", "bluegreen.instance": "i-0a"}
    assert body.config["Labels"] == body.labels


def test_a_host_finds_the_sandbox_at_the_gateway() -> None:
    assert container.environment(SITE) == {
        "AWS_ENDPOINT_URL": "http://10.99.0.1:5600",
        "BLUEGREEN_METADATA": "10.99.0.1:40001",
        "BLUEGREEN_REGISTRY": "10.99.0.1:5601",
    }


def test_only_capabilities_that_this_machine_has_are_asked_for() -> None:
    status = "Name:\tpython3\nCapBnd:\t000001fffeffffff\n"  # all 41 but SYS_RESOURCE (24)
    asked = container.capabilities(container.bounding_set(status))
    assert "SYS_RESOURCE" not in asked
    assert len(asked) == len(container.CAPABILITIES) - 1 == 37
    assert {"SYS_ADMIN", "NET_ADMIN", "CHOWN", "AUDIT_READ"} <= set(asked)


@pytest.mark.parametrize(
    ("cidr", "taken"), [("10.99.0.0/16", True), ("10.98.0.0/16", False), ("192.168.0.0/16", True), ("10.0.0.0/8", True)]
)
def test_a_network_that_this_machine_has_a_way_to_is_not_taken(cidr: str, taken: bool) -> None:
    assert container.overlaps(cidr, ROUTES) is taken


def test_an_image_has_another_tag_as_soon_as_anything_in_it_differs() -> None:
    from bluegreen.sandbox import bare_host

    present = bare_host.recipe("present")
    assert present.tag == bare_host.recipe("present").tag
    others = [
        bare_host.recipe("bare"),
        dataclasses.replace(present, packages=(*present.packages, "jq")),
        dataclasses.replace(present, layers={**present.layers, "entry.sh": b"#!/bin/sh\n"}),
    ]
    assert len({present.tag, *(other.tag for other in others)}) == 4
