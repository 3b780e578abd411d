"""Whole commands as a user waits for them, each as a ratio to a bare interpreter start in the same run.

python bench/commands.py [NAME …]      names: help, check, status, rollback, deploy, simulate

`simulate` is 500 deployments on the simulator, one after another in one process.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAM = str(Path(sys.executable).parent / "bluegreen")
RUNS = 7


def seconds(words: list[str], env: dict[str, str]) -> float:
    since = time.perf_counter()
    subprocess.run(words, cwd=ROOT, env=env, check=True, capture_output=True)
    return time.perf_counter() - since


def median(run: Callable[[], float], runs: int = RUNS) -> float:
    return statistics.median(run() for _ in range(runs))


def main(names: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "BLUEGREEN_SANDBOX_DIR": f"{folder}/sandbox"}
        up = [PROGRAM, "sandbox", "up", "--port", "0", "--registry-port", "0", "--output", "json"]
        box = json.loads(subprocess.run(up, env=env, check=True, capture_output=True).stdout)
        try:
            return measure(names, env, box["registry"])
        finally:
            subprocess.run([PROGRAM, "sandbox", "down"], env=env, check=True, capture_output=True)


def measure(names: list[str], env: dict[str, str], registry: str) -> int:
    def deploy(version: str) -> float:
        words = ["deploy", "stacks/demo.yml", "--version", version, "--set", f"REGISTRY={registry}", "--sandbox"]
        return seconds([PROGRAM, *words], env)

    def command(*words: str) -> Callable[[], float]:
        return lambda: seconds([PROGRAM, *words], env)

    for version in "AB":
        deploy(version)
    versions = iter("ABABAB" * RUNS)
    benches: dict[str, Callable[[], float]] = {
        "help": lambda: median(command("--help")),
        "check": lambda: median(command("check", "stacks/demo.yml")),
        "status": lambda: median(command("status", "demo", "--sandbox")),
        "rollback": lambda: median(command("rollback", "demo", "--sandbox")),
        "deploy": lambda: median(lambda: deploy(next(versions)), 3),
        "simulate": lambda: median(lambda: seconds([sys.executable, "-m", "tests.sim", "--bench", "500"], env), 3),
    }
    unknown = set(names) - set(benches)
    if unknown:
        sys.exit(f"there is no bench {', '.join(sorted(unknown))}; there are: {', '.join(benches)}")
    bare = median(lambda: seconds([sys.executable, "-c", "pass"], env))
    figures = {name: run() for name, run in benches.items() if not names or name in names}
    parts = [f"{name} {value * 1000:.0f} ms ({value / bare:.1f}×)" for name, value in figures.items()]
    print(f"bench: bare interpreter {bare * 1000:.0f} ms; " + ", ".join(parts))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
