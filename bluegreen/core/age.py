"""Ages in words."""

from __future__ import annotations


def ago(seconds: float) -> str:
    """ "3 s ago", "12 min ago", "5 h ago", "4 days ago": in the largest unit of which there are two."""
    seconds = max(0.0, seconds)
    for unit, name in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name} ago"
    return f"{seconds:.0f} s ago"
