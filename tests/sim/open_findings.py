"""What the simulator has found in bluegreen and is not put right yet: (what breaks, how the run shows it) and the cause.

A run that breaks a promise in one of these ways is counted as known and fails no test. Take an entry out as soon as its cause
is mended. `tests.sim --strict` counts them as violations.
"""

from __future__ import annotations

import re

OPEN: tuple[tuple[str, str], ...] = (
    (r'I9: .*"next: bluegreen recover shop", and recover\S* ', "N5: recover is named where AWS does not tell enough"),
    (r"I8: no way out: .*ledger has no record", "N6: the table is lost during a first deployment"),
    (
        r"M1: a second plain rollback is not told that it is done: .*has no standby fleet",
        "N9: of a table that was set back, a rollback sees only what the old record has",
    ),
    (
        r"I9: status says that a rollback goes to shop-0",
        "N10: a record that lost its live fleet lets a deploy adopt a fleet of ours as found",
    ),
    (
        r"M1: a second plain rollback goes from .* was stopped and undone",
        "N8: the stop of a deployment undoes a rollback",
    ),
)
_KNOWN = tuple((re.compile(pattern, re.S), cause) for pattern, cause in OPEN)


def cause_of(promise: str) -> str:
    """The finding that explains it, or ""."""
    return next((cause for pattern, cause in _KNOWN if pattern.match(promise)), "")
