"""What the simulator has found in bluegreen and is not put right yet: (what breaks, how the run shows it) and the cause.

A run that breaks a promise in one of these ways is counted as known and fails no test. Take an entry out as soon as its cause
is mended. `tests.sim --strict` counts them as violations.
"""

from __future__ import annotations

import re

OPEN: tuple[tuple[str, str], ...] = ()
_KNOWN = tuple((re.compile(pattern), cause) for pattern, cause in OPEN)


def cause_of(promise: str) -> str:
    """The finding that explains it, or ""."""
    return next((cause for pattern, cause in _KNOWN if pattern.match(promise)), "")
