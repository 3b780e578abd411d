"""The times that hang together, in seconds. Each is derived from those it depends on, or says what it must exceed;
tests/core/test_times.py holds the relations.

A call to AWS is given up after CALL_S, and what was sent may still take effect a little later. From that follows how long a
run that was taken over can do harm, how long its successor has to watch, and how fresh the proof of a hold has to be.
"""

from __future__ import annotations

CONNECT_S = 2  # to open a connection
READ_S = 5  # to wait for an answer
CALL_S = CONNECT_S + READ_S  # one call to AWS; a write is given up then

FRESH_S = 2.0  # a conditional write on the record that is not older lets a change of AWS go out
PAUSED_S = (
    FRESH_S + CALL_S
)  # a change that ends later than this after its conditional write was held up on this machine
LATE_S = (
    CALL_S + 3
)  # until then a call that had no answer may still take effect; 3 s are for the way through the network
WATCH_S = LATE_S  # a rollback that took over a run watches the weights for so long: one late write may land

BEAT_S = 5.0  # the holder of a stack shows that it is alive
LEASE_S = 20  # whoever sees no beat for so long may take over; more than one beat may be lost

VISIBILITY_S = 120  # a launch that AWS acknowledged may stay unseen (EC2 eventual consistency)
APPEAR_S = LATE_S + VISIBILITY_S  # after its journal line a launch may bring instances to light
RECOVER_S = 120  # a fleet that has the traffic and is not whole may get whole again

STEADY_S = 2.0  # all healthy at two looks: a new target is healthy after one passed check (ELB guide, "health checks")
CHECKED_S = 30  # a fleet that is attached again has its health known
DRAIN_SLACK_S = 60  # beyond the deregistration delay, until draining targets are given up
