"""What one key's type cannot tell: how keys go together, and what is declared but has no effect yet."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from bluegreen.core import secret_ref
from bluegreen.core.image_ref import ecr_region, parse
from bluegreen.core.stack import AGENT_PORT
from bluegreen.errors import UsageError
from bluegreen.stackfile.image_check import check_images
from bluegreen.stackfile.log_keys import check_logging
from bluegreen.stackfile.mistake import Mistakes

SECRET_NAME = re.compile(r"(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|CREDENTIALS?)(_|$)", re.I)
Found = Mapping[str, Any]


def check(found: Found, root: yaml.Node, mistakes: Mistakes) -> None:
    """Adds every mistake between keys; `found` has passed the schema."""
    checker = Checker(found, root, mistakes)
    checker.traffic()
    checker.registry()
    checker.rollout()
    for name, service in found["services"].items():
        checker.service(name, service)
    checker.ports()
    checker.cycles()
    checker.role()
    check_images(found, SECRET_NAME, checker.wrong)
    check_logging(found, checker.wrong)


class Checker:
    def __init__(self, found: Found, root: yaml.Node, mistakes: Mistakes) -> None:
        self.found = found
        self.root = root
        self.mistakes = mistakes

    def wrong(self, message: str, *path: str | int) -> None:
        node = find(self.root, path)
        key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
        self.mistakes.add(node.start_mark.line + 1, node.start_mark.column + 1, key, message)

    def traffic(self) -> None:
        bindings = self.found["traffic"]
        if len(bindings) > 1:
            self.wrong("not supported yet: a second binding; one per stack works", "traffic", 1)
        for i, binding in enumerate(bindings):
            health = binding.get("health", {})
            interval = health.get("interval", 5)
            if health.get("timeout", 2) >= interval:
                self.wrong("the timeout must be shorter than the interval", "traffic", i, "health", "timeout")
            for key in ("interval", "timeout"):
                if health.get(key, 5) % 1:
                    self.wrong("ELB takes whole seconds here", "traffic", i, "health", key)
            if not binding.get("rule", {"host": "default"}):
                self.wrong("a rule needs host or path; leave rule out for the default action", "traffic", i, "rule")
            if binding.get("drain", 60) % 1:
                self.wrong("ELB takes whole seconds here", "traffic", i, "drain")

    def registry(self) -> None:
        host, auth = self.found["registry"]["host"], self.found["registry"].get("auth")
        if auth == "ecr" and not ecr_region(host):
            message = (
                f"ecr is for a host ACCOUNT.dkr.ecr.REGION.amazonaws.com, not {host}; else give username and password"
            )
            self.wrong(message, "registry", "auth")
        elif auth and auth != "ecr" and not secret_ref.is_one(auth["password"]):
            shapes = f"; write a reference, {secret_ref.SHAPES}"
            self.wrong(f"a secret never stands in the stack file{shapes}", "registry", "auth", "password")

    def role(self) -> None:
        """Whatever the instances ask AWS for they ask with the role of their profile."""
        if "instance_profile" in self.found["fleet"]:
            return
        for right in _rights(self.found):
            self.wrong(f"missing: the instances need a role that may {right}", "fleet", "instance_profile")

    def rollout(self) -> None:
        steps = self.found.get("rollout", {}).get("steps")
        if steps is not None and steps != ("100%",):
            self.wrong("not supported yet: steps other than [100%]", "rollout", "steps")

    def service(self, name: str, service: Found) -> None:
        self._image(name, service["image"])
        self._environment(name, service.get("environment", {}))
        self._words(name, service)
        self._ulimits(name, service.get("ulimits", {}))
        services = self.found["services"]
        depends = service.get("depends_on", ())
        for other in depends:
            if other not in services:
                known = ", ".join(sorted(services))
                self.wrong(f"there is no service {other} (there are: {known})", "services", name, "depends_on")
                continue
            waits = isinstance(depends, Mapping) and depends[other]["condition"] == "service_healthy"
            if waits and "healthcheck" not in services[other]:
                self.wrong(
                    f"{other} has no healthcheck, so it never gets healthy", "services", name, "depends_on", other
                )

    def _image(self, name: str, image: str) -> None:
        host = self.found["registry"]["host"]
        if image in self.found.get("images", {}):
            return
        try:
            reference = parse(image)
        except UsageError as error:
            self.wrong(f"{error.what}: {error.why}", "services", name, "image")
            return
        if reference.host != host:
            message = f"the image comes from {reference.host}, but registry.host is {host}"
            self.wrong(message, "services", name, "image")

    def _environment(self, name: str, found: Any) -> None:
        for number, (variable, value) in enumerate(_variables(found)):
            where = variable if isinstance(found, Mapping) else number
            if secret_ref.means_one(value):
                if not secret_ref.is_one(value):
                    message = f"no proper reference to a secret: write {secret_ref.SHAPES}"
                    self.wrong(message, "services", name, "environment", where)
            elif SECRET_NAME.search(variable) and value:
                message = f"{variable} looks like a secret, and a secret never stands in the stack file"
                self.wrong(message, "services", name, "environment", where)

    def _ulimits(self, name: str, found: Found) -> None:
        for limit, value in found.items():
            if isinstance(value, Mapping) and _height(value["soft"]) > _height(value["hard"]):
                message = f"the soft limit {value['soft']} is above the hard one, {value['hard']}"
                self.wrong(message, "services", name, "ulimits", limit)

    def _words(self, name: str, service: Found) -> None:
        for key in ("command", "entrypoint"):
            line = service.get(key)
            try:
                shlex.split(line) if isinstance(line, str) else None
            except ValueError as error:
                self.wrong(f"the line cannot be split into words: {error}", "services", name, key)
        test = service.get("healthcheck", {}).get("test")
        if isinstance(test, tuple) and test[0] not in ("CMD", "CMD-SHELL", "NONE"):
            message = f"a test begins with CMD, CMD-SHELL or NONE, not {test[0]}"
            self.wrong(message, "services", name, "healthcheck", "test")

    def ports(self) -> None:
        taken = {f"{AGENT_PORT}/tcp": "bluegreen's agent"}
        for name, service in self.found["services"].items():
            for i, text in enumerate(service.get("ports", ())):
                numbers, _, protocol = text.partition("/")
                if not all(0 < int(number) < 65536 for number in numbers.split(":")):
                    self.wrong("a port is a number from 1 to 65535", "services", name, "ports", i)
                host = f"{numbers.partition(':')[0]}/{protocol or 'tcp'}"
                if host in taken:
                    message = f"port {host} of the instance is published by {taken[host]} already"
                    self.wrong(message, "services", name, "ports", i)
                taken[host] = name
        for i, binding in enumerate(self.found["traffic"]):
            published = sorted(taken.keys() - {f"{AGENT_PORT}/tcp"})
            if f"{binding['port']}/tcp" not in published:
                known = ", ".join(published) or "none"
                self.wrong(f"no service publishes port {binding['port']} (published: {known})", "traffic", i, "port")

    def cycles(self) -> None:
        services = self.found["services"]
        done: set[str] = set()

        def visit(name: str, path: tuple[str, ...]) -> None:
            if name in path:
                circle = " → ".join((*path[path.index(name) :], name))
                self.wrong(f"services wait for each other: {circle}", "services", path[-1], "depends_on")
            elif name not in done and name in services:
                for other in services[name].get("depends_on", ()):
                    visit(other, (*path, name))
                done.add(name)

        for name in services:
            visit(name, ())


def _variables(found: Any) -> list[tuple[str, str]]:
    """Of an environment, which is a map or a list of KEY=VALUE."""
    return list(found.items()) if isinstance(found, Mapping) else [tuple(item.split("=", 1)) for item in found]


def _rights(found: Found) -> Iterator[str]:
    """What the instances ask AWS for."""
    auth = found["registry"].get("auth")
    if auth == "ecr":
        yield "pull from ECR"
    elif auth and secret_ref.is_one(auth["password"]):
        yield f"read {auth['password']}"
    if found.get("logging", {}).get("driver") == "awslogs":
        yield "write to CloudWatch Logs"
    for service in found["services"].values():
        for _, value in _variables(service.get("environment", {})):
            if secret_ref.is_one(value):
                yield f"read {value}"


def _height(limit: int) -> float:
    """-1 is without a limit."""
    return float("inf") if limit < 0 else limit


def find(node: yaml.Node, path: tuple[str | int, ...]) -> yaml.Node:
    """The node at `path`, or the nearest one above it that exists."""
    for part in path:
        child: yaml.Node | None = None
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            child = node.value[part]
        elif isinstance(node, yaml.MappingNode):
            child = next((value for key, value in node.value if key.value == part), None)
        if child is None:
            return node
        node = child
    return node
