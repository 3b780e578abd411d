"""Real processes: the program as a user starts it, and a sandbox with what AWS, the load balancer and users see."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

ROOT = Path(__file__).parents[2]
HOST = "shop.example.com"
BLUEGREEN = (sys.executable, "-m", "bluegreen")
KEYS = {"AWS_ACCESS_KEY_ID": "sandbox", "AWS_SECRET_ACCESS_KEY": "sandbox"}


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Program:
    """A run of bluegreen whose progress lines are read as they come."""

    def __init__(self, words: tuple[str, ...], env: dict[str, str], by: tuple[str, ...] = BLUEGREEN) -> None:
        self.process = subprocess.Popen(
            [*by, *words],
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.lines.append(line)

    def until(self, words: str, within_s: float = 40) -> None:
        """Until a line matches `words`, a regular expression."""
        end = time.monotonic() + within_s
        while not any(re.search(words, line) for line in list(self.lines)):
            assert time.monotonic() < end and self.process.poll() is None, f"no line has {words!r}: {self.lines}"
            time.sleep(0.005)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, within_s: float = 60) -> Ended:
        assert self.process.stdout
        code = self.process.wait(within_s)
        self.reader.join(5)
        out = self.process.stdout.read()
        self.process.stdout.close()
        self.process.stderr.close()  # type: ignore[union-attr]
        return Ended(code, out, "".join(self.lines))


class Sandbox:
    def __init__(self, folder: Path, *mode: str) -> None:
        """`mode` is words of `sandbox up`; without any, instances are processes."""
        self._mode = mode or ("--mode", "process")
        self._programs: list[Program] = []
        self.boot_timeout = "3m" if mode else "20s"
        self.env = {**os.environ, **KEYS, "BLUEGREEN_SANDBOX_DIR": str(folder), "NO_COLOR": "1"}
        self.env.pop("BUILD_URL", None)
        self.up()
        self.env["AWS_ENDPOINT_URL"] = self.known["endpoint"]
        self.env["AWS_REGION"] = self.known["region"]

    def up(self) -> None:
        up = self.start("sandbox", "up", *self._mode, "--port", "0", "--registry-port", "0", "--output", "json")
        self.known = up.end(within_s=600).json  # docker mode makes its images first, once

    def start(self, *words: str, **env: str) -> Program:
        self._programs.append(Program(words, {**self.env, **env}))
        return self._programs[-1]

    def end_all(self) -> None:
        """What a failed test left running: else it would disturb others, and be told as theirs."""
        for program in self._programs:
            if program.process.poll() is None:
                program.process.kill()
                program.end()

    def run(self, *words: str, **env: str) -> Ended:
        return self.start(*words, **env).end()

    def deploy_words(self, version: str, *more: str) -> tuple[str, ...]:
        given = ("--set", f"REGISTRY={self.known['registry']}", "--set", f"BOOT_TIMEOUT={self.boot_timeout}")
        return ("deploy", "stacks/demo.yml", "--version", version, *given, *more)

    def deploy(self, version: str, *more: str, **env: str) -> Ended:
        return self.run(*self.deploy_words(version, *more), **env)

    def status(self) -> Any:
        found = self.run("status", "demo", "--output", "json")
        assert found.code == 0, found.err
        return found.json

    def client(self, service: str) -> Any:
        """AWS as somebody else uses it, past bluegreen."""
        return boto3.client(
            service,
            endpoint_url=self.known["endpoint"],
            region_name=self.known["region"],
            aws_access_key_id="other",
            aws_secret_access_key="other",
        )

    def rule(self) -> dict[str, Any]:
        """The listener's rule of the demo's host, as it stands now."""
        elbv2 = self.client("elbv2")
        balancer = elbv2.describe_load_balancers(Names=["demo-alb"])["LoadBalancers"][0]["LoadBalancerArn"]
        listener = elbv2.describe_listeners(LoadBalancerArn=balancer)["Listeners"][0]["ListenerArn"]
        rules: list[dict[str, Any]] = elbv2.describe_rules(ListenerArn=listener)["Rules"]
        return next(rule for rule in rules if any(HOST in c.get("Values", []) for c in rule["Conditions"]))

    def answers(self, times: int = 12) -> set[str]:
        """The versions that answer now, each of `times` requests on a connection of its own."""
        port = self.known["listeners"]["demo-alb:80"]
        seen = set()
        for _ in range(times):
            request = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Host": HOST})
            with urllib.request.urlopen(request, timeout=10) as answer:
                assert answer.status == 200
                seen.add(answer.headers["X-Version"])
        return seen

    def calls(self, **what: str) -> list[Any]:
        query = "&".join(f"{key}={value}" for key, value in what.items())
        with urllib.request.urlopen(f"{self.known['endpoint']}/_sandbox/calls?{query}", timeout=10) as answer:
            found: list[Any] = json.load(answer)["calls"]
            return found

    def forget_calls(self) -> None:
        url = f"{self.known['endpoint']}/_sandbox/calls/clear"
        urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=10).close()
