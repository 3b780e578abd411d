"""Starts the agent again whenever it ends, for as long as the machine runs, with no init system's help.

Code 75 of the agent asks for another run of the boot first. One keeper for a machine: a second one ends at once.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

RUN_AGAIN = 75
LONGEST_PAUSE_S = 60.0
GOOD_LIFE_S = 300.0  # after which a death is no habit


def main(arguments: list[str]) -> int:
    folder = Path(os.environ.get("BLUEGREEN_RUN_DIR", "/run/bluegreen"))
    lock = os.open(folder / "keeper.lock", os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return 0
    pause_s = 1.0
    while True:
        began = time.monotonic()
        code = run("agent.py", arguments, folder)
        pause_s = 1.0 if time.monotonic() - began > GOOD_LIFE_S else min(2 * pause_s, LONGEST_PAUSE_S)
        time.sleep(pause_s)
        if code == RUN_AGAIN:
            run("containers.py", arguments, folder)


def run(program: str, arguments: list[str], folder: Path) -> int:
    """Its exit code. What it says goes to the console by itself; a traceback is kept for whoever looks."""
    words = [sys.executable, "-B", "-X", "utf8", str(Path(__file__).parent / program), *arguments]
    with (folder / f"{program}.log").open("wb") as log:
        return subprocess.call(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
