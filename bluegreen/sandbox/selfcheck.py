"""Does this moto still have every seam on which the sandbox leans? Tried once per process, in a world of its own.

A seam that is gone is said by name, with moto's version, before anything starts: otherwise it would look like a bug of
the deployment that met it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import HTTPHeaders

from bluegreen.errors import Refused
from bluegreen.sandbox import moto_seams as moto
from bluegreen.sandbox import seed
from bluegreen.sandbox.calls import AwsError
from bluegreen.sandbox.run_instances import complete

ACCOUNT = "000000000000"
LONGEST_WHY = 300

INSTANCE = (
    *("id", "_state", "launch_time", "client_token", "user_data", "subnet_id", "vpc_id", "availability_zone", "nics"),
    *("iam_instance_profile", "block_device_mapping", "metadata_options", "disable_api_termination", "_private_ips"),
    *("ec2_backend", "image_id", "instance_type", "private_ip"),
)
EC2 = (
    *("reservations", "amis", "volumes", "tags", "get_subnet", "get_security_group_from_id"),
    "associate_iam_instance_profile",
)
SUBNET = ("cidr", "_subnet_ips", "del_subnet_ip", "availability_zone", "vpc_id")
ELBV2 = ("load_balancers", "target_groups", "ec2_backend")
BALANCER = ("arn", "name", "type", "scheme", "subnets", "security_groups", "ip_address_type", "vpc_id", "listeners")
LISTENER = ("arn", "port", "protocol", "load_balancer_arn", "default_actions", "_non_default_rules", "_default_rule")
RULE = ("arn", "priority", "conditions", "actions", "is_default")
GROUP = (
    *("arn", "name", "vpc_id", "protocol", "port", "target_type", "attributes", "load_balancer_arns", "matcher"),
    *("health_check_path", "health_check_port", "health_check_interval_seconds", "health_check_timeout_seconds"),
    *("healthy_threshold_count", "unhealthy_threshold_count"),
)
RESPONSE = (
    *("service_name", "region", "automated_parameter_parsing", "call_action", "serialized", "_enrich_response"),
    "_get_action",
)

_passed = False


class SeamError(Exception):
    """`seam` is what moto no longer has, or has otherwise."""

    def __init__(self, seam: str, trouble: str) -> None:
        super().__init__(f"{seam}: {trouble}")
        self.seam = seam
        self.trouble = trouble


@dataclass(frozen=True, slots=True)
class Seam:
    name: str
    try_it: Callable[[], None]


def check(*, again: bool = False) -> None:
    """Refused if moto does not fit. A check that has passed is not made again."""
    global _passed  # noqa: PLW0603
    if _passed and not again:
        return
    try:
        run()
    except SeamError as error:
        raise Refused(
            "this version of moto does not fit the sandbox",
            where=f"moto {moto.VERSION}, seam {error.seam}",
            why=error.trouble[:LONGEST_WHY],
            next="pip install 'moto>=5.2.5,<5.3'",
        ) from error
    _passed = True


def run() -> None:
    """SeamError names the first seam that does not hold."""
    with moto.Backends().installed():
        for seam in _seams():
            try:
                seam.try_it()
            except SeamError:
                raise
            except Exception as error:
                raise SeamError(seam.name, repr(error)) from error


def _seams() -> tuple[Seam, ...]:
    return (
        Seam("MOTO_ACCOUNT_ID", _no_forced_account),
        Seam("moto.core.BackendDict", _worlds),
        Seam("moto.core.BaseResponse", _wire),
        Seam("moto.*.models, where the seed makes things", _seeded),
        Seam("moto.ec2.models", _ec2),
        Seam("moto.elbv2.models", _elbv2),
        Seam("moto.ec2.models.instance_types", _types),
    )


def _no_forced_account() -> None:
    if "MOTO_ACCOUNT_ID" in os.environ:
        raise SeamError("MOTO_ACCOUNT_ID", "this environment variable overrides the sandbox's account: unset it")


def _worlds() -> None:
    """What one world has, another has not."""
    here = moto.ec2_regions(ACCOUNT).keys()
    with moto.Backends().installed():
        moto.ec2(ACCOUNT, seed.REGION)
    if here != moto.ec2_regions(ACCOUNT).keys():
        raise SeamError("moto.core.BackendDict._instances", "worlds are not apart from each other")


def _wire() -> None:
    """A request goes to the engine once moto has parsed it; results and errors go back through moto."""
    seen: list[Any] = []

    def answer(response: Any) -> Any:
        seen.append(response)
        _has(response, RESPONSE, "moto.core.responses.BaseResponse")
        if moto.operation(response) != "GetCallerIdentity" or not isinstance(moto.parameters(response), dict):
            raise SeamError("moto.core.responses.BaseResponse.params", "a request is not parsed as it was")
        refused = moto.serialise(response, AwsError("Code", "message"))
        if refused[0] != 400 or "<Code>Code</Code>" not in str(refused[2]):
            raise SeamError("moto.core.serialize", "an error is not written as it was")
        return moto.serialise(response, {"Account": "told"})

    with moto.answering(answer):
        wire = moto.process(_request("sts", "GetCallerIdentity", "2011-06-15"))
    if not seen:
        raise SeamError("moto.core.responses.BaseResponse._dispatch", "a request is not handed to the engine")
    if wire is None or "told" not in str(wire[2]):
        raise SeamError("moto.core.botocore_stubber.BotocoreStubber.process_request", "an answer is not handed back")


def _seeded() -> None:
    made = seed.build(ACCOUNT, seed.REGION)
    backend = moto.ec2(ACCOUNT, seed.REGION)
    for subnet_id in made.subnets:
        _has(backend.get_subnet(subnet_id), SUBNET, "moto.ec2.models.subnets.Subnet")
    if backend.get_security_group_from_id(made.security_group) is None:
        raise SeamError(moto.SECURITY_GROUP_ID, "it no longer names security groups")
    if not made.load_balancer_arn.endswith("/0a11ce0000000001"):
        raise SeamError(moto.BALANCING_IDS, "it no longer names load balancers")
    for ami in made.images.values():
        parameters = moto.ssm(ACCOUNT, seed.REGION)._parameters.values()
        if not any(parameter.value == ami for versions in parameters for parameter in versions):
            raise SeamError("moto.ssm.models.SimpleSystemManagerBackend._parameters", "it does not keep parameters")


def _ec2() -> None:
    backend = moto.ec2(ACCOUNT, seed.REGION)
    _has(backend, EC2, "moto.ec2.models.EC2Backend")
    reservation = backend.run_instances(
        next(iter(seed.IMAGES.values())),
        1,
        moto.encoded("dGV4dA=="),
        [],
        instance_type="m7i.large",
        is_instance_type_default=False,
        region_name=seed.REGION,
        subnet_id=seed.SUBNETS[0],
        client_token="token",  # noqa: S106
        tags={"instance": {"Name": "value"}},
    )
    if moto.instances(backend) != reservation.instances:
        raise SeamError("moto.ec2.models.instances.InstanceBackend.reservations", "it does not keep instances")
    (instance,) = reservation.instances
    _has(instance, INSTANCE, "moto.ec2.models.instances.Instance")
    if moto.tags_of(instance) != {"Name": "value"}:
        raise SeamError("moto.ec2.models.tags.TagBackend.tags", "tags are not told as they were")
    if moto.user_data_of(instance) != b"text":
        raise SeamError("moto.core.types.Base64EncodedString.as_bytes", "user data is not told as it was")
    complete(backend, reservation, {}, moto.iam(ACCOUNT).instance_profiles[seed.INSTANCE_PROFILE])
    if not instance.iam_instance_profile:
        raise SeamError("moto.ec2.models.EC2Backend.associate_iam_instance_profile", "the instance has no profile")
    moto.set_state(instance, "pending")
    if instance.state != "pending" or moto.state_of(instance) != "pending":
        raise SeamError("moto.ec2.models.instances.Instance._state", "it does not say the state")
    if not backend.describe_instances(filters={"client-token": ["token"]}):
        raise SeamError("moto.ec2.utils.filter_dict_attribute_mapping", "the filter client-token finds nothing")
    backend.terminate_instances([instance.id])
    if moto.state_of(instance) != "terminated":
        raise SeamError("moto.ec2.models.instances.Instance.terminate", "the instance is not terminated")
    moto.release_addresses(instance)


def _elbv2() -> None:
    backend = moto.elbv2(ACCOUNT, seed.REGION)
    _has(backend, ELBV2, "moto.elbv2.models.ELBv2Backend")
    group = backend.create_target_group("check", vpc_id=seed.VPC, protocol="HTTP", port=80, target_type="instance")
    _has(group, GROUP, "moto.elbv2.models.FakeTargetGroup")
    moto.add_balancing_tags(backend, group.arn, {"key": "value"})
    if moto.balancing_tags(backend, group.arn) != {"key": "value"}:
        raise SeamError("moto.elbv2.models.ELBv2Backend.tagging_service", "tags are not told as they were")
    for balancer in backend.load_balancers.values():
        _has(balancer, BALANCER, "moto.elbv2.models.FakeLoadBalancer")
        for listener in balancer.listeners.values():
            _has(listener, LISTENER, "moto.elbv2.models.FakeListener")
            moto.sort_rules(listener)
            moto.name_default_rule(listener, "named")
            rules = backend.describe_rules(listener.arn, None)
            if [rule.arn for rule in rules] != [rule.arn for rule in moto.rules_of(listener)]:
                raise SeamError("moto.elbv2.models.FakeListener.rules", "rules are not listed as they were")
            for rule in rules:
                _has(rule, RULE, "moto.elbv2.models.FakeRule")
                _has(rule.actions[0], ("data",), "moto.elbv2.models.FakeAction")


def _types() -> None:
    if moto.architectures("m7i.large") != ("x86_64",) or ("m7i.large", seed.REGION + "a") not in moto.offered(
        seed.REGION
    ):
        raise SeamError("moto.ec2.models.instance_types.INSTANCE_TYPES", "m7i.large is not known")


def _has(thing: object, names: tuple[str, ...], where: str) -> None:
    for name in names:
        if not hasattr(thing, name):
            raise SeamError(f"{where}.{name}", "it is gone")


def _request(service: str, operation: str, version: str) -> AWSPreparedRequest:
    headers = HTTPHeaders()
    scope = f"check/20260101/{seed.REGION}/{service}/aws4_request"
    headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
    headers["Content-Type"] = "application/x-www-form-urlencoded; charset=utf-8"
    headers["x-moto-account-id"] = ACCOUNT
    return AWSPreparedRequest(
        "POST",
        f"https://{service}.{seed.REGION}.amazonaws.com/",
        headers,
        f"Action={operation}&Version={version}".encode(),
        False,
    )
