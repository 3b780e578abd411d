"""A stack as its file declares it, after checking. Plain values: no defaults are computed elsewhere, no I/O happens here.
Named tuples, for an unchanged image chain is over before as many dataclasses are defined.

Durations are seconds, sizes are in the unit that the name says. A string such as `ssm:/path` is a reference to a secret
(core/secret_ref.py); the secret itself never gets here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from bluegreen.core.chain import ImageSpec

AGENT_PORT = 8717  # of an instance: what its agent (cloudinit/agent.py) answers at

_GRAVITON = re.compile(r"^(?:a1|[a-z]+\d+[a-z0-9]*g[a-z0-9]*(?:-[a-z0-9]+)?|hpc\d+g)$")


class Disk(NamedTuple):
    """The encrypted root volume, gp3."""

    size_gib: int = 20
    throughput_mibps: int | None = None


class FleetShape(NamedTuple):
    """What is launched: `ami` is an id (ami-…), an alias (ubuntu-24.04) or an SSM parameter (ssm:/path)."""

    count: int  # type: ignore[assignment]  # nobody counts in it
    ami: str
    instance_types: tuple[str, ...]
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    instance_profile: str | None = None
    disk: Disk = Disk()
    docker: str = "distribution"  # where Docker comes from: installed from there, or "present" on the image


class Health(NamedTuple):
    """The load balancer's check of one target. `matcher` is the set of good HTTP codes, as ELB writes it; `port` is another
    one than that of the traffic."""

    path: str = "/"
    interval_s: int = 5
    timeout_s: int = 4
    healthy: int = 2
    unhealthy: int = 2
    matcher: str = "200"
    port: int | None = None


class Rule(NamedTuple):
    """The listener rule by its conditions; both None means the listener's default action."""

    host: str | None = None
    path: str | None = None


class Traffic(NamedTuple):
    """One place where traffic enters: load balancer name, listener port, rule, and the port on the instance."""

    load_balancer: str
    listener: int
    port: int
    rule: Rule = Rule()
    health: Health = Health()
    drain_s: int = 60


class Login(NamedTuple):
    """`password` is a reference such as ssm:/shop/registry, never a password."""

    username: str
    password: str


class Registry(NamedTuple):
    """`host` as it stands in image names, with port if there is one; `ca` is the PEM text of who signed its certificate.
    With `ecr` the instance's role gets a password by itself."""

    host: str
    login: Login | None = None
    ca: str = ""
    ecr: bool = False


class Logging(NamedTuple):
    """Docker's log driver and its options, without the tag; `ca` is the PEM text of who signed the log server's certificate."""

    driver: str
    options: tuple[tuple[str, str], ...] = ()
    ca: str = ""


class Workers(NamedTuple):
    """Processes of a service whose command line holds `match`, as the host counts them."""

    match: str
    count: int  # type: ignore[assignment]  # nobody counts in it


class Ulimit(NamedTuple):
    name: str
    soft: int
    hard: int


class Port(NamedTuple):
    """A published port: `host` on the instance, `container` inside; protocol tcp or udp."""

    host: int
    container: int
    protocol: str = "tcp"


class DependsOn(NamedTuple):
    """`condition` is service_started or service_healthy."""

    service: str
    condition: str = "service_started"


class ContainerHealth(NamedTuple):
    """Compose's healthcheck: `test` is CMD, CMD-SHELL or NONE and its words."""

    test: tuple[str, ...]
    interval_s: float = 30.0
    timeout_s: float = 30.0
    retries: int = 3
    start_period_s: float = 0.0


class Service(NamedTuple):
    """One container on each instance. `image` still carries its tag; the release pins the digest. It may be the name of one of
    the stack's own `images`; `Stack.with_images` puts the reference in."""

    name: str
    image: str
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    environment: tuple[tuple[str, str], ...] = ()
    ports: tuple[Port, ...] = ()
    depends_on: tuple[DependsOn, ...] = ()
    healthcheck: ContainerHealth | None = None
    restart: str = "unless-stopped"
    user: str | None = None
    working_dir: str | None = None
    init: bool = False
    read_only: bool = False
    stop_grace_period_s: float = 10.0
    ulimits: tuple[Ulimit, ...] = ()
    workers: Workers | None = None


class Rollout(NamedTuple):
    """`boot_timeout_s` bounds launch to healthy; `bake_s` is how long the new fleet is watched after the switch.
    `rollback_unsafe`: nothing goes back from this release by itself, nor by a rollback that does not name where to."""

    boot_timeout_s: int = 300
    bake_s: int = 0
    rollback_unsafe: bool = False


class Stack(NamedTuple):
    name: str
    region: str
    account: str
    fleet: FleetShape
    traffic: tuple[Traffic, ...]
    registry: Registry
    services: tuple[Service, ...]
    rollout: Rollout = Rollout()
    logging: Logging | None = None
    images: tuple[ImageSpec, ...] = ()
    source: str = ""  # the file it came from, for messages

    @property
    def longest_s(self) -> int:
        """Seconds that a deployment may take: the boot, the bake, the drain of the fleet before last, and two minutes."""
        drain_s = max((binding.drain_s for binding in self.traffic), default=0)
        return self.rollout.boot_timeout_s + self.rollout.bake_s + drain_s + 120

    def with_images(self, references: Mapping[str, str]) -> Stack:
        """The services' images by `references` (name of an image of the chain → host/repository:tag or @digest)."""
        named = [service._replace(image=references.get(service.image, service.image)) for service in self.services]
        return self._replace(services=tuple(named))


def architecture(instance_type: str) -> str:
    """amd64 or arm64. In a type's family, a 'g' after the generation number stands for Graviton (EC2 user guide,
    naming conventions); a1 was the first such family. Held against moto's list of all types by a test."""
    family = instance_type.partition(".")[0]
    return "arm64" if _GRAVITON.match(family) else "amd64"
