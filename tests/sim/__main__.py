"""python -m tests.sim --seeds N: random runs, and one closing line. --seed K plays one of them again and shows its trace."""

from __future__ import annotations

import argparse
import sys
import time

from tests.sim.invariants import told
from tests.sim.open_findings import cause_of
from tests.sim.scenario import drawn, play, shrunk
from tests.sim.stage import Shape, Stage
from tests.sim.sweeps import Tally

HOURS_2 = 7200.0


def main() -> int:
    words = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    words.add_argument("--seeds", type=int, default=1000, metavar="N", help="how many random runs (default 1000)")
    words.add_argument("--start", type=int, default=0, metavar="K", help="the first seed (default 0)")
    words.add_argument("--seed", type=int, metavar="K", help="play this one, shrink it if it fails, show its trace")
    words.add_argument("--strict", action="store_true", help="known findings count as violations")
    words.add_argument("--bench", type=int, metavar="N", help="N plain deployments in a row, and their rate")
    chosen = words.parse_args()
    if chosen.bench:
        return bench(chosen.bench)
    if chosen.seed is not None:
        return one(chosen.seed)
    return many(chosen.start, chosen.seeds, strict=chosen.strict)


def many(start: int, number: int, *, strict: bool) -> int:
    tally, began = Tally(), time.perf_counter()
    failed: list[int] = []
    for seed in range(start, start + number):
        if seed_failed(tally, seed, strict=strict):
            failed.append(seed)
            print(f"seed {seed}: {tally.broken[-1].broken.promise}", file=sys.stderr)  # type: ignore[union-attr]
    took = time.perf_counter() - began
    for cause, times in sorted(tally.known.items()):
        print(f"known: {times:5} x {cause}", file=sys.stderr)
    again = f"; replay: python -m tests.sim --seed {failed[0]}" if failed else ""
    print(
        f"{tally.runs} runs, {tally.calls} calls, {tally.faults} faults injected, {len(failed)} violations, "
        f"{sum(tally.known.values())} known findings, {tally.runs / took:.0f} runs/s{again}"
    )
    return 1 if failed else 0


def seed_failed(tally: Tally, seed: int, *, strict: bool) -> bool:
    before = len(tally.broken)
    tally.add(drawn(seed), strict=strict)
    return len(tally.broken) > before


def one(seed: int) -> int:
    plan = drawn(seed)
    run = play(plan)
    if run.broken is None:
        print(f"{told(run.stage.sim)}\n\n{plan}\nevery promise held")
        return 0
    smaller = shrunk(plan, run.broken.promise)
    again = play(smaller)
    print(f"{again.broken or run.broken}\n\nplan: {plan}\nshrunk: {smaller}")
    if cause := cause_of(run.broken.promise):
        print(f"known: {cause}")
    return 1


def bench(number: int) -> int:
    """Four instances in three zones, switched, promoted, the older fleet retired; two hours between deployments."""
    stage = Stage(Shape(poll_s=2.0))
    for version in ("A", "B"):
        stage.run(f"deploy {version}")
    began, calls = time.perf_counter(), stage.sim.calls
    for turn in range(number):
        result = stage.run(f"deploy {'CDE'[turn % 3]}")
        if result.code:
            print(result)
            return 1
        stage.sim.account.advance(stage.sim.account.time + HOURS_2)
        stage.sim.trace.clear()
    took = time.perf_counter() - began
    print(f"{number} deployments, {(stage.sim.calls - calls) // number} calls each, {number / took:.0f} deployments/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
