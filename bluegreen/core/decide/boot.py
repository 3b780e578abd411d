"""The rule that waits for a booting fleet: healthy in every group, or a boot that failed, or a deadline."""

from __future__ import annotations

from bluegreen.core import boot as console_of
from bluegreen.core import event as ev
from bluegreen.core.decide.case import Case
from bluegreen.core.decision import Decision, Fail, Note, Wait
from bluegreen.core.observation import Part

ASK_AFTER_S = 10.0  # of boot: before that, no machine has failed, and a call would be in vain
ASK_EVERY_S = 10.0
ASK_AT_ONCE = 2  # consoles; what fails for all of a fleet any two of it tell


def wait_healthy(case: Case) -> Decision | None:
    """Not every instance is healthy, or a stranger is in a group: wait to the boot deadline or to a failed boot, then fail."""
    if case.promoted or case.shifting:
        return None
    groups = [case.seen.group(arn) for arn in case.fleet.groups]
    ours = set(case.done.launched)
    strangers = sorted({i for group in groups for i in group.ids} - ours)
    if strangers:
        return Fail(f"{', '.join(strangers)} is registered with the new fleet but was not launched by this deployment")
    if all(group.healthy == case.fleet.count == len(group.ids) for group in groups):
        return None if case.done.last(ev.Healthy) else Note(ev.Healthy(case.seen.at))
    bad = {t.id: t.state for group in groups for t in group.targets if t.state != "healthy"}
    failed = tuple(i for i in sorted(bad) if console_of.read(case.seen.consoles.get(i, "")).failed)
    suspects = (*failed, *sorted(bad.keys() - set(failed)))
    if failed:
        return Fail("the boot failed", suspects)
    healthy = case.seen.healthy(case.fleet.groups)
    deadline = _begun(case) + case.goal.boot_timeout_s
    if case.seen.at >= deadline:
        return Fail(f"{healthy} of {case.fleet.count} instances healthy after {case.goal.boot_timeout_s} s", suspects)
    look: frozenset[Part] = frozenset({"health", "traffic", "record"})
    if len(bad) + healthy < case.fleet.count:  # a target vanished: its instance may have died
        look |= {"instances"}
    sick = sorted(i for i, state in bad.items() if state == "unhealthy")
    return Wait(deadline, f"{healthy}/{case.fleet.count} healthy", look, _to_ask(case, sick))


def _to_ask(case: Case, sick: list[str]) -> tuple[str, ...]:
    """Consoles cost calls: two at a time and not often, of the sick ones those that were not asked yet, then in turn."""
    now = case.seen.at
    if now < _begun(case) + ASK_AFTER_S or now < case.seen.consoles_at + ASK_EVERY_S or not sick:
        return ()
    new = [i for i in sick if i not in case.seen.consoles]
    turn = int(now // ASK_EVERY_S) * ASK_AT_ONCE % len(sick)
    return tuple(dict.fromkeys((*new, *sick[turn:], *sick[:turn])))[:ASK_AT_ONCE]


def _begun(case: Case) -> float:
    """Launch to healthy is bounded from the first launch; a resumed deployment gets its boot time anew."""
    begun = (case.done.first(ev.Launching), case.done.last(ev.Resumed))
    return max((e.at for e in begun if e), default=case.seen.at)
