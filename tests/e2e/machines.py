"""The Django shop on the sandbox's machines, and what an outsider sees of it: AWS, the machines."""

from __future__ import annotations

import json
import secrets
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import yaml
from docker.models.containers import Container
from program import HOST, ROOT, Ended, Program, Sandbox

from bluegreen.core.stack import AGENT_PORT
from bluegreen.sandbox.load import Load
from tests.parts.registry import Registry
from tests.parts.rsyslog import Rsyslog
from tests.parts.wait import until

STACK = "shop"
STACKS = ROOT / "stacks"
DEPLOY_S = 280


@dataclass(frozen=True)
class Machine:
    """An instance from outside: the container that it is, and its address."""

    instance: str
    address: str
    container: Container

    def run(self, *words: str) -> str:
        """A program on the machine, as root; its output."""
        done = self.container.exec_run(list(words))
        text: str = done.output.decode("utf-8", "replace")
        assert done.exit_code == 0, (words, text)
        return text

    def processes(self, part: str) -> list[int]:
        """Ids on this machine of the processes with `part` in their command line."""
        titles = self.container.top(ps_args="-eo pid,args")
        return [int(pid) for pid, *words in titles["Processes"] if part in " ".join(words)]

    def status(self) -> Any:
        """What its agent tells."""
        with urllib.request.urlopen(f"http://{self.address}:{AGENT_PORT}/status", timeout=10) as answer:
            return json.load(answer)

    def well(self) -> bool:
        """Whether its agent answers, and says so."""
        try:
            return bool(self.status()["healthy"])
        except OSError:
            return False

    def answers(self) -> bool:
        """Whether nginx answers from Django, on the machine's own address."""
        try:
            with urllib.request.urlopen(f"http://{self.address}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


class Site:
    """`planted` are secrets that only the machines may know, by the parameter that holds them."""

    def __init__(
        self, box: Sandbox, engine: docker.DockerClient, registry: Registry, logs: Rsyslog, folder: Path
    ) -> None:
        self.box, self.engine, self.registry, self.logs = box, engine, registry, logs
        self.file = _stack_file(folder, registry)
        odd = 'it\'s "$(id)" `id` {{ x }} \\ é'
        self.planted = {
            "/shop/registry": registry.password,
            "/shop/secret-key": f"{secrets.token_urlsafe(24)} {odd}",
        }
        for name, value in self.planted.items():
            box.client("ssm").put_parameter(Name=name, Value=value, Type="SecureString")

    def start(self, *words: str) -> Program:
        return self.box.start(*words)

    def deploy_words(self, version: str, boot_timeout: str = "4m") -> tuple[str, ...]:
        values = (f"REGISTRY={self.registry.host}", f"BOOT_TIMEOUT={boot_timeout}", "BAKE=5s", f"LOGS={self.logs.url}")
        given = [word for value in values for word in ("--set", value)]
        return ("deploy", str(self.file), "--version", version, "--build", *given)

    def deploy(self, version: str) -> Ended:
        return self.start(*self.deploy_words(version)).end(DEPLOY_S)

    def rollback(self) -> Ended:
        return self.box.run("rollback", STACK)

    def load(self, rate: float) -> Load:
        return Load(self.url, HOST, rate=rate, slow_per_s=0)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.box.known['listeners']['demo-alb:8080']}"

    def get(self, path: str) -> tuple[int, str]:
        request = urllib.request.Request(self.url + path, headers={"Host": HOST})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def fleet(self, role: str) -> Any:
        found = self.box.run("status", STACK, "--output", "json")
        assert found.code == 0, found.err
        return next((fleet for fleet in found.json["fleets"] if fleet["role"] == role), None)

    def machines(self, role: str, *states: str) -> list[Machine]:
        """Of the fleet with this role, those whose targets are in one of `states`; healthy unless said otherwise."""
        fleet = self.fleet(role)
        wanted = states or ("healthy",)
        return [self.machine(one["id"]) for one in fleet["targets"] if one["state"] in wanted] if fleet else []

    def machine(self, instance: str) -> Machine:
        (container,) = self.engine.containers.list(all=True, filters={"label": f"bluegreen.instance={instance}"})
        return Machine(instance, self._described(instance)["PrivateIpAddress"], container)

    def state(self, machine: Machine) -> str:
        return str(self._described(machine.instance)["State"]["Name"])

    def _described(self, instance: str) -> Any:
        (reservation,) = self.box.client("ec2").describe_instances(InstanceIds=[instance])["Reservations"]
        return reservation["Instances"][0]

    def target(self, machine: Machine) -> tuple[str, str]:
        """(state, reason) of its target, as the load balancer has it."""
        elbv2 = self.box.client("elbv2")
        for group in elbv2.describe_target_groups()["TargetGroups"]:
            described = elbv2.describe_target_health(TargetGroupArn=group["TargetGroupArn"])
            for one in described["TargetHealthDescriptions"]:
                if one["Target"]["Id"] == machine.instance:
                    return one["TargetHealth"]["State"], one["TargetHealth"].get("Description", "")
        return "absent", ""

    def await_state(self, machine: Machine, state: str, within_s: float) -> None:
        until(lambda: self.target(machine)[0] == state, within_s, lambda: (machine.instance, self.target(machine)))

    def console(self, instance: str) -> str:
        return str(self.box.client("ec2").get_console_output(InstanceId=instance).get("Output", ""))


def _stack_file(folder: Path, registry: Registry) -> Path:
    """stacks/django.yml as a company has it: with the authority of its registry beside it."""
    document = yaml.safe_load((STACKS / "django.yml").read_text("utf-8"))
    document["registry"]["ca"] = "ca.crt"
    for service in document["services"].values():  # each check is a new process, on eight hosts that share two cores
        service["healthcheck"]["interval"] = "10s"
    (folder / "ca.crt").write_bytes(registry.ca.read_bytes())
    (folder / "django").symlink_to(STACKS / "django")
    file = folder / "django.yml"
    file.write_text(yaml.safe_dump(document), "utf-8")
    return file
