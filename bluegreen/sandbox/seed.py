"""The account that every sandbox begins with: always the same, down to the ids, so that a stack file can name them.

A VPC with three subnets in three zones, a security group, an instance profile, Ubuntu's images with their SSM
parameters, and the load balancer demo-alb. Its listeners answer 503 until a fleet is put behind them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

from bluegreen.sandbox import moto_seams as moto

if TYPE_CHECKING:
    from bluegreen.sandbox.engine import Engine

REGION = "eu-west-1"
NETWORK = "10.0.0.0/16"
VPC = "vpc-0a11ce00000000001"
SUBNETS = ("subnet-0a11ce0000000000a", "subnet-0a11ce0000000000b", "subnet-0a11ce0000000000c")
SECURITY_GROUP = "sg-0a11ce00000000001"
INSTANCE_PROFILE = "demo-web"
LOAD_BALANCER = "demo-alb"
LISTENERS = (80, 8080)
HOST = "shop.example.com"
CANONICAL = "099720109477"
IMAGES = {
    ("24.04", "amd64"): "ami-0240400000000a064",
    ("24.04", "arm64"): "ami-0240400000000b064",
    ("22.04", "amd64"): "ami-0220400000000a064",
    ("22.04", "arm64"): "ami-0220400000000b064",
}
SERIES = {"24.04": ("noble", "hvm-ssd-gp3"), "22.04": ("jammy", "hvm-ssd")}
BUILT = datetime(2026, 1, 15)  # noqa: DTZ001 - moto's times have no zone


@dataclass(frozen=True, slots=True)
class Seed:
    """`images` maps (Ubuntu series, Debian architecture) to AMI ids; `listeners` and `rules` map ports to ARNs."""

    account: str
    region: str
    vpc: str
    subnets: tuple[str, ...]
    security_group: str
    instance_profile: str
    images: dict[tuple[str, str], str]
    load_balancer: str
    load_balancer_arn: str
    listeners: dict[int, str]
    rules: dict[int, str]


def seed(engine: Engine, region: str = REGION, network: str = NETWORK) -> Seed:
    """`network` is the VPC's CIDR, a /16."""
    with engine.entered():
        return build(engine.account, region, network)


def build(account: str, region: str, network: str = NETWORK) -> Seed:
    """In whatever world of moto's is installed now."""
    _network(account, region, network)
    _profile(account)
    for (series, architecture), ami in IMAGES.items():
        _image(account, region, series, architecture, ami)
    arn, listeners, rules = _load_balancer(account, region)
    return Seed(
        account=account,
        region=region,
        vpc=VPC,
        subnets=SUBNETS,
        security_group=SECURITY_GROUP,
        instance_profile=INSTANCE_PROFILE,
        images=dict(IMAGES),
        load_balancer=LOAD_BALANCER,
        load_balancer_arn=arn,
        listeners=listeners,
        rules=rules,
    )


def _network(account: str, region: str, network: str) -> None:
    backend = moto.ec2(account, region)
    with moto.drawing(moto.VPC_ID, VPC):
        vpc = backend.create_vpc(network, tags=[{"Key": "Name", "Value": "demo"}])
    parts = IPv4Network(network).subnets(prefixlen_diff=2)
    for number, (subnet_id, part) in enumerate(zip(SUBNETS, parts, strict=False)):
        zone = region + "abc"[number]
        with moto.drawing(moto.SUBNET_ID, subnet_id):
            backend.create_subnet(vpc.id, str(part), availability_zone=zone)
    with moto.drawing(moto.SECURITY_GROUP_ID, SECURITY_GROUP):
        backend.create_security_group(INSTANCE_PROFILE, "the web fleet", vpc_id=vpc.id)


def _profile(account: str) -> None:
    backend = moto.iam(account)
    if INSTANCE_PROFILE not in backend.instance_profiles:  # IAM knows no regions
        backend.create_role(INSTANCE_PROFILE, "{}", "/", None, "", [], "3600")
        backend.create_instance_profile(INSTANCE_PROFILE, "/", [INSTANCE_PROFILE])


def _image(account: str, region: str, series: str, architecture: str, ami: str) -> None:
    backend = moto.ec2(account, region)
    name, kind = SERIES[series]
    backend.amis[ami] = moto.Ami(
        backend,
        ami,
        name=f"ubuntu/images/{kind}/ubuntu-{name}-{series}-{architecture}-server-{BUILT:%Y%m%d}",
        description=f"Canonical, Ubuntu, {series}, {architecture}",
        owner_id=CANONICAL,
        public=True,
        virtualization_type="hvm",
        architecture={"amd64": "x86_64", "arm64": "arm64"}[architecture],
        creation_date=BUILT,
        hypervisor="xen",
        root_device_type="ebs",
        region_name=region + "a",
    )
    parameter = f"/aws/service/canonical/ubuntu/server/{series}/stable/current/{architecture}/hvm/ebs-gp3/ami-id"
    moto.ssm(account, region)._parameters[parameter].append(
        moto.Parameter(
            account_id=account,
            name=parameter,
            value=ami,
            parameter_type="String",
            description=None,
            allowed_pattern=None,
            keyid=None,
            last_modified_date=BUILT.replace(tzinfo=UTC),
            version=1,
            data_type="aws:ec2:image",
        )
    )


def _load_balancer(account: str, region: str) -> tuple[str, dict[int, str], dict[int, str]]:
    backend = moto.elbv2(account, region)
    listeners, rules = {}, {}
    with moto.numbering(moto.BALANCING_IDS, "0a11ce"):
        balancer = backend.create_load_balancer(LOAD_BALANCER, [SECURITY_GROUP], list(SUBNETS))
        balancer.activate()
        for port in LISTENERS:
            listener = backend.create_listener(balancer.arn, "HTTP", port, "", None, [_no_fleet()])
            host = [{"Field": "host-header", "HostHeaderConfig": {"Values": [HOST]}}]
            rule = backend.create_rule(listener.arn, host, 10, [_no_fleet()])
            listeners[port], rules[port] = str(listener.arn), str(rule.arn)
    return str(balancer.arn), listeners, rules


def _no_fleet() -> dict[str, Any]:
    config = {"StatusCode": "503", "ContentType": "text/plain", "MessageBody": "no fleet yet"}
    return {"Type": "fixed-response", "FixedResponseConfig": config}
