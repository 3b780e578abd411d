"""PURE: where a load balancer sends a request, by one picture of the engine. No socket, no clock; chance is an argument.

As ALB does: the first rule that holds decides; a weighted forward draws a target group, and never one of weight 0; in
the group the healthy targets serve. A group that has only unhealthy ones serves from all of them ("fail-open"); there is
no spill to the action's other groups. A healthy target without an address is still chosen: nothing answers there, and
the failure is to be seen.
"""

from __future__ import annotations

import bisect
import itertools
import random
import re
from dataclasses import dataclass
from typing import Protocol

from bluegreen.sandbox.model import FixedResponse, Forward, Group, Listener, ListenerRule, Target

SERVING = ("healthy", "unavailable")  # unavailable: AWS cannot tell, which takes no target out of service
GONE = ("draining", "unused")


class Headers(Protocol):
    def getall(self, key: str, default: tuple[str, ...]) -> list[str] | tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """What a rule can look at. `path` is without the query."""

    host: str
    path: str
    headers: Headers


class Picture:
    """Made once for every change of the engine, read by every request."""

    def __init__(self, listeners: tuple[Listener, ...], groups: tuple[Group, ...]) -> None:
        self.source = (listeners, groups)
        self.listeners = {listener.arn: listener for listener in listeners}
        self._rules = {listener.arn: tuple(map(_Rule, listener.rules)) for listener in listeners}
        self._targets = {group.arn: usable(group.targets) for group in groups}

    def action(self, listener: str, asked: Asked) -> FixedResponse | Draw | None:
        """Of the first rule that holds; None when none does, or the listener is no more."""
        return next((rule.action for rule in self._rules.get(listener, ()) if rule.holds(asked)), None)

    def targets(self, group: str) -> tuple[Target, ...]:
        return self._targets.get(group, ())


class Draw:
    """A weighted forward, ready to draw from."""

    def __init__(self, forward: Forward) -> None:
        weighted = [(arn, weight) for arn, weight in forward.weights if weight > 0]
        self._arns = [arn for arn, _ in weighted]
        self._sums = list(itertools.accumulate(weight for _, weight in weighted))

    def group(self, rng: random.Random) -> str | None:
        """None when every weight is 0."""
        if len(self._arns) < 2:
            return self._arns[0] if self._arns else None
        return self._arns[bisect.bisect_right(self._sums, rng.random() * self._sums[-1])]


def usable(targets: tuple[Target, ...]) -> tuple[Target, ...]:
    serving = tuple(target for target in targets if target.state in SERVING)
    registered = tuple(target for target in targets if target.state not in GONE)
    if not serving and all(target.state == "unhealthy" for target in registered):
        return registered
    return serving


class _Rule:
    def __init__(self, rule: ListenerRule) -> None:
        action = rule.action
        self.action = action if isinstance(action, FixedResponse) else Draw(action)
        self._conditions = [(field, name, _pattern(field, values)) for field, name, values in rule.conditions]

    def holds(self, asked: Asked) -> bool:
        return all(any(map(pattern.fullmatch, _seen(asked, field, name))) for field, name, pattern in self._conditions)


def _seen(asked: Asked, field: str, name: str) -> list[str] | tuple[str, ...]:
    match field:
        case "host-header":
            return (asked.host,)
        case "path-pattern":
            return (asked.path,)
        case "http-header":
            return asked.headers.getall(name, ())
        case _:
            return ()  # a condition that this sandbox does not know never holds


def _pattern(field: str, values: tuple[str, ...]) -> re.Pattern[str]:
    """`*` is any text, `?` any one character; only paths are compared with case."""
    either = "|".join("".join(map(_piece, value)) for value in values)
    return re.compile(f"(?:{either})", re.DOTALL | (0 if field == "path-pattern" else re.IGNORECASE))


def _piece(character: str) -> str:
    return {"*": ".*", "?": "."}.get(character) or re.escape(character)


def host_of(header: str) -> str:
    """Without the port. An IPv6 address keeps its brackets."""
    return re.sub(r":\d*$", "", header)
