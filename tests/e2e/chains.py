"""A stack file with an image chain of three, on disk, and what the program and the registry say of it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from bluegreen.images.registry import Credentials, RegistryImages
from tests.parts.registry import Registry

STACK = """\
stack: {name}
region: eu-west-1
account: "123456789012"
fleet: {{count: 1, ami: ubuntu-24.04, instance_types: [m7i.large], subnets: [subnet-0a11ce0000000000a],
  security_groups: [sg-0a11ce00000000001]}}
traffic: [{{load_balancer: a, listener: 80, port: 80}}]
registry: {{host: "{host}"}}
services: {{app: {{image: app, ports: ["80:80"]}}}}
images:
  base: {{from: {base}, context: base, inputs: [etc]}}
  deps: {{from: base, context: deps, inputs: [lock, wheels], key: [lock]}}
  app: {{from: deps, context: app, inputs: [src], args: {{GREETING: hello}}}}
"""
FILES = {
    "base/etc/release": "one\n",
    "base/Dockerfile": "ARG BASE\nFROM ${BASE}\nCOPY etc /etc\n",
    "deps/lock": "one\n",
    "deps/wheels/w.whl": "one\n",
    "deps/Dockerfile": "ARG BASE\nFROM ${BASE}\nCOPY lock wheels /deps/\n",
    "app/src/main": "one\n",
    "app/notes": "no input\n",
    "app/Dockerfile": 'ARG BASE\nFROM ${BASE}\nARG GREETING\nCOPY src /src\nRUN ["/bin/sh", "-c", "echo $GREETING > /said"]\n',
}


class Chain:
    """A stack file with its folders, built by the program itself."""

    def __init__(self, folder: Path, registry: Registry, base: str) -> None:
        self.folder, self.registry = folder, registry
        self.name = f"chain{os.getpid()}-{folder.name[-8:].strip('_-').replace('_', '-')}".lower()
        for path, text in FILES.items():
            self.write(path, text)
        self.declare(base)
        login = base64.b64encode(f"{registry.username}:{registry.password}".encode()).decode()
        self.write("docker/config.json", json.dumps({"auths": {registry.host: {"auth": login}}}))
        self.env = {"DOCKER_CONFIG": str(folder / "docker"), "BLUEGREEN_REGISTRY_CA": str(registry.ca)}
        self.images = RegistryImages(
            {registry.host: Credentials(registry.username, lambda: registry.password)}, ca_file=str(registry.ca)
        )

    def declare(self, base: str) -> None:
        self.write("stack.yml", STACK.format(name=self.name, host=self.registry.host, base=base))

    def write(self, path: str, text: str) -> None:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text)

    def run(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "bluegreen", *words],
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **self.env, **env},
            capture_output=True,
            text=True,
            timeout=200,
        )

    def build(self, *words: str) -> dict[str, Any]:
        """Image → what `build` says of it."""
        done = self.run("build", str(self.folder / "stack.yml"), "--output", "json", *words)
        assert done.returncode == 0, done.stderr + done.stdout
        self.log = done.stderr
        return {image["name"]: image for image in json.loads(done.stdout)["images"]}

    def layers(self, name: str, tag: str = "newest") -> list[str]:
        reference = f"{self.registry.host}/{self.name}/{name}:{tag}"
        return [blob.digest for blob in self.images.manifest(reference, "amd64").layers]

    def digests(self) -> dict[str, str]:
        names = ("base", "deps", "app")
        return {n: self.images.find(f"{self.registry.host}/{self.name}/{n}:newest") for n in names}


def actions(found: dict[str, Any]) -> dict[str, str]:
    return {name: image["action"] for name, image in found.items()}
