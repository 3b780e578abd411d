"""RunInstances as AWS does it: what it refuses, how many it launches, and what a client token makes of a second call.

moto launches MinCount, honours no token and checks next to nothing; what it drops on the way (the profile of all but
the first instance, throughput, tags of network interfaces) is put back here.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any

from bluegreen.sandbox import moto_seams as moto
from bluegreen.sandbox.calls import AwsError, Call, Wire, ok
from bluegreen.sandbox.lifetimes import Lifetimes
from bluegreen.sandbox.tagging import check_instance_tags

USER_DATA_LIMIT = 16_384
TOKEN_LENGTH = 64
HOP_LIMITS = range(1, 65)
METADATA_CHOICES = {
    "HttpTokens": ("optional", "required"),
    "HttpEndpoint": ("enabled", "disabled"),
    "InstanceMetadataTags": ("enabled", "disabled"),
}

Params = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Launched:
    """What a client token stands for."""

    fingerprint: str
    reservation: Any
    instance_ids: tuple[str, ...]


class RunInstances:
    def __init__(self, account: str, lifetimes: Lifetimes) -> None:
        self._account = account
        self._lifetimes = lifetimes
        self._launched: dict[tuple[str, str, str], Launched] = {}

    def __call__(self, call: Call) -> Wire:
        backend = moto.ec2(self._account, call.region)
        subnet = _subnet(backend, call.params)
        profile = _profile(self._account, call.params)
        key = (call.region, _token(call.params), _zone(call.params, subnet))
        fingerprint = _fingerprint(call.params)
        if (known := self._launched.get(key)) is not None and key[1]:
            return self._again(call, known, fingerprint)
        _check(call.params, call.region, backend, subnet)
        if call.params.get("DryRun"):
            raise AwsError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", status=412)
        call.params["MinCount"] = call.params["MaxCount"]
        before = set(backend.reservations)
        wire = call.proceed()
        if not ok(wire):
            return wire
        (reservation,) = [backend.reservations[name] for name in backend.reservations if name not in before]
        self._launched[key] = Launched(fingerprint, reservation, tuple(each.id for each in reservation.instances))
        complete(backend, reservation, call.params, profile)
        return call.answer(reservation)

    def _again(self, call: Call, known: Launched, fingerprint: str) -> Wire:
        if known.fingerprint != fingerprint:
            raise AwsError(
                "IdempotentParameterMismatch",
                "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
            )
        states = [self._lifetimes.state(instance_id) for instance_id in known.instance_ids]
        if all(state in (None, "terminated") for state in states):
            raise AwsError(
                "IdempotentInstanceTerminated",
                "The client token you have provided is associated with a terminated instance. "
                "Please use a different client token.",
            )
        return call.answer(known.reservation)


def _token(params: Params) -> str:
    token = str(params.get("ClientToken") or "")
    if len(token) > TOKEN_LENGTH or not token.isascii():
        raise AwsError("InvalidParameterValue", f"ClientToken may have at most {TOKEN_LENGTH} ASCII characters")
    return token


def _fingerprint(params: Params) -> str:
    meant = {name: value for name, value in params.items() if name not in ("ClientToken", "DryRun")}
    return json.dumps(meant, sort_keys=True, default=str)


def _subnet(backend: Any, params: Params) -> Any:
    """None if AWS is to choose one."""
    wanted = params.get("SubnetId")
    for interface in params.get("NetworkInterfaces") or ():
        wanted = wanted or interface.get("SubnetId")
    return backend.get_subnet(wanted) if wanted else None


def _zone(params: Params, subnet: Any) -> str:
    """Tokens count per zone where the request names one, else per region."""
    named = (params.get("Placement") or {}).get("AvailabilityZone")
    return str(subnet.availability_zone if subnet is not None else named or "")


def _profile(account: str, params: Params) -> Any:
    wanted = params.get("IamInstanceProfile") or {}
    if not wanted:
        return None
    for profile in moto.iam(account).instance_profiles.values():
        if wanted.get("Name", profile.name) == profile.name and wanted.get("Arn", profile.arn) == profile.arn:
            return profile
    which, value = next(iter(wanted.items()))
    raise AwsError(
        "InvalidParameterValue",
        f"Value ({value}) for parameter iamInstanceProfile.{which.lower()} is invalid. "
        f"Invalid IAM Instance Profile {'name' if which == 'Name' else 'ARN'}",
    )


def _check(params: Params, region: str, backend: Any, subnet: Any) -> None:
    _check_counts(params, subnet)
    _check_image(params, region, backend, _zone(params, subnet))
    _check_security_groups(params, backend, subnet)
    _check_user_data(params)
    _check_metadata_options(params.get("MetadataOptions") or {})
    shown = (params.get("MetadataOptions") or {}).get("InstanceMetadataTags") == "enabled"
    for specification in params.get("TagSpecifications") or ():
        is_instance = specification.get("ResourceType") == "instance"
        check_instance_tags(specification.get("Tags") or (), in_metadata=shown and is_instance)


def _check_counts(params: Params, subnet: Any) -> None:
    least, most = int(params.get("MinCount", 0)), int(params.get("MaxCount", 0))
    if least < 1 or most < 1:
        which, value = ("minCount", least) if least < 1 else ("maxCount", most)
        raise AwsError("InvalidParameterValue", f"Value ({value}) for parameter {which} is invalid.")
    if least > most:
        raise AwsError(
            "InvalidParameterValue", f"Value ({least}) for parameter minCount is invalid. It exceeds maxCount."
        )
    if subnet is not None and moto.free_addresses(subnet) < most:
        raise AwsError(
            "InsufficientFreeAddressesInSubnet",
            f"The specified subnet does not have enough free addresses to satisfy the request: {subnet.id}",
        )


def _check_image(params: Params, region: str, backend: Any, zone: str) -> None:
    if params.get("LaunchTemplate"):
        return  # what it holds is moto's to find
    image_id, kind = str(params.get("ImageId") or ""), str(params.get("InstanceType") or "m1.small")
    if not re.fullmatch(r"ami-[0-9a-f]{8}([0-9a-f]{9})?", image_id):
        raise AwsError("InvalidAMIID.Malformed", f'Invalid id: "{image_id}" (expecting "ami-...")')
    if image_id not in backend.amis:
        raise AwsError("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")
    runs = moto.architectures(kind)
    offers = moto.offered(region)
    if not runs or not any(kind == offered for offered, _ in offers):
        raise AwsError("InvalidParameterValue", f"Invalid value '{kind}' for InstanceType.")
    if zone and (kind, zone) not in offers:
        raise AwsError(
            "Unsupported",
            f"Your requested instance type ({kind}) is not supported in your requested Availability Zone ({zone}).",
        )
    needs = backend.amis[image_id].architecture
    if needs not in runs:
        raise AwsError(
            "InvalidParameterValue",
            f"The architecture '{','.join(runs)}' of the specified instance type does not match the architecture "
            f"'{needs}' of the specified AMI. Specify an instance type and an AMI that have matching architectures, "
            "and try again.",
        )


def _check_security_groups(params: Params, backend: Any, subnet: Any) -> None:
    for group_id in params.get("SecurityGroupIds") or ():
        group = backend.get_security_group_from_id(group_id)
        if group is None:
            raise AwsError("InvalidGroup.NotFound", f"The security group '{group_id}' does not exist")
        if subnet is not None and group.vpc_id != subnet.vpc_id:
            raise AwsError(
                "InvalidParameter", f"Security group {group_id} and subnet {subnet.id} belong to different networks."
            )


def _check_user_data(params: Params) -> None:
    try:
        raw = base64.b64decode(params.get("UserData") or b"", validate=True)
    except binascii.Error:
        raise AwsError("InvalidParameterValue", "Invalid BASE64 encoding of user data.") from None
    if len(raw) > USER_DATA_LIMIT:
        raise AwsError("InvalidParameterValue", f"User data is limited to {USER_DATA_LIMIT} bytes")


def _check_metadata_options(options: Params) -> None:
    for name, choices in METADATA_CHOICES.items():
        if options.get(name, choices[0]) not in choices:
            raise AwsError("InvalidParameterValue", f"Value ({options[name]}) for parameter {name} is invalid.")
    if int(options.get("HttpPutResponseHopLimit", 1)) not in HOP_LIMITS:
        raise AwsError("InvalidParameterValue", "HttpPutResponseHopLimit must be between 1 and 64")


def complete(backend: Any, reservation: Any, params: Params, profile: Any) -> None:
    """What moto drops."""
    disks = {disk.get("DeviceName"): disk.get("Ebs") or {} for disk in params.get("BlockDeviceMappings") or ()}
    interface_tags = {
        tag["Key"]: tag.get("Value", "")
        for specification in params.get("TagSpecifications") or ()
        if specification.get("ResourceType") == "network-interface"
        for tag in specification.get("Tags") or ()
    }
    for instance in reservation.instances:
        if profile is not None and not instance.iam_instance_profile:
            backend.associate_iam_instance_profile(instance.id, iam_instance_profile_name=profile.name)
        instance.disable_api_termination = bool(params.get("DisableApiTermination"))
        for interface in instance.nics.values():
            interface.add_tags(interface_tags)
        for device, attachment in instance.block_device_mapping.items():
            volume = backend.volumes[attachment.volume_id]
            volume.throughput = disks.get(device, {}).get("Throughput") or volume.throughput
            volume.iops = disks.get(device, {}).get("Iops") or volume.iops
