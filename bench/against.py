"""This checkout's controller beside another checkout's: the same load, in turns. Run: python -m bench --against DIR

DIR is a checkout with a virtual environment of its own (`.venv`), as of an earlier release. Held jobs are submitted to
a single controller of each; both are up, one at a time is under load, and who goes first changes from round to round.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp

from bench import measures
from bench.load import BenchError, build
from bench.report import Report, Row
from bench.sides import Flurm

OTHER, THIS = "before", "now"
CLIENTS = (1, 8, 64)


def measure(
    other: Path, rounds: int, jobs: int, directory: Path, report: Report, progress: Callable[[str], None]
) -> Report:
    """Submissions per second and median latency of both, and the median of the rounds' ratios. Raises BenchError."""
    programs = other / ".venv" / "bin"
    if not (programs / "flurm").exists():
        raise BenchError(f"expected a checkout with .venv/bin/flurm, found none in {other}")
    load = build(directory)
    with ExitStack() as stack:
        sides = {
            name: stack.enter_context(Flurm(Path(mkdtemp(dir=directory)), load, where))
            for name, where in ((OTHER, programs), (THIS, None))
        }
        report.versions = [f"{name}: {side.version()}" for name, side in sides.items()]
        for clients in CLIENTS:
            rates: dict[str, list[float]] = {OTHER: [], THIS: []}
            waits: dict[str, list[float]] = {OTHER: [], THIS: []}
            for number in range(rounds):
                report.syncs_per_second.append(measures.disk_syncs_per_second(directory))
                for name in (OTHER, THIS) if number % 2 else (THIS, OTHER):
                    seen = sides[name].load("submit", max(jobs // (8 if clients == 1 else 1), clients), clients)
                    rates[name].append(seen.per_second)
                    waits[name].append(seen.p50_ms)
            ratio = statistics.median(now / then for now, then in zip(rates[THIS], rates[OTHER], strict=True))
            who = f"{clients} client{'s'[: clients > 1]}"
            _row(report, f"submit, held jobs, {who}", "/s", rates)
            report.rows.append(Row("  median of the rounds' ratios", "", None, ratio))
            _row(report, "  median latency", "ms", waits)
            progress(f"{who}: ratio {ratio:.2f}, {rates}")
    return report


def _row(report: Report, what: str, unit: str, seen: dict[str, list[float]]) -> None:
    report.rows.append(Row(what, unit, statistics.median(seen[OTHER]), statistics.median(seen[THIS])))
