"""What is taken from suspects before they are ended: EC2's and the balancer's word, console, the agent's status. Bounded in
number, bytes and seconds; whatever cannot be had is said in its place, and never stops the undo."""

from __future__ import annotations

from collections.abc import Sequence

from bluegreen.controller.world import World
from bluegreen.core import boot as console_of
from bluegreen.core.capsule import Found, answers, evidence
from bluegreen.core.event import Booted, Evidence, Launching
from bluegreen.core.goal import Goal
from bluegreen.core.observation import Observation
from bluegreen.core.progress import Progress
from bluegreen.errors import CloudError, Refused, Unreachable

MOST = 4  # suspects that are looked at: what fails for all of a fleet any of it tell
SECONDS = 15.0  # after which nothing more is asked; a call under way has its own time-out
CONSOLE_LIMIT = 64 * 1024  # characters, as EC2 has it


class Capsule:
    """One look at the suspects of one failure."""

    def __init__(self, world: World, goal: Goal, seen: Observation, done: Progress) -> None:
        self.world = world
        self.goal = goal
        self.seen = seen
        self.done = done
        self.until = world.clock.ticks() + SECONDS
        self.no_agents = ""  # why none can be reached

    def fill(self, suspects: Sequence[str]) -> tuple[Evidence, ...]:
        """One for each of the first suspects, in their order."""
        return tuple(evidence(self._found(instance), self.seen.at) for instance in suspects[:MOST])

    def _found(self, name: str) -> Found:
        instance = next((i for i in self.seen.instances if i.id == name), None)
        console, no_console = self._console(name)
        agent, no_agent = self._agent(instance.address if instance and not instance.gone else "")
        return Found(
            name,
            instance.state if instance else "",
            instance.reason if instance else "",
            self._health(name),
            console,
            agent,
            tuple(text for text in (no_console, no_agent) if text),
            self.seen.at - self._launched_at(),
        )

    def _console(self, name: str) -> tuple[str | None, str]:
        """As it is now, or as it was when it was last asked; and why it is not there."""
        known = self.seen.consoles.get(name)
        if self.world.clock.ticks() >= self.until:
            return known, "" if known else f"its console was not asked: {SECONDS:.0f} s were over"
        try:
            return self.world.fleets.console(name)[-CONSOLE_LIMIT:], ""
        except (CloudError, Refused) as error:
            return known, f"no console output: {error.what}"

    def _agent(self, address: str) -> tuple[str | None, str]:
        if not address or self.no_agents or self.world.clock.ticks() >= self.until:
            return None, self.no_agents
        try:
            return self.world.agents.status(address), ""
        except Unreachable as error:
            self.no_agents = error.what
            return None, error.what
        except CloudError as error:
            return None, error.what

    def _health(self, name: str) -> str:
        """The first group in which it is not healthy, in the order of the bindings."""
        made = self.done.groups or dict(enumerate(self.goal.fleet.groups if self.goal.fleet else ()))
        for number, arn in sorted(made.items()):
            target = next((t for t in self.seen.group(arn).targets if t.id == name), None)
            spec = self.goal.groups[number] if number < len(self.goal.groups) else None
            if told := answers(target, spec):
                return told
        return ""

    def _launched_at(self) -> float:
        first = self.done.first(Launching)
        return first.at if first else self.seen.at


def consoles(world: World, seen: Observation, ask: Sequence[str]) -> dict[str, str]:
    """The consoles known so far and those asked for; one that cannot be had is as empty as one that nobody wrote to."""
    found = dict(seen.consoles)
    for name in ask:
        try:
            found[name] = world.fleets.console(name)[-CONSOLE_LIMIT:]
        except (CloudError, Refused):  # a passing trouble: it is asked again, and the boot deadline holds
            found.setdefault(name, "")
    return found


def booted(world: World, instance: str) -> Booted:
    """The boot of an instance for the timeline, and if it cannot be had why."""
    now = world.clock.now()
    try:
        text = world.fleets.console(instance)
    except (CloudError, Refused) as error:
        return Booted(now, instance, missing=f"no console output: {error.what}")
    boot = console_of.read(text[-CONSOLE_LIMIT:])
    if not boot.ready:
        why = "its console does not show the whole boot" if boot.begun else "its console shows no boot"
        return Booted(now, instance, missing=why)
    return Booted(now, instance, console_of.phases(boot))
