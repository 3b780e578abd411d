"""A trace as a person reads it: one line a call."""

from __future__ import annotations

from bluegreen.core.observation import Binding, Group
from bluegreen.core.record import Record
from bluegreen.core.step import SetWeights
from tests.sim.aws import Sim
from tests.sim.physics import short

SHOWN = 90  # lines


def told(sim: Sim) -> str:
    """The last calls, readable."""
    start = sim.trace[0][0] if sim.trace else 0.0
    lines = [
        f"{at - start:9.2f}  {who:<10} {what:<28} {_short(about):<70} {_short(outcome)}"
        for at, who, what, about, outcome in sim.trace[-SHOWN:]
    ]
    return "\n".join(lines)


def _short(value: object, length: int = 100) -> str:
    if value is None:
        return ""
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}".replace("\n", " ")[:length]
    if isinstance(value, Record):
        goal = f"{value.goal.kind} {value.goal.deployment}" if value.goal else "no goal"
        fleets = " ".join(fleet.deployment for fleet in value.fleets)
        return f"epoch {value.epoch}, {goal}, {fleets}, {'held' if value.owner else 'free'}"
    if isinstance(value, SetWeights):
        weights = ", ".join(f"{short(arn)} {weight}" for arn, weight in value.weights)
        return f"{value.binding.name[-12:]}: {weights}"
    if isinstance(value, Binding):
        return ", ".join(f"{short(arn)} {weight}" for arn, weight in value.weights or ()) or "no groups"
    if isinstance(value, tuple) and value and hasattr(value[0], "state"):
        return ", ".join(f"{i.id[-3:]} {i.state}" for i in value)[:length]
    if isinstance(value, Group):
        return ", ".join(f"{t.id[-3:]} {t.state}" for t in value.targets)[:length]
    if hasattr(value, "why"):
        return str(value.why)[:length]
    return str(value).replace("arn:aws:elasticloadbalancing:eu-west-1:123456789012:", "")[:length]
