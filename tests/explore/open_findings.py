"""What the exploration has found in bluegreen and is not put right yet: a sentence that begins so does not fail the test.

Take an entry out as soon as its cause is mended, then the exploration holds it for good; an entry of OPEN that no small world
meets any more fails the test. The value says the cause.
"""

from __future__ import annotations

F3 = "only the recorded ARN of a rule is looked for (issue 11, F3)"

OPEN: dict[str, str] = {"no command leads out": F3}
OPEN_IN_LARGE_WORLDS: dict[str, str] = {}
