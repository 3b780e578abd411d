"""An exhaustive exploration of `core.decide`, the guard and the fold, with the lock, the switch and the rollback around
them: every order in which commands, AWS and the misfortunes that the bounds allow can happen, each state once. And from every
state at rest, the commands that lead out of it (`exits`).

Real: the commands up to the write by which they take the stack (`desk`), `decide`, `forbidden`, `after`/`fold`, `observe`, and
how a late write is mended (`decide.late`). Modelled in small: AWS (`cloud`), the conditional write (`hold`), the pieces of a
step and what an error does (`pieces`, `shell`). The promises are counted anew (`promises`, `way_back`).

What is bounded. One binding; fleets of 1 or 2 instances in one subnet; up to two standing fleets, one deploy or none under
way and one or two commands after it. `troubles` is the number of misfortunes in a history: a lost answer, a call that lands up
to 9 s late, a refusal, a death, an interrupt, a machine that stands still, an instance that dies while it boots, gets sick or
is not shown for up to 100 s, a foreign write of the weights. `ills`: how often any instance of any fleet gets sick, recovers
or dies. `edits`: a rule that is deleted or made anew with another ARN, for the live group or for none, and a target group of
live or standby that is deleted while no rule names it. Without any of these only the order of things is free.

How time is treated. It passes only while all who live wait, or stand still (a trouble), up to the nearest deadline; so every
wait ends by its condition and by its deadline. Everything else takes no time, but two calls go out at most under one
conditional write (2 s), and no instance runs within 10 s of its launch. A lease lapses in one piece of 20 s.

How a heal is treated. It is one move, in which nobody else acts: what the real one would begin with is whole, and again until
it finds nothing to do or refuses. Its own steps are tried in `tests/sim`.

What is not modelled. A look is one moment: a look torn by a change in the middle is not explored. Calls refused for good other
than launches; refusals for capacity and second instance types; a record or tags that cannot be read or were edited; the degraded
mode; beats between two pieces (they only end a superseded run sooner); a lost answer of a conditional write whose read-back
fails too; a call that lands later than 9 s after the conditional write before it, unless its process stood still and lives to
mend it; two commands at once beside the deploy unless `commands` is 2. What such a paused process launches is left to gc
(`State.strays`), and what it does to the weights is judged at the end of all, not in between; so are weights written by a run
that was overtaken a moment ago. What changed after a run looked (`blind`) is not held against its next act.
"""
