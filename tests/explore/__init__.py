"""An exhaustive exploration of `core.decide`, the guard and the fold, with the lock, the switch and the rollback around
them: every order in which two commands, AWS and the misfortunes that the bounds allow can happen, each state once.

Real: `decide`, `forbidden`, `after`/`fold`, `observe`, the goals of rollback, resume and abort (`controller.commands`), and
how a late write is mended (`decide.late`). Modelled in small: AWS (`cloud`), the conditional write
(`hold`), the pieces of a step and what an error does (`pieces`, `shell`). The promises are counted anew (`promises`).

What is bounded. One binding; fleets of 1 or 2 instances in one subnet; up to two standing fleets, one deploy and one or two
commands after it. `troubles` is the number of misfortunes in a history: a lost answer, a call that lands up to 9 s late, a
refusal, a death, an interrupt, a machine that stands still, an instance that dies, gets sick or is not shown for up to
100 s, a foreign write of the weights. Without a trouble only the order of things is free.

How time is treated. It passes only while all who live wait, or stand still (a trouble), up to the nearest deadline; so every
wait ends by its condition and by its deadline. Everything else takes no time, but two calls go out at most under one
conditional write (2 s), and no instance runs within 10 s of its launch. A lease lapses in one piece of 20 s.

What is not modelled. A look is one moment: a look torn by a change in the middle is not explored. Calls refused for good other
than launches; refusals for capacity and second instance types; a rule or listener that is deleted; a record that cannot be
read; `rollback --to`, gc, heal, retire and the degraded mode; beats between two pieces (they only end a superseded run
sooner); a lost answer of a conditional write whose read-back fails too; a call that lands later than 9 s after the
conditional write before it, unless its process stood still and lives to mend it; targets that recover; two commands at
once beside the deploy unless `commands` is 2. What such a paused process launches is left to gc (`State.strays`), and what it
does to the weights is judged at the end of all, not in between; so are weights written by a run that was overtaken a moment ago.
"""
