"""What a stack file says is what a program in a container gets, byte for byte: through user data, the boot's programs as an
instance unpacks them, and a real engine."""

from __future__ import annotations

import base64
import contextlib
import gzip
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import docker
import pytest
import yaml
from docker.errors import NotFound
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from machine import APP, a_stack

from bluegreen.boot import userdata
from bluegreen.core import secret_ref
from tests.parts.images import Images
from tests.parts.registry import Registry

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

NAME = "bluegreen-tests-values"
NETWORK = "bluegreen"
WAITS = ("/bin/sh", "-c", "sleep 1000000 & wait", "sh")  # what follows are arguments, which it leaves alone

WORDS = r"""
' " ` \ \0 \n \x41 %00 $'\n' '' "" -----BEGIN
$ $$ $(reboot) `reboot` ${X} ${X:-y} $((1+1)) - -- -e --privileged # = a=b ; ;reboot && | > < * ? [a] ~ ! ^
{{x}} {%raw%} {#c#} {0} {} %s %n%d %(a)s ${{x}} <!-- ]]> @a &a *a !!python/object:os.system
null no 1e3 0x10 true [] : a:b --- ... |- >- ssm ../../etc/passwd C:\x
"""
WHITE = [" ", "\n", "\r", "\r\n", "\t", "\v", "\f", "\n\n", "\u2028", "\x85", "\xa0", "\ufeff"]
OTHERS = ["\x01", "\x7f", "\x1b[31m", "é", "e\u0301", "ł", "\u202e", "\ue000", "\ud7ff", "\U0010ffff", "🚀"]
PIECES = [*WORDS.split(), *WHITE, *OTHERS]
KINDS = ["", *PIECES, *(f"-{one}\n" for one in PIECES), *(f"'{one}\" {one}" for one in PIECES), "x'\"\n" * 2048]


class Stand:
    """One container that is booted again and again with other values."""

    def __init__(self, engine: docker.DockerClient, image: str, folder: Path) -> None:
        self._engine, self._image, self._folder = engine, image, folder

    def boot(self, environment: Mapping[str, str], words: Sequence[str]) -> tuple[dict[bytes, bytes], list[bytes]]:
        """Environment and arguments of the container's first process."""
        service = APP._replace(
            name=NAME, environment=tuple(environment.items()), entrypoint=WAITS, command=tuple(words)
        )
        stack = a_stack(service._replace(healthcheck=None, stop_grace_period_s=0.0), login=None)
        program = self._write(userdata.render(stack, {NAME: self._image}))
        moved = {
            "BLUEGREEN_CONSOLE": os.devnull,
            "BLUEGREEN_DAEMON_JSON": str(self._folder / "daemon.json"),
            "BLUEGREEN_DOCKER_PID": str(self._folder / "docker.pid"),
            "BLUEGREEN_KEEPER": "",
            "BLUEGREEN_PAUSE_S": "0.01",
            "BLUEGREEN_RUN_DIR": str(self._folder / "run"),
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9",  # nobody listens there
        }
        done = subprocess.run(
            [sys.executable, str(program)],
            env={"PATH": f"{os.environ['PATH']}:/usr/sbin", **moved},
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
        pairs = dict(pair.split(b"=", 1) for pair in self._first_process("environ"))
        return pairs, self._first_process("cmdline")[len(WAITS) :]

    def _write(self, data: bytes) -> Path:
        """As cloud-init does, but into a folder; the program that it would run."""
        moved = {"/usr/local/lib/bluegreen": str(self._folder), "/etc/bluegreen": str(self._folder)}
        moved["/usr/bin/python3"] = sys.executable
        for entry in yaml.safe_load(gzip.decompress(data))["write_files"]:
            content = entry["content"].encode()
            content = base64.b64decode(content) if "b64" in entry.get("encoding", "") else content
            content = gzip.decompress(content) if "gz" in entry.get("encoding", "") else content
            if entry["path"].startswith("/var/lib/cloud/scripts/per-boot/"):
                content = re.sub("|".join(moved), lambda found: moved[found[0]], content.decode()).encode()
            (self._folder / Path(entry["path"]).name).write_bytes(content)
        return self._folder / "bluegreen"

    def _first_process(self, file: str) -> list[bytes]:
        code, data = self._engine.containers.get(NAME).exec_run(["/bin/cat", f"/proc/1/{file}"])
        assert code == 0, data
        return list(data.split(b"\0")[:-1])


@pytest.fixture(scope="module")
def stand(
    docker_engine: docker.DockerClient,
    private_registry: Registry,
    small_images: Images,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stand]:
    small_images.busybox(NAME, WAITS)
    image = small_images.push(NAME, private_registry, "tests/values", "one")  # now the engine has it by its digest, too
    had = {network.name for network in docker_engine.networks.list()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(userdata, "LIMIT", 1 << 20)  # all kinds at once are more than EC2 takes
        yield Stand(docker_engine, image, tmp_path_factory.mktemp("values"))
    with contextlib.suppress(NotFound):
        docker_engine.containers.get(NAME).remove(force=True)
    if NETWORK not in had:
        docker_engine.networks.get(NETWORK).remove()


def test_two_hundred_hostile_kinds_of_values_arrive_as_they_are(stand: Stand) -> None:
    assert len(set(KINDS)) == len(KINDS) >= 200
    environment = {f"K{number}": kind for number, kind in enumerate(KINDS)}
    found, words = stand.boot(environment, KINDS)
    assert [found[f"K{number}".encode()] for number in range(len(KINDS))] == [kind.encode() for kind in KINDS]
    assert words == [kind.encode() for kind in KINDS]


values = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])).filter(
    lambda text: not secret_ref.means_one(text)
)
names = st.from_regex(r"[A-Za-z_ł-][A-Za-z0-9_.-]{0,20}", fullmatch=True).map(lambda name: f"X{name}")


# a boot takes a second or two: few examples of many values, and no search for a smaller one
@settings(max_examples=8, phases=[Phase.generate], deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(names, values, min_size=10, max_size=40), st.lists(values, max_size=10))
def test_any_value_arrives_as_it_is(stand: Stand, environment: dict[str, str], words: list[str]) -> None:
    found, arguments = stand.boot(environment, words)
    assert {name: found.get(name.encode()) for name in environment} == {k: v.encode() for k, v in environment.items()}
    assert arguments == [word.encode() for word in words]


def test_check_refuses_what_no_program_can_be_given(tmp_path: Path) -> None:
    """In every operating system a NUL ends the value."""
    example = (Path(__file__).parents[2] / "stacks" / "demo.yml").read_text("utf-8")
    file = tmp_path / "stack.yml"
    file.write_text(example.replace("    ports:", '    environment: {BROKEN: "a\\0b"}\n    ports:', 1), "utf-8")
    words = [sys.executable, "-m", "bluegreen", "check", str(file), "--set", "VERSION=1"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    line = file.read_text("utf-8").split("BROKEN")[0].count("\n") + 1
    assert done.returncode == 2
    assert f"{file}:{line}" in done.stderr
    assert "BROKEN" in done.stderr
