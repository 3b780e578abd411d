"""`make mutants`: which changes of the code does no test notice?"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import random
import re
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path

from tests.mutants.loading import Place, named_functions
from tests.mutants.operators import Mutant, mutants
from tests.mutants.record import Test, record
from tests.mutants.run import Job, Result, run

ROOT = Path(__file__).resolve().parents[2]
STORE = ROOT / ".mutants"
ACCEPTED = Path(__file__).with_name("survivors.md")
FOLDERS = ("bluegreen/core", "bluegreen/controller", "bluegreen/aws")
TESTS = ("core", "controller", "aws", "stackfile", "cli", "contract", "images/test_image_ref.py")
MORE_TESTS = {
    "images": "images",
    "boot": "boot",
    "local": "local",
    "sandbox": "sandbox",
}  # only for mutants of these folders
SCHEDULES = "tests/mutants/schedules.py"
ALIVE = ("survived", "unreached", "unsound")
TARGET = 90  # percent, in core/ and in controller/


def main() -> int:
    options = _options()
    began = time.monotonic()
    found = [m for path in _files(options.paths) for m in mutants(path, (ROOT / path).read_text())]
    if options.changed:
        lines = _changed(options.changed)
        found = [m for m in found if m.line in lines.get(m.path, ()) or m.statement in lines.get(m.path, ())]
    if options.sample:
        found = random.Random(options.seed).sample(found, min(options.sample, len(found)))
    STORE.mkdir(exist_ok=True)
    tests = record(ROOT, STORE, _test_files(options.paths, options.tests))
    choice = _Choice(tests, options.budget)
    cache = _Cache(fresh=options.fresh)
    jobs, results = [], {}
    for mutant in sorted(found, key=lambda m: (m.path, m.where, m.line)):
        chosen, of = choice.of(mutant)
        known = cache.get(mutant, chosen, options.retry)
        if known:
            results[mutant.key] = known
        else:
            jobs.append((mutant, chosen, of))
    _run(jobs, cache, results, options.jobs)
    return _report(found, results, time.monotonic() - began, whole=not (options.sample or options.changed))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("paths", nargs="*", default=list(FOLDERS), help="files or folders of bluegreen/")
    parser.add_argument("--sample", type=int, default=0, help="so many mutants, drawn at random")
    parser.add_argument("--seed", type=int, default=0, help="which sample")
    parser.add_argument("--changed", metavar="COMMIT", default="", help="only lines that differ from COMMIT")
    parser.add_argument("--budget", type=float, default=8.0, help="seconds of tests for one mutant (default 8)")
    parser.add_argument(
        "--tests", default="", help="only these folders or files of tests/, such as core,controller/test_run.py"
    )
    parser.add_argument("--jobs", type=int, default=2, help="processes (default 2)")
    parser.add_argument("--retry", action="store_true", help="run again what survived, though nothing has changed")
    parser.add_argument("--fresh", action="store_true", help="forget what earlier runs found")
    return parser.parse_args()


def _files(paths: list[str]) -> list[str]:
    found: list[str] = []
    for path in paths:
        whole = ROOT / path
        if not whole.exists():
            sys.exit(f"{path} does not exist; name a file or a folder of bluegreen/, such as {FOLDERS[0]}")
        found += [str(p.relative_to(ROOT)) for p in (sorted(whole.rglob("*.py")) if whole.is_dir() else [whole])]
    return list(dict.fromkeys(found))


def _test_files(paths: list[str], only: str) -> list[str]:
    folders = (
        only.split(",")
        if only
        else [*TESTS, *(tests for room, tests in MORE_TESTS.items() if any(f"bluegreen/{room}" in p for p in paths))]
    )
    chosen = [ROOT / "tests" / name for name in folders]
    files = [p for path in chosen for p in ([path] if path.is_file() else sorted(path.rglob("test_*.py")))]
    return [*(str(p.relative_to(ROOT)) for p in files), SCHEDULES]


def _changed(commit: str) -> dict[str, set[int]]:
    """Lines of bluegreen/ that differ from `commit`, by file."""
    command = ["git", "diff", "--unified=0", "--no-color", commit, "--", "bluegreen"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found: dict[str, set[int]] = defaultdict(set)
    path = ""
    for line in told.splitlines():
        if line.startswith("+++ b/"):
            path = line[6:]
        elif hunk := re.match(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@", line):
            first, count = int(hunk[1]), int(hunk[2] or 1)
            found[path].update(range(first, first + count))
    return found


class _Choice:
    """Which tests are run for a mutant: those that reach its statement, as far as the budget goes, the fastest first. What
    stands outside functions has no line that a test reaches: then those that run a line, or stand in a file, that names it."""

    def __init__(self, tests: list[Test], budget: float) -> None:
        self.budget = budget
        self.by_line: dict[Place, list[Test]] = defaultdict(list)
        self.by_function: dict[tuple[str, str], list[Test]] = defaultdict(list)
        self.by_file: dict[str, list[Test]] = defaultdict(list)
        for test in sorted(tests, key=lambda t: t.seconds):
            self.by_file[test.file].append(test)
            for line in test.lines:
                self.by_line[line].append(test)
            for function in {line[:2] for line in test.lines}:
                self.by_function[function].append(test)
        self.uses = _uses()
        self.words = {file: set(re.findall(r"\w+", (ROOT / file).read_text())) for file in self.by_file}

    def of(self, mutant: Mutant) -> tuple[list[Test], int]:
        if mutant.function:
            line = (mutant.path, mutant.where, mutant.text)
            reaching = self.by_line[line] if line in self.by_line else self.by_function[line[:2]]
        else:
            found = {t.id: t for name in mutant.names for use in self.uses[name] for t in self.by_line[use]}
            named = [t for file, words in self.words.items() if words & {*mutant.names} for t in self.by_file[file]]
            reaching = sorted({**found, **{t.id: t for t in named}}.values(), key=lambda t: t.seconds)
        chosen, spent = [], 0.0
        for test in reaching:
            spent += test.seconds
            if spent > self.budget and chosen:
                break
            chosen.append(test)
        return chosen, len(reaching)


def _uses() -> dict[str, set[Place]]:
    """The statements inside functions that use a name."""
    found: dict[str, set[Place]] = defaultdict(set)
    for path in sorted((ROOT / "bluegreen").rglob("*.py")):
        source = path.read_text()
        lines, short = source.splitlines(), str(path.relative_to(ROOT))
        for where, function in named_functions(ast.parse(source)):
            for statement in ast.walk(function):
                if isinstance(statement, ast.stmt):
                    place = (short, where, lines[statement.lineno - 1].strip())
                    for name in _called(statement):
                        found[name].add(place)
    return found


def _called(statement: ast.stmt) -> set[str]:
    nodes = list(ast.walk(statement))
    return {n.id for n in nodes if isinstance(n, ast.Name)} | {n.attr for n in nodes if isinstance(n, ast.Attribute)}


class _Cache:
    """What earlier runs found. It counts while the file is the same, and the test that noticed (or all that did not)."""

    def __init__(self, *, fresh: bool) -> None:
        self.file = STORE / "results.jsonl"
        self.known: dict[str, tuple[Result, str]] = {}
        self.digests: dict[str, str] = {}
        if fresh:
            self.file.unlink(missing_ok=True)
        for line in self.file.read_text().splitlines() if self.file.exists() else ():
            kept = json.loads(line)
            self.known[kept["at"]] = (Result(**kept["result"]), kept["tests"])

    def get(self, mutant: Mutant, chosen: list[Test], retry: bool) -> Result | None:
        result, tests = self.known.get(self._at(mutant), (None, ""))
        if result is None:
            return None
        if result.status in ALIVE:
            return None if retry or tests != self._tests(chosen) else result
        file = result.by.partition("::")[0]
        return result if result.by == "import" or tests == self._digest(file) else None

    def put(self, mutant: Mutant, chosen: list[Test], result: Result) -> None:
        survived = result.status in ALIVE
        tests = self._tests(chosen) if survived else self._digest(result.by.partition("::")[0])
        with self.file.open("a") as out:
            out.write(json.dumps({"at": self._at(mutant), "tests": tests, "result": asdict(result)}) + "\n")

    def _at(self, mutant: Mutant) -> str:
        return f"{self._digest(mutant.path)} {mutant.key}"

    def _tests(self, chosen: list[Test]) -> str:
        told = "\n".join(sorted(f"{test.id} {self._digest(test.file)}" for test in chosen))
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def _digest(self, file: str) -> str:
        if file not in self.digests:
            whole = ROOT / file
            self.digests[file] = hashlib.sha256(whole.read_bytes()).hexdigest()[:16] if whole.is_file() else ""
        return self.digests[file]


def _run(jobs: list[Job], cache: _Cache, results: dict[str, Result], processes: int) -> None:
    by_key = {mutant.key: (mutant, chosen) for mutant, chosen, _ in jobs}
    began = time.monotonic()

    def told(result: Result) -> None:
        mutant, chosen = by_key[result.key]
        cache.put(mutant, chosen, result)
        results[result.key] = result
        done = sum(key in results for key in by_key)
        alive = sum(results[key].status in ALIVE for key in by_key if key in results)
        if done % 20 == 0 or done == len(by_key):
            print(
                f"\r{done}/{len(by_key)} mutants, {alive} alive, {time.monotonic() - began:.0f} s", end="", flush=True
            )

    if jobs:
        run(ROOT, jobs, STORE, told, processes)
        print()


def accepted() -> dict[str, str]:
    """Survivors that are known, and why they may live: `- key`, then the reason, indented."""
    found: dict[str, str] = {}
    key = ""
    for line in ACCEPTED.read_text().splitlines() if ACCEPTED.exists() else ():
        if line.startswith("- bluegreen/"):
            key = line[2:]
            found[key] = ""
        elif line.startswith("  ") and key:
            found[key] += line.strip() + " "
        else:
            key = ""
    return found


def _report(found: list[Mutant], results: dict[str, Result], seconds: float, *, whole: bool) -> int:
    known = accepted()
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    lines = []
    for mutant in found:
        result = results.get(mutant.key)
        if result is None:
            lines.append(f"{mutant.path}:{mutant.line} {mutant.where}: {mutant.change}  (no result: its process died)")
            continue
        folder = "/".join(mutant.path.split("/")[:2])
        alive = result.status in ALIVE
        counts[folder][0] += 1
        counts[folder][1] += not alive
        counts[folder][2] += alive and mutant.key in known
        if alive and mutant.key not in known:
            why = f"{result.tests} of {result.of} tests ran"
            if result.status != "survived":
                why = "no test reaches it" if result.status == "unreached" else f"{result.by} fails without it too"
            lines.append(f"{mutant.path}:{mutant.line} {mutant.where}: {mutant.change}  ({why})")
    if whole:
        keys, paths = {mutant.key for mutant in found}, {mutant.path for mutant in found}
        gone = [key for key in known if key.partition(" · ")[0] in paths and key not in keys]
        lines += [f"{key}  (listed in {ACCEPTED.name}, and there is no such change any more)" for key in gone]
    print("\n".join(lines))
    short = False
    for folder, (all_of_it, killed, listed) in sorted(counts.items()):
        rate = 100 * killed / all_of_it
        print(f"{folder}: {killed} of {all_of_it} killed ({rate:.1f} %), {listed} survivors listed with a reason")
        short = short or (folder in FOLDERS[:2] and rate < TARGET)
    print(f"{len(lines)} survivors without a reason; {seconds:.0f} s")
    (STORE / "survivors.txt").write_text("\n".join(lines) + "\n")
    return int(short)


if __name__ == "__main__":
    sys.exit(main())
