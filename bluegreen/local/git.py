"""Git: the commit that a folder's files come from, and whether they differ from it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

GIT_S = 10


def state(folder: Path) -> tuple[str, bool]:
    """(commit, dirty); ("", False) where there is no Git, or no repository. What cannot be told clean is dirty."""
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    if not commit:
        return "", False
    return commit, _git(folder, "status", "--porcelain", "--untracked-files=normal", "--", ".") != ""


def _git(folder: Path, *words: str) -> str | None:
    """What it says; None when it fails."""
    env = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    command = ["git", "-C", str(folder), *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_S, env=env, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
