"""Planted bugs for the promises about the way back: what is promoted, kept and ended; a second rollback; a ledger that is lost;
hands that edit. The plans are those of the `reports` and of the `families`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bluegreen.controller import commands, degraded, goals, heal, notes, run
from bluegreen.core import guard
from bluegreen.core.decide import bake, deploy, retire, rollback, upkeep
from bluegreen.core.decide.case import Case
from bluegreen.core.decision import Fail, Finish
from bluegreen.core.degraded import Already, way_back
from bluegreen.core.fleet import Fleet, OwnedGroup
from bluegreen.core.tags import owned_group
from tests.planted import without
from tests.sim import ledger, services
from tests.sim.families import drawn_entry, drawn_hand, drawn_health, drawn_ledger
from tests.sim.mutants import Mutant
from tests.sim.reports import REPORTS
from tests.sim.scenario import Plan

_DEPLOY, _GC = deploy.RULES, upkeep.RULES
_GONE = rollback.binding_gone


def risky(number: int) -> list[Plan]:
    """The plans of the reports, and so many of each family."""
    families = (drawn_health, drawn_entry, drawn_ledger, drawn_hand)
    return [*REPORTS.values(), *(family(seed) for seed in range(number) for family in families)]


def _nothing(*_: Any, **__: Any) -> None:
    return None


def _no(*_: Any, **__: Any) -> bool:
    return False


def _first(case: Case, live: Fleet, fleets: list[Fleet]) -> Fleet | None:
    return fleets[0] if fleets else None


def _toggles(seen: Any, to: str = "", *, unsafe: bool = False) -> Any:
    """Without the ledger a second rollback goes to where the first one came from."""
    found = way_back(seen, to, unsafe=unsafe)
    if isinstance(found, Already) and found.further and not to:
        return way_back(seen, found.further, unsafe=unsafe)
    return found


def _standby_first(case: Case) -> Any:
    standby = case.seen.record.standby
    return retire.retire(case, standby) if standby else None


def _strict(arn: str, tags: Any, stack: str) -> OwnedGroup | None:
    group = owned_group(arn, tags, stack)
    if group is not None and group.unread:
        raise ValueError(group.unread[0])
    return group


def _goal_stays(case: Case) -> Any:
    found = _GONE(case)
    return replace(found, over=False) if isinstance(found, Finish) else found


def _unasked(case: Case, words: str) -> Fail:
    return Fail(words)


def _stands_by(case: Case) -> str:
    standby = case.seen.record.standby
    return f"{standby.label} stands by" if standby else "there is no standby yet"


def _always_rollback(case: Case) -> str:
    return f"bluegreen rollback {case.goal.stack}" if case.seen.record.standby else ""


def _any_traffic(traffic: Any, groups: Any) -> Any:
    return traffic


_BLIND_GUARD = ((guard, "_healthiest", _nothing),)
_NOBODY_SPARED = tuple((module, "spared", _no) for module in (deploy, upkeep, rollback))

WAY_BACK_MUTANTS = (
    Mutant("a fleet is promoted whatever its health", ((deploy, "RULES", without(_DEPLOY, deploy.whole)),)),
    Mutant(
        "the newest fleet stands by, whatever its health",
        (
            (deploy, "best_way_back", _first),
            (deploy, "RULES", without(_DEPLOY, deploy.keep_the_better)),
            *_NOBODY_SPARED,
            *_BLIND_GUARD,
        ),
    ),
    Mutant(
        "an older fleet is ended without a second look",
        (
            (deploy, "RULES", without(_DEPLOY, deploy.keep_the_better)),
            (upkeep, "RULES", without(_GC, upkeep.keep_the_better)),
            *_NOBODY_SPARED,
            *_BLIND_GUARD,
        ),
    ),
    Mutant("the healthiest fleet is ended by a rollback or gc", (*_NOBODY_SPARED, *_BLIND_GUARD)),
    Mutant("a second rollback goes on as the first one", ((goals, "settled", _nothing),)),
    Mutant("a second rollback does not block the release again", ((commands, "block_again", _nothing),)),
    Mutant("a rolled-back release is deployed again", ((commands, "_refuse_rolled_back", _nothing),)),
    Mutant("without the ledger a second rollback toggles", ((degraded, "way_back", _toggles),)),
    Mutant("a ledger that throttles is lost at once", ((degraded, "PATIENCE_S", 0.0), (degraded, "passing", _no))),
    Mutant("a rollback without the ledger leaves no tags", ((degraded, "_mark", _nothing),)),
    Mutant(
        "a note moves traffic",
        ((notes, "StillTraffic", _any_traffic), (notes, "doubt", _nothing)),
    ),
    Mutant(
        "gc ends the standby", ((upkeep, "RULES", (_GC[0], _standby_first, *_GC[1:])), (run, "forbidden", _nothing))
    ),
    Mutant("a tag that cannot be read ends the command", ((services, "owned_group", _strict),)),
    Mutant(
        "a rollback that cannot begin leaves its goal",
        ((rollback, "RULES", tuple(_goal_stays if rule is _GONE else rule for rule in rollback.RULES)),),
    ),
    Mutant("a rule that was made anew is not looked for", ((services.SimTraffic, "find_again", _nothing),)),
    Mutant("a record that contradicts itself is believed", ((ledger, "wrong", _nothing),)),
    Mutant(
        "a record that is older than its fleets is followed",
        (*((module, "refuse_restored", _nothing) for module in (commands, heal, goals)), (run, "forbidden", _nothing)),
    ),
    Mutant("a release that is declared unsafe goes back by itself", ((bake, "_back", _unasked),)),
    Mutant("a fleet stands by that could not take the traffic", ((deploy, "standing_by", _stands_by),)),
    Mutant("a rollback is named that would be refused", ((deploy, "way_back_from", _always_rollback),)),
)
