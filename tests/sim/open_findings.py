"""What the simulator has found in bluegreen and is not put right yet: (what breaks, how the run shows it) and the cause.

A run that breaks a promise in one of these ways is counted as known and fails no test. Take an entry out as soon as its cause
is mended. `tests.sim --strict` counts them as violations.
"""

from __future__ import annotations

import re

OPEN: tuple[tuple[str, str], ...] = (
    (r"I9: resume ends with 5, nothing was changed", "F1: resume begins a deploy whose user data it does not have"),
    (
        r"I9: .* ends with 5, nothing was changed, and did",
        "F3: InternalError is no passing error; exit 5 after changes",
    ),
    (
        r"I11: .* and a wall clock was wrong",
        "F6: deadlines are counted on the wall clock, and on other machines' clocks",
    ),
    (
        r"I9: .* ends as undone, .*: somebody else wrote them",
        "F7: the undo says that the old fleet serves, and it does not",
    ),
    (
        r"I8: .* first deployment .* needs-human",
        "F4: a promoted first deployment that lost an instance holds its stack",
    ),
)
_KNOWN = tuple((re.compile(pattern), cause) for pattern, cause in OPEN)


def cause_of(promise: str) -> str:
    """The finding that explains it, or ""."""
    return next((cause for pattern, cause in _KNOWN if pattern.match(promise)), "")
