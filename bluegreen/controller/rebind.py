"""Where the traffic enters, found again: a rule or listener that was made anew has another ARN, and is the same binding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from bluegreen.controller.hold import Hold
from bluegreen.controller.world import World
from bluegreen.core.fleet import BindingRef, Fleet
from bluegreen.core.goal import Goal
from bluegreen.core.record import Record
from bluegreen.core.step import Mark
from bluegreen.core.tags import BINDING
from bluegreen.errors import CloudError, Held, NotFound, Refused, Superseded

ELSEWHERE = "point the stack file at the rule that replaces it: bluegreen deploy FILE"


@dataclass(frozen=True, slots=True)
class Found:
    """The record with its bindings where they are now. `moved` are those that have another ARN, by the one they had; `gone`
    are those that are not to be found, by their ARN, and what is known of it."""

    record: Record
    moved: Mapping[str, BindingRef] = field(default_factory=dict)
    gone: Mapping[str, str] = field(default_factory=dict)


def rebound(world: World, record: Record) -> Record:
    """The record with its bindings where they are now; what is not to be found stays as it was."""
    return find_bindings(world, record).record


def find_bindings(world: World, record: Record) -> Found:
    """Changes nothing: whoever takes the stack with this record writes it. What was found again, or is gone, is told."""
    missing = [binding.ref for binding in world.traffic.bindings(bindings_of(record)) if not binding.exists]
    groups = sorted({arn for fleet in _fleets(record) for arn in fleet.groups})
    moved: dict[str, BindingRef] = {}
    gone: dict[str, str] = {}
    for ref in missing:
        what = f"{ref.name} is gone from the load balancer"
        try:
            now = world.traffic.find_again(ref, groups)
        except NotFound as error:
            now, what = None, error.what
        if now is None:
            gone[ref.arn] = what
            world.watcher.note(f"{what}; it was {ref.arn}")
        else:
            moved[ref.arn] = now
            world.watcher.note(f"{ref.name} was deleted and created again; using {now.arn} from now on")
    return Found(moved_to(record, moved), moved, gone)


def bindings_of(record: Record) -> tuple[BindingRef, ...]:
    """Those of the record and of its goal, each once."""
    return tuple({ref.arn: ref for ref in (*record.bindings, *_of(record.goal))}.values())


def moved_to(record: Record, moved: Mapping[str, BindingRef]) -> Record:
    """The record and its goal with other references."""
    if not moved:
        return record
    refs = tuple(moved.get(ref.arn, ref) for ref in record.bindings)
    return replace(record, bindings=refs, goal=_goal(record.goal, moved))


def refuse_unseen(found: Found, act: str) -> None:
    """While a binding cannot be seen, nobody knows what receives traffic. Raises Refused."""
    if found.gone:
        stack = found.record.stack
        again = f"bluegreen abort {stack} to give up {found.record.goal.deployment}" if found.record.goal else ""
        raise Refused(
            f"{words(found)}: {act}",
            where=", ".join(found.gone),
            why="While it is missing, nobody can tell which instances receive traffic.",
            next="create it again and repeat the command" + (f", or {again}" if again else f", or {ELSEWHERE}"),
        )


def words(found: Found) -> str:
    return "; ".join(dict.fromkeys(found.gone.values()))


def tag_groups(world: World, hold: Hold | None, found: Found, *more: Fleet) -> None:
    """The target groups of the record's fleets, and of `more`, tell which rule or listener they belong to: a rollback without
    the ledger goes by that. Traffic does not depend on it: when it fails, that is told and the run goes on."""
    refs = found.record.bindings or (found.record.goal.bindings if found.record.goal else ())
    for number, ref in enumerate(refs if found.moved else ()):
        for fleet in (*found.record.fleets, *more) if ref in found.moved.values() else ():
            if groups := fleet.groups[number : number + 1] if fleet.ours else ():
                why = f"tag {fleet.label} for {ref.name}"
                _tag(world, hold, Mark(fleet.deployment, groups, ((BINDING, ref.arn),), why))


def _tag(world: World, hold: Hold | None, step: Mark) -> None:
    try:
        if hold is not None:
            hold.fence()
        world.watcher.step(step)
        world.traffic.perform(step)
    except (CloudError, Refused) as error:
        world.watcher.note(f"could not {step.why}: a rollback without the ledger may not find it ({error.what})")


def keep(world: World, found: Found) -> None:
    """For a command that has nothing else to do: one conditional write on the record as it was read. Raises Held."""
    if not found.moved:
        return
    record = found.record
    try:
        world.records.write(replace(record, op_id=world.ids()), record.epoch, record.op_id)
    except Superseded as error:
        raise Held(f"somebody else has just taken {record.stack}", next=f"bluegreen status {record.stack}") from error
    tag_groups(world, None, found)


def _fleets(record: Record) -> Iterable[Fleet]:
    goal = record.goal
    more = (goal.fleet, goal.live, goal.standby, goal.undo) if goal else ()
    return (*record.fleets, *(fleet for fleet in more if fleet))


def _of(goal: Goal | None) -> tuple[BindingRef, ...]:
    return (*goal.bindings, *_of(goal.stopped)) if goal else ()


def _goal(goal: Goal | None, moved: Mapping[str, BindingRef]) -> Goal | None:
    if goal is None:
        return None
    before = tuple(replace(b, binding=moved.get(b.binding.arn, b.binding)) for b in goal.before)
    return replace(goal, before=before, stopped=_goal(goal.stopped, moved))
