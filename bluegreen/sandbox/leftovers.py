"""What a sandbox that was killed left behind: its instances' processes and files. Light, for the command line."""

from __future__ import annotations

import shutil
from pathlib import Path

from bluegreen.sandbox import pids

RECORD = "processes"


def clean_up(folder: Path, token: str) -> int:
    """Ends and removes it all. How many processes, or groups of them, were met."""
    met = pids.kill_recorded(folder / RECORD) + pids.kill_marked(pids.mark(token))
    shutil.rmtree(folder, ignore_errors=True)
    return met
