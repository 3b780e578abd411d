"""What must be so when a command ends (I9), and when all is done (I4, I6, and nothing left over)."""

from __future__ import annotations

from bluegreen.core.fleet import FULL, Fleet
from bluegreen.core.goal import Goal
from bluegreen.core.record import Record
from tests.sim.faults import WRITES
from tests.sim.invariants import LOOKING_S, MOST_CALLS
from tests.sim.physics import Pool, short
from tests.sim.stage import Result, Stage

ACTS = WRITES - {"PutItem"}
MOST_SECONDS = 3_600.0


def check_result(stage: Stage, result: Result) -> None:
    """I9: what the exit code says is what AWS shows. I11: a command ends."""
    if result.calls > MOST_CALLS or result.seconds > MOST_SECONDS:
        stage.promises.broken(f"I11: {result.command} took {result.calls} calls and {result.seconds:.0f} s")
    if result.bug:
        stage.promises.broken(f"I11: {result.command} ends with exit 1: {result.bug.splitlines()[-1]}\n{result.bug}")
    if result.name in ("crashed", "Interrupted", "NeedsHuman", "needs-human"):
        return
    if result.code in (4, 5):
        _changed_nothing(stage, result)
    elif result.code == 6:
        if stage.record is not None and stage.record.epoch <= result.hand.epoch and not stage.sim.edited:
            stage.promises.broken(f"I9: {result.command} ends as superseded, and its own epoch stands")
    elif result.code == 0 and result.name != "unchanged" and not result.degraded:
        _shows_goal(stage, result)
    elif result.code == 3:
        _undone(stage, result)


def _changed_nothing(stage: Stage, result: Result) -> None:
    if stage.sim.touched or stage.sim.edited:
        return
    name = result.hand.name
    acts = [
        what
        for _, who, what, _, outcome in stage.sim.trace
        if who == name and what in ACTS and not isinstance(outcome, Exception)
    ]
    if acts:
        stage.promises.broken(f"I9: {result.command} ends with {result.code}, nothing was changed, and did {acts[0]}")


def _blind(stage: Stage, result: Result) -> bool:
    """Something got worse after the last look, or after what a stale one showed: nobody could have seen it."""
    return stage.sim.account.misfortune_at > min(result.hand.looked_at, result.hand.weights_at) - LOOKING_S


def _shows_goal(stage: Stage, result: Result) -> None:
    goal, record = result.hand.goal, stage.record
    if record is None or goal is None or record.epoch != result.hand.epoch or _blind(stage, result):
        return
    if goal.kind == "gc":
        return
    if goal.kind == "heal":
        _healed(stage, result, goal)
        return
    wanted = goal.fleet.deployment if goal.fleet else None
    if goal.fleet and goal.fleet.ours and (record.live.deployment if record.live else None) != wanted:
        stage.promises.broken(f"I9: {result.command} ends with 0, and the record's live fleet is {record.live}")
    if wrong := weights_wrong(
        stage, goal.fleet if not (record.live and record.live.deployment == wanted) else record.live
    ):
        stage.promises.broken(f"I9: {result.command} ends with 0, and {wrong}")
    if goal.kind == "deploy" and (short := _short_of(stage, record.live, goal.fleet.count if goal.fleet else 0)):
        stage.promises.broken(f"I9: {result.command} ends with 0, and {short}")
    if goal.kind == "deploy" and record.doomed:
        stage.promises.broken(f"I4: {result.command} ends with 0, and {record.doomed[0].label} is left")
    if goal.undo:
        _ended(stage, result, goal.undo.deployment)


def _healed(stage: Stage, result: Result, goal: Goal) -> None:
    """As many as agreed are registered: of each fleet after `heal`, of the one in question after a resume."""
    if result.name != "healed":
        _nothing_new(stage, result, goal)
        return
    record = stage.record
    fleets = [record.live, record.standby] if record and result.command.startswith("heal") else [goal.fleet]
    for fleet in fleets:
        for arn in fleet.groups if fleet and fleet.ours else ():
            registered = sum(not target.draining for target in stage.sim.account.pools[arn].targets.values())
            if fleet and registered != fleet.count:
                stage.promises.broken(
                    f"I9: {result.command} ends as healed, and {fleet.label} has {registered} targets"
                )


def _nothing_new(stage: Stage, result: Result, goal: Goal) -> None:
    """What a heal launched that failed is ended, or serves."""
    account = stage.sim.account
    new = [m for m in account.machines.values() if m.alive and m.heal == goal.deployment]
    left = [m.id for m in new if not list(account.registrations(m)) and m.id not in stage.promises.strays]
    if left:
        stage.promises.broken(
            f"I9: {result.command} ends as {result.name}, and {', '.join(left)} of {goal.deployment} runs"
        )


def _undone(stage: Stage, result: Result) -> None:
    goal = result.hand.goal
    if goal is None or stage.record is None or stage.record.epoch != result.hand.epoch:
        return
    if goal.kind == "heal":
        _nothing_new(stage, result, goal)
    elif not _blind(stage, result) and (wrong := weights_wrong(stage, stage.record.live or goal.live)):
        whose = ": somebody else wrote them" if stage.sim.touched else ""
        stage.promises.broken(f"I9: {result.command} ends as undone, and {wrong}{whose}")
    _ended(stage, result, goal.deployment)


def _ended(stage: Stage, result: Result, deployment: str) -> None:
    if stage.promises.health.spared(stage.record, deployment):
        return
    alive = [
        m.id
        for m in stage.sim.account.machines.values()
        if m.deployment == deployment and m.alive and m.id not in stage.promises.strays
    ]
    if alive:
        stage.promises.broken(
            f"I9: {result.command} ends as {result.name}, and {', '.join(alive)} of {deployment} runs"
        )


def weights_wrong(stage: Stage, live: Fleet | None) -> str:
    """How the actions differ from all weight on `live`, or ""."""
    for number, rule in enumerate(stage.sim.entries):
        if rule is None:
            continue
        now = {arn: weight for arn, weight in rule.weights or () if weight}
        wanted = {live.groups[number]: FULL} if live and live.groups else {}
        if (
            wanted.keys() - stage.sim.account.pools.keys()
        ):  # somebody has deleted it: there is nothing to give weight to
            continue
        if now.keys() != wanted.keys():
            return f"{rule.ref.name} has {_names(stage, now)}, not {_names(stage, wanted)}"
    return ""


def _names(stage: Stage, weights: dict[str, int]) -> str:
    return ", ".join(f"{short(arn)} {weight}" for arn, weight in weights.items()) or "no weights"


def _short_of(stage: Stage, live: Fleet | None, count: int) -> str:
    if live is None:
        return "no fleet is live"
    for arn in live.groups:
        pool = stage.sim.account.pools.get(arn)
        if pool is None or pool.healthy < count:
            return f"{pool.healthy if pool else 0} of {count} are healthy in {short(arn)}"
    return ""


def check_rest(stage: Stage) -> None:
    """All is done and gc has run: AWS holds what the record names, and nothing else."""
    record, account, broken = stage.record, stage.sim.account, stage.promises.broken
    account.advance(account.time + 130)  # the last calls have landed, the last machines are gone
    kept = [fleet for fleet in (record.live, record.standby) if fleet] if record else []
    fleets = [
        *kept,
        *(record.doomed if record else ()),
    ]  # what is doomed and left is spared, or `_record_is_free` says so
    _record_is_free(stage, record)
    if not stage.sim.touched and (wrong := weights_wrong(stage, record.live if record else None)):
        broken(f"I6: at the end {wrong}")
    _attached(stage, fleets)
    ours = {fleet.deployment for fleet in fleets if fleet.ours}
    left = [m.id for m in account.machines.values() if m.alive and m.deployment not in ours]
    if left:
        broken(f"I4: at the end {', '.join(left)} is left over")
    groups = {arn for fleet in fleets for arn in fleet.groups}
    if over := [pool.name for arn, pool in account.pools.items() if arn not in groups]:
        broken(f"I4: at the end the target groups {', '.join(over)} are left over")
    for fleet in kept:
        _complete(stage, fleet)


def _record_is_free(stage: Stage, record: Record | None) -> None:
    doomed = [f for f in record.doomed if not stage.promises.health.spared(record, f.deployment)] if record else []
    if record is not None and (record.owner or record.goal or doomed):
        kept = record.goal.deployment if record.goal else record.owner or [f.label for f in doomed]
        stage.promises.broken(f"I8: at the end the record still holds {kept}")


def _attached(stage: Stage, fleets: list[Fleet]) -> None:
    for number, rule in enumerate(stage.sim.entries):
        if rule is None:
            continue
        named = {arn for arn, _ in rule.weights or ()}
        wanted = {fleet.groups[number] for fleet in fleets if number < len(fleet.groups)}
        if named != wanted and not stage.sim.touched:
            stage.promises.broken(f"I3: at the end {rule.ref.name} names {sorted(named)}, not {sorted(wanted)}")


def _complete(stage: Stage, fleet: Fleet) -> None:
    if not fleet.ours:
        return
    alive = {m.id for m in stage.sim.account.machines.values() if m.alive and m.deployment == fleet.deployment}
    shot = {name for name, whose in stage.sim.account.casualties.items() if whose == fleet.deployment}
    if len(alive | shot) < fleet.count or len(alive) > fleet.count:
        stage.promises.broken(f"I3: at the end {fleet.label} has {len(alive)} instances, not {fleet.count}")
    for arn in fleet.groups:
        pool: Pool | None = stage.sim.account.pools.get(arn)
        if pool is None or pool.targets.keys() != alive:
            found = sorted(pool.targets) if pool else "no group"
            stage.promises.broken(f"I3: at the end {fleet.label} has targets {found}, and instances {sorted(alive)}")
