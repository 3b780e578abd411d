"""A build with secrets on a real engine: the step sees them; layers, history and logs do not."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import docker
import pytest
from chains import Chain

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

TOKEN = "planted-t0ken-6c1f0a9e2b"
KEY = "-----BEGIN planted-key-----\nplanted-line-4d2c7f\n-----END planted-key-----\n"
STEP = (
    'RUN --mount=type=secret,id=token --mount=type=secret,id=key ["/bin/sh", "-c",'
    ' "cat /run/secrets/token /run/secrets/key; cd /run/secrets; sha256sum token key > /proof{more}"]\n'
)


@pytest.fixture
def secretive(chain: Chain) -> Chain:
    stack = chain.folder / "stack.yml"
    declared = "inputs: [src], secrets: {token: {environment: BUILD_TOKEN}, key: {file: deploy.key}}"
    stack.write_text(stack.read_text().replace("inputs: [src]", declared))
    chain.write("deploy.key", KEY)
    (chain.folder / "deploy.key").chmod(0o600)
    chain.write("app/Dockerfile", "ARG BASE\nFROM ${BASE}\nCOPY src /src\n" + STEP.format(more=""))
    return chain


def everything(image: bytes) -> bytes:
    """The bytes of the saved image: its config and history, and each layer unpacked."""
    found = image
    with tarfile.open(fileobj=io.BytesIO(image)) as saved:
        for member in saved.getmembers():
            content = saved.extractfile(member)
            data = content.read() if content else b""
            found += data
            if member.name.endswith(".tar"):
                with tarfile.open(fileobj=io.BytesIO(data)) as layer:
                    for file in layer.getmembers():
                        inside = layer.extractfile(file) if file.isfile() else None
                        found += file.name.encode() + (inside.read() if inside else b"")
    return found


def test_secrets_are_seen_by_their_step_and_nowhere_else(
    secretive: Chain, docker_engine: docker.DockerClient, tmp_path: Path
) -> None:
    done = secretive.run("build", str(tmp_path / "stack.yml"), "--output", "json", BUILD_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    assert "[3/3] RUN --mount=type=secret" in done.stderr and "***" in done.stderr
    built = {image["name"]: image for image in json.loads(done.stdout)["images"]}
    image = docker_engine.images.get(built["app"]["reference"])
    proof = docker_engine.containers.run(image.id, ["/bin/busybox", "cat", "/proof"], entrypoint="", remove=True)
    assert proof.decode().split() == [
        *(hashlib.sha256(TOKEN.encode()).hexdigest(), "token"),
        *(hashlib.sha256(KEY.encode()).hexdigest(), "key"),
    ]
    searched = everything(b"".join(image.save(named=True)))
    assert proof in searched, "the search sees what is in a layer"
    for secret in (TOKEN, "planted-line-4d2c7f"):
        assert secret.encode() not in searched
        assert secret not in done.stderr + done.stdout + json.dumps(image.history())
    below = secretive.layers("deps")
    assert secretive.layers("app")[: len(below)] == below
    again = secretive.build()
    assert {one["action"] for one in again.values()} == {"reused"}, "what is built already needs no secret"


def test_a_step_that_fails_is_shown_without_them(secretive: Chain) -> None:
    secretive.write("app/Dockerfile", "ARG BASE\nFROM ${BASE}\nCOPY src /src\n" + STEP.format(more="; exit 7"))
    done = secretive.run("build", str(secretive.folder / "stack.yml"), BUILD_TOKEN=TOKEN)
    assert done.returncode == 1 and "where: [3/3] RUN --mount=type=secret" in done.stderr
    assert "exit code: 7" in done.stderr and "  | ***" in done.stderr
    assert TOKEN not in done.stderr and "planted-line" not in done.stderr
    assert not any(secretive.digests().values())


def test_secrets_that_are_missing_or_open_to_all_are_refused_before_the_engine_is_asked(secretive: Chain) -> None:
    nobody = {"DOCKER_HOST": "unix:///nonexistent"}
    words = ("build", str(secretive.folder / "stack.yml"))
    missing = secretive.run(*words, **nobody)
    assert missing.returncode == 2 and "the variable BUILD_TOKEN is not set" in missing.stderr
    (secretive.folder / "deploy.key").chmod(0o604)
    opened = secretive.run(*words, **nobody, BUILD_TOKEN=TOKEN)
    assert opened.returncode == 2 and "secret key is open to everybody" in opened.stderr
    (secretive.folder / "deploy.key").unlink()
    gone = secretive.run(*words, **nobody, BUILD_TOKEN=TOKEN)
    assert gone.returncode == 2 and "deploy.key" in gone.stderr and "No such file" in gone.stderr
