"""The simulated AWS and the processes that call it: every port method is made of AWS calls, and each call may go wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, TypeVar

from bluegreen.core.fleet import BindingRef, Weights
from bluegreen.core.goal import Goal
from bluegreen.core.stack import Traffic
from bluegreen.errors import CloudError, Interrupted, NoCapacity, OutcomeUnknown, Throttled
from bluegreen.local.clock import AGREE_S
from tests.sim.faults import WRITES, Crash, Trouble, Troubles
from tests.sim.ledger import Ledger
from tests.sim.physics import Account, Rule, action_of

LATENCY_S = 0.02
ACCOUNT = "123456789012"
REGION = "eu-west-1"
VPC = "vpc-0a11ce00000000001"
ZONES = {f"subnet-0a11ce0000000000{z}": f"{REGION}{z}" for z in "abc"}
FIXED = '[{"FixedResponseConfig": {"StatusCode": "503"}, "Type": "fixed-response"}]'
ELB = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}"
Answer = TypeVar("Answer")
Line = tuple[float, str, str, object, object]  # time, process, call, about, outcome


class Judge(Protocol):
    """Told of every call that may change something, before and after its effect."""

    def before(self, hand: Hand, operation: str, about: object) -> None: ...

    def after(self, hand: Hand, operation: str, about: object) -> None: ...


class Baton(Protocol):
    """Lets time pass for one of several processes."""

    def wait(self, hand: Hand, seconds: float, *, call: bool = False) -> None: ...


class Nobody:
    """A judge who finds nothing."""

    def before(self, hand: Hand, operation: str, about: object) -> None: ...

    def after(self, hand: Hand, operation: str, about: object) -> None: ...


class Sim:
    """One account with a load balancer, one rule for each of the stack's bindings, and the ledger."""

    def __init__(self, bindings: Iterable[Traffic] = ()) -> None:
        self.account = Account()
        self.ledger = Ledger()
        self.judge: Judge = Nobody()
        self.baton: Baton | None = None
        self.trace: list[Line] = []
        self.troubles = Troubles()
        self.calls = 0
        self.base = 0  # calls made before the troubles were armed
        self.full_zones: set[str] = set()
        self.hide_s = 0.0
        self.no_room = False
        self.past: dict[tuple[str, object], list[tuple[float, Any]]] | None = None  # answers given, for stale looks
        self.rules: dict[Traffic, Rule | None] = {spec: self.make_rule(spec, n) for n, spec in enumerate(bindings)}
        self.touched = False  # somebody else wrote weights
        self.edited = False  # somebody else wrote the record, or took an entry or a group away: it is no truth any more
        self.skew = 0.0  # how far the clock of a process that begins now is from AWS's
        self.ever_met = 0

    @property
    def entries(self) -> list[Rule | None]:
        """The rules in the order of the bindings; None for one that is gone."""
        return list(self.rules.values())

    def make_rule(self, spec: Traffic, number: int) -> Rule:
        listener = f"{ELB}:listener/app/{spec.load_balancer}/50dc6c495c0c9188/{number:016x}"
        arn = f"{listener.replace(':listener/', ':listener-rule/')}/{number:016x}"
        name = f"{spec.load_balancer}:{spec.listener} host {spec.rule.host}"
        ref = BindingRef(
            spec.load_balancer, listener, arn, False, name, spec.listener, spec.rule.host or "", spec.rule.path or ""
        )
        rule = Rule(ref, None, FIXED)
        self.account.rules[arn] = rule
        return rule

    def arm(self, troubles: Iterable[Trouble]) -> None:
        """Calls are counted from 1 from here on, all and by operation."""
        self.disarm()
        troubles = tuple(troubles)
        self.troubles = Troubles(troubles)
        self.base = self.calls
        self.past = {} if any(t.kind == "stale" for t in troubles) else None

    def disarm(self) -> None:
        self.ever_met += self.troubles.met
        self.troubles = Troubles()
        self.past = None

    def note_world(self, text: str) -> None:
        self.trace.append((self.account.time, "world", text, None, ""))

    def mishap(self, trouble: Trouble) -> None:
        """What goes wrong in the world at this moment, whoever is calling."""
        account = self.account
        alive = [m for m in account.machines.values() if m.alive]
        match trouble.kind:
            case "die" if alive:
                account.kill(alive[int(trouble.amount) % len(alive)])
            case "sick" if alive:
                account.misfortune_at = account.time
                account.serve(alive[int(trouble.amount) % len(alive)], False)
            case "zone":
                account.lose_zone(sorted(ZONES.values())[int(trouble.amount) % 3])
            case "outside":
                self.meddle(int(trouble.amount))
            case _:
                pass

    def meddle(self, how: int) -> None:
        """Another tool writes the first rule: one group only, halves, all zero, or none of what was new."""
        rule = next(iter(self.rules.values()))
        if rule is None or not rule.weights:
            return
        arns = [arn for arn, _ in rule.weights]
        weights: Weights = {
            1: ((arns[0], 1),),
            2: tuple((arn, 50) for arn in arns),
            3: tuple((arn, 0) for arn in arns),
        }.get(how, ((arns[-1], 100),))
        self.account.weigh(rule, weights, action_of(weights))
        rule.hand = "outside"
        self.touched = True
        self.account.misfortune_at = self.account.time


class Hand:
    """A process: it makes calls, has a wall clock of its own, and may be gone."""

    def __init__(self, sim: Sim, name: str) -> None:
        self.sim = sim
        self.name = name
        self.dead = False
        self.calls = 0
        self.skew = sim.skew
        self.interrupted = False
        self.paused_at = 0.0  # when it last came back from standing still
        self.looked_at = 0.0  # when the last whole look at health or traffic began
        self.weights_at = 0.0  # the moment that its last look at weights showed
        self.word = name.partition(" ")[2].partition(" ")[0].partition("@")[0]  # the command
        self.noting = False  # it writes down what its machine did without the ledger
        self.epoch = 0  # of the last record that it wrote
        self.goal: Goal | None = None

    def note(self, what: str, about: object, outcome: object = "") -> None:
        self.sim.trace.append((self.sim.account.time, self.name, what, about, outcome))

    def wait(self, seconds: float, *, call: bool = False) -> None:
        sim = self.sim
        if sim.baton is not None:
            sim.baton.wait(self, seconds, call=call)
        else:
            sim.account.advance(sim.account.time + seconds)

    def call(self, operation: str, about: object, effect: Callable[..., Answer], *args: Any) -> Answer:
        """One AWS call: time passes, then it takes effect, then its answer comes; unless something goes wrong."""
        sim = self.sim
        if self.dead:
            raise Crash
        sim.calls += 1
        self.calls += 1
        if sim.troubles.left or sim.past is not None:
            return self._troubled(operation, about, effect, args)
        if sim.baton is None:
            sim.account.advance(sim.account.time + LATENCY_S)
            return self._effect(operation, about, effect, args)
        self.wait(LATENCY_S, call=True)
        answer = self._effect(operation, about, effect, args)
        self.wait(0.0, call=True)
        return answer

    def _effect(self, operation: str, about: object, effect: Callable[..., Answer], args: tuple[Any, ...]) -> Answer:
        sim = self.sim
        writes = operation in WRITES
        if writes:
            sim.judge.before(self, operation, about)
        try:
            answer = effect(*args)
        except CloudError as error:
            sim.trace.append((sim.account.time, self.name, operation, about, error))
            raise
        sim.trace.append((sim.account.time, self.name, operation, about, answer))
        if writes:
            sim.judge.after(self, operation, about)
        elif sim.past is not None:
            sim.past.setdefault((operation, about), []).append((sim.account.time, answer))
        return answer

    def _troubled(self, operation: str, about: object, effect: Callable[..., Answer], args: tuple[Any, ...]) -> Answer:
        sim = self.sim
        found = {t.kind: t for t in sim.troubles.meet(operation, sim.calls - sim.base)}
        for trouble in found.values():
            self.note("!", trouble)
            sim.mishap(trouble)
        self._stand_still(found)
        if "crash-before" in found:
            self._die()
        self.wait(LATENCY_S, call=True)
        if refusal := _refusal(operation, found):
            self.note(operation, about, refusal)
            raise refusal
        if "no-zone-capacity" in found:
            sim.full_zones.add(str(about).split()[0])
        if "stale" in found and sim.past and (past := sim.past.get((operation, about))):
            self.note(operation, about, "stale")
            at, old = past[-1]
            self.weights_at = min(self.weights_at, at) if operation == "DescribeRules" else self.weights_at
            return old
        if "later" in found:
            sim.account.later(found["later"].amount, partial(self._late, operation, about, effect, args))
            raise _no_answer(operation)
        sim.hide_s = found["hidden"].amount if "hidden" in found else 0.0
        sim.no_room = "no-capacity" in found
        try:
            answer = self._effect(operation, about, effect, args)
        except CloudError as error:
            if "after" in found:
                raise _no_answer(operation) from error
            raise
        finally:
            sim.hide_s, sim.no_room = 0.0, False
        if "blind" in found:
            answer = _untold(answer)
        if "crash-after" in found:
            self._die()
        if sim.baton is not None:
            self.wait(0.0, call=True)
        if "after" in found:
            raise _no_answer(operation)
        return answer

    def _stand_still(self, found: dict[Any, Trouble]) -> None:
        if "jump" in found:  # who runs counts on; who begins later follows AWS, but for what AGREE_S lets pass
            self.sim.skew = max(-AGREE_S, min(AGREE_S, found["jump"].amount))
        if "interrupt" in found:
            self.interrupted = True
        if "pause" in found:
            self.wait(found["pause"].amount)
            self.paused_at = self.sim.account.time

    def _late(self, operation: str, about: object, effect: Callable[..., object], args: tuple[Any, ...]) -> None:
        self.note("late", operation)
        try:
            self._effect(operation, about, effect, args)
        except CloudError:
            return

    def _die(self) -> None:
        self.dead = True
        raise Crash


class SimClock:
    """The Clock port of one process."""

    def __init__(self, hand: Hand) -> None:
        self.hand = hand
        self.account = hand.sim.account

    def now(self) -> float:
        return self.account.time + self.hand.skew

    def ticks(self) -> float:
        return self.account.time

    def sleep(self, seconds: float) -> None:
        hand = self.hand
        if hand.dead:
            raise Crash
        if hand.interrupted:
            hand.interrupted = False
            raise Interrupted("interrupted")
        if seconds > 0:
            hand.wait(seconds)


def _refusal(operation: str, found: dict[Any, Trouble]) -> CloudError | None:
    if "before" in found:
        code = found["before"].code
        return CloudError(
            f"AWS refused {operation}: {code}: An internal error has occurred", action=action_name(operation), code=code
        )
    if "throttle" in found:
        return Throttled(
            f"AWS refused {operation}: Throttling: Rate exceeded", action=action_name(operation), code="Throttling"
        )
    return None


def _untold(answer: Any) -> Any:
    """The targets of a group, of whose health AWS says nothing."""
    if answer is None:
        return None
    reason = "Elb.InternalError: Health checks failed due to an internal error on the load balancer"
    return replace(answer, targets=tuple(replace(t, state="unavailable", reason=reason) for t in answer.targets))


def action_name(operation: str) -> str:
    """As the adapters name a call in their errors: the service first."""
    return f"dynamodb:{operation}" if operation in ("GetItem", "PutItem", "Query") else f"aws:{operation}"


def no_room(operation: str) -> NoCapacity:
    code = "InsufficientInstanceCapacity"
    return NoCapacity(f"AWS refused {operation}: {code}: no room", action=action_name(operation), code=code)


def _no_answer(operation: str) -> OutcomeUnknown:
    return OutcomeUnknown(f"no answer from AWS to {operation}", action=action_name(operation))
