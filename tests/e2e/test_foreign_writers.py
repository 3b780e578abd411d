"""Another tool writes the rule while a deployment runs, under load: no request fails, and the words say what happened."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from program import Program, Sandbox

from bluegreen.sandbox.load import Load

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300, func_only=True)]
HOST = "shop.example.com"


@contextmanager
def loaded(sandbox: Sandbox) -> Iterator[Load]:
    """Two deployments, and traffic from then on."""
    for version in ("A", "B"):
        assert sandbox.deploy(version).code == 0
    load = Load(f"http://127.0.0.1:{sandbox.known['listeners']['demo-alb:80']}", HOST, rate=50)
    load.start()
    try:
        yield load
    finally:
        load.stop()


@contextmanager
def again_and_again(write: Callable[[], object], every_s: float) -> Iterator[None]:
    """`write` in a thread, until the block ends; what it raises is raised there."""
    over, failed = threading.Event(), list[BaseException]()

    def go_on() -> None:
        try:
            while not over.wait(every_s):
                write()
        except BaseException as error:  # noqa: BLE001 - raised again below
            failed.append(error)

    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(10)
    assert not failed, failed


def as_now(sandbox: Sandbox) -> Callable[[], object]:
    """What writes the rule's actions as they are now, as `terraform apply` does with what it knows."""
    elbv2, rule = sandbox.client("elbv2"), sandbox.rule()
    return lambda: elbv2.modify_rule(RuleArn=rule["RuleArn"], Actions=rule["Actions"])


def start_deploy(sandbox: Sandbox) -> Program:
    return sandbox.start(*sandbox.deploy_words("A", "--wait-lock", "60s"))


def test_one_who_puts_the_rule_back_again_and_again_ends_the_deployment(sandbox: Sandbox) -> None:
    with loaded(sandbox) as load:
        with again_and_again(as_now(sandbox), 2.0):
            ended = start_deploy(sandbox).end(120)
        assert ended.code == 3, ended
        assert (
            "somebody else changed the load balancer" in ended.err + ended.out
            and "taken out of" in ended.err + ended.out
        )
        assert sandbox.deploy("A").code == 0, "the way is free once the other tool has stopped"
    assert load.report().failed == 0, load.report().reasons


def test_one_who_writes_once_before_the_switch_is_borne(sandbox: Sandbox) -> None:
    with loaded(sandbox) as load:
        put_back = as_now(sandbox)
        running = start_deploy(sandbox)
        running.until("[0-3]/4 healthy")
        put_back()
        ended = running.end(120)
        assert ended.code == 0, ended
        assert sandbox.answers() == {"A"}
    assert load.report().failed == 0, load.report().reasons


def test_one_who_writes_after_the_switch_is_told_and_nothing_is_lost(sandbox: Sandbox) -> None:
    with loaded(sandbox) as load:
        put_back = as_now(sandbox)
        running = start_deploy(sandbox)
        running.until("baking|switch demo-alb")
        running.until("baking")
        put_back()
        ended = running.end(120)
        assert ended.code == 7 and "somebody else changed the load balancer" in ended.err + ended.out, ended
        assert sandbox.answers() == {"B"}, "what the other tool wrote stands"
        back = sandbox.run("rollback", "demo")
        assert back.code == 0, back
        found = sandbox.status()
        assert found["well"] and found["rollback_ready"] and sandbox.answers() == {"B"}
    assert load.report().failed == 0, load.report().reasons
