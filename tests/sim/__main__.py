"""python -m tests.sim --seeds N: random runs, and one closing line. --seed K plays one of them again and shows its trace."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from multiprocessing import Pool

from tests.sim.families import drawn
from tests.sim.open_findings import cause_of
from tests.sim.scenario import play, shrunk
from tests.sim.stage import Shape, Stage
from tests.sim.sweeps import ALL, Tally, whole
from tests.sim.trace import told

HOURS_2 = 7200.0
SHARE = 50  # seeds that a process plays before it asks for more


def main() -> int:
    words = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    words.add_argument("--seeds", type=int, default=1000, metavar="N", help="how many random runs (default 1000)")
    words.add_argument("--start", type=int, default=0, metavar="K", help="the first seed (default 0)")
    words.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N", help="processes (default: one a core)")
    words.add_argument("--seed", type=int, metavar="K", help="play this one, shrink it if it fails, show its trace")
    words.add_argument("--strict", action="store_true", help="known findings count as violations")
    words.add_argument(
        "--sweep", action="store_true", help="every trouble and every crash at every call of every command"
    )
    words.add_argument("--bench", type=int, metavar="N", help="N plain deployments in a row, and their rate")
    chosen = words.parse_args()
    if chosen.bench:
        return bench(chosen.bench)
    if chosen.sweep:
        return sweep()
    if chosen.seed is not None:
        return one(chosen.seed)
    return many(chosen.start, chosen.seeds, chosen.jobs, strict=chosen.strict)


def many(start: int, number: int, jobs: int, *, strict: bool) -> int:
    """All seeds from `start` on, shared out to `jobs` processes; each failure is told as soon as it is known."""
    began = time.perf_counter()
    sums, known, failed = [0, 0, 0], Counter[str](), []
    shares = [range(n, min(n + SHARE, start + number)) for n in range(start, start + number, SHARE)]
    with Pool(jobs) as pool:
        for share in pool.imap_unordered(partial(played, strict=strict), shares):
            sums = [a + b for a, b in zip(sums, (share.runs, share.calls, share.faults), strict=True)]
            known.update(share.known)
            failed += share.failed
            for seed, promise in share.failed:
                print(f"seed {seed}: {promise}", file=sys.stderr, flush=True)
    took = time.perf_counter() - began
    for cause, times in sorted(known.items()):
        print(f"known: {times:5} x {cause}", file=sys.stderr)
    again = f"; replay: python -m tests.sim --seed {min(failed)[0]}" if failed else ""
    print(
        f"{sums[0]} runs, {sums[1]} calls, {sums[2]} faults injected, {len(failed)} violations, "
        f"{known.total()} known findings, {sums[0] / took:.0f} runs/s on {jobs} cores{again}"
    )
    return 1 if failed else 0


@dataclass(frozen=True, slots=True)
class Share:
    """What came of some seeds; `failed` are those that broke a promise, and which."""

    runs: int
    calls: int
    faults: int
    known: dict[str, int]
    failed: tuple[tuple[int, str], ...]


def played(seeds: range, *, strict: bool) -> Share:
    tally = Tally()
    failed: list[tuple[int, str]] = []
    for seed in seeds:
        run = tally.add(drawn(seed), strict=strict)
        if run.broken and len(tally.broken) > len(failed):
            failed.append((seed, run.broken.promise))
    return Share(tally.runs, tally.calls, tally.faults, tally.known, tuple(failed))


def sweep() -> int:
    tally, began = Tally(), time.perf_counter()
    for case in ALL:
        for plan in whole(case):
            tally.add(plan)
        print(f"{tally.runs:6} runs, {len(tally.broken)} violations, after {case}", file=sys.stderr)
    took = time.perf_counter() - began
    if tally.broken:
        print(tally.report(), file=sys.stderr)
    print(f"{tally.runs} runs, {tally.calls} calls, {len(tally.broken)} violations, {tally.runs / took:.0f} runs/s")
    return 1 if tally.broken else 0


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
    began, busy, calls = time.perf_counter(), time.process_time(), stage.sim.calls
    for turn in range(number):
        result = stage.run(f"deploy {'CDE'[turn % 3]}")
        if result.code:
            print(result)
            return 1
        stage.sim.account.advance(stage.sim.account.time + HOURS_2)
        stage.sim.trace.clear()
    took, busy = time.perf_counter() - began, time.process_time() - busy
    each = (stage.sim.calls - calls) // number
    rates = f"{number / took:.0f} deployments/s, {number / busy:.0f} a second of one core"
    print(f"{number} deployments, {each} calls each, {rates}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
