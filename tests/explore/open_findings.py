"""What the exploration has found in bluegreen and is not put right yet: a sentence that begins so, in a world
whose name begins so, does not fail the test.

Take an entry out as soon as its cause is mended, then the exploration holds it for good; an entry of OPEN that no small world
meets any more fails the test. The value says the cause.
"""

from __future__ import annotations

NO_FORWARD = (
    "a deploy to a rule that was made anew and forwards to no group attaches the kept groups; its undo leaves them there at "
    "weight 0, and does not put back the action that was there, such as a fixed response"
)

STOOD_STILL = (
    "a rollback of a first deployment that stands still for longer than its watch, between its look and its write of the "
    "record, ends the fleet without another look at the weights: a late switch of the run it took over is not seen"
)

OPEN: dict[tuple[str, str], str] = {
    ("0 fleets", "I5: i-shop-1-a0 is behind weight"): STOOD_STILL,
    ("0 fleets", "I1: healthy targets behind weight fall from 1 to 0"): STOOD_STILL,
    ("2 fleets", "I9: it ends as undone, and the weights are {}, not None"): NO_FORWARD,
    ("2 fleets", "I6: deploy ended as undone with the highest epoch, and the weights are {}, not None"): NO_FORWARD,
}
OPEN_IN_LARGE_WORLDS: dict[tuple[str, str], str] = {}


def is_open(world: str, what: str, *, large: bool) -> bool:
    known = {**OPEN, **(OPEN_IN_LARGE_WORLDS if large else {})}
    return any(world.startswith(of) and what.startswith(begins) for of, begins in known)
