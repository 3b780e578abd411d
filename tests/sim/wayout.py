"""The way out: whatever came before, as soon as AWS behaves some command leads on, and in the end a deployment goes through."""

from __future__ import annotations

from tests.sim.ending import check_result
from tests.sim.happenings import able, make_anew
from tests.sim.stage import Result, Stage

LEASE_S = 21.0
FRESH = "ZYXWVUTSRQPONMLKJIHGFE"  # versions that were never rolled back
STEPS = (
    "",
    "resume",
    "abort",
    "rollback",
    "recover",
    "heal",
    "gc",
    "to",
    "unsafe",
    "rollback",
    "resume",
)


def make_well(stage: Stage) -> None:
    """Nothing more goes wrong, every application that started answers, what is throttled is not, and a rule that is gone is made
    anew as an operator would: it forwards to the group that served last."""
    sim, account = stage.sim, stage.sim.account
    sim.disarm()
    account.drop_happenings()
    account.away, account.fates = False, {}
    account.broken.clear()
    account.dead_zones.clear()
    sim.full_zones.clear()
    sim.ledger.until = 0.0
    for machine in list(account.machines.values()):
        if able(stage, machine):
            account.serve(machine, True)
    for spec, rule in sim.rules.items():
        if rule is None:
            make_anew(stage, spec)
    account.advance(account.time + 60)


def way_out(stage: Stage) -> None:
    """As an operator would: first a deployment of something new, then what may clear the way for it. I8: one of them does."""
    make_well(stage)
    tried: list[str] = []
    versions = iter(FRESH)
    for step in STEPS:
        for command in _commands(stage, step):
            if command:
                tried.append(str(_checked(stage, command)))
            result = _checked(stage, f"deploy {next(versions)}")
            if result.code == 0 and result.name == "deployed":
                _checked(stage, "gc")
                return
            tried.append(str(result))
            if stage.shape.adopted and (stage.record is None or stage.record.live is None):
                return  # what is not ours serves, and somebody has changed it: whose it is may put it right
    told = "; ".join(" ".join(line.split())[:160] for line in tried[-6:])
    stage.promises.broken(f"I8: no way out: {told}\n" + "\n".join(tried))


def _checked(stage: Stage, command: str) -> Result:
    """On a machine that did nothing before, and with patience for a lease that is to lapse."""
    result = stage.run(f"{command}@out")
    if result.name == "Held":
        stage.sim.account.advance(stage.sim.account.time + LEASE_S)
        result = stage.run(f"{command}@out")
    if result.bug:
        check_result(stage, result)
    return result


def _commands(stage: Stage, step: str) -> list[str]:
    """With each of the deployments put in that tags, balancer and record show."""
    if step not in ("to", "unsafe"):
        return [step]
    word = "unsafe" if step == "unsafe" else "rollback"
    goal = stage.record.goal if stage.record else None
    kept = (*(stage.record.fleets if stage.record else ()), goal.live if goal else None)
    names = stage.promises.health.picture().keys() | {fleet.deployment for fleet in kept if fleet}
    return [f"{word} {name}" for name in sorted(names)]
