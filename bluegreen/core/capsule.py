"""The failure capsule: from what could be learnt of an instance to one line that says why it does not serve. Pure.

What the instance itself says goes first, then what can be concluded from its console, its agent, EC2 and the balancer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from bluegreen.core import boot as console_of
from bluegreen.core.event import Evidence
from bluegreen.core.goal import GroupSpec
from bluegreen.core.observation import GONE_STATES, Target

CAUSE_LIMIT = 240
CONSOLE_LIMIT = 6_000  # of each instance, in the journal: an item of DynamoDB holds 400 KB
AGENT_LIMIT = 4_000
NO_BOOT = "cloud-init did not run the boot (user data corrupted, or boot_timeout too short?)"

_CODES = re.compile(r"codes: \[([0-9, ]+)\]")
_SECONDS = re.compile(r"\b\d+(?:\.\d+)? s\b")


@dataclass(frozen=True, slots=True)
class Found:
    """What was learnt of one instance. `health` is a sentence of `answers`; `console` and `agent` are None when they could
    not be had, and `missing` says why; `waited_s` is the time since its launch."""

    instance: str
    state: str = ""
    reason: str = ""
    health: str = ""
    console: str | None = None
    agent: str | None = None
    missing: tuple[str, ...] = ()
    waited_s: float = 0.0


def answers(target: Target | None, spec: GroupSpec | None) -> str:
    """What the load balancer sees of a target: "port 80 answers 503 on /health"; in its own words without a spec."""
    if target is None:
        return "it is not registered with the load balancer"
    if target.state == "healthy":
        return ""
    raw = f"the load balancer says {target.state}" + (f" ({target.reason})" if target.reason else "")
    if spec is None:
        return raw
    code, _, words = target.reason.partition(":")
    port = f"port {spec.check_port or spec.port}"
    if found := _CODES.search(words):
        return f"{port} answers {found[1]} on {spec.path}"
    if code == "Target.Timeout":
        return f"{port} does not answer on {spec.path} within {spec.timeout_s} s"
    if code == "Target.FailedHealthChecks":
        return f"{port} cannot be reached for {spec.path}"
    return raw


def evidence(found: Found, at: float) -> Evidence:
    """What the journal keeps of it: the cause, and the rest within bounds."""
    ec2 = ": ".join(part for part in (found.state, found.reason) if part)
    return Evidence(
        at,
        found.instance,
        cause(found),
        told=bool(found.console and console_of.read(found.console).failed),
        ec2=_line(ec2),
        health=_line(found.health),
        console=console_of.excerpt(found.console or "", CONSOLE_LIMIT),
        agent=console_of.excerpt(found.agent or "", AGENT_LIMIT),
        missing=tuple(_line(text) for text in found.missing),
    )


def cause(found: Found) -> str:
    """One line, at most CAUSE_LIMIT characters."""
    return _line(_cause(found)) or "nothing is known of it"


def _cause(found: Found) -> str:
    boot = console_of.read(found.console or "")
    if boot.failed:
        return boot.failed
    if found.state in GONE_STATES:
        return found.reason or "EC2 gives no reason"
    if found.state in ("pending", "stopping", "stopped"):
        return f"it is {found.state}" + (f": {found.reason}" if found.reason else "")
    if found.console is None or not found.console.strip():
        why = found.missing[0] if found.missing else "its console is still empty"
        return f"{found.health or 'nothing is known of it'}; {why}"
    if not boot.begun:
        return NO_BOOT
    if not boot.ready:
        return f"still {boot.doing} after {found.waited_s:.0f} s"
    reasons = agent_reasons(found.agent or "") or ((boot.unhealthy,) if boot.unhealthy else ())
    told = "; ".join(reasons) or found.health or "the load balancer does not find it healthy"
    return told if reasons else f"it booted, but {told}"


def agent_reasons(status: str) -> tuple[str, ...]:
    """Why the agent finds its host unhealthy: `reasons` of its /status. Empty when it does not, or cannot be read."""
    try:
        told = json.loads(status)
    except ValueError:
        return ()
    reasons = told.get("reasons") if isinstance(told, dict) else None
    return tuple(text for text in reasons if isinstance(text, str)) if isinstance(reasons, list) else ()


def sentence(reason: str, found: Sequence[Evidence], suspects: int) -> str:
    """`reason` and the causes, those together that several instances share: "boot failed, 4 of 4: …". When an instance
    said itself what failed, those that did not are no cause."""
    groups = _grouped([one for one in found if one.told] or list(found))
    if not groups:
        return reason
    if suspects == 1:
        return f"{reason}: {groups[0][1]}"
    asked = f"the {len(found)} looked at" if len(found) < suspects else f"{len(found)}"
    return f"{reason}, " + "; ".join(f"{len(ids)} of {asked}: {text}" for ids, text in groups[:3])


def why(found: Sequence[Evidence]) -> str:
    """What the instance that stands for the first cause wrote about it, on one line."""
    groups = _grouped([one for one in found if one.told] or list(found))
    first = next((one for one in found if groups and one.instance == groups[0][0][0]), None)
    if first is None:
        return ""
    lines = console_of.read(first.console).evidence or [line for line in first.console.splitlines() if line.strip()]
    return f"{first.instance} wrote: " + " | ".join(line.strip() for line in lines[-3:])[-600:] if lines else ""


def _grouped(found: Sequence[Evidence]) -> list[tuple[list[str], str]]:
    """(instances, cause), the commonest first. How many seconds something took does not make another cause of it."""
    groups: dict[str, tuple[list[str], str]] = {}
    for one in found:
        ids, _ = groups.setdefault(_SECONDS.sub("", one.cause), ([], one.cause))
        ids.append(one.instance)
    return sorted(groups.values(), key=lambda group: -len(group[0]))


def _line(text: str) -> str:
    flat = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return flat if len(flat) <= CAUSE_LIMIT else flat[: CAUSE_LIMIT - 1] + "…"
