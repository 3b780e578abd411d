"""A stack as its file declares it, after checking. Plain values: no defaults are computed elsewhere, no I/O happens here.

Durations are seconds, sizes are in the unit that the name says. A string such as `ssm:/path` is a reference to a secret
(core/secret_ref.py); the secret itself never gets here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bluegreen.core.chain import ImageSpec

AGENT_PORT = 8717  # of an instance: what its agent (cloudinit/agent.py) answers at


@dataclass(frozen=True, slots=True)
class Disk:
    """The encrypted root volume, gp3."""

    size_gib: int = 20
    throughput_mibps: int | None = None


@dataclass(frozen=True, slots=True)
class FleetShape:
    """What is launched: `ami` is an id (ami-…), an alias (ubuntu-24.04) or an SSM parameter (ssm:/path)."""

    count: int
    ami: str
    instance_types: tuple[str, ...]
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    instance_profile: str | None = None
    disk: Disk = Disk()
    docker: str = "distribution"  # where Docker comes from: installed from there, or "present" on the image


@dataclass(frozen=True, slots=True)
class Health:
    """The load balancer's check of one target. `matcher` is the set of good HTTP codes, as ELB writes it; `port` is another
    one than that of the traffic."""

    path: str = "/"
    interval_s: int = 5
    timeout_s: int = 4
    healthy: int = 2
    unhealthy: int = 2
    matcher: str = "200"
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """The listener rule by its conditions; both None means the listener's default action."""

    host: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Traffic:
    """One place where traffic enters: load balancer name, listener port, rule, and the port on the instance."""

    load_balancer: str
    listener: int
    port: int
    rule: Rule = Rule()
    health: Health = Health()
    drain_s: int = 60


@dataclass(frozen=True, slots=True)
class Login:
    """`password` is a reference such as ssm:/shop/registry, never a password."""

    username: str
    password: str


@dataclass(frozen=True, slots=True)
class Registry:
    """`host` as it stands in image names, with port if there is one; `ca` is the PEM text of who signed its certificate.
    With `ecr` the instance's role gets a password by itself."""

    host: str
    login: Login | None = None
    ca: str = ""
    ecr: bool = False


@dataclass(frozen=True, slots=True)
class Logging:
    """Docker's log driver and its options, without the tag; `ca` is the PEM text of who signed the log server's certificate."""

    driver: str
    options: tuple[tuple[str, str], ...] = ()
    ca: str = ""


@dataclass(frozen=True, slots=True)
class Workers:
    """Processes of a service whose command line holds `match`, as the host counts them."""

    match: str
    count: int


@dataclass(frozen=True, slots=True)
class Ulimit:
    name: str
    soft: int
    hard: int


@dataclass(frozen=True, slots=True)
class Port:
    """A published port: `host` on the instance, `container` inside; protocol tcp or udp."""

    host: int
    container: int
    protocol: str = "tcp"


@dataclass(frozen=True, slots=True)
class DependsOn:
    """`condition` is service_started or service_healthy."""

    service: str
    condition: str = "service_started"


@dataclass(frozen=True, slots=True)
class ContainerHealth:
    """Compose's healthcheck: `test` is CMD, CMD-SHELL or NONE and its words."""

    test: tuple[str, ...]
    interval_s: float = 30.0
    timeout_s: float = 30.0
    retries: int = 3
    start_period_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Service:
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


@dataclass(frozen=True, slots=True)
class Rollout:
    """`boot_timeout_s` bounds launch to healthy; `bake_s` is how long the new fleet is watched after the switch.
    `rollback_unsafe`: nothing goes back from this release by itself, nor by a rollback that does not name where to."""

    boot_timeout_s: int = 300
    bake_s: int = 0
    rollback_unsafe: bool = False


@dataclass(frozen=True, slots=True)
class Stack:
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
        named = [replace(service, image=references.get(service.image, service.image)) for service in self.services]
        return replace(self, services=tuple(named))
