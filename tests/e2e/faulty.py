"""Fifteen ways in which a machine does not boot: what to change in a stack, or to break once its machines are launched.

Each deployment is of one machine, to a stack that has a healthy one already. The controller sees a world without fault
until it has launched: what is broken before that, it refuses itself.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import yaml
from docker.models.containers import Container
from program import BLUEGREEN, Ended, Program, Sandbox

from tests.parts.authority import Authority
from tests.parts.registry import Registry
from tests.parts.wait import until

LANES = 5
LIVE, BAD = "A", "B"
NAME = "registry.bluegreen.test"  # the controller knows it, the machines do not
CORRUPT = """
import sys
from bluegreen.boot import userdata
whole = userdata.render
def corrupted(stack, images):
    data = whole(stack, images)
    return data[:99] + bytes(99) + data[99:]
userdata.render = corrupted
from bluegreen.cli.main import entry
entry()
"""
HOSTS = 'mount --bind "$1" /etc/hosts && shift && exec "$@"'


@dataclass(frozen=True)
class Fault:
    """`change` is made to the stack file's document, `launched` is done to the world; `cause` is a pattern of the one line.
    The boot's own word ends a deployment, so `timeout` is long for a busy machine, but where nobody has that word."""

    name: str
    cause: str
    change: Callable[[dict[str, Any]], None] = lambda document: None
    launched: Callable[[Stand], None] = lambda stand: None
    by: Callable[[Stand], tuple[str, ...]] = lambda stand: BLUEGREEN
    timeout: str = "5m"


@dataclass(frozen=True)
class Seen:
    """`left` are instances of the stack that still run, beside the one of before, which `served` says is healthy."""

    ended: Ended
    line: str
    served: bool
    left: list[str]


class Stand:
    """One lane: a stack, its own registry, and its machines."""

    def __init__(self, box: Sandbox, engine: docker.DockerClient, registry: Registry, stack: str, folder: Path) -> None:
        self.box, self.engine, self.registry, self.stack, self.folder = box, engine, registry, stack, folder
        self.host = f"{stack}.example.com"
        self.instance = ""

    def prepare(self) -> None:
        """The listener's rule, the password, and a fleet of one machine that serves."""
        self.make_rule()
        self.mend()
        ended = self.start(BLUEGREEN, LIVE, lambda document: None, "5m").end(360)
        assert ended.code == 0, ended.err

    def make_rule(self) -> None:
        elbv2 = self.box.client("elbv2")
        balancer = elbv2.describe_load_balancers(Names=["demo-alb"])["LoadBalancers"][0]["LoadBalancerArn"]
        listeners = elbv2.describe_listeners(LoadBalancerArn=balancer)["Listeners"]
        elbv2.create_rule(
            ListenerArn=next(one["ListenerArn"] for one in listeners if one["Port"] == 8080),
            Priority=100 + int(self.stack.removeprefix("faults")),
            Conditions=[{"Field": "host-header", "HostHeaderConfig": {"Values": [self.host]}}],
            Actions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}],
        )

    def mend(self) -> None:
        """As if nothing had been broken."""
        password = self.registry.password
        ssm = self.box.client("ssm")
        ssm.put_parameter(Name=f"/{self.stack}/registry", Value=password, Type="SecureString", Overwrite=True)
        self.registry.authorize()
        self.registry.restart()

    def start(
        self, by: tuple[str, ...], version: str, change: Callable[[dict[str, Any]], None], timeout: str
    ) -> Program:
        document = self._document(version, timeout)
        change(document)
        (self.folder / "ca.crt").write_bytes(self.registry.ca.read_bytes())
        file = self.folder / f"{self.stack}.yml"
        file.write_text(yaml.safe_dump(document), "utf-8")
        return Program(("deploy", str(file), "--version", version), self.box.env, by)

    def play(self, fault: Fault) -> Seen:
        before = self.running()
        program = self.start(fault.by(self), BAD, fault.change, fault.timeout)
        try:
            program.until(r"launched i-", 60)
            (self.instance,) = re.findall(r"launched (i-[0-9a-f]+)", "".join(program.lines))
            fault.launched(self)
            ended = program.end(360)
        finally:
            program.process.kill()
            self.mend()
        line = next((text for text in ended.err.splitlines() if "failed and was undone" in text), "")
        until(lambda: self.running() == before, 60, self.running)
        status = self.box.run("status", self.stack, "--output", "json").json
        live = next(fleet for fleet in status["fleets"] if fleet["role"] == "live")
        served = live["version"] == LIVE and [one["state"] for one in live["targets"]] == ["healthy"]
        return Seen(ended, line, served, sorted(set(self.running()) - set(before)))

    def machine(self) -> Container:
        """The new machine, as soon as it is there."""
        found: list[Container] = []
        wanted = {"label": f"bluegreen.instance={self.instance}"}
        until(lambda: found or found.extend(self.engine.containers.list(filters=wanted)) or found, 60)
        return found[0]

    def on_machine(self, script: str) -> None:
        done = self.machine().exec_run(["/bin/sh", "-euc", script])
        assert done.exit_code == 0, done.output

    def running(self) -> list[str]:
        """Ids of this stack's instances that are not ended."""
        ours = [{"Name": "tag:bluegreen:stack", "Values": [self.stack]}]
        found = self.box.client("ec2").describe_instances(Filters=ours)["Reservations"]
        states = {one["InstanceId"]: one["State"]["Name"] for each in found for one in each["Instances"]}
        return sorted(name for name, state in states.items() if state not in ("terminated", "shutting-down"))

    def _document(self, version: str, timeout: str) -> dict[str, Any]:
        return {
            "stack": self.stack,
            "region": self.box.known["region"],
            "account": "123456789012",
            "fleet": {
                "count": 1,
                "ami": "ubuntu-24.04",
                "instance_types": ["m7i.large"],
                "subnets": ["subnet-0a11ce0000000000a"],
                "security_groups": ["sg-0a11ce00000000001"],
                "instance_profile": "demo-web",
            },
            "traffic": [
                {
                    "load_balancer": "demo-alb",
                    "listener": 8080,
                    "rule": {"host": self.host},
                    "port": 80,
                    "health": {"path": "/health"},
                    "drain": "1s",
                }
            ],
            "registry": {
                "host": self.registry.host,
                "auth": {"username": self.registry.username, "password": f"ssm:/{self.stack}/registry"},
                "ca": "ca.crt",
            },
            "services": {"web": {"image": f"{self.registry.host}/faults/web:{version}", "ports": ["80:8000"]}},
            "rollout": {"boot_timeout": timeout},
        }


def play(stands: list[Stand], faults: list[Fault]) -> dict[str, Seen | AssertionError]:
    """All faults, a few side by side; each lane plays its own one after another."""

    def lane(number: int) -> dict[str, Seen | AssertionError]:
        found: dict[str, Seen | AssertionError] = {}
        stands[number].prepare()
        for fault in faults[number :: len(stands)]:
            try:
                found[fault.name] = stands[number].play(fault)
            except AssertionError as wrong:
                found[fault.name] = wrong
        return found

    with ThreadPoolExecutor(len(stands)) as pool:
        return {name: seen for found in pool.map(lane, range(len(stands))) for name, seen in found.items()}


def web(**change: Any) -> Callable[[dict[str, Any]], None]:
    """The service with other keys."""
    return lambda document: document["services"]["web"].update(change)


def beside(**service: Any) -> Callable[[dict[str, Any]], None]:
    """A second service, of the same image."""

    def change(document: dict[str, Any]) -> None:
        image = document["services"]["web"]["image"]
        document["services"]["app"] = {"image": image, **service}

    return change


def image(repository: str) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["services"]["web"].update(
        image=document["services"]["web"]["image"].replace("faults/web", repository)
    )


def seven_workers(document: dict[str, Any]) -> None:
    """The eighth never starts; the page is there all the same."""
    script = (
        "for n in 1 2 3 4 5 6 7; do sh -c 'while sleep 1; do :; done' worker-$$n & done; exec httpd -f -p 8000 -h /www"
    )
    web(
        entrypoint=["/bin/sh", "-c", script],
        **{"x-workers": {"match": "worker-", "count": 8}},
    )(document)
    document["traffic"][0]["health"]["path"] = "agent"


def never_healthy(document: dict[str, Any]) -> None:
    check = {"test": ["CMD", "/bin/sh", "-c", "echo no database; exit 1"], "interval": "1s", "retries": 3}
    beside(healthcheck=check)(document)
    document["services"]["web"]["depends_on"] = {"app": {"condition": "service_healthy"}}


def unknown_name(document: dict[str, Any]) -> None:
    host = document["registry"]["host"]
    name = f"{NAME}:{host.rpartition(':')[2]}"
    document["registry"]["host"] = name
    document["services"]["web"]["image"] = document["services"]["web"]["image"].replace(host, name)


def knowing_the_name(stand: Stand, name: str = NAME) -> tuple[str, ...]:
    """The controller with an /etc/hosts of its own."""
    hosts = stand.folder / "hosts"
    hosts.write_text(f"127.0.0.1 localhost\n{stand.registry.address} {name}\n", "utf-8")
    return ("unshare", "--mount", "/bin/sh", "-euc", HOSTS, "sh", str(hosts), *BLUEGREEN)


def corrupting(stand: Stand) -> tuple[str, ...]:
    return (sys.executable, "-c", CORRUPT)


def wrong_password(stand: Stand) -> None:
    name = f"/{stand.stack}/registry"
    stand.box.client("ssm").put_parameter(Name=name, Value="another one", Type="SecureString", Overwrite=True)


def other_authority(stand: Stand) -> None:
    with tempfile.TemporaryDirectory() as folder:
        stand.registry.authorize(Authority(Path(folder), "somebody else"))
        stand.registry.restart()


def without_images(stand: Stand) -> None:
    stand.registry.stop()
    (stand.registry.data / "docker/registry/v2/repositories/faults/gone").rename(stand.folder / "gone")
    stand.registry.start()


def small_disk(stand: Stand) -> None:
    """The place where the engine puts what it downloads, once the engine is there."""
    wait = "until docker version >/dev/null 2>&1; do sleep 0.1; done"
    stand.on_machine(f"{wait}; mount -t tmpfs -o size=64k tmpfs /var/lib/docker/tmp")


def without_docker_and_mirror(stand: Stand) -> None:
    """As on a bare Ubuntu whose mirror is down: no engine, no package lists, nobody who answers."""
    away = "rm -f /usr/bin/docker; dpkg --force-all --remove docker.io >/dev/null 2>&1; rm -rf /var/lib/apt/lists/*"
    mirror = "echo 'deb http://127.0.0.1:9/debian stable main' >/etc/apt/sources.list; rm -f /etc/apt/sources.list.d/*"
    stand.on_machine(f"{away}; {mirror}")


def occupied(stand: Stand) -> None:
    stand.on_machine("setsid python3 -m http.server 80 >/dev/null 2>&1 </dev/null &")


def program_of(machine: str) -> bytes:
    """The beginning of a program for another processor, which is all that the kernel looks at."""
    e_machine = {"arm64": 183, "amd64": 62}[machine]
    return b"\x7fELF\x02\x01\x01" + bytes(9) + (2).to_bytes(2, "little") + e_machine.to_bytes(2, "little") + bytes(108)


FAULTS = [  # those that last longest come first
    Fault("7 of 8 workers", r"web: 7 of 8 workers", seven_workers, timeout="2m"),
    Fault(
        "user data corrupted",
        r"cloud-init did not run the boot \(user data corrupted, or boot_timeout too short\?\)",
        by=corrupting,
        timeout="45s",
    ),
    Fault("registry down", r"127|refused|does not answer", launched=lambda stand: stand.registry.stop()),
    Fault("dns", rf"{NAME}.*(no such host|cannot be resolved|not found)", unknown_name, by=knowing_the_name),
    Fault(
        "wrong password", r"401 unauthorized \(wrong password in ssm:/faults\d/registry\?\)", launched=wrong_password
    ),
    Fault("wrong ca", r"(unknown|another) authority", launched=other_authority),
    Fault("digest gone", r"faults/gone@sha256:\w+.*(not found|unknown)", image("faults/gone"), without_images),
    Fault("wrong architecture", r"web: .*another architecture", image("faults/alien")),
    Fault(
        "no such command", r"web: .*gunicorn.*not (found|in the image)", web(command=["-x"], entrypoint=["gunicorn"])
    ),
    Fault(
        "container exits",
        r"web: ended with exit code 3",
        web(entrypoint=["/bin/sh", "-c", "echo no database; exit 3"]),
    ),
    Fault("never healthy", r"app .*(unhealthy|not healthy)", never_healthy),
    Fault(
        "missing secret", r"ssm:/faults/none.*(ParameterNotFound|no such)", web(environment={"KEY": "ssm:/faults/none"})
    ),
    Fault("disk full", r"(disk is full|no space left)", image("faults/large"), small_disk),
    Fault("apt mirror down", r"Docker could not be installed.*127\.0\.0\.1", launched=without_docker_and_mirror),
    Fault("port clash", r"port 80 .*(taken|in use|already)", launched=occupied),
]
