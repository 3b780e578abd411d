"""A run that is killed or stopped at a random moment under steady traffic, and what those on duty do then.

python tests/e2e/rounds.py --rounds 50 plays so many, each from its seed, and prints a line for each and one at the end.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from program import HOST, Ended, Program, Sandbox

from bluegreen.sandbox.load import Load

LEASE_S = 21.0
DEPLOY_S = 10.0  # of the demo's stack, most of what retires the older fleet included
ROLLBACK_S = 1.0
WAYS_ON = ("resume", "rollback", "abort", "resume+rollback", "rollback+rollback", "deploy")
SETTLE_TRIES = 5
ROLLBACK_LIMIT_S = 200  # instances that a stopped run asked for are waited for, for 120 s
CODES = {0, 3, 4, 5, 6}  # 1 is a bug, 7 asks for a human: neither may come of a death


@dataclass(frozen=True)
class Plan:
    """`fault` comes `at_s` after the start of `command`; `on` is done at once, the words of two side by side."""

    seed: int
    command: str
    fault: str  # kill | stop
    at_s: float
    on: str
    asleep_s: float

    def __str__(self) -> str:
        slept = f" for {self.asleep_s:.0f} s" if self.fault == "stop" else ""
        return f"seed {self.seed}: {self.command}, {self.fault} after {self.at_s:.2f} s{slept}, then {self.on}"


def drawn(seed: int) -> Plan:
    dice = random.Random(seed)
    command = dice.choice(("deploy", "deploy", "deploy", "rollback"))
    at_s = dice.uniform(0.3, DEPLOY_S if command == "deploy" else ROLLBACK_S)
    fault = dice.choice(("kill", "kill", "stop"))
    on = dice.choice(WAYS_ON if fault == "kill" else WAYS_ON[:2])
    return Plan(seed, command, fault, at_s, on, dice.uniform(LEASE_S, LEASE_S + 8))


@dataclass(frozen=True)
class Rest:
    """What is there when nothing is under way: (deployment, version) of each fleet, by its role."""

    live: tuple[str, str]
    standby: tuple[str, str] | None


class Rounds:
    """One sandbox, traffic that never stops, and an eye on the listener's rule."""

    def __init__(self, box: Sandbox) -> None:
        self.box = box
        self.load = Load(f"http://127.0.0.1:{box.known['listeners']['demo-alb:80']}", HOST, rate=50)
        self.weights: list[dict[str, int]] = []
        self._over = threading.Event()
        self._eye = threading.Thread(target=self._watch, daemon=True)
        self.played = self.faults_met = 0

    def begin(self) -> None:
        for version in ("A", "B"):
            assert self.box.deploy(version).code == 0
        self.load.start()
        self._eye.start()

    def end(self) -> None:
        self._over.set()
        self.load.stop()
        self._eye.join(10)

    def play(self, plan: Plan) -> str:
        """One round; says how it went. AssertionError when a promise is broken."""
        before, seen = self.rest(), len(self.weights)
        words = self._words(plan.command, before)
        victim = self.box.start(*words)
        time.sleep(plan.at_s)
        done = victim.process.poll() is not None
        victim.send(signal.SIGKILL if plan.fault == "kill" else signal.SIGSTOP)
        fell = time.monotonic()
        began = done or self._under_way()
        ended = self._side_by_side(plan.on, before)
        if plan.fault == "stop":
            time.sleep(max(0.0, plan.asleep_s - (time.monotonic() - fell)))
            victim.send(signal.SIGCONT)
        first = victim.end(ROLLBACK_LIMIT_S)
        told = f"{plan}: {first.code}; " + ", ".join(f"{word} {each.code}" for word, each in ended)
        assert plan.fault == "stop" or done or first.code == -signal.SIGKILL, told
        codes = {each.code for _, each in ended} | ({first.code} if plan.fault == "stop" else set())
        assert codes <= CODES, (told, first, ended)
        self._settle(told)
        after = self.rest()
        self._compare(plan, done, began, ended, before, after, told)
        self._nothing_left(after, told)
        self._history(self.weights[seen:], told)
        report = self.load.report()
        assert report.failed == 0, (told, report.reasons)
        self.played += 1
        self.faults_met += not done
        return f"{told}; {before.live[1]} -> {after.live[1]}"

    def rest(self) -> Rest:
        found = self.box.status()
        assert found["well"] and not found["operation"] and not found["drift"], found
        by_role = {f["role"]: (f["deployment"], f["version"]) for f in found["fleets"]}
        assert "live" in by_role and set(by_role) <= {"live", "standby"}, found
        assert all(f["healthy"] == 4 for f in found["fleets"]), found
        return Rest(by_role["live"], by_role.get("standby"))

    def _words(self, command: str, before: Rest) -> tuple[str, ...]:
        if command == "deploy":
            other = "B" if before.live[1] == "A" else "A"
            return self.box.deploy_words(other, "--wait-lock", "60s")
        return (command, "demo")

    def _side_by_side(self, on: str, before: Rest) -> list[tuple[str, Ended]]:
        running: list[tuple[str, Program]] = []
        for word in on.split("+"):
            running.append((word, self.box.start(*self._words(word, before))))
        return [(word, each.end(ROLLBACK_LIMIT_S)) for word, each in running]

    def _under_way(self) -> bool:
        """Whether something was begun that the fault left unfinished."""
        return bool(self.box.status()["operation"])

    def _settle(self, told: str) -> None:
        for _ in range(SETTLE_TRIES):
            if not self._under_way():
                break
            ended = self.box.run("resume", "demo")
            assert ended.code in CODES, (told, ended)
        acknowledged = self.box.run("resume", "demo")  # a rollback of this round: the next one may deploy its release
        assert acknowledged.code == 0, (told, acknowledged)
        swept = self.box.run("gc", "demo")
        assert swept.code == 0, (told, swept)

    def _compare(
        self, plan: Plan, done: bool, began: bool, ended: list[tuple[str, Ended]], before: Rest, after: Rest, told: str
    ) -> None:
        """With the end of a run that nobody disturbed, where the round has one end only."""
        if plan.command != "deploy" or done or not began:
            return
        if plan.on == "resume" and ended[0][1].code == 0:
            assert after.live[1] != before.live[1] and after.standby == before.live, (told, before, after)
        elif plan.on in ("rollback", "abort") and ended[0][1].code == 0:
            assert after.live == before.live, (told, before, after)

    def _nothing_left(self, after: Rest, told: str) -> None:
        """No instance and no target group but those of the fleets, and only the live one answers."""
        fleets = 1 + (after.standby is not None)
        filters = [{"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}]
        found = self.box.client("ec2").describe_instances(Filters=filters)
        assert sum(len(r["Instances"]) for r in found["Reservations"]) == 4 * fleets, (told, after)
        groups = self.box.client("elbv2").describe_target_groups()["TargetGroups"]
        assert len(groups) == fleets, (told, [g["TargetGroupName"] for g in groups])
        assert self.box.answers() == {after.live[1]}, told

    def _history(self, seen: list[dict[str, int]], told: str) -> None:
        """One group has all the traffic, whenever one looks."""
        assert self._eye.is_alive() and self.weights, "nobody looks at the rule any more"
        for weights in seen:
            assert sorted(weights.values())[-1] > 0 and sum(1 for w in weights.values() if w) == 1, (told, seen)

    def _watch(self) -> None:
        elbv2, arn = self.box.client("elbv2"), self.box.rule()["RuleArn"]
        while not self._over.wait(0.1):
            (rule,) = elbv2.describe_rules(RuleArns=[arn])["Rules"]
            groups = rule["Actions"][0]["ForwardConfig"]["TargetGroups"]
            weights = {g["TargetGroupArn"]: g["Weight"] for g in groups}
            if not self.weights or self.weights[-1] != weights:
                self.weights.append(weights)


@contextlib.contextmanager
def rounds(box: Sandbox) -> Iterator[Rounds]:
    made = Rounds(box)
    made.begin()
    try:
        yield made
    finally:
        made.end()


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--rounds", type=int, default=50, metavar="N")
    words.add_argument("--start", type=int, default=0, metavar="SEED")
    chosen = words.parse_args()
    broken: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        box = Sandbox(Path(folder) / "sandbox")
        try:
            with rounds(box) as played:
                for seed in range(chosen.start, chosen.start + chosen.rounds):
                    try:
                        print(played.play(drawn(seed)), flush=True)
                    except (AssertionError, subprocess.TimeoutExpired) as error:
                        broken.append(seed)
                        print(f"BROKEN {drawn(seed)}: {error}", flush=True)
            report = played.load.report()
        finally:
            box.run("sandbox", "down")
    print(
        f"{played.played} rounds, {played.faults_met} met their run, {report.requests} requests, {report.failed} failed, "
        f"{report.skipped} not sent by a busy machine, {len(played.weights)} states of the rule, {len(broken)} promises broken"
    )
    return 1 if broken or report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
