"""What the simulator has found in bluegreen and is not put right yet: (what breaks, how the run shows it) and the cause.

A run that breaks a promise in one of these ways is counted as known and fails no test. Take an entry out as soon as its cause
is mended. `tests.sim --strict` counts them as violations.
"""

from __future__ import annotations

import re

OPEN: tuple[tuple[str, str], ...] = (
    (r"M1: ", "M1: a second plain rollback goes forward again"),
    (r"I1: \S+ is promoted while", "F1: a deploy promotes a fleet that is not whole"),
    (r"I3: \S+ is kept as the standby, and", "F2: the newest fleet is kept as the standby, whatever its health"),
    (r"I3: \S+ (could have taken the traffic|is healthier)", "F1, F2, F9: a fleet that could serve is ended"),
    (r"I9: .* says ", "F2, F3, F4: a sentence names a rollback that is refused, or a way that does not lead out"),
    (r"I9: status says", "F3: status says ready while the rule is gone"),
    (
        r"I9: (rollback|abort|resume|deploy)\S*( \S+)? ends with 0, and ",
        "F8: a record that contradicts itself is believed",
    ),
    (r"I9: rollback\S*( \S+)? ends as rolled-back, and", "N2: a rollback that loses the ledger half way turns round"),
    (
        r"I4: .* runs, and nothing in the record knows of it",
        "N1: rollback --to the live fleet forgets an unfinished one",
    ),
    (r"I8: no way out: ", "F3, F4, F6, F8, F9, M3: a state without a way out"),
    (
        r"I11: .* ends with exit 1: (ValueError|IndexError|AssertionError)",
        "F6, F8, F9: an unreadable line, tag or record",
    ),
    (r"I1: (\S+ has weight|healthy targets of)", "F8: a heal believes a count that a hand has edited"),
    (r"I3: .* is not attached to", "F9: gc takes the standby out of the action"),
    (r"F4: ", "F4: advice that undoes an emergency rollback"),
    (r"B1: ", "B1: a note on this machine moves traffic"),
)
_KNOWN = tuple((re.compile(pattern), cause) for pattern, cause in OPEN)


def cause_of(promise: str) -> str:
    """The finding that explains it, or ""."""
    return next((cause for pattern, cause in _KNOWN if pattern.match(promise)), "")
