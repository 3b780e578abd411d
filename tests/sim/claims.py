"""I9 for sentences: what a command says is ready, stands by or is to be typed next is tried on a copy of the world right then."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator

from bluegreen.controller.status import status
from bluegreen.core.fleet import is_older
from bluegreen.core.sound import wrong
from bluegreen.errors import BluegreenError
from tests.sim.faults import Troubles
from tests.sim.happenings import make_anew
from tests.sim.invariants import LOOKING_S, Violation
from tests.sim.stage import SHOP, Result, Stage

ROLLBACKS = ("rollback", "unsafe")
REFUSED = (1, 3, 5, 7)  # by these codes a rollback is
REFUSED_ELSE = (1, 5)  # and another command
COMMAND = re.compile(
    r"bluegreen (rollback|resume|abort|heal|gc|recover|deploy|status|show)(?: ([\w-]+))?(?: --(unsafe-)?to ([\w-]+))?"
)
SEQUENCE = re.compile(r"\bthen\b")
STANDS = re.compile(r"(shop-\d+)(?: \([\w ]+\))? stands by\b")
LEASE_S = 21.0
MOMENT_S = 2.0


def fork(stage: Stage) -> Stage:
    """The same world once more, in which nothing more goes wrong. What cannot change is shared."""
    sim, account = stage.sim, stage.sim.account
    shared: list[object] = [stage._stacks, *sim.ledger.records.values(), *account.tokens.values(), *sim.rules]
    shared += [event for lines in sim.ledger.journal.values() for event in lines.values()]
    shared += [
        seen for each in (account.machines, account.pools, account.rules) for m in each.values() if (seen := m._shown)
    ]
    shared += [pool.settings for pool in account.pools.values()]
    shared += [rule.ref for rule in account.rules.values()]
    shared += [stage.promises.truth, stage.shape, *stage.promises._says]
    memo: dict[int, object] = {id(value): value for value in shared}
    kept = (stage.results, sim.trace, sim.past, sim.troubles, stage.backups, account._events, stage.promises._was)
    account._events = [event for event in account._events if event[2] != "happening"]
    stage.results, sim.trace, sim.past, sim.troubles, stage.backups = [], [], None, Troubles(), []
    stage.promises._was = None
    try:
        other = copy.deepcopy(stage, memo)
    finally:
        (stage.results, sim.trace, sim.past, sim.troubles, stage.backups, account._events, stage.promises._was) = kept
    other.sim.trace = list(sim.trace)
    other.sim.ledger.until = 0.0
    other.sim.note_world(f"a copy of the world after {len(stage.results)} commands")
    return other


def check_claims(stage: Stage, result: Result) -> None:
    """Not while others run: what they do meanwhile is no matter of this one."""
    if stage.sim.baton is not None or result.name in ("crashed", "Superseded", "superseded", "Held", "bug"):
        return
    if result.code == 0 and result.command.split("@")[0] == "rollback":
        _not_forward(stage, result)
    if not _unseen(stage, result):
        if result.code == 0 and result.command.split("@")[0] == "rollback":
            _second_rollback(stage, result)
        sentence = result.outcome.sentence if result.outcome else ""
        for name in STANDS.findall(sentence):
            _tried(stage, result, [f"unsafe {name}"], f"{name} stands by")
        _advice(stage, result)
        if "gone from the load balancer" in str(result) and None not in stage.sim.entries:
            stage.promises.broken(f"F3: {_plain(str(result))}; and it is there again")
    _too_soon(stage, result)
    _leaves_no_goal(stage, result)
    _blocked(stage, result)
    if result.command.partition("@")[0] != "rollback":
        _names_what_was_left(stage, result)


def advised(text: str) -> Iterator[list[str]]:
    """The commands that a `next` names, each with those that are to come before it."""
    before: list[str] = []
    end = 0
    for found in COMMAND.finditer(text):
        word, stack, unsafe, to = found.groups()
        word = "unsafe" if unsafe else word
        joined = before if SEQUENCE.search(text[end : found.start()]) else []
        end = found.end()
        if stack != SHOP and word != "deploy":
            continue
        before = [*joined, word + (f" {to}" if to else "")]
        if word in ("rollback", "unsafe", "resume", "abort", "heal", "gc", "recover") and "deploy" not in before:
            yield before


def _unseen(stage: Stage, result: Result) -> bool:
    """Something got worse after the command had looked, or while it ran if it did not look."""
    account, hand = stage.sim.account, result.hand
    began = account.time - result.seconds
    looked = min(hand.looked_at, hand.weights_at) - LOOKING_S
    return account.misfortune_at >= max(looked, began)


def _advice(stage: Stage, result: Result) -> None:
    """Every rollback that `next` names goes through, and of the other commands one does. After another's writes of the weights it
    is for a person to see what can be done, but for the rollbacks."""
    told = f"next: {result.next}"
    others: list[str] = []
    for commands in advised(result.next):
        if commands[-1].split()[0] in ROLLBACKS:
            _tried(stage, result, commands, told)
        elif not stage.sim.touched:
            others.append(_refused(stage, commands)[1])
    if others and all(others):
        _broken(stage, stage, f'I9: {result.command} ends as {result.name} and says "{_plain(told)}", and {others[0]}')


def _tried(stage: Stage, result: Result, commands: list[str], why: str) -> None:
    other, refused = _refused(stage, commands, by_hand="make it again" in why)
    if refused:
        _broken(stage, other, f'I9: {result.command} ends as {result.name} and says "{_plain(why)}", and {refused}')


def _refused(stage: Stage, commands: list[str], by_hand: bool = False) -> tuple[Stage, str]:
    """How the last of the commands is refused, tried on a copy of the world; "" when it is not, when what comes before it could
    not be done, or when nothing is healthy that anything could go to. `by_hand`: rules that are gone are made anew first."""
    other = fork(stage)
    for spec, rule in other.sim.rules.items():
        if rule is None and by_hand:
            make_anew(other, spec)
    began = other.sim.account.time
    for command in commands[:-1]:
        if command.split()[0] not in ("status", "show") and _run(other, command).code:
            return other, ""
    last = _run(other, commands[-1])
    word = commands[-1].split()[0]
    codes = REFUSED if word in ROLLBACKS else REFUSED_ELSE
    if other.sim.account.misfortune_at > began:  # an application was ill, and no check had seen it yet
        return other, ""
    dead = not any(seen.able for seen in stage.promises.health.picture().values())
    if (
        last.code not in codes or dead or (word == "resume" and last.outcome is not None)
    ):  # an end of its own is a way on
        return other, ""
    return other, _plain(str(last))


def _run(stage: Stage, command: str) -> Result:
    """As on a machine that did nothing yet, by the command line's way."""
    try:
        result = stage.run(f"{command}@fork")
        if result.name == "Held":
            stage.sim.account.advance(stage.sim.account.time + LEASE_S)
            result = stage.run(f"{command}@fork")
    except Violation as error:
        raise Violation(f"{error.promise} (in a copy of the world)", stage.sim) from error
    return result


def check_status(stage: Stage) -> None:
    """What `status` says now: when it says that a rollback would work, it does, and goes to the fleet that it names; and what it
    names as next can be done."""
    if stage.sim.baton is not None:
        return
    other = fork(stage)
    _, world = other.world("0 status")
    began = other.sim.account.time
    try:
        found = status(world, SHOP)
    except BluegreenError:
        return
    except Exception as error:  # noqa: BLE001 - it would be exit 1
        _broken(stage, other, f"I11: status ends with exit 1: {type(error).__name__}: {error}")
    if found is None:
        return
    last = None if found.not_ready else _run(other, "rollback")
    if last is not None and other.sim.account.misfortune_at <= began:
        if last.code in REFUSED:
            _broken(stage, other, f"I9: status says that a rollback is ready, and {_plain(str(last))}")
        if found.ready.to and other.serving() != {found.ready.to}:
            _broken(stage, other, f"I9: status says that a rollback goes to {found.ready.to}, and {_plain(str(last))}")
    refused = [_refused(stage, commands)[1] for commands in advised(found.next)]
    if refused and all(refused):
        _broken(stage, stage, f'I9: status says "next: {_plain(found.next)}", and {refused[0]}')


def _second_rollback(stage: Stage, result: Result) -> None:
    """M1: a second plain rollback changes nothing."""
    was = stage.serving()
    if len(was) != 1:
        return
    other = fork(stage)
    began = other.sim.account.time
    again = _run(other, "rollback")
    now = other.serving()
    if again.code and other.sim.account.misfortune_at <= began:
        _broken(stage, other, f"M1: a second plain rollback is not told that it is done: {_plain(str(again))}")
    if now != was and again.code == 0:
        _broken(
            stage, other, f"M1: a second plain rollback goes from {_names(was)} to {_names(now)}: {_plain(str(again))}"
        )


def _not_forward(stage: Stage, result: Result) -> None:
    """M1: a plain rollback goes to no newer deployment, unless somebody else had moved the traffic."""
    now, touched = stage.serving(), stage.sim.touched or stage.sim.edited
    alone = not stage.crowded
    if len(now) == len(result.serving) == 1 and alone and not touched:
        (left,), (to,) = result.serving, now
        if is_older(left, to):
            stage.promises.broken(f"M1: {result.command} goes forward, from {left} to {to}")
        was = result.before
        began = was is None or was.goal is not None or was.live is None or was.live.deployment != left
        if left != to and to in stage.taken and not began and not result.degraded:
            stage.promises.broken(f"M1: {result.command} goes to {to}, which was rolled back before")
        if left == to and result.name == "rolled-back" and not began:
            stage.promises.broken(f"I9: {result.command} ends as rolled-back, and {left} serves as before")
    stage.taken |= result.serving - now
    if alone:
        stage.left = dict.fromkeys(result.serving - now, stage.sim.account.time) or stage.left


def _too_soon(stage: Stage, result: Result) -> None:
    """F4: a ledger that throttles for a moment is waited for; without it a rollback goes on only when it is ill for longer."""
    ledger = stage.sim.ledger
    began = stage.sim.account.time - result.seconds
    ill = ledger.torn or not ledger.there or stage.record is None or wrong(stage.record, SHOP)
    if (
        result.degraded
        and not ill
        and ledger.until <= began + MOMENT_S
        and not stage.sim.ever_met + stage.sim.troubles.met
    ):
        stage.promises.broken(f"F4: {result.command} goes on without a ledger that throttled for a moment")


def _leaves_no_goal(stage: Stage, result: Result) -> None:
    """F3: a rollback that cannot begin locks nothing."""
    record, name = stage.record, result.hand.name
    if result.hand.word != "rollback" or result.outcome is None or result.code not in (5, 7) or record is None:
        return
    moved = any(who == name and what == "ModifyRule" for _, who, what, _, _ in stage.sim.trace)
    if not moved and record.goal is not None and result.before is not None and result.before.goal is None:
        stage.promises.broken(f"F3: {result.command} ends with {result.code}, has moved nothing, and leaves its goal")


def _blocked(stage: Stage, result: Result) -> None:
    """A release that a rollback took the traffic from is not deployed again before `resume` says so, after the last rollback."""
    record, word = stage.record, result.hand.word
    stopped = word == "rollback" and result.before is not None and result.before.goal is not None
    if stage.crowded or stage.sim.edited or record is None or result.code or result.degraded or stopped:
        return
    live, standby = record.live, record.standby
    if word == "deploy" and result.name == "deployed" and live is not None:
        if live.version in stage.blocked:
            stage.promises.broken(f"M1: {result.command} brings back a release that was rolled back")
        stage.blocked &= {standby.version} if standby else set()
    elif word == "rollback" and live is not None and standby is not None and record.goal is None:
        plain = result.command.partition("@")[0] == "rollback"
        back = is_older(live.deployment, standby.deployment) and live.release != standby.release
        stage.blocked = stage.blocked | {standby.version} if plain and back else stage.blocked - {live.version}
    if word == "unsafe" or (word == "rollback" and result.command.partition("@")[0] != "rollback"):
        stage.taken -= stage.serving()  # it was named
    if word == "unsafe" or result.name == "acknowledged":
        stage.blocked = set()


def _names_what_was_left(stage: Stage, result: Result) -> None:
    """F4: advice never leads back to what a rollback took the traffic from."""
    if result.command.startswith(("rollback ", "unsafe ")):
        stage.left = {}
        return
    if result.command.startswith("deploy") and result.code == 0:
        stage.left = {}
    if result.code not in (5, 7):
        return
    for commands in advised(result.next):
        to = commands[-1].partition(" ")[2]
        if to and to in stage.left and to not in stage.serving():
            stage.promises.broken(
                f"F4: {result.command} advises to go back to {to}, which a rollback left: {result.next}"
            )


def _broken(stage: Stage, other: Stage, promise: str) -> None:
    stage.promises.found.append(promise)
    raise Violation(promise, other.sim)


def _names(names: frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"


def _plain(text: str) -> str:
    return " ".join(text.split())
