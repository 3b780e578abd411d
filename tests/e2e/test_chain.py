"""The image chain on a real engine and a registry with TLS and a login: what is built, what is pushed, what stays as it was."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
from pathlib import Path

import docker
import pytest
from chains import FILES, Chain, actions
from program import Program

from tests.parts.images import Images
from tests.parts.registry import Registry
from tests.parts.wait import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

STACKS = Path(__file__).parents[2] / "stacks"


def test_only_what_changed_is_built(
    chain: Chain, outside: str, small_images: Images, private_registry: Registry
) -> None:
    first = chain.build()
    assert actions(first) == {"base": "built", "deps": "built", "app": "built"}
    before, layers = chain.digests(), chain.layers("app")
    again = chain.build()
    assert actions(again) == dict.fromkeys(first, "reused") and chain.log == ""
    assert {name: image["digest"] for name, image in again.items()} == before

    for path in chain.folder.rglob("*"):
        os.utime(path, (1, 1))
    chain.write("app/notes", "changed, and no input")
    chain.write("deps/wheels/w.whl", "changed, and not what decides")
    assert actions(chain.build()) == dict.fromkeys(first, "reused")

    chain.write("app/src/main", "two\n")
    explained = chain.build("--explain")
    assert explained["app"]["because"] == ["file src/main changed"] and chain.digests() == before
    assert actions(chain.build()) == {"base": "reused", "deps": "reused", "app": "built"}
    assert {**chain.digests(), "app": ""} == {**before, "app": ""}
    below = chain.layers("deps")
    assert chain.layers("app")[: len(below)] == layers[: len(below)] == below
    pushed = [line for line in chain.log.splitlines() if line.endswith(": pushed")]
    assert 1 <= len(pushed) <= len(layers) - len(below) and all(" app: " in line for line in pushed)

    chain.write("deps/lock", "two\n")
    found = chain.build()
    assert actions(found) == {"base": "reused", "deps": "built", "app": "built"}
    assert found["deps"]["because"] == ["file lock changed"] and found["app"]["because"] == ["parent deps changed"]

    small_images.busybox("bluegreen-tests/os2", ["/bin/sh"], {"/new": "1"})
    small_images.push("bluegreen-tests/os2", private_registry, "tests/os", "1")
    moved = chain.build()
    assert actions(moved) == dict.fromkeys(first, "built")
    assert moved["base"]["because"] == [f"parent {outside} changed"]
    assert moved["base"]["base"] == f"{private_registry.host}/tests/os@{chain.images.find(outside)}"


def test_the_image_is_what_was_declared(chain: Chain, docker_engine: docker.DockerClient) -> None:
    found = chain.build("--report")
    app = docker_engine.images.get(found["app"]["reference"])
    labels = app.labels
    assert labels["bluegreen.key"] == found["app"]["key"]
    assert labels["org.opencontainers.image.base.name"] == found["deps"]["reference"]
    said = docker_engine.containers.run(
        app.id, ["/bin/busybox", "cat", "/said", "/src/main"], entrypoint="", remove=True
    )
    assert said == b"hello\none\n"


def test_a_failing_step_is_shown_and_the_registry_is_as_it_was(chain: Chain) -> None:
    chain.build()
    before = chain.digests()
    chain.write("deps/lock", "other\n")
    broken = FILES["app/Dockerfile"] + 'RUN ["/bin/sh", "-c", "for i in $(seq 99); do echo line $i; done; exit 7"]\n'
    chain.write("app/Dockerfile", broken)
    done = chain.run("build", str(chain.folder / "stack.yml"))
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "non-zero code: 7" in done.stderr and "where: Step 6/7 : RUN" in done.stderr
    shown = [line for line in done.stderr.splitlines() if line.startswith("  | line ")]
    assert shown == [f"  | line {number}" for number in range(70, 100)]
    assert chain.digests() == before
    assert actions(chain.build("--explain"))["deps"] == "to be built", "something of a failed build was pushed"


def test_a_build_without_an_end_is_ended_in_the_engine_too(chain: Chain, docker_engine: docker.DockerClient) -> None:
    endless = f'RUN ["/bin/sh", "-c", "echo {chain.name}; sleep 9876"]\n'
    chain.write("base/Dockerfile", FILES["base/Dockerfile"] + endless)
    done = chain.run("build", str(chain.folder / "stack.yml"), "--timeout", "20s")
    assert done.returncode == 1 and "base cannot be built" in done.stderr
    assert f"where: {chain.name}" in done.stderr and "why: after 20 s it was not done" in done.stderr
    assert not any(chain.digests().values())

    def running() -> list[str]:
        return [
            one.id
            for one in docker_engine.containers.list(ignore_removed=True)
            if "sleep 9876" in str(one.attrs["Args"])
        ]

    until(lambda: not running(), 60, running)


def test_an_interrupted_build_says_how_to_go_on(chain: Chain) -> None:
    chain.write("base/Dockerfile", FILES["base/Dockerfile"] + 'RUN ["/bin/sh", "-c", "echo it runs; sleep 9875"]\n')
    for number in (signal.SIGINT, signal.SIGTERM):
        program = Program(("build", str(chain.folder / "stack.yml")), {**os.environ, **chain.env})
        program.until("base: it runs")
        program.send(number)
        ended = program.end()
        assert ended.code == 130 and "the build was interrupted" in ended.err and "Traceback" not in ended.err
    assert not any(chain.digests().values())


def test_a_planted_key_is_refused_before_the_engine_is_asked(chain: Chain) -> None:
    chain.write("app/src/id_rsa", "-----BEGIN RSA PRIVATE KEY-----\n")
    done = chain.run("build", str(chain.folder / "stack.yml"), DOCKER_HOST="unix:///nonexistent")
    assert done.returncode == 5 and "src/id_rsa: an SSH key" in done.stderr
    shutil.rmtree(chain.folder / "app" / "src")
    chain.write("app/src/main", "three\n")
    done = chain.run("build", str(chain.folder / "stack.yml"), DOCKER_HOST="unix:///nonexistent")
    assert done.returncode == 5 and "there is no Docker engine" in done.stderr


def test_without_push_it_stays_in_the_engine(chain: Chain, docker_engine: docker.DockerClient) -> None:
    found = chain.build("--no-push")
    assert actions(found) == dict.fromkeys(found, "built here")
    assert docker_engine.images.get(found["app"]["reference"])
    assert chain.digests() == dict.fromkeys(found, "")
    chain.build()
    assert "the engine has it already" in chain.log and all(chain.digests().values())


def test_a_wrong_password_is_told(chain: Chain) -> None:
    packed = base64.b64encode(b"deploy:wrong-password").decode()
    chain.write("docker/config.json", json.dumps({"auths": {chain.registry.host: {"auth": packed}}}))
    done = chain.run("build", str(chain.folder / "stack.yml"))
    assert done.returncode == 5 and "refuses the login of deploy" in done.stderr
    assert "wrong-password" not in done.stderr + done.stdout and packed not in done.stderr + done.stdout


def test_a_deploy_takes_its_images_from_the_chain(chain: Chain) -> None:
    """Up to the first call of AWS, where nobody answers here."""
    nobody = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    stack = str(chain.folder / "stack.yml")
    refused = chain.run("deploy", stack, **nobody)
    assert refused.returncode == 5 and "the registry does not have the image app" in refused.stderr
    assert "why: nothing was built before" in refused.stderr and "next: bluegreen build" in refused.stderr
    built = chain.run("deploy", stack, "--build", **nobody)
    assert "app: pushed" in built.stderr and "127.0.0.1:9" in built.stderr
    assert actions(chain.build()) == dict.fromkeys(("base", "deps", "app"), "reused")
    again = chain.run("deploy", stack, **nobody)
    assert "127.0.0.1:9" in again.stderr and "does not have" not in again.stderr


def test_the_django_chain_needs_no_network(chain: Chain, shop: object) -> None:
    """`shop` has prepared what it is made of."""
    words = [str(STACKS / "django.yml"), "--version", chain.name, "--set", f"REGISTRY={chain.registry.host}"]
    done = chain.run("build", *words, "--report", "--output", "json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [image["name"] for image in found["images"]] == ["base", "deps", "app", "web"]
    assert found["report"]["shared_bytes"] > 20e6 and found["report"]["twice"] == []
    other = chain.run("build", *words[:1], "--version", "other", *words[3:], "--explain", "--output", "json")
    reasons = {image["name"]: image["because"] for image in json.loads(other.stdout)["images"]}
    assert reasons == {"base": [], "deps": [], "web": [], "app": ["argument VERSION changed"]}


def test_the_publify_chain_follows_its_lock_file(
    chain: Chain, small_images: Images, private_registry: Registry, tmp_path: Path
) -> None:
    small_images.busybox("bluegreen-tests/ruby", ["/bin/sh"])
    small_images.push("bluegreen-tests/ruby", private_registry, "os/ruby", "3.3")
    folders = (
        "app/models/a.rb",
        "bin/rails",
        "config/app.rb",
        "db/schema.rb",
        "lib/a.rb",
        "public/a",
        "publify_core/a.rb",
    )
    for path in ("Gemfile", "Gemfile.lock", "Rakefile", "config.ru", *folders):
        chain.write(f"source/{path}", path)
    words = ["--set", f"REGISTRY={chain.registry.host}", "--set", f"SOURCE={tmp_path / 'source'}"]

    def keys() -> dict[str, str]:
        done = chain.run("build", str(STACKS / "publify.yml"), *words, "--explain", "--output", "json")
        assert done.returncode == 0, done.stdout
        return {image["name"]: image["key"] for image in json.loads(done.stdout)["images"]}

    assert chain.run("check", str(STACKS / "publify.yml"), *words).returncode == 0
    first = keys()
    chain.write("source/app/models/a.rb", "changed")
    second = keys()
    assert {name for name in first if first[name] != second[name]} == {"app"}
    chain.write("source/Gemfile.lock", "changed")
    assert {name for name, key in keys().items() if key != second[name]} == {"deps", "app"}
