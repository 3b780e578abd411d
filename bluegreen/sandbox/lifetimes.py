"""How long an EC2 instance is in each state, and from when it can be seen. The only file that changes the state of one.

moto runs and ends instances at once; here that is only the beginning of the change, which then takes its time. Whoever
made moto do it (RunInstances, an Auto Scaling group) does not matter: `settle` looks at what moto has, and moves it on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from bluegreen.sandbox import moto_seams as moto

TERMINATED_SHOWN_S = 3600.0
NEXT = {"pending": "running", "shutting-down": "terminated", "stopping": "stopped"}
BEGUN = {"running": "pending", "terminated": "shutting-down", "stopped": "stopping"}  # by what moto did at once
ENDING = ("shutting-down", "terminated")
STOPPING = ("stopping", "stopped")


@dataclass(slots=True)
class Life:
    """`due` is when the next change comes by itself, None if none does. `up`: there is a machine behind it, and it runs;
    `kept`: it was stopped, and its disk is there."""

    instance: Any
    region: str
    reservation: str
    state: str
    due: float | None
    up: bool = False
    kept: bool = False
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """A machine is to start, to stop, or to end for good."""

    what: Literal["start", "stop", "end"]
    life: Life


class Lifetimes:
    def __init__(self, account: str, *, pending_s: float, shutting_down_s: float, visibility_s: float) -> None:
        self._account = account
        self._takes_s = {"pending": pending_s, "shutting-down": shutting_down_s, "stopping": shutting_down_s}
        self._visibility_s = visibility_s
        self._lives: dict[str, Life] = {}
        self._reservations: set[str] = set()
        self._hidden: list[tuple[float, str, Any]] = []  # (until, region, reservation)

    def settle(self, now: float) -> list[Change]:
        """Everything that is due by now, and nothing twice."""
        self._welcome(now)
        self._show(now)
        changes: list[Change] = []
        for life in list(self._lives.values()):
            self._follow(life, now)
            self._pass_time(life, now)
            changes += self._machine(life)
        return changes

    def seen(self, instance_id: str) -> Life | None:
        """None if nobody can see such an instance: there is none, or it is too young, or long gone."""
        life = self._lives.get(instance_id)
        return None if life is None or life.hidden else life

    def shown(self) -> list[Life]:
        """All that can be seen and have not ended."""
        return [life for life in self._lives.values() if not life.hidden and life.state != "terminated"]

    def state(self, instance_id: str) -> str | None:
        """Also of an instance that cannot be seen yet."""
        life = self._lives.get(instance_id)
        return life.state if life is not None else None

    def _welcome(self, now: float) -> None:
        for region, backend in moto.ec2_regions(self._account).items():
            for name in [name for name in backend.reservations if name not in self._reservations]:
                reservation = backend.reservations[name]
                self._reservations.add(name)
                for instance in reservation.instances:
                    self._begin(instance, region, name, now)
                if self._visibility_s > 0:
                    self._hidden.append((now + self._visibility_s, region, backend.reservations.pop(name)))

    def _begin(self, instance: Any, region: str, reservation: str, now: float) -> None:
        moto.set_launch_time(instance, now)
        moto.set_state(instance, "pending")
        self._lives[instance.id] = Life(
            instance, region, reservation, "pending", now + self._takes_s["pending"], hidden=self._visibility_s > 0
        )

    def _show(self, now: float) -> None:
        for entry in [entry for entry in self._hidden if entry[0] <= now]:
            self._hidden.remove(entry)
            _, region, reservation = entry
            moto.ec2(self._account, region).reservations[reservation.id] = reservation
            for instance in reservation.instances:
                self._lives[instance.id].hidden = False

    def _follow(self, life: Life, now: float) -> None:
        """What moto did since we last looked."""
        done = moto.state_of(life.instance)
        if done == life.state:
            return
        if done in BEGUN and life.state not in ("terminated", "shutting-down") and life.state != BEGUN[done]:
            life.state = BEGUN[done]
            life.due = now + self._takes_s[life.state]
            if life.state == "pending":
                moto.set_launch_time(life.instance, now)
        moto.set_state(life.instance, life.state)

    def _pass_time(self, life: Life, now: float) -> None:
        if life.due is None or life.due > now:
            return
        if life.state == "terminated":
            self._forget(life)
            return
        life.state = NEXT[life.state]
        life.due = now + TERMINATED_SHOWN_S if life.state == "terminated" else None
        moto.set_state(life.instance, life.state)
        if life.state == "terminated":
            moto.release_addresses(life.instance)

    def _forget(self, life: Life) -> None:
        del self._lives[life.instance.id]
        reservations = moto.ec2(self._account, life.region).reservations
        reservation = reservations.get(life.reservation)
        if reservation is not None:
            reservation.instances.remove(life.instance)
            if not reservation.instances:
                del reservations[life.reservation]
                self._reservations.discard(life.reservation)

    def _machine(self, life: Life) -> Iterator[Change]:
        if life.state == "running" and not life.up:
            life.up = True
            yield Change("start", life)
        elif life.state in ENDING and (life.up or life.kept):
            life.up = life.kept = False
            yield Change("end", life)
        elif life.state in STOPPING and life.up:
            life.up, life.kept = False, True
            yield Change("stop", life)
