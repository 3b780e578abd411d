"""The loop: observe, decide, act. First run, resume, abort and rollback are this one loop with another goal."""

from __future__ import annotations

from bluegreen.controller.capsule import Capsule, booted, consoles
from bluegreen.controller.hold import Hold
from bluegreen.controller.journal import Journal
from bluegreen.controller.observe import observe, parts_of
from bluegreen.controller.perform import PASSING, Performer
from bluegreen.controller.world import World
from bluegreen.core import capsule
from bluegreen.core import event as ev
from bluegreen.core.decide import decide
from bluegreen.core.decide.case import Case
from bluegreen.core.decide.standby import way_back_now
from bluegreen.core.decision import Act, Fail, Finish, Note, Wait
from bluegreen.core.goal import Goal
from bluegreen.core.guard import forbidden
from bluegreen.core.observation import Observation, Part
from bluegreen.core.outcome import Outcome
from bluegreen.core.step import Step
from bluegreen.errors import (
    BluegreenError,
    CloudError,
    Forbidden,
    Interrupted,
    NeedsHuman,
    NotFound,
    Refused,
    Superseded,
    Unreadable,
)

LET_GO_TRIES = 4
MAX_TURNS = 20_000  # of one run; a decision that repeats without an effect trips it
LEDGER_SETBACKS = 4  # of a rollback with the ledger: then it goes on without it
MAX_SETBACKS = 30  # passing errors in a row, with up to 5 s between them


class Run:
    """One goal, followed to an outcome under one hold."""

    def __init__(self, world: World, hold: Hold, goal: Goal, user_data: bytes | None = None) -> None:
        self.world = world
        self.hold = hold
        self.goal = goal
        self.journal = Journal(world.records, world.watcher, goal.deployment, hold)
        self.performer = Performer(world, hold, self.journal, goal, user_data)
        self.seen = Observation(world.clock.now(), hold.record.epoch, hold.record)
        self.setbacks = self.ledger_setbacks = 0  # since something was done; to have looked is not enough

    def follow(self) -> Outcome:
        """Until the goal is reached or cannot be. Lets go of the stack on every way out."""
        try:
            with self.world.beating(self.hold.beat):
                end = self._loop()
                if end.outcome.result == "deployed":
                    self._write_boot()
        except Interrupted as error:
            raise self._interrupted() from error
        except Superseded as error:
            return Outcome("superseded", error.what, error.why, error.next)
        except NeedsHuman as error:
            keep = not isinstance(error, Forbidden) or self._unfinished()
            self._let_go(keep_goal=keep, again=None if keep else self.goal.stopped)
            raise
        except (CloudError, Refused) as error:
            raise self._stopped(error) from error
        outcome = end.outcome
        if outcome.result != "superseded":
            last = ev.Finished(self.world.clock.now(), outcome.result, outcome.sentence)
            self._write_if_possible(last, "the last line")
            self._let_go(keep_goal=outcome.result == "needs-human" and not end.over, again=end.again)
        return outcome

    def _loop(self) -> Finish:
        look: frozenset[Part] = parts_of(self.goal)
        fresh = True
        for _ in range(MAX_TURNS):
            self.world.clock.sleep(0)
            if not self._look(look):
                continue
            decision = decide(self.goal, self.seen, self.journal.progress)
            if isinstance(decision, Finish):
                if fresh:
                    return decision
                look, fresh = parts_of(self.goal), True
                continue
            try:
                look = self._obey(decision)
                self.setbacks = self.ledger_setbacks = 0
            except PASSING as error:
                self._setback(error)
                look = parts_of(self.goal)
            fresh = False
        raise NeedsHuman(
            f"{self.goal.deployment} made no progress in {MAX_TURNS} turns", next=f"bluegreen status {self.goal.stack}"
        )

    def _obey(self, decision: Act | Wait | Note | Fail) -> frozenset[Part]:
        """Do it; the answer is what has to be looked at before the next decision."""
        match decision:
            case Act(steps=steps):
                return self._act(steps)
            case Note(event=event):
                self.journal.write(event)
                return frozenset()
            case Fail():
                self._fail(decision)
                return parts_of(self.goal)
            case Wait():
                return self._wait(decision)

    def _look(self, look: frozenset[Part]) -> bool:
        try:
            self.hold.settle()
            self.seen = observe(self.world, self.goal, self.journal.progress, self.seen, look)
            self.hold.beat()
        except PASSING as error:
            self._setback(error)
            return False
        return True

    def _act(self, steps: tuple[Step, ...]) -> frozenset[Part]:
        changed: set[Part] = set()
        for step in steps:
            why = forbidden(step, self.seen)
            if why:
                return self._guarded(step, why)
            try:
                changed |= self.performer.perform(step)
            except PASSING:
                raise
            except CloudError as error:
                if not self.goal.undoable or self.journal.progress.failed:
                    raise
                self._fail(Fail(error.what))
                return parts_of(self.goal)
        return frozenset(changed) & parts_of(self.goal)

    def _guarded(self, step: Step, why: str) -> frozenset[Part]:
        reason = f"safety check failed: refusing to {step.why}: {why}"
        if not self.goal.undoable or self.journal.progress.failed:
            raise Forbidden(reason, next=f"bluegreen status {self.goal.stack}")
        self._fail(Fail(reason))
        return parts_of(self.goal)

    def _fail(self, fail: Fail) -> None:
        """The failure is written before it is acted on; the rest of the evidence may be lost without harm."""
        found = Capsule(self.world, self.goal, self.seen, self.journal.progress).fill(fail.suspects)
        reason = capsule.sentence(fail.reason, found, len(fail.suspects))
        self.journal.write(ev.Failed(self.world.clock.now(), reason, capsule.why(found)))
        for one in found:
            self._write_if_possible(one, "the evidence")

    def _wait(self, wait: Wait) -> frozenset[Part]:
        self.world.watcher.wait(wait)
        self.world.clock.sleep(max(0.05, min(self.world.poll_s, wait.until - self.world.clock.now())))
        if wait.ask:
            known = consoles(self.world, self.seen, wait.ask)
            self.seen = self.seen._replace(consoles=known, consoles_at=self.world.clock.now())
        return wait.look

    def _setback(self, error: CloudError) -> None:
        self.setbacks += 1
        of_ledger = error.action.startswith("dynamodb:")
        self.ledger_setbacks += of_ledger
        gone = of_ledger and isinstance(error, NotFound)
        hopeless = (gone or self.goal.kind == "rollback") and self.ledger_setbacks > LEDGER_SETBACKS
        if gone and hopeless:
            raise NeedsHuman(
                f"{self.goal.deployment} stopped where it is: {error.what}",
                why="The table was deleted while it was in use. All fleets keep running.",
                next=f"bluegreen recover {self.goal.stack}",
            ) from error
        if hopeless or self.setbacks > MAX_SETBACKS:
            raise NeedsHuman(
                f"AWS gave {self.setbacks} errors in a row, the last: {error.what}",
                why=error.why,
                next=f"bluegreen resume {self.goal.stack}, when AWS answers again",
            ) from error
        self.world.watcher.note(f"again in a moment: {error.what}")
        self.world.clock.sleep(min(5.0, 0.25 * 2 ** min(self.setbacks, 6)))

    def _unfinished(self) -> bool:
        """Whether what the guard stopped has to be finished: a deploy, and a way back whose traffic has begun to move. What only
        looks after fleets begins anew, and must not lock the stack."""
        done = self.journal.progress
        began = done.last(ev.Shifting) is not None and done.last(ev.Promoted) is None
        return self.goal.kind == "deploy" or (self.goal.kind in ("rollback", "abort") and began)

    def _interrupted(self) -> Interrupted:
        self._write_if_possible(ev.Interrupted(self.world.clock.now()), "the last line")
        self._let_go(keep_goal=True)
        stack, deployment = self.goal.stack, self.goal.deployment
        moved = any(self.journal.progress.gave_weight(arn) for arn in self.journal.progress.groups.values())
        if self.goal.kind != "deploy":
            undo = f" to go on, or bluegreen abort {stack} to undo it" if self.goal.undoable else ""
            return Interrupted(f"{deployment} was interrupted", next=f"bluegreen resume {stack}{undo}")
        serving = f"{self.goal.live.label} serves as before" if self.goal.live else "nothing was live before"
        state = "the new fleet may have the traffic already" if moved else f"traffic was not moved: {serving}"
        back = self._way_back() if moved else f"bluegreen abort {stack}"
        return Interrupted(
            f"{deployment} was interrupted; {state}",
            next=f"bluegreen resume {stack} to go on" + (f", or {back} to go back" if back else ""),
        )

    def _way_back(self) -> str:
        """The command that goes back from this deployment; "" when it would be refused."""
        return way_back_now(Case(self.goal, self.seen._replace(record=self.hold.record), self.journal.progress))

    def _stopped(self, error: CloudError | Refused) -> BluegreenError:
        """AWS said no. While nothing was begun that is a refusal; after that it leaves something to be finished."""
        begun = self.performer.acted or len(self.journal.progress.events) > 1 or not self.goal.undoable
        free = self._let_go(keep_goal=begun)
        if free and not begun:
            return error
        stack = self.goal.stack
        way = self._way_back() if self.goal.kind == "deploy" else ""
        back = f", or {way}" if way else f", or bluegreen abort {stack}" if self.goal.kind == "heal" else ""
        return NeedsHuman(
            f"{self.goal.deployment} was not finished: {error.what}",
            where=error.where,
            why=error.why,
            next=f"{error.next + '; then ' if error.next else ''}bluegreen resume {stack}{back}",
        )

    def _write_boot(self) -> None:
        """How one of the new instances booted, for the timeline. Taken when all else is done: nothing waits for it."""
        launched = self.journal.progress.launched
        if launched and not self.journal.progress.last(ev.Booted):
            self._write_if_possible(booted(self.world, launched[0]), "the boot of an instance")

    def _write_if_possible(self, event: ev.Event, what: str) -> None:
        """A line that nothing hangs on: the outcome stands without it, so a failure here is said and not raised."""
        try:
            self.journal.write(event)
        except (CloudError, Refused, Superseded, Unreadable) as error:
            self.world.watcher.note(f"the journal has no line for {what}: {error.what}")

    def _let_go(self, *, keep_goal: bool, again: Goal | None = None) -> bool:
        """Tried a few times: an operation that stays in the record locks the stack."""
        tries = 0
        while True:
            try:
                self.hold.let_go(keep_goal=keep_goal, again=again)
                return True
            except (CloudError, Refused, Superseded) as error:
                tries += 1
                if not isinstance(error, PASSING) or tries == LET_GO_TRIES:
                    self.world.watcher.note(
                        f"could not release the lock on {self.goal.stack}, it will expire: {error.what}"
                    )
                    return False
                self.world.clock.sleep(0.5)
