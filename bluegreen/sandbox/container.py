"""What the Docker engine is asked for, as plain values: the container of a host, its volume, its network. Pure.

A host runs an engine of its own, so it needs nearly all that `--privileged` gives; but that asks for capabilities that
this machine may not have itself, and is refused then. So each that is there is asked for, by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from bluegreen.sandbox.metadata import mac_of
from bluegreen.sandbox.model import Boot

SANDBOX = "bluegreen.sandbox"  # the label of all that is ours; its value is the sandbox's token
OWNER = "bluegreen.user"
INSTANCE = "bluegreen.instance"
STOP_GRACE_S = 20
LOG_BOUNDS = {"max-size": "256k", "max-file": "2"}
# By number (capability.h of Linux). Engines before 23.0 do not know the three that came after these.
CAPABILITIES = (
    *("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP"),
    *("LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER"),
    *("SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE"),
    *("SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP"),
    *("MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ"),
)


@dataclass(frozen=True, slots=True)
class Site:
    """Where the hosts of one sandbox live. `gateway` is this machine on their bridge; the three are its ports there.
    `user` is the id of whose sandbox it is."""

    token: str
    user: int
    network: str
    gateway: str
    aws_port: int
    metadata_port: int = 0
    registry_port: int = 0


@dataclass(frozen=True, slots=True)
class Body:
    """`config` is what ContainerCreate takes; `name` and `labels` are also the volume's."""

    name: str
    labels: Mapping[str, str]
    config: Mapping[str, Any]


def name_of(token: str, instance_id: str) -> str:
    """Of the container and of the volume."""
    return f"bluegreen-{token[:8]}-{instance_id}"


def labels(token: str, user: int, instance_id: str = "") -> dict[str, str]:
    return {SANDBOX: token, OWNER: str(user), **({INSTANCE: instance_id} if instance_id else {})}


def capabilities(bounding: int) -> list[str]:
    """Those of the bounding set (CapBnd of /proc/self/status) that every engine knows by name."""
    return [name for number, name in enumerate(CAPABILITIES) if bounding >> number & 1]


def environment(site: Site) -> dict[str, str]:
    """The AWS SDKs and the boot programs find the sandbox by the first; the others are the entry point's."""
    return {
        "AWS_ENDPOINT_URL": f"http://{site.gateway}:{site.aws_port}",
        "BLUEGREEN_METADATA": f"{site.gateway}:{site.metadata_port}",
        "BLUEGREEN_REGISTRY": f"{site.gateway}:{site.registry_port}",
    }


def host(site: Site, boot: Boot, image: str, bounding: int) -> Body:
    name = name_of(site.token, boot.instance_id)
    marks = labels(site.token, site.user, boot.instance_id)
    config = {
        "Image": image,
        "Hostname": "ip-" + boot.address.replace(".", "-"),
        "Env": [f"{key}={value}" for key, value in environment(site).items()],
        "Labels": marks,
        "MacAddress": mac_of(boot.address),
        "StopTimeout": STOP_GRACE_S,
        "HostConfig": {
            "Binds": [f"{name}:/var/lib/docker"],  # overlay2 does not work on overlay2
            "NetworkMode": site.network,
            "CapAdd": capabilities(bounding),
            "SecurityOpt": ["seccomp=unconfined", "apparmor=unconfined"],
            "DeviceCgroupRules": ["a *:* rwm"],
            "CgroupnsMode": "private",
            "MaskedPaths": [],
            "ReadonlyPaths": [],
            "LogConfig": {"Type": "json-file", "Config": LOG_BOUNDS},
        },
        "NetworkingConfig": {"EndpointsConfig": {site.network: {"IPAMConfig": {"IPv4Address": boot.address}}}},
    }
    return Body(name, marks, config)


def network(token: str, user: int, cidr: str) -> dict[str, Any]:
    """Keyword arguments of the SDK's networks.create."""
    pool = {"Subnet": cidr, "Gateway": gateway(cidr)}
    return {
        "name": f"bluegreen-{token[:8]}",
        "driver": "bridge",
        "labels": labels(token, user),
        "ipam": {"Driver": "default", "Config": [pool]},
    }


def gateway(cidr: str) -> str:
    """The VPC's router: its first address, as on AWS."""
    return str(IPv4Network(cidr)[1])


def overlaps(cidr: str, routes: str) -> bool:
    """Whether this machine already goes somewhere for it; `routes` is the text of /proc/net/route."""
    wanted = IPv4Network(cidr)
    for line in routes.splitlines()[1:]:
        fields = line.split()
        to, mask = (int.from_bytes(bytes.fromhex(fields[at]), "little") for at in (1, 7))
        if mask and IPv4Network((to, mask.bit_count()), strict=False).overlaps(wanted):
            return True
    return False


def bounding_set(status: str) -> int:
    """From the text of /proc/self/status; everything where it does not say."""
    known: Mapping[str, str] = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return int(known.get("CapBnd", "f" * 16).strip(), 16)
