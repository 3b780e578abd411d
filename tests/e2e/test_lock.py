"""Two people, one stack: who comes second is told who holds it, and waits if asked to."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
import yaml
from program import ROOT, Sandbox

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

BUILD = "https://ci.example.com/job/shop/7/"


def slowly_healthy(words: tuple[str, ...], folder: Path) -> tuple[str, ...]:
    """The same deployment, whose health is told 25 s late, or a minute later if a check met an application that did not
    listen yet: whoever comes second meets it waiting, on a busy machine too."""
    command, file, *rest = words
    document = yaml.safe_load((ROOT / file).read_text("utf-8"))
    document["traffic"][0]["health"] |= {"path": "/slow?seconds=25", "interval": "60s", "timeout": "40s"}
    document["rollout"]["boot_timeout"] = "100s"
    slow = folder / "slow.yml"
    slow.write_text(yaml.safe_dump(document), "utf-8")
    return command, str(slow), *rest


def test_the_second_is_told_who_holds_the_stack_and_waits_if_asked(sandbox: Sandbox, tmp_path: Path) -> None:
    first = sandbox.start(*slowly_healthy(sandbox.deploy_words("A"), tmp_path), BUILD_URL=BUILD)
    first.until("[0-3]/4 healthy")

    told = sandbox.deploy("B")
    assert told.code == 4, told
    assert re.search(r"demo is held: deploy demo-1, waiting for health, for \d+ s", told.err), told.err
    assert re.search(rf"where: arn:aws:\S+ on \S+ pid {first.process.pid} \({re.escape(BUILD)}\)", told.err)
    assert re.search(r"why: It was alive \d s ago", told.err)
    assert "--wait-lock" in told.err and "bluegreen rollback demo" in told.err

    began = time.monotonic()
    gave_up = sandbox.deploy("B", "--wait-lock", "1s")
    assert gave_up.code == 4 and time.monotonic() - began > 1, gave_up

    waited = sandbox.start(*sandbox.deploy_words("B", "--wait-lock", "3m"))
    waited.until("demo is held by arn:aws")
    assert first.process.poll() is None, "the first had ended already: nobody was waited for"
    assert first.end(120).code == 0
    ended = waited.end(240)
    assert ended.code == 0 and "blue demo-1 (A) stands by" in ended.out, ended
    assert sandbox.answers() == {"B"}
