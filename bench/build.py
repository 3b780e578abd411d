"""`bluegreen build` of an unchanged chain of three, beside what cannot be saved: an interpreter that asks three HEADs.

python bench/build.py      needs what the end-to-end tests need: a Docker engine, a registry (tests/parts)

The registry has TLS and a password. The three programs run in turn, so that a busy machine is busy for all; a ratio is the
median of the rounds'. `docker build` is the same chain with everything in its cache, one command an image, no push.
The registry is on this machine, where nothing hides what the program itself takes; then the same with each answer some
milliseconds later, as from a registry in a region.
"""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "e2e")]

from chains import Chain  # noqa: E402

from tests.parts.authority import Authority  # noqa: E402
from tests.parts.daemon import Missing  # noqa: E402
from tests.parts.engine import bridge, engine  # noqa: E402
from tests.parts.images import Images  # noqa: E402
from tests.parts.proxy import Handler, Proxy  # noqa: E402
from tests.parts.registry import Registry  # noqa: E402

PROGRAM = str(Path(sys.executable).parent / "bluegreen")
ROUNDS = 15
AWAY_S = 0.03
BARE = """
import http.client, os, ssl, sys
ca, host, *paths = sys.argv[1:]
connection = http.client.HTTPSConnection(host, context=ssl.create_default_context(cafile=ca))
for path in paths:
    connection.request("HEAD", path, headers={"Authorization": os.environ["LOGIN"], "Accept": "*/*"})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200, answer.status
"""


def main() -> int:
    try:
        with contextlib.ExitStack() as stack:
            return _measure(stack, Path(stack.enter_context(tempfile.TemporaryDirectory())))
    except Missing as reason:
        print(f"bench: build is left out: {reason}")
        return 0


def _measure(stack: contextlib.ExitStack, folder: Path) -> int:
    client = stack.enter_context(engine(folder))
    authority = Authority(folder)
    registry = Registry(folder, authority, stack.enter_context(bridge(client)))
    registry.start()
    stack.callback(registry.stop)
    images = Images(client)
    stack.callback(images.clear)
    images.busybox("bluegreen-tests/os", ["/bin/sh"])
    base = images.push("bluegreen-tests/os", registry, "tests/os", "1")
    chain = Chain(folder / "chain", registry, base)
    stack.callback(chain.images.close)
    built = chain.build()
    repository, _, _ = built["app"]["reference"].rpartition("/")

    env, programs = _programs(chain, built)
    if shutil.which("docker"):
        bases = {"base": built["base"]["base"], "deps": f"{repository}/base:warm", "app": f"{repository}/deps:warm"}
        args = ["--build-arg", "GREETING=hello", "--build-arg"]
        programs["docker"] = [
            [
                "docker",
                "build",
                "--quiet",
                "--tag",
                f"{repository}/{name}:warm",
                *args,
                f"BASE={base}",
                str(chain.folder / name),
            ]
            for name, base in bases.items()
        ]
        env["DOCKER_BUILDKIT"] = "0"
    else:
        print("bench: docker build is left out: there is no docker program")
    middle, ratio = _compared(programs, env)
    proxy = Proxy(registry, authority)
    stack.callback(proxy.stop)
    images.trust(proxy)  # type: ignore[arg-type]
    far = _away(stack, proxy, base.replace(registry.host, proxy.host), folder / "away")
    print(f"bench: interpreter and three HEADs {middle['bare'] * 1000:.0f} ms; ", end="")
    print(f"build, nothing changed {middle['build'] * 1000:.0f} ms ({ratio['bare']:.2f}×)", end="")
    if "docker" in middle:
        print(f"; docker build, warm {middle['docker'] * 1000:.0f} ms ({1 / ratio['docker']:.1f}× build)", end="")
    print(f"; each answer {AWAY_S * 1000:.0f} ms later {far:.2f}×")
    return 0


def _programs(chain: Chain, built: dict[str, Any]) -> tuple[dict[str, str], dict[str, list[list[str]]]]:
    """Their environment, and each as the commands that are run one after another."""
    registry = chain.registry
    login = base64.b64encode(f"{registry.username}:{registry.password}".encode()).decode()
    paths = [one["reference"].removeprefix(registry.host).replace(":", "/manifests/") for one in built.values()]
    bare = [sys.executable, "-c", BARE, str(registry.ca), registry.host, *(f"/v2{path}" for path in paths)]
    env = {**os.environ, **chain.env, "LOGIN": f"Basic {login}"}
    return env, {"bare": [bare], "build": [[PROGRAM, "build", str(chain.folder / "stack.yml")]]}


def _compared(programs: dict[str, list[list[str]]], env: dict[str, str]) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds of each, and how many times as long a build takes."""
    rounds = [{name: _seconds(words, env) for name, words in programs.items()} for _ in range(ROUNDS + 1)][1:]
    middle = {name: statistics.median(one[name] for one in rounds) for name in programs}
    return middle, {name: statistics.median(one["build"] / one[name] for one in rounds) for name in programs}


def _away(stack: contextlib.ExitStack, proxy: Proxy, base: str, folder: Path) -> float:
    """How many times as long as the bare HEADs a build takes when each answer comes AWAY_S later."""
    chain = Chain(folder, proxy, base)  # type: ignore[arg-type]
    stack.callback(chain.images.close)
    env, programs = _programs(chain, chain.build())

    def later(handler: Handler) -> None:
        time.sleep(AWAY_S)
        handler.answer(*handler.ask())

    with proxy.broken("HEAD", "/manifests/", later):
        return _compared(programs, env)[1]["bare"]


def _seconds(commands: list[list[str]], env: dict[str, str]) -> float:
    since = time.perf_counter()
    for words in commands:
        subprocess.run(words, env=env, check=True, capture_output=True)
    return time.perf_counter() - since


if __name__ == "__main__":
    sys.exit(main())
