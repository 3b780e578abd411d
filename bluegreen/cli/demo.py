"""bluegreen demo: deploy, deploy, roll back and fail on a sandbox of its own, under steady HTTP load, and count.

It is the tool itself that runs here: the commands' own code, on the adapters that talk to AWS. Only AWS is not real.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bluegreen.cli import options as shared

if TYPE_CHECKING:
    from bluegreen.cli.wire import Wired
    from bluegreen.core.outcome import Outcome
    from bluegreen.sandbox.load import Load, Report
    from bluegreen.sandbox.state import SandboxState

EXAMPLE = "bluegreen demo --output json"
HOST = "shop.example.com"
LISTENER = "demo-alb:80"
MIN_REQUESTS = 5000
QUIET_S = 4.0  # steady traffic before and after each act, so that the chart has something to show
MOST_RATE = 2000.0
BOOT_TIMEOUT = "20s"  # instances are processes here: a good one is healthy after two
MOST_S = 110.0  # the load never goes on for longer than this


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 1 <= rate <= MOST_RATE:
        raise ArgumentTypeError(f"{text}: expected 1 to {MOST_RATE:.0f} requests a second")
    return rate


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--rate", type=_rate, default=200.0, metavar="N", help="requests a second (default 200)")
    shared.output(parser)


@dataclass
class Demo:
    """What the demo has seen so far. `acts` is (name, seconds since the load began)."""

    options: Namespace
    sandbox: SandboxState
    began: float = field(default_factory=time.monotonic)
    seconds: dict[str, float] = field(default_factory=dict)
    phases: dict[str, dict[str, float]] = field(default_factory=dict)
    acts: list[tuple[str, float]] = field(default_factory=list)

    def tell(self, text: str) -> None:
        from bluegreen.cli.text import put

        put(sys.stderr, f"\n── {text}\n")

    def act(self, name: str, expected: str, run: Callable[[], Outcome]) -> Outcome:
        """One command, timed. Raises BluegreenError when it does not end as the demo promises."""
        from bluegreen.cli.text import put
        from bluegreen.errors import BluegreenError

        since = time.monotonic()
        self.acts.append((name, time.time()))
        outcome = run()
        self.seconds[name] = round(time.monotonic() - since, 3)
        put(sys.stderr, f"   → {outcome.sentence}\n")
        if outcome.result != expected:
            raise BluegreenError(f"the demo's {name} ended as {outcome.result}, not {expected}", why=outcome.sentence)
        return outcome


def run(options: Namespace) -> int:
    from bluegreen.cli.text import as_json, say, say_json
    from bluegreen.errors import Interrupted
    from bluegreen.local.signals import as_ctrl_c

    as_ctrl_c()  # the sandbox is taken down, however the demo ends
    with _sandbox() as sandbox:
        demo = Demo(options, sandbox)
        try:
            report = _play(demo)
        except (KeyboardInterrupt, Interrupted) as error:
            raise Interrupted("the demo was interrupted; its sandbox is gone", next="bluegreen demo") from error
        figures = _figures(demo, report)
        if as_json(options):
            say_json(figures)
        else:
            from bluegreen.cli.chart import table

            say(table(figures, report, demo.acts))
    code: int = figures["exit_code"]
    return code


@contextlib.contextmanager
def _sandbox() -> Iterator[SandboxState]:
    """A sandbox of the demo's own on any free ports; one that runs already is left alone."""
    from bluegreen.local.signals import undisturbed
    from bluegreen.sandbox import control

    with tempfile.TemporaryDirectory(prefix="bluegreen-demo-") as folder:
        home = Path(folder) / "sandbox"
        try:
            yield control.up(port=0, registry_port=0, folder=home)
        finally:
            with undisturbed():
                control.down(folder=home)


def _play(demo: Demo) -> Report:
    from bluegreen.sandbox.load import Load

    demo.tell("a sandbox runs: an AWS, a registry, a load balancer, all on this machine")
    demo.tell("version A: the first deployment, four instances")
    demo.act("deploy A", "deployed", lambda: _deploy(demo, "A"))
    url = f"http://127.0.0.1:{demo.sandbox.listeners[LISTENER]}"
    load = Load(url, HOST, rate=demo.options.rate)
    demo.tell(f"steady traffic through the load balancer: {demo.options.rate:.0f} requests a second to {url}")
    load.start()
    until = time.monotonic() + MOST_S
    try:
        _acts(demo, load)
        while load.report().requests < MIN_REQUESTS and time.monotonic() < until:
            time.sleep(0.25)
    finally:
        load.stop()
    return load.report()


def _acts(demo: Demo, load: Load) -> None:
    time.sleep(QUIET_S)
    demo.tell("version B: a new fleet boots beside A, is checked, and takes the traffic in one write")
    demo.act("deploy B", "deployed", lambda: _deploy(demo, "B"))
    time.sleep(QUIET_S)
    demo.tell("rollback: A still runs and is still checked, so going back is one write too")
    demo.act("rollback", "rolled-back", lambda: _rollback(demo))
    time.sleep(QUIET_S)
    demo.tell("a broken version: its instances never get healthy, so it never gets traffic")
    demo.act("deploy broken", "undone", lambda: _deploy(demo, "broken"))
    time.sleep(QUIET_S / 2)


def _options(demo: Demo, **more: Any) -> Namespace:
    base = {"region": None, "profile": None, "endpoint_url": demo.sandbox.endpoint, "sandbox": False, "wait_lock": 0.0}
    return Namespace(**{**base, "log_file": demo.options.log_file, "output": demo.options.output, **more})


@contextlib.contextmanager
def _wired(options: Namespace, region: str) -> Iterator[Wired]:
    """A world of its own for each command, as the commands have it."""
    from bluegreen.cli import progress, wire

    wire.pretend()
    wired = wire.wire(options, progress.watcher(options), region)
    wired.clock.listen()
    try:
        yield wired
    finally:
        wired.clock.stop_listening()


def _deploy(demo: Demo, version: str) -> Outcome:
    from bluegreen.cli import wire
    from bluegreen.controller.commands import deploy
    from bluegreen.controller.history import phases
    from bluegreen.stackfile.examples import example

    with example("demo.yml") as path:
        given = [f"REGISTRY={demo.sandbox.registry}", f"BOOT_TIMEOUT={BOOT_TIMEOUT}"]
        options = _options(demo, file=str(path), version=version, set=given)
        stack = shared.load_stack(options)
    with _wired(options, stack.region) as wired:
        job = wire.deploy_job(wired, options, stack, lambda release, live: True)
        outcome = deploy(wired.world, job)
        newest = wired.records.deployments(stack.name, 1)
        demo.phases[f"deploy {version}"] = dict(phases(newest[0].events)) if newest else {}
        return outcome


def _rollback(demo: Demo) -> Outcome:
    from bluegreen.cli import wire
    from bluegreen.controller.commands import rollback

    with _wired(_options(demo), demo.sandbox.region) as wired:
        return rollback(wired.world, "demo", wire.local_owner())


def _figures(demo: Demo, report: Report) -> dict[str, Any]:
    """The documented JSON object. `exit_code` is 0 only when nothing failed and the broken version answered nothing."""
    broken = report.requests_by_version.get("broken", 0)
    enough = report.requests >= MIN_REQUESTS
    good = report.failed == 0 and broken == 0 and enough
    return {
        "exit_code": 0 if good else 1,
        "requests": report.requests,
        "failed": report.failed,
        "failures": report.reasons,
        "deploy_seconds": demo.seconds["deploy B"],
        "rollback_seconds": demo.seconds["rollback"],
        "broken_release_requests": broken,
        "phases": demo.phases,
        "commands": demo.seconds,
        "requests_by_version": report.requests_by_version,
        "latency_ms": {"p50": report.p50_ms, "p99": report.p99_ms, "max": report.max_ms},
        "seconds": round(time.monotonic() - demo.began, 1),
    }
