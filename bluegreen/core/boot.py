"""An instance's boot as its console tells it: what was done when, what it is doing, and why it failed. Pure and total: a
console is somebody else's text, and any text can be read.

The lines are those of cloudinit/console.py; EC2 and cloud-init may put words before them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

_OURS = re.compile(r"\[bluegreen\] (.*)")
_PHASE = re.compile(r"(\d{1,6}(?:\.\d{1,3})?) ([a-z][a-z-]*)[,:]?(?: (.*))?")
_UPTIME = re.compile(r"(\d{1,6}(?:\.\d{1,3})?) s after the machine")
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}")

# the phases of a timeline, and the words of the console that belong to each; `ready` ends the last
GROUPS: tuple[tuple[str, frozenset[str]], ...] = (
    ("docker", frozenset({"start", "install", "docker", "engine"})),
    ("login", frozenset({"unknown", "trust", "secret", "login"})),
    ("pull", frozenset({"pull", "pulled"})),
    ("start", frozenset({"network", "keep", "wake", "replace", "run", "wait", "healthy", "logging"})),
)
_DOING = {
    "start": "beginning its boot",
    "install": "installing",
    "docker": "waiting for Docker: it",
    "engine": "past its engine",
    "secret": "fetching",
    "login": "logging in at",
    "pull": "pulling",
    "pulled": "past the pull of",
    "run": "starting",
    "wait": "waiting",
    "healthy": "past the health of",
}


@dataclass(frozen=True, slots=True)
class Line:
    """`at` is in seconds since the boot began."""

    at: float
    phase: str
    text: str


@dataclass(frozen=True, slots=True)
class Boot:
    """The last boot of a console. `began_s` is how long the machine was up when it began, None when it does not say;
    `failed` is its own cause in one line and `evidence` the lines below that; `unhealthy` what the agent said last."""

    lines: tuple[Line, ...] = ()
    began_s: float | None = None
    failed: str = ""
    evidence: tuple[str, ...] = ()
    unhealthy: str = ""

    @property
    def begun(self) -> bool:
        return bool(self.lines or self.failed)

    @property
    def ready(self) -> bool:
        return not self.failed and any(line.phase == "ready" for line in self.lines)

    @property
    def doing(self) -> str:
        """What it was at when it last wrote: "pulling registry.example.com/web@sha256:0123456789ab"."""
        done = {line.text.partition(" ")[0] for line in self.lines if line.phase == "pulled"}
        pulls = [line.text for line in self.lines if line.phase == "pull" and line.text.partition(" ")[0] not in done]
        last = self.lines[-1]
        if pulls and last.phase in ("pull", "pulled"):
            return f"pulling {', '.join(dict.fromkeys(pulls))}"
        return f"{_DOING.get(last.phase, last.phase)} {last.text}".rstrip()


def read(console: str) -> Boot:
    """Of several boots on one console the last."""
    boot = Boot()
    for line in console.splitlines():
        if found := _OURS.search(line):
            boot = _after(boot, found[1].rstrip())
    return boot


def _after(boot: Boot, said: str) -> Boot:
    if said.startswith("failed: "):
        return replace(boot, failed=_short(said.removeprefix("failed: ")), evidence=())
    if said.startswith("  | "):
        told = said.removeprefix("  | ")
        return boot if told in boot.evidence else replace(boot, evidence=(*boot.evidence, told))
    found = _PHASE.fullmatch(said)
    if not found:
        return boot
    line = Line(float(found[1]), found[2], _short(found[3] or ""))
    if line in boot.lines:  # cloud-init writes to the console too what the boot has written there
        return boot
    if line.phase == "start" and (uptime := _UPTIME.search(said)):
        return Boot((line,), float(uptime[1]))
    if line.phase in ("unhealthy", "recovered"):  # the agent's, from `ready` on
        return replace(boot, unhealthy=line.text)
    if line.phase == "ready":
        return replace(boot, lines=(*boot.lines, line), failed="", evidence=(), unhealthy="")
    return replace(boot, lines=(*boot.lines, line))


def phases(boot: Boot) -> tuple[tuple[str, float, float], ...]:
    """(phase, when it began, how long it took), in seconds since the machine started, or since the boot began when the
    console does not tell that. Phases do not go back: a secret that a service needs belongs to `start`."""
    found: list[tuple[str, float, float]] = []
    offset = boot.began_s or 0.0
    if boot.began_s is not None:
        found.append(("cloud-init", 0.0, boot.began_s))
    reached = 0
    for line, following in zip(boot.lines, boot.lines[1:], strict=False):
        place = next((i for i, (_, words) in enumerate(GROUPS) if line.phase in words), reached)
        reached = max(reached, place)
        name, took = GROUPS[reached][0], max(0.0, following.at - line.at)
        if found and found[-1][0] == name:
            found[-1] = (name, found[-1][1], round(found[-1][2] + took, 3))
        else:
            found.append((name, round(offset + line.at, 3), round(took, 3)))
    return tuple(found)


def excerpt(console: str, limit: int) -> str:
    """At most `limit` printable characters: the boot's own lines, and the last ones of anybody."""
    lines = [printable(line).rstrip() for line in console.splitlines() if line.strip()]
    kept = [line for i, line in enumerate(lines) if i >= len(lines) - 30 or _OURS.search(line)]
    return "\n".join(kept)[-limit:]


def printable(line: str) -> str:
    """What a terminal would obey is shown as a question mark."""
    return "".join(c if c.isprintable() else " " if c == "\t" else "?" for c in line)


def _short(text: str) -> str:
    """A digest needs no 64 digits to be known again."""
    return _DIGEST.sub(lambda found: found[0][:20], text)
