"""The demo's last page: a table of what was counted, and which version answered when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bluegreen.sandbox.load import Report

WIDTH = 100
SHADES = " ░▒▓█"


def table(figures: dict[str, Any], report: Report, acts: list[tuple[str, float]]) -> str:
    latency = figures["latency_ms"]
    rows = [
        ("requests", f"{figures['requests']}"),
        ("failed requests", f"{figures['failed']}"),
        *(("  because", f"{reason}: {count}") for reason, count in figures["failures"].items()),
        ("answered by the broken version", f"{figures['broken_release_requests']}"),
        ("latency", f"p50 {latency['p50']:.0f} ms, p99 {latency['p99']:.0f} ms, longest {latency['max']:.0f} ms"),
        ("deploy B", f"{figures['deploy_seconds']:.1f} s: {_phases(figures['phases'].get('deploy B', {}))}"),
        ("rollback", f"{figures['rollback_seconds']:.2f} s"),
        ("the whole demo", f"{figures['seconds']:.0f} s"),
    ]
    width = max(len(name) for name, _ in rows)
    body = "\n".join(f"  {name:<{width}}  {value}" for name, value in rows)
    return f"\n{body}\n\n{chart(report, acts)}"


def _phases(phases: dict[str, float]) -> str:
    return ", ".join(f"{name} {seconds:.1f}" for name, seconds in phases.items())


def chart(report: Report, acts: list[tuple[str, float]]) -> str:
    """A row for each version, a column for each second (or for several, if there are many)."""
    seconds = report.versions_over_time
    last = max(seconds, default=0)
    step = last // WIDTH + 1
    columns = range(0, last + 1, step)
    lines = []
    for version in sorted(report.requests_by_version):
        shares = [_share(seconds, version, range(start, start + step)) for start in columns]
        lines.append(f"  {version:>8} │" + "".join(SHADES[min(4, -int(-share * 4 // 1))] for share in shares))
    marks = [" "] * len(columns)
    notes = []
    for number, (name, at) in enumerate(((n, a) for n, a in acts if a >= report.began), 1):
        column = int(at - report.began) // step
        if column < len(marks):
            marks[column] = str(number)
            notes.append(f"{number} {name}")
    lines += [f"  {'':>8} └" + "─" * len(columns), f"  {'':>8}  " + "".join(marks)]
    lines.append(f"  {'':>8}  {step} s a column; " + ", ".join(notes))
    return "\n".join(lines)


def _share(seconds: dict[int, dict[str, int]], version: str, span: range) -> float:
    mine = sum(seconds.get(second, {}).get(version, 0) for second in span)
    every = sum(sum(seconds.get(second, {}).values()) for second in span)
    return mine / every if every else 0.0
