"""The rule that waits for a booting fleet: healthy in every group, or a boot that failed, or a deadline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bluegreen.core import boot as console_of
from bluegreen.core import event as ev
from bluegreen.core.decide.case import LOOK, Case
from bluegreen.core.decide.launch import boot_deadline
from bluegreen.core.decision import Decision, Fail, Note, Wait
from bluegreen.core.times import STEADY_S

ASK_AFTER_S = 10.0  # of boot: before that, no machine has failed, and a call would be in vain
ASK_EVERY_S = 10.0
FLAPS = 3
ASK_AT_ONCE = 2  # consoles; what fails for all of a fleet any two of it tell


def wait_healthy(case: Case) -> Decision | None:
    """Not every instance is healthy for two seconds, or a stranger is in a group: wait to the boot deadline or to a failed
    boot, then fail. All healthy and then not, three times, is a failure too."""
    if case.promoted or case.shifting:
        return None
    groups = [case.seen.group(arn) for arn in case.groups]
    ours = set(case.done.launched)
    strangers = sorted({i for group in groups for i in group.ids} - ours)
    if strangers:
        return Fail(f"{', '.join(strangers)} is registered with the new fleet but was not launched by this deployment")
    if all(group.healthy == case.count == len(group.ids) for group in groups):
        return _steady(case)
    bad = {t.id: t.state for group in groups for t in group.targets if t.state != "healthy"}
    if flapped := _flapped(case, bad):
        return flapped
    healthy = case.seen.healthy(case.groups)
    look = LOOK
    if len(bad) + healthy < case.count:  # a target vanished: its instance may have died
        look |= {"instances"}
    words = f"{healthy} of {case.count} instances healthy"
    return await_boot(case, bad, words, Wait(boot_deadline(case), f"{healthy}/{case.count} healthy", look))


def _steady(case: Case) -> Note | Wait | None:
    """All are healthy: so they were at an earlier look, or another one is needed."""
    since = case.done.healthy_at
    if since is None:
        return Note(ev.Healthy(case.seen.at))
    if case.seen.at < since + STEADY_S:
        return Wait(since + STEADY_S, f"{case.count}/{case.count} healthy, and to stay so", LOOK)
    return None


def _flapped(case: Case, bad: Mapping[str, str]) -> Note | Fail | None:
    """What AWS does not tell ("unavailable") is no flap."""
    lost = tuple(sorted(i for i, state in bad.items() if state != "unavailable"))
    if case.done.healthy_at is not None and lost:
        return Note(ev.Flapped(case.seen.at, lost))
    if case.done.flaps < FLAPS:
        return None
    last = case.done.last(ev.Flapped)
    assert isinstance(last, ev.Flapped)
    words = f"all {case.count} instances were healthy, and then {', '.join(last.instances)} not again"
    return Fail(f"the health flaps: {FLAPS} times {words}", last.instances)


def await_boot(case: Case, bad: Mapping[str, str], words: str, wait: Wait) -> Fail | Wait:
    """`wait` for what is not healthy yet (instance → state), unless a boot has failed or the deadline is over. `words` say
    how many are healthy."""
    told = case.seen.consoles
    failed = [i for i in sorted(bad.keys() & told.keys()) if console_of.read(told[i]).failed]
    suspects = tuple(dict.fromkeys((*failed, *sorted(bad))))
    if failed:
        return Fail("the boot failed", suspects)
    if case.seen.at >= wait.until:
        return Fail(f"{words} after {case.goal.boot_timeout_s} s", suspects)
    ask = _to_ask(case, sorted(i for i, state in bad.items() if state == "unhealthy"))
    return replace(wait, ask=ask) if ask else wait


def _to_ask(case: Case, sick: list[str]) -> tuple[str, ...]:
    """Consoles cost calls: two at a time and not often, of the sick ones those that were not asked yet, then in turn."""
    now, begun = case.seen.at, boot_deadline(case) - case.goal.boot_timeout_s
    if now < begun + ASK_AFTER_S or now < case.seen.consoles_at + ASK_EVERY_S or not sick:
        return ()
    new = [i for i in sick if i not in case.seen.consoles]
    turn = int(now // ASK_EVERY_S) * ASK_AT_ONCE % len(sick)
    return tuple(dict.fromkeys((*new, *sick[turn:], *sick[:turn])))[:ASK_AT_ONCE]
