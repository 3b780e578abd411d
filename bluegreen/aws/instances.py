"""EC2: launch, look, terminate. Everything an instance needs is given at launch; nothing is changed after it."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from bluegreen.aws.client import Aws
from bluegreen.core.goal import LaunchSpec
from bluegreen.core.observation import Instance
from bluegreen.core.step import Launch, Terminate
from bluegreen.core.tags import DEPLOYMENT, HEAL, STACK
from bluegreen.errors import CloudError, NotFound

MAX_TERMINATE = 1000  # TerminateInstances, API text


class Ec2Fleets:
    """The Fleets port."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws

    def look(self, stack: str) -> tuple[Instance, ...]:
        filters = [{"Name": f"tag:{STACK}", "Values": [stack]}]
        pages = self.aws.pages("ec2", "describe_instances", "Reservations", Filters=filters, MaxResults=1000)
        return tuple(_instance(item) for reservation in pages for item in reservation["Instances"])

    def launch(self, step: Launch, spec: LaunchSpec, user_data: bytes) -> tuple[str, ...]:
        answer = self.aws.write("ec2", "run_instances", **_arguments(step, spec, user_data))
        return tuple(item["InstanceId"] for item in answer["Instances"])

    def terminate(self, step: Terminate) -> None:
        for start in range(0, len(step.instances), MAX_TERMINATE):
            ids = list(step.instances[start : start + MAX_TERMINATE])
            self.aws.write("ec2", "terminate_instances", InstanceIds=ids)

    def console(self, instance: str) -> str:
        """As it is now where EC2 can tell that (`Latest`, Nitro), else as EC2 last kept it."""
        try:
            return _text(self.aws.read("ec2", "get_console_output", InstanceId=instance, Latest=True))
        except NotFound:
            return ""
        except CloudError as error:
            if error.code != "UnsupportedOperation":
                raise
        return _text(self.aws.read("ec2", "get_console_output", InstanceId=instance))


def _text(answer: dict[str, Any]) -> str:
    output = answer.get("Output", "")
    try:
        return base64.b64decode(output, validate=True).decode(errors="replace")
    except (binascii.Error, ValueError):
        return str(output)


def _instance(item: dict[str, Any]) -> Instance:
    tags = {tag["Key"]: tag["Value"] for tag in item.get("Tags", [])}
    reason = item.get("StateReason", {}).get("Message") or item.get("StateTransitionReason") or ""
    return Instance(
        item["InstanceId"],
        tags.get(DEPLOYMENT, ""),
        item.get("SubnetId", ""),
        item["State"]["Name"],
        reason,
        tags.get(HEAL, ""),
        item.get("PrivateIpAddress", ""),
    )


def _arguments(step: Launch, spec: LaunchSpec, user_data: bytes) -> dict[str, Any]:
    tags = [{"Key": key, "Value": value} for key, value in step.tags]
    disk: dict[str, Any] = {
        "VolumeType": "gp3",
        "VolumeSize": spec.disk_gib,
        "Encrypted": True,
        "DeleteOnTermination": True,
    }
    if spec.throughput_mibps:
        disk["Throughput"] = spec.throughput_mibps
    arguments: dict[str, Any] = {
        "ImageId": spec.ami,
        "InstanceType": step.instance_type,
        "MinCount": step.count,  # all or none: a batch has one outcome
        "MaxCount": step.count,
        "ClientToken": step.token,
        "SubnetId": step.subnet,
        "SecurityGroupIds": list(spec.security_groups),
        # botocore encodes it with base64; the limit of 16 KB counts before that (RunInstances, UserData)
        "UserData": user_data,
        "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": disk}],  # Ubuntu's root device
        "MetadataOptions": {
            "HttpTokens": "required",
            "HttpPutResponseHopLimit": 1,
            "HttpEndpoint": "enabled",
            "InstanceMetadataTags": "enabled",
        },
        "TagSpecifications": [{"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume")],
    }
    if spec.instance_profile:
        arguments["IamInstanceProfile"] = {"Name": spec.instance_profile}
    return arguments
