"""Performing one step: what must be journaled before it is, then the call, then what came of it.

A step's error goes one of two ways: it is raised, and the loop looks again and decides anew; or it is an answer that the
journal keeps (a refused launch).
"""

from __future__ import annotations

from bluegreen.controller.hold import Hold
from bluegreen.controller.journal import Journal
from bluegreen.controller.world import World
from bluegreen.core import event as ev
from bluegreen.core.decide.late import mend
from bluegreen.core.goal import Goal, LaunchSpec
from bluegreen.core.observation import Part
from bluegreen.core.step import (
    DeleteGroup,
    Deregister,
    Launch,
    MakeGroup,
    Mark,
    PutBack,
    Register,
    SetWeights,
    Step,
    Terminate,
    Write,
)
from bluegreen.core.times import PAUSED_S
from bluegreen.errors import (
    CloudError,
    LineTaken,
    NoCapacity,
    NotFound,
    NotYet,
    OutcomeUnknown,
    Refused,
    Superseded,
    Throttled,
    Unreachable,
)

MEND_TRIES = 10
MOVES = (SetWeights, PutBack)
FENCED_LATER = (Launch, Write)  # a launch is journaled first, a write is conditional itself
PASSING = (Throttled, NotFound, NotYet, Unreachable, OutcomeUnknown, LineTaken)  # look again, decide anew


class Performer:
    """`user_data` is what a Launch sends; its hash is in the goal, so a resumed run must bring the same bytes."""

    def __init__(self, world: World, hold: Hold, journal: Journal, goal: Goal, user_data: bytes | None) -> None:
        self.world = world
        self.hold = hold
        self.journal = journal
        self.goal = goal
        self.user_data = user_data
        self.acted = False  # whether this run has set out to change AWS

    def perform(self, step: Step) -> frozenset[Part]:
        """Do it, and answer which parts of the world it changed. Raises Superseded when the stack is no longer ours."""
        self.world.watcher.step(step)
        self.acted = True
        if isinstance(step, SetWeights):
            self.journal.write(ev.Shifting(self._now(), step.binding.arn, step.weights))
        if self.goal.kind == "deploy" and isinstance(step, MOVES):
            self.hold.fence(0.0)  # a rollback may have taken over a moment ago
        elif not isinstance(step, FENCED_LATER):
            self.hold.fence()
        match step:
            case MakeGroup():
                return self._make_group(step)
            case Launch():
                return self._launch(step)
            case SetWeights():
                return self._set_weights(step)
            case Register():
                self.world.traffic.perform(step)
                self.journal.write(ev.Registered(self._now(), step.group, step.instances))
                return frozenset({"health"})
            case Terminate():
                self.world.fleets.terminate(step)
                return frozenset({"instances", "health"})
            case PutBack():
                self._move(step)
                return frozenset({"traffic", "health"})
            case Mark():
                return self._mark(step)
            case Deregister() | DeleteGroup():
                self.world.traffic.perform(step)
                return frozenset({"health"})
            case Write():
                return self._write(step)

    def _make_group(self, step: MakeGroup) -> frozenset[Part]:
        try:
            arn = self.world.traffic.perform(step)
        except OutcomeUnknown:
            self.journal.write(ev.Unanswered(self._now(), step.spec.name))
            raise
        self.journal.write(ev.GroupMade(self._now(), step.binding, arn))
        return frozenset({"health"})

    def _launch(self, step: Launch) -> frozenset[Part]:
        spec, user_data = self._launchable()
        if step.token not in self.journal.progress.attempts:
            self.journal.write(
                ev.Launching(self._now(), step.subnet, step.batch, step.attempt, step.instance_type, step.token)
            )
        self.hold.fence()
        try:
            ids = self.world.fleets.launch(step, spec, user_data)
        except NoCapacity as error:
            self.journal.write(ev.LaunchRefused(self._now(), step.token, error.code, error.what, capacity=True))
        except OutcomeUnknown:
            self.journal.write(ev.Unanswered(self._now(), step.token))
            raise
        except PASSING:
            raise
        except CloudError as error:
            self.journal.write(ev.LaunchRefused(self._now(), step.token, error.code, error.what, capacity=False))
        else:
            self.journal.write(ev.Launched(self._now(), step.token, ids))
        return frozenset({"instances"})

    def _launchable(self) -> tuple[LaunchSpec, bytes]:
        if self.goal.launch is None or self.user_data is None:
            raise Refused(
                f"{self.goal.deployment} has instances to launch, and this command has no stack file to launch them from",
                next=f"bluegreen abort {self.goal.stack}, then bluegreen deploy FILE",
            )
        return self.goal.launch, self.user_data

    def _set_weights(self, step: SetWeights) -> frozenset[Part]:
        self._move(step)
        if step.shift:
            self.journal.write(ev.Shifted(self._now(), step.binding.arn, step.weights))
        return frozenset({"traffic", "health"})

    def _move(self, step: SetWeights | PutBack) -> None:
        """Traffic moves. When this machine stood still in between, somebody may have taken over meanwhile, and our
        write have landed on theirs: then what they want is put back, and we end."""
        try:
            self.world.traffic.perform(step)
        except OutcomeUnknown:
            self.journal.write(ev.Unanswered(self._now(), step.binding.arn))
            raise
        finally:
            if self.hold.age_s > PAUSED_S:
                self._after_a_pause(step)

    def _after_a_pause(self, step: SetWeights | PutBack) -> None:
        """Asked until it is known, within bounds: who ends without it leaves a late write on what another run wants."""
        for attempt in range(MEND_TRIES):
            try:
                self._look_for_a_successor(step)
                return
            except PASSING:
                if attempt == MEND_TRIES - 1:
                    raise
                self.world.clock.sleep(1.0)

    def _look_for_a_successor(self, step: SetWeights | PutBack) -> None:
        try:
            self.hold.fence(0.0)
        except Superseded:
            record = self.world.records.read(self.goal.stack)
            (now,) = self.world.traffic.bindings((step.binding,))
            if record is not None and (step_back := mend(self.goal, now, record)):
                self.world.watcher.step(step_back)
                self.world.traffic.perform(step_back)
            raise

    def _mark(self, step: Mark) -> frozenset[Part]:
        """Traffic does not hang on it: when it is refused, the journal and the watcher are told, and the run goes on."""
        error = ""
        try:
            self.world.traffic.perform(step)
        except PASSING:
            raise
        except CloudError as refused:
            error = refused.what
            self.world.watcher.note(f"a rollback without the ledger would not know which fleet is live: {error}")
        self.journal.write(ev.Marked(self._now(), step.deployment, error))
        return frozenset()

    def _write(self, step: Write) -> frozenset[Part]:
        before = {fleet.deployment for fleet in self.hold.record.doomed}
        self.hold.write(step.record)
        if step.promote is not None:
            self.journal.write(ev.Promoted(self._now()))
        for deployment in sorted(before - {fleet.deployment for fleet in step.record.doomed}):
            self.journal.write(ev.Retired(self._now(), deployment))
        return frozenset({"record", "health"})

    def _now(self) -> float:
        return self.world.clock.now()
