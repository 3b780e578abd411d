"""A timeline as lines: on a terminal with bars, elsewhere as columns of seconds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bluegreen.controller.timeline import Bar, Timeline

WIDTH = 60
EIGHTHS = " ▏▎▍▌▋▊▉█"


def lines(shown: Timeline, *, bars: bool) -> Iterator[str]:
    """`began` and `seconds` of each phase, and a bar on one axis for all."""
    whole = max((bar.began + bar.seconds for bar in shown.bars), default=0.0) or 1.0
    instance = ""
    for bar in shown.bars:
        if bar.instance and bar.instance != instance:
            instance = bar.instance
            yield f"    of {instance}, whose seconds count from when it was seen running:"
        name = f"  {bar.phase}" if bar.instance else bar.phase
        drawn = f"  {_drawn(bar, whole)}" if bars else ""
        yield f"  {name:<13} from {bar.began:7.1f} s  {bar.seconds:7.1f} s{drawn}".rstrip()
    if shown.missing:
        yield f"  the phases of a boot are not there: {shown.missing}"


def _drawn(bar: Bar, whole: float) -> str:
    """To the nearest column on the left, and to an eighth of one on the right; never nothing."""
    left = min(round(bar.began / whole * WIDTH), WIDTH - 1)
    eighths = max(1, round(bar.seconds / whole * WIDTH * 8))
    full, rest = divmod(eighths, 8)
    return " " * left + "█" * full + EIGHTHS[rest].strip()
