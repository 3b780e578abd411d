"""The way back without the ledger: what the tags of the target groups and the load balancer tell. Pure.

The tags say which fleet a group belongs to, for which binding it was made and in which epoch its fleet last became live.
A fleet that never became live is no way back, however healthy it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bluegreen.core.fleet import BindingRef, OwnedGroup, Weights, is_older
from bluegreen.core.observation import Binding, Group
from bluegreen.core.step import SetWeights
from bluegreen.core.traffic import all_to


@dataclass(frozen=True, slots=True)
class WayBack:
    """`fleet` is the deployment to go to, `label` its name for messages; `wanted` are the weights of each binding."""

    fleet: str
    label: str
    wanted: tuple[tuple[BindingRef, Weights], ...]

    def steps(self, bindings: Sequence[Binding]) -> tuple[SetWeights, ...]:
        """What is still to be written, given the bindings as they are now."""
        now = {binding.ref.arn: binding.weights for binding in bindings}
        return tuple(
            SetWeights(ref, weights, f"{ref.name} back to {self.label}", shift=True, minimum=1)
            for ref, weights in self.wanted
            if now.get(ref.arn) != weights
        )


@dataclass(frozen=True, slots=True)
class NoWay:
    """Why there is none, and which option may help."""

    why: str
    next: str = ""


def binding_of(arn: str) -> BindingRef:
    """A binding by the ARN of its rule or listener (…:listener-rule/app/NAME/ID/LISTENER/RULE)."""
    parts = arn.rpartition(":")[2].split("/")
    default = parts[0] == "listener"
    head = arn.rpartition(":")[0]
    listener = arn if default else f"{head}:listener/{'/'.join(parts[1:-1])}"
    name = f"{parts[2]} default action" if default else f"{parts[2]} rule {parts[-1]}"
    return BindingRef(parts[2], listener, arn, default, name)


def bindings_of(groups: Sequence[OwnedGroup]) -> tuple[BindingRef, ...]:
    return tuple(binding_of(arn) for arn in sorted({group.binding for group in groups if group.binding}))


def way_back(
    groups: Sequence[OwnedGroup],
    bindings: Sequence[Binding],
    health: Mapping[str, Group | None],
    to: str = "",
    *,
    unsafe: bool = False,
) -> WayBack | NoWay:
    """To `to`, or to the fleet at weight 0 that was live last; from one that declares it unsafe only if that is wanted."""
    gone = [binding.ref.name for binding in bindings if not binding.exists]
    if gone or not bindings:
        return NoWay(f"{', '.join(gone) or 'no rule or listener of the tags'} is not there")
    attached = {arn for binding in bindings for arn in binding.by_group}
    fleets: dict[str, dict[str, OwnedGroup]] = {}
    for group in groups:
        if group.arn in attached:
            fleets.setdefault(group.deployment, {})[group.binding] = group
    serving = {
        name
        for name, parts in fleets.items()
        if any(binding.by_group.get(part.arn) for binding in bindings for part in parts.values())
    }
    can = {name: parts for name, parts in fleets.items() if all(binding.ref.arn in parts for binding in bindings)}
    target = to or _last_live({name: parts for name, parts in can.items() if name not in serving})
    if target not in can:
        known = ", ".join(sorted(fleets)) or "none"
        return NoWay(f"{target or 'a fleet that was live before'} is not attached; attached are: {known}")
    label = _label(_any(can[target]))
    left = [_any(fleets[name]) for name in sorted(serving) if is_older(target, name)]
    if declared := [group for group in left if group.rollback_unsafe and not unsafe]:
        why = (
            f"{_label(declared[0])} is declared `rollback: unsafe`, and {label} may not work with what it leaves behind"
        )
        return NoWay(why, f"--unsafe-to {target}")
    able = _healthy(can[target], health)
    now = max((_healthy(fleets[name], health) for name in serving - {target}), default=0)
    seen = [health.get(part.arn) for part in can[target].values()]
    size = max((len(one.ids) for one in seen if one), default=0)
    if target not in serving and able < max(1, min(now, size)):
        return NoWay(f"{label} has {able} healthy of {size}, and {now} are healthy on what serves now")
    wanted = tuple((b.ref, all_to(b, can[target][b.ref.arn].arn)) for b in bindings)
    return WayBack(target, label, wanted)


def _last_live(fleets: Mapping[str, Mapping[str, OwnedGroup]]) -> str:
    since = {name: max(part.live_since for part in parts.values()) for name, parts in fleets.items()}
    return max((name for name, epoch in since.items() if epoch), key=lambda name: since[name], default="")


def _healthy(parts: Mapping[str, OwnedGroup], health: Mapping[str, Group | None]) -> int:
    found = [group.healthy if (group := health.get(part.arn)) else 0 for part in parts.values()]
    return min(found, default=0)


def _any(parts: Mapping[str, OwnedGroup]) -> OwnedGroup:
    return next(iter(parts.values()))


def _label(group: OwnedGroup) -> str:
    return f"{group.colour} {group.deployment}" + (f" ({group.version})" if group.version else "")
