"""How a build is watched: on a terminal one line an image that changes, elsewhere every line as it comes."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import Protocol


class BuildWatcher(Protocol):
    def told(self, image: str, line: str) -> None: ...


class Lines:
    """Safe for several threads, and never in the way of a build: a closed pipe loses lines, nothing else."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._lock = threading.Lock()

    def told(self, image: str, line: str) -> None:
        with self._lock, contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"[{time.monotonic() - self._since:6.1f} s] {image}: {line}\n")
            sys.stderr.flush()


class Rows:
    """The newest line of each image, below each other."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.table import Column

        one_line = Column(no_wrap=True, overflow="ellipsis", ratio=1)
        columns = (
            SpinnerColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[image]}", markup=False),
            TextColumn("{task.description}", markup=False, table_column=one_line),
        )
        console = Console(stderr=True, highlight=False)
        self.progress = Progress(*columns, console=console, transient=True, expand=True)
        self._rows = {}  # type: ignore[var-annotated]
        self._lock = threading.Lock()

    def told(self, image: str, line: str) -> None:
        with self._lock, contextlib.suppress(OSError, ValueError):
            if image not in self._rows:
                self._rows[image] = self.progress.add_task("", total=None, image=image)
            self.progress.update(self._rows[image], description=line)


@contextlib.contextmanager
def watched() -> Iterator[BuildWatcher]:
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield Lines()
        return
    rows = Rows()
    with rows.progress:
        yield rows
