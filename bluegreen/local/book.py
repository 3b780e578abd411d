"""The local journal: rollbacks that were made without the ledger, one small file a stack, until a healthy command has
written them down."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path


def folder() -> Path:
    """$BLUEGREEN_STATE_DIR, or where the XDG rules put state."""
    given = os.environ.get("BLUEGREEN_STATE_DIR")
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(given) if given else Path(base) / "bluegreen"


class LocalBook:
    """`scope` tells accounts, regions and tables apart."""

    def __init__(self, scope: str) -> None:
        self.scope = scope

    def write(self, stack: str, at: float, to: str, why: str) -> str:
        """Where it was kept, or why it could not be: a rollback does not wait for a disk. `at` is seconds since 1970."""
        try:
            path = self._path(stack)
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            partial = path.with_suffix(".part")
            partial.write_text(json.dumps({"stack": stack, "at": at, "to": to, "why": why}), "utf-8")
            partial.replace(path)
        except (OSError, RuntimeError) as error:
            return f"what is done now could not be kept on this machine: {error}"
        return f"kept in {path} until the ledger is back"

    def read(self, stack: str) -> str | None:
        """The deployment that got the traffic, or None. A file that cannot be read is as none: status shows the drift."""
        try:
            return str(json.loads(self._path(stack).read_text("utf-8"))["to"])
        except (OSError, ValueError, KeyError, TypeError, RuntimeError):
            return None

    def forget(self, stack: str) -> None:
        with contextlib.suppress(OSError, RuntimeError):
            self._path(stack).unlink()

    def _path(self, stack: str) -> Path:
        return folder() / f"{self.scope}-{stack}.json".replace("/", "_")
