"""What the exploration has found in bluegreen and is not put right yet: a sentence that begins so does not fail the test.

Take an entry out as soon as its cause is mended, then the exploration holds it for good; an entry of OPEN that no small world
meets any more fails the test. The value says the cause.
"""

from __future__ import annotations

F1 = "the bake compares with the fleet that was live only, a promotion and a retire ask for no health (issue 11, F1)"
F2 = "a promotion keeps the newer of two older fleets, whatever its health (issue 11, F2)"
F3 = "only the recorded ARN of a rule is looked for, and a rollback that cannot begin leaves its goal (issue 11, F3)"
M1 = "a rollback is the swap of live and standby, a second one too (issue 11, M1)"

OPEN: dict[str, str] = {
    "I3: shop-1 is promoted with": F1,
    "I3: shop-2 is promoted with": F1,
    "I3: shop-3 is promoted with": F1,
    "I5: tg-": F1,
    "I3: shop-1 could take the traffic, and shop-2 is kept as standby": F2,
    "I3: tg-1 could take the traffic, the standby could not, and it is taken away": F2,
    "I9: it says that shop": F2,
    "I9: it ends as needs-human, its next is a rollback": F2,
    "no command leads out": F3,
    "I9: a second plain rollback takes the traffic": M1,
}
OPEN_IN_LARGE_WORLDS: dict[str, str] = {
    "I3: shop-2 could take the traffic, and": F2,
    "I3: shop-4 is promoted with": F1,
    "I3: tg-2 could take the traffic, the standby could not, and it is taken away": F2,
    "I4: i-shop-3-a0 runs, and the record does not know of it": "rollback --to stops a deployment and leaves its fleet to gc",
}
