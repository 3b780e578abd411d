"""Reading calls that a deploy needs once: who we are, which zones the subnets are in, what an AMI alias means."""

from __future__ import annotations

from bluegreen.aws.client import Aws
from bluegreen.core.stack import FleetShape
from bluegreen.errors import NotFound, Refused

# Canonical, "Finding Ubuntu images with the AWS CLI": one public parameter per release and architecture
UBUNTU = "/aws/service/canonical/ubuntu/server/{release}/stable/current/{arch}/hvm/ebs-gp3/ami-id"


def identity(aws: Aws) -> tuple[str, str]:
    """(account id, ARN) of the credentials in use."""
    answer = aws.read("sts", "get_caller_identity")
    return answer["Account"], answer["Arn"]


def zones(aws: Aws, fleet: FleetShape, vpc: str) -> dict[str, str]:
    """Subnet → zone, in the order of the stack file. Raises Refused for a subnet that is missing or elsewhere."""
    try:
        found = {
            s["SubnetId"]: s for s in aws.read("ec2", "describe_subnets", SubnetIds=list(fleet.subnets))["Subnets"]
        }
    except NotFound as error:
        raise Refused("a subnet does not exist", where="fleet.subnets", why=error.what) from error
    for subnet in fleet.subnets:
        if subnet not in found:
            raise Refused(f"subnet {subnet} does not exist in {aws.region}", where="fleet.subnets")
        if found[subnet]["VpcId"] != vpc:
            raise Refused(
                f"subnet {subnet} is in {found[subnet]['VpcId']}, but the load balancer is in {vpc}",
                where="fleet.subnets",
                next="use subnets of the load balancer's VPC",
            )
    return {subnet: found[subnet]["AvailabilityZone"] for subnet in fleet.subnets}


def check_security_groups(aws: Aws, fleet: FleetShape) -> None:
    try:
        aws.read("ec2", "describe_security_groups", GroupIds=list(fleet.security_groups))
    except NotFound as error:
        raise Refused("a security group does not exist", where="fleet.security_groups", why=error.what) from error


def ami(aws: Aws, wanted: str, architecture: str) -> str:
    """The AMI id: itself, or what its alias or SSM parameter means now."""
    if wanted.startswith("ami-"):
        return wanted
    alias = UBUNTU.format(release=wanted.removeprefix("ubuntu-"), arch=architecture)
    name = wanted.removeprefix("ssm:") if wanted.startswith("ssm:") else alias
    try:
        found = str(aws.read("ssm", "get_parameter", Name=name)["Parameter"]["Value"])
    except NotFound as error:
        raise Refused(f"{wanted}: SSM has no parameter {name} in {aws.region}", where="fleet.ami") from error
    if not found.startswith("ami-"):
        raise Refused(f"{wanted}: the SSM parameter {name} holds no AMI id", where="fleet.ami")
    return found
