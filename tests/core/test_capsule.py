"""The cause in one line, from everything that may be known of an instance."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bluegreen.core import capsule
from bluegreen.core import event as ev
from bluegreen.core.capsule import CAUSE_LIMIT, NO_BOOT, Found, answers, cause, evidence, sentence, why
from bluegreen.core.event import event_from_plain, event_to_plain
from bluegreen.core.goal import GroupSpec
from bluegreen.core.observation import Target

SPEC = GroupSpec("shop-green-7", "vpc-1", 80, "/health", 5, 4, 2, 2, "200", 60)
FAILED = (
    "[bluegreen] 3.0 login registry.example.com as deploy\n[bluegreen] failed: registry.example.com: 401 unauthorized"
)
PULLING = "[bluegreen] 0.0 start, 9 s after the machine\n[bluegreen] 4.0 pull registry.example.com/shop/web\n"
READY = PULLING + "[bluegreen] 9.0 pulled registry.example.com/shop/web\n[bluegreen] 9.9 ready web\n"
SICK = "port 80 answers 503 on /health"
FOUND = Found("i-1", "running", "", SICK, READY, None, ("no agent",), 280.0)


@pytest.mark.parametrize(
    ("state", "reason", "told"),
    [
        ("healthy", "", ""),
        ("unhealthy", "Target.ResponseCodeMismatch: Health checks failed with these codes: [503]", SICK),
        ("unhealthy", "Target.Timeout: Request timed out", "port 80 does not answer on /health within 4 s"),
        ("unhealthy", "Target.FailedHealthChecks: Health checks failed", "port 80 cannot be reached for /health"),
        ("unavailable", "Elb.InternalError", "the load balancer says unavailable (Elb.InternalError)"),
        ("initial", "", "the load balancer says initial"),
    ],
)
def test_the_balancers_words(state: str, reason: str, told: str) -> None:
    assert answers(Target("i-1", state, reason), SPEC) == told


def test_the_port_that_is_told_is_the_one_that_is_checked() -> None:
    sick = Target("i-1", "unhealthy", "Target.FailedHealthChecks: Health checks failed")
    assert answers(sick, replace(SPEC, check_port=8717)) == "port 8717 cannot be reached for /health"


def test_a_target_that_is_not_there() -> None:
    assert answers(None, SPEC) == "it is not registered with the load balancer"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"console": FAILED}, "registry.example.com: 401 unauthorized"),
        ({"console": FAILED, "state": "terminated", "reason": "x"}, "registry.example.com: 401 unauthorized"),
        (
            {"state": "terminated", "reason": "Server.SpotInstanceTermination: Spot"},
            "Server.SpotInstanceTermination: Spot",
        ),
        ({"state": "terminated"}, "EC2 gives no reason"),
        ({"state": "stopped", "reason": "Client.Shutdown"}, "it is stopped: Client.Shutdown"),
        ({"console": "Ubuntu 24.04 LTS ip-10-0-0-7 ttyS0\nlogin:"}, NO_BOOT),
        ({"console": PULLING}, "still pulling registry.example.com/shop/web after 280 s"),
        ({"console": ""}, f"{SICK}; no agent"),
        ({"console": None, "missing": ("no console output: refused",)}, f"{SICK}; no console output: refused"),
        ({"console": "", "missing": ()}, f"{SICK}; its console is still empty"),
        ({}, f"it booted, but {SICK}"),
        ({"health": ""}, "it booted, but the load balancer does not find it healthy"),
        ({"agent": json.dumps({"reasons": ["app: 7 of 8 workers", "disk 99 %"]})}, "app: 7 of 8 workers; disk 99 %"),
        ({"agent": json.dumps({"reasons": []})}, f"it booted, but {SICK}"),
        ({"agent": "<html>"}, f"it booted, but {SICK}"),
        ({"agent": '{"reasons": "no list"}'}, f"it booted, but {SICK}"),
        ({"agent": "[1]"}, f"it booted, but {SICK}"),
        ({"console": READY + "[bluegreen] 40.0 unhealthy app: 7 of 8 workers"}, "app: 7 of 8 workers"),
    ],
)
def test_the_cause(change: dict[str, object], told: str) -> None:
    assert cause(replace(FOUND, **change)) == told  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.text(), st.text(), st.one_of(st.none(), st.text()), st.text(), st.sampled_from(["", "running", "terminated"]))
def test_any_find_has_a_cause_of_one_bounded_line_and_fits_the_journal(
    reason: str, health: str, console: str | None, agent: str, state: str
) -> None:
    found = Found("i-1", state, reason, health, console, agent, (reason,), 1.0)
    told = cause(found)
    assert told and len(told) <= CAUSE_LIMIT and told.isprintable()
    kept = evidence(replace(found, console=(console or "") * 9_000, agent=agent * 9_000), 5.0)
    assert len(json.dumps(event_to_plain(kept))) < 130_000  # of 400 KB, at worst: 12 bytes for a character
    assert event_from_plain(json.loads(json.dumps(event_to_plain(kept)))) == kept


def several(*consoles: str, waited_s: float = 280.0) -> tuple[object, ...]:
    founds = (replace(FOUND, instance=f"i-{i}", console=text) for i, text in enumerate(consoles))
    return tuple(evidence(replace(one, waited_s=waited_s + i), 1.0) for i, one in enumerate(founds))


@pytest.mark.parametrize(
    ("consoles", "suspects", "told"),
    [
        ((), 0, "boot failed"),
        ((FAILED,), 1, "boot failed: registry.example.com: 401 unauthorized"),
        ((FAILED,) * 4, 4, "boot failed, 4 of 4: registry.example.com: 401 unauthorized"),
        ((FAILED, PULLING, FAILED), 3, "boot failed, 2 of 3: registry.example.com: 401 unauthorized"),
        ((PULLING,) * 3, 3, "boot failed, 3 of 3: still pulling registry.example.com/shop/web after 280 s"),
        (
            (PULLING,) * 4,
            9,
            "boot failed, 4 of the 4 looked at: still pulling registry.example.com/shop/web after 280 s",
        ),
        (
            (READY, PULLING, PULLING),
            3,
            "boot failed, 2 of 3: still pulling registry.example.com/shop/web after 281 s; "
            f"1 of 3: it booted, but {SICK}",
        ),
    ],
)
def test_the_sentence_puts_the_same_together(consoles: tuple[str, ...], suspects: int, told: str) -> None:
    assert sentence("boot failed", several(*consoles), suspects) == told  # type: ignore[arg-type]


def test_why_quotes_the_evidence_of_the_instance_that_stands_for_the_cause() -> None:
    lines = "\n[bluegreen]   | Error response from daemon\n[bluegreen]   | unauthorized"
    assert why(several(READY, FAILED + lines)) == "i-1 wrote: Error response from daemon | unauthorized"  # type: ignore[arg-type]
    assert why(several("just\n\n  this  ")) == "i-0 wrote: just | this"  # type: ignore[arg-type]
    assert why(()) == why(several("")) == ""  # type: ignore[arg-type]


# boundaries


@pytest.mark.parametrize("state", ["pending", "stopping", "stopped"])
@pytest.mark.parametrize("reason", ["", "no more room"])
def test_a_machine_that_does_not_run_is_why(state: str, reason: str) -> None:
    told = f"it is {state}" + (f": {reason}" if reason else "")
    assert capsule.cause(Found("i-1", state, reason, console="[bluegreen] 0.0 start\n")) == told


@pytest.mark.parametrize(("length", "cut"), [(239, False), (240, False), (241, True)])
def test_a_cause_is_one_line_of_so_many_characters(length: int, cut: bool) -> None:
    said = capsule.cause(Found("i-1", "running", console=f"[bluegreen] failed: {'x' * length}\n"))
    assert len(said) == min(length, 240) and said.endswith("…") is cut


def test_nothing_known_is_said_so() -> None:
    assert capsule.cause(Found("i-1", "running", console="[bluegreen] failed: \x1b\n")) != ""
    assert capsule.cause(Found("i-1")).startswith("nothing is known of it; its console is still empty")


@pytest.mark.parametrize(
    ("status", "reasons"),
    [
        ('{"reasons": ["a", "b"]}', ("a", "b")),
        ('{"reasons": ["a", 3]}', ("a",)),
        ('{"reasons": "a"}', ()),
        ("{}", ()),
        ("[]", ()),
        ("no", ()),
    ],
)
def test_what_an_agent_says_is_read_as_far_as_it_can_be(status: str, reasons: tuple[str, ...]) -> None:
    assert capsule.agent_reasons(status) == reasons


def told_by(number: int, cause: str, told: bool = False, console: str = "") -> list[ev.Evidence]:
    return [ev.Evidence(1.0, f"i-{cause}-{n}", cause, told, console=console) for n in range(number)]


def test_the_three_commonest_causes_are_named_the_commonest_first() -> None:
    found = [*told_by(1, "a"), *told_by(2, "b"), *told_by(4, "c"), *told_by(3, "d")]
    assert capsule.sentence("it failed", found, 10) == "it failed, 4 of 10: c; 3 of 10: d; 2 of 10: b"
    assert capsule.sentence("it failed", found, 12).startswith("it failed, 4 of the 10 looked at: c")
    assert capsule.sentence("it failed", told_by(1, "a"), 1) == "it failed: a" and capsule.sentence("x", [], 3) == "x"


def test_the_last_three_lines_of_the_first_cause_are_quoted() -> None:
    said = "[bluegreen] failed: x\n" + "".join(f"[bluegreen]   | line {i}\n" for i in range(5))
    assert capsule.why(told_by(1, "a", True, said)) == "i-a-0 wrote: line 2 | line 3 | line 4"
    bare = capsule.why(told_by(1, "a", False, "one\n\ntwo\n \nthree\nfour\n"))
    assert bare == "i-a-0 wrote: two | three | four"
    assert capsule.why([]) == "" and capsule.why(told_by(1, "a")) == ""
    long = capsule.why(told_by(1, "a", False, "x" * 700))
    assert long == "i-a-0 wrote: " + "x" * 600


def test_of_an_instance_without_a_console_nothing_is_told_by_itself() -> None:
    found = capsule.evidence(Found("i-1", "running", agent='{"reasons": []}', console=None), 5.0)
    assert not found.told and found.console == "" and found.ec2 == "running" and found.agent == '{"reasons": []}'
    assert capsule.evidence(Found("i-1", "running", "why"), 5.0).ec2 == "running: why"
