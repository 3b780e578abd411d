"""A machine for the boot programs: a fake engine, a fake AWS, a file for a console. And stacks to boot."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from fake_aws import FakeAws
from fake_engine import FakeEngine

from bluegreen.boot.userdata import boot_document
from bluegreen.core.stack import (
    ContainerHealth,
    DependsOn,
    FleetShape,
    Login,
    Port,
    Registry,
    Service,
    Stack,
)

CLOUDINIT = Path(__file__).parents[2] / "cloudinit"
PASSWORD = "pa$$'w\"ord\\ of `registry`"
SECRET = "-----BEGIN KEY-----\nMIIEsecret\n-----END KEY-----\n"

WEB = Service("web", "registry.example.com/shop/web:1", ports=(Port(80, 8000),), depends_on=(DependsOn("app"),))
APP = Service(
    "app",
    "registry.example.com/shop/app:1",
    environment=(("WORKERS", "8"), ("SECRET_KEY", "ssm:/shop/secret-key")),
    healthcheck=ContainerHealth(("CMD", "curl", "-f", "http://localhost:8000/health"), 2.0, 1.5, 3, 0.25),
)


def a_stack(*services: Service, login: Login | None = Login("deploy", "ssm:/shop/registry")) -> Stack:  # noqa: B008
    shape = FleetShape(2, "ubuntu-24.04", ("m7i.large",), ("subnet-0a",), ("sg-0c",))
    registry = Registry("registry.example.com", login)
    return Stack(
        "shop", "eu-west-1", "123456789012", shape, (), registry, services or (WEB, APP), source="stacks/a.yml"
    )


def pins(stack: Stack) -> dict[str, str]:
    digests = {service.name: hashlib.sha256(service.image.encode()).hexdigest() for service in stack.services}
    return {name: f"registry.example.com/shop/{name}@sha256:{digest}" for name, digest in digests.items()}


def with_environment(**values: str) -> Service:
    return APP._replace(environment=tuple(values.items()))


@dataclass
class Machine:
    folder: Path
    aws: FakeAws
    engine: FakeEngine
    extra: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bin.mkdir()
        self.program("dockerd", "exit 1")
        self.aws.parameters.update({"/shop/registry": PASSWORD, "/shop/secret-key": SECRET})

    @property
    def bin(self) -> Path:
        return self.folder / "bin"

    def program(self, name: str, script: str) -> None:
        (self.bin / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.bin / name).chmod(0o755)

    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "BLUEGREEN_DOCKER": self.engine.path,
            "BLUEGREEN_KEEPER": "",
            "BLUEGREEN_CONSOLE": str(self.folder / "console"),
            "BLUEGREEN_RUN_DIR": str(self.folder / "run"),
            "BLUEGREEN_PAUSE_S": "0.01",
            "BLUEGREEN_AUTHORITIES": str(self.folder / "certs.d"),
            "BLUEGREEN_DAEMON_JSON": str(self.folder / "docker" / "daemon.json"),
            "BLUEGREEN_DOCKER_PID": str(self.folder / "docker.pid"),
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.aws.endpoint,
            "AWS_ENDPOINT_URL": self.aws.endpoint,
            **self.extra,
        }

    def boot(self, stack: Stack, library: Path = CLOUDINIT) -> subprocess.CompletedProcess[str]:
        """containers.py as a machine's boot starts it, with `stack` as its boot.json."""
        document = json.dumps(boot_document(stack, pins(stack)))
        return self.boot_with(document, library)

    def boot_with(self, document: str, library: Path = CLOUDINIT) -> subprocess.CompletedProcess[str]:
        (self.folder / "boot.json").write_text(document, "utf-8")
        words = [sys.executable, "-B", "-X", "utf8", str(library / "containers.py"), str(self.folder / "boot.json")]
        return self.run(*words)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        (self.folder / "console").write_text("")
        done = subprocess.run(
            words, env=self.environment(), capture_output=True, text=True, timeout=60, check=False, encoding="utf-8"
        )
        assert done.stderr == ""
        if "BLUEGREEN_CONSOLE" not in self.extra:
            assert self.console == done.stdout
        return done

    @property
    def console(self) -> str:
        return (self.folder / "console").read_text("utf-8")
