"""Every name of moto's on which the sandbox leans. Nothing else in the sandbox imports moto, but for world.py, which
borrows its request handler. moto has no types for us: what it hands out is Any.

Importing this hooks one moto method, BaseResponse._dispatch: on a thread that `answering` has marked, a request that
moto has parsed goes to the engine and not straight to moto's backend; elsewhere moto behaves as ever. It also adds the
filter client-token, and while the seed works it replaces a few of the functions from which moto draws its ids.
selfcheck.py tries every seam at the start, so that another moto fails there and not in the middle of a deployment.
"""

from __future__ import annotations

import base64
import importlib
import json
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from itertools import count
from typing import Any

os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # 1,291 old ones; the seed registers its own

import moto
from moto.core.base_backend import BackendDict
from moto.core.botocore_stubber import BotocoreStubber, MockRawResponse
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse
from moto.core.types import Base64EncodedString as encoded  # noqa: N813
from moto.ec2.models import ec2_backends
from moto.ec2.models.amis import Ami
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES
from moto.ec2.utils import filter_dict_attribute_mapping
from moto.elbv2.models import elbv2_backends
from moto.iam.models import iam_backends
from moto.ssm.models import Parameter, ssm_backends

from bluegreen.sandbox.calls import Wire

VERSION: str = moto.__version__
STATE_CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}

VPC_ID = "moto.ec2.models.vpcs.random_vpc_id"
SUBNET_ID = "moto.ec2.models.subnets.random_subnet_id"
SECURITY_GROUP_ID = "moto.ec2.models.security_groups.random_security_group_id"
BALANCING_IDS = "moto.elbv2.models.mock_random"

__all__ = ["VERSION", "Ami", "MockRawResponse", "Parameter", "ServiceException", "encoded"]

_thread = threading.local()
filter_dict_attribute_mapping["client-token"] = "client_token"


def _dispatch(self: Any, request: Any, full_url: str | None = None, headers: Any = None) -> Wire:
    self.setup_class(request, full_url, headers)
    answer = getattr(_thread, "answer", None)
    wire: Wire = self.call_action() if answer is None else answer(self)
    return wire


BaseResponse._dispatch = _dispatch


@contextmanager
def answering(answer: Callable[[Any], Wire]) -> Iterator[None]:
    """Until the end, `answer` gets every request that moto has parsed on this thread, as moto's response object."""
    before = getattr(_thread, "answer", None)
    _thread.answer = answer
    try:
        yield
    finally:
        _thread.answer = before


class Backends:
    """The state of one world. It is moto's state only while `installed`, under the lock: worlds never see each other,
    and none sees what a test keeps in moto by other means."""

    def __init__(self) -> None:
        self._kept: dict[Any, dict[str, Any]] = {}
        self._depth = 0

    @contextmanager
    def installed(self) -> Iterator[None]:
        outer = _contents() if not self._depth else None
        if outer is not None:
            _install(self._kept)
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if outer is not None:
                self._kept = _contents()
                _install(outer)


def _contents() -> dict[Any, dict[str, Any]]:
    return {backends: dict(dict.items(backends)) for backends in BackendDict._instances}


def _install(contents: dict[Any, dict[str, Any]]) -> None:
    for backends in {*BackendDict._instances, *contents}:
        backends.clear()
        dict.update(backends, contents.get(backends, {}))
        if backends not in BackendDict._instances:
            BackendDict._instances.append(backends)


@contextmanager
def drawing(generator: str, fixed: str) -> Iterator[None]:
    """moto draws an id from a function of its own; meanwhile that one gives `fixed`."""
    with _replaced(generator, lambda: fixed):
        yield


@contextmanager
def numbering(generator: str, prefix: str) -> Iterator[None]:
    """The same for ids that are drawn as random hex: meanwhile they are numbers in turn."""
    with _replaced(generator, _Numbers(prefix)):
        yield


class _Numbers:
    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._numbers = count(1)

    def get_random_hex(self, length: int = 8) -> str:
        return f"{self._prefix}{next(self._numbers):0{length - len(self._prefix)}x}"


@contextmanager
def _replaced(name: str, value: object) -> Iterator[None]:
    module_name, _, attribute = name.rpartition(".")
    module = importlib.import_module(module_name)
    own = getattr(module, attribute)
    setattr(module, attribute, value)
    try:
        yield
    finally:
        setattr(module, attribute, own)


def ec2(account: str, region: str) -> Any:
    return ec2_backends[account][region]


def elbv2(account: str, region: str) -> Any:
    return elbv2_backends[account][region]


def ssm(account: str, region: str) -> Any:
    return ssm_backends[account][region]


def iam(account: str) -> Any:
    return iam_backends[account]["aws"]


def ec2_regions(account: str) -> dict[str, Any]:
    """The regions in which there is anything."""
    return dict(dict.items(ec2_backends[account]))


def elbv2_regions(account: str) -> dict[str, Any]:
    return dict(dict.items(elbv2_backends[account]))


def process(request: Any) -> Wire | None:
    """moto's answer to a request of botocore's; None if it knows no such service."""
    wire: Wire | None = BotocoreStubber().process_request(request)
    return None if wire is None or (wire[0] == 404 and wire[2] == "Not yet implemented") else wire


@cache
def application() -> Any:
    """moto's WSGI application for all services."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    return DomainDispatcherApplication(create_backend_app)


def operation(response: Any) -> str:
    return str(response._get_action() or "")


def parameters(response: Any) -> dict[str, Any]:
    """As the API names and types them. What is changed in it is what moto acts on, for services that moto parses."""
    if response.automated_parameter_parsing:
        parsed: dict[str, Any] = response.params
        return parsed
    try:
        plain = json.loads(response.body)
    except (TypeError, ValueError):
        return {}
    return plain if isinstance(plain, dict) else {}


def serialise(response: Any, result: object) -> Wire:
    """A result, or an exception with `code` and `message`, as this service puts it on the wire."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not match an error shape")  # not all codes are in the models
        status, headers, body = response.serialized(ActionResult(result))
    headers, body = response._enrich_response(headers, body)
    return status, headers, body


def instances(backend: Any) -> list[Any]:
    return [instance for reservation in backend.reservations.values() for instance in reservation.instances]


def tags_of(instance: Any) -> dict[str, str]:
    return dict(instance.ec2_backend.tags.get(instance.id, {}))


def user_data_of(instance: Any) -> bytes:
    encoded = instance.user_data
    return base64.b64decode(encoded.as_bytes()) if encoded is not None else b""


def role_of(account: str, instance: Any) -> str:
    """The name of the role in its instance profile; empty without one."""
    arn = (instance.iam_instance_profile or {}).get("Arn")
    roles = [role for each in iam(account).instance_profiles.values() if each.arn == arn for role in each.roles]
    return str(roles[0].name) if roles else ""


def state_of(instance: Any) -> str:
    return str(instance._state.name)


def set_state(instance: Any, name: str) -> None:
    instance._state.name = name
    instance._state.code = STATE_CODES[name]


def set_launch_time(instance: Any, at: float) -> None:
    instance.launch_time = datetime.fromtimestamp(at, UTC).replace(tzinfo=None)


def release_addresses(instance: Any) -> None:
    """moto does so only when the instance is garbage, which it never is."""
    subnet = instance.ec2_backend.get_subnet(instance.subnet_id)
    for address in instance._private_ips:
        subnet.del_subnet_ip(address)


def free_addresses(subnet: Any) -> int:
    return int(subnet.cidr.num_addresses) - 5 - len(subnet._subnet_ips)


def rules_of(listener: Any) -> list[Any]:
    """By priority, the default last."""
    return [*listener._non_default_rules.values(), listener._default_rule[0]]


def sort_rules(listener: Any) -> None:
    rules = sorted(listener._non_default_rules.items(), key=lambda item: int(item[1].priority))
    listener._non_default_rules = dict(rules)


def name_default_rule(listener: Any, arn: str) -> None:
    """moto's own name for it ends in a memory address."""
    listener._default_rule[0].arn = arn


def balancing_tags(backend: Any, arn: str) -> dict[str, str]:
    """moto's error if there is no such resource."""
    backend._get_resource_by_arn(arn)
    return dict(backend.tagging_service.get_tag_dict_for_resource(arn))


def add_balancing_tags(backend: Any, arn: str, tags: dict[str, str]) -> None:
    backend.tagging_service.tag_resource(arn, [{"Key": key, "Value": value} for key, value in tags.items()])


def architectures(instance_type: str) -> tuple[str, ...]:
    """Empty if moto does not know the type."""
    known = INSTANCE_TYPES.get(instance_type, {})
    return tuple(known.get("ProcessorInfo", {}).get("SupportedArchitectures", ()))


@cache
def offered(region: str) -> frozenset[tuple[str, str]]:
    """(instance type, zone) of all that moto knows to be on offer."""
    offers = INSTANCE_TYPE_OFFERINGS["availability-zone"].get(region, ())
    return frozenset((offer["InstanceType"], offer["Location"]) for offer in offers)
