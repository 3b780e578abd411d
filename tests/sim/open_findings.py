"""What the simulator has found in bluegreen and is not put right yet: (what breaks, how the run shows it) and the cause.

A run that breaks a promise in one of these ways is counted as known and fails no test. Take an entry out as soon as its cause
is mended. `tests.sim --strict` counts them as violations.
"""

from __future__ import annotations

import re

OPEN: tuple[tuple[str, str], ...] = (
    (r".*there is no command recover yet", "M3: a lost record cannot be rebuilt"),
    (r"I8: no way out: .*(recover|ledger has no record|cannot be read)", "M3: a lost record cannot be rebuilt"),
    (
        r"I8: no way out: ",
        "F3, F8: an entry that is made anew is not found, a record that contradicts itself is believed",
    ),
    (r"I9: .* ends with 0, and ", "F8: a record that contradicts itself is believed"),
    (r"I11: .* exit 1: (IndexError|AssertionError)", "F8: a record that contradicts itself is believed"),
    (r"I1: healthy targets of", "F8: a heal believes a count that a hand has edited"),
    (r"I3: \S+ could have taken the traffic", "F8: gc believes that the standby is the live fleet"),
    (r"I9: status says that a rollback", "F3, F8: status judges by what the record says"),
    (r"I9: .* put them right: ", "F3, F8: a deploy advises by what the record says"),
    (r"M1: a second plain rollback is not told", "F8: a name in the record that is none"),
    (r"I9: rollback goes back from \S+, which is declared unsafe", "F8: a name in the record that is none"),
)
_KNOWN = tuple((re.compile(pattern, re.S), cause) for pattern, cause in OPEN)


def cause_of(promise: str) -> str:
    """The finding that explains it, or ""."""
    return next((cause for pattern, cause in _KNOWN if pattern.match(promise)), "")
