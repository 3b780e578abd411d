"""How things are said to a person: errors, outcomes, ages. Progress and errors go to stderr, results to stdout.

The end of a run that changed something is said through `put`: a closed pipe or a full disk never changes its exit code.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from argparse import Namespace
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from bluegreen.core.outcome import Outcome
    from bluegreen.errors import BluegreenError


def as_json(options: Namespace) -> bool:
    return getattr(options, "output", "text") == "json"


def put(stream: TextIO, text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        stream.write(text)
        stream.flush()


def say(text: str = "") -> None:
    sys.stdout.write(text + "\n")


def say_json(value: Any) -> None:
    sys.stdout.write(_json(value))


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def show_error(error: BluegreenError, options: Namespace) -> None:
    if as_json(options):
        fields = {"error": error.what, "where": error.where, "why": error.why, "next": error.next}
        put(sys.stdout, _json({"exit_code": error.exit_code, **fields, **error.details()}))
        return
    put(sys.stderr, f"bluegreen: {error}\n")


def show_bug(error: Exception, options: Namespace) -> int:
    """A report file in place of a traceback; exit code 1."""
    put(
        sys.stderr,
        f"bluegreen: unexpected error: {type(error).__name__}: {error}\n"
        f"why: this is a bug in bluegreen; the report is in {_report(error)}\n"
        "next: the fleets are as the last line said. bluegreen status tells; bluegreen resume or abort goes on from there\n",
    )
    return 1


def _report(error: Exception) -> str:
    import tempfile
    import traceback

    text = "".join(traceback.format_exception(error))
    try:
        with tempfile.NamedTemporaryFile("w", prefix="bluegreen-report-", suffix=".txt", delete=False) as report:
            report.write(text)
    except OSError as full:
        return f"no file ({full}), but here:\n{text}"
    return report.name


def show_outcome(outcome: Outcome, options: Namespace, **more: Any) -> int:
    """The result of a command that changes traffic; answers its exit code."""
    if as_json(options):
        fields = {"result": outcome.result, "sentence": outcome.sentence, "why": outcome.why, "next": outcome.next}
        put(sys.stdout, _json({"exit_code": outcome.exit_code, **fields, **more}))
        return outcome.exit_code
    stream = sys.stdout if outcome.exit_code == 0 else sys.stderr
    lines = [
        outcome.sentence,
        f"why: {outcome.why}" if outcome.why else "",
        f"next: {outcome.next}" if outcome.next else "",
    ]
    put(stream, "\n".join(line for line in lines if line) + "\n")
    return outcome.exit_code


def age(seconds: float) -> str:
    """ "12 s", "5 min", "3 h", "2 d": one unit, rounded down."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"


def moment(at: float) -> str:
    """ "2026-12-01 03:10:22 UTC": of one form on all machines."""
    import time

    try:
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))
    except (OverflowError, ValueError, OSError):
        return f"{at:.0f} s after 1970"


def colours() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
