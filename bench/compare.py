"""Both sides under the same load in one run, measurement by measurement, taking turns.

Both clusters are up at the same time, and only one of them is under load at a time. What needs an idle cluster is
measured first; the queue of held jobs is filled on new ones, whose memory has held nothing else yet.
"""

from __future__ import annotations

import functools
import os
import platform
import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import mkdtemp

from bench import measures, sched_pass
from bench.load import BenchError, build
from bench.measures import Sizes
from bench.report import AHEAD, HALF, NO_MORE, OURS, REAL, Budget, Report, Row, at_most
from bench.sides import Flurm, Side, StockSlurm

Progress = Callable[[str], None]
STOCK_STARTS = 3


class Comparison:
    """One run of the benchmark; `report` grows as it goes."""

    def __init__(self, kinds: list[type[Side]], sizes: Sizes, directory: Path, progress: Progress) -> None:
        self.kinds = kinds
        self.sizes = sizes
        self.directory = directory
        self.progress = progress
        self.sides: list[Side] = []
        self.report = Report(host())

    def run(self) -> None:
        """Take every measurement."""
        self._on_new_clusters(self._starts, self._short_jobs, self._pings)
        self._on_new_clusters(self._queue)
        self._scheduling_pass()

    def _on_new_clusters(self, *measurements: Callable[[], None]) -> None:
        """Take some on clusters that have done nothing before; one that fails is noted and the others go on."""
        with clusters(self.kinds, self.directory) as self.sides:
            self.report.versions = [side.version() for side in self.sides]
            for measurement in measurements:
                self.report.syncs_per_second.append(measures.disk_syncs_per_second(self.directory))
                try:
                    measurement()
                except BenchError as error:
                    self.progress(str(error))
                    self.report.failures.append(str(error))

    def _starts(self) -> None:
        self.progress("sbatch to running, idle cluster")
        seen: dict[str, list[measures.Start]] = {side.name: [] for side in self.sides}
        for _ in range(self.sizes.starts):
            for side in self.sides:
                seen[side.name].append(measures.start(side))
        running = {name: statistics.median(one.running_ms for one in starts) for name, starts in seen.items()}
        sbatch = {name: statistics.median(one.sbatch_ms for one in starts) for name, starts in seen.items()}
        self._row("idle cluster, sbatch to running", "ms", running, at_most(50, "ms"))
        self._row("  of that, the sbatch program", "ms", sbatch)

    def _short_jobs(self) -> None:
        jobs = self.sizes.short_jobs
        self.progress(f"{jobs} x true")
        took = functools.partial(measures.short, jobs=jobs)
        seen = measures.alternating(self.sides, self.sizes.short_repeats, took)
        self._row(f"{jobs} x true on a 2-CPU node", "s", seen, at_most(4, "s"))

    def _pings(self) -> None:
        self.progress("pings")
        rate = functools.partial(measures.pings, count=self.sizes.pings)
        seen = measures.alternating(self.sides, self.sizes.repeats, rate)
        self._row(f"ping, {measures.PING_THREADS} clients", "/s", seen, AHEAD)

    def _queue(self) -> None:
        jobs = self.sizes.jobs
        self.progress(f"{jobs} held jobs")
        queued = measures.fill(self.sides, jobs, self.sizes.repeats)
        rates = {name: statistics.median(one.per_second) for name, one in queued.items()}
        self._row(f"submit, held jobs, {measures.SUBMIT_THREADS} clients", "/s", rates, AHEAD)
        self._row("memory per pending job", "KiB", {name: one.kib_per_job for name, one in queued.items()}, NO_MORE)
        self.progress(f"listing {jobs} jobs")
        listing = functools.partial(measures.listing, at_least=jobs)
        first = measures.alternating(self.sides, 1, listing)
        later = measures.alternating(self.sides, self.sizes.listings, listing)
        self._row(f"all job records, {jobs:,} jobs, first time", "ms", first, HALF)
        self._row(f"all job records, {jobs:,} jobs, again", "ms", later, HALF)

    def _scheduling_pass(self) -> None:
        if not self.sizes.judged or Flurm not in self.kinds:
            return
        self.progress("scheduling pass")
        took_ms = statistics.median(measures.scheduling_passes(self.sizes.repeats))
        what = f"scheduling pass, {sched_pass.PENDING:,} pending x {sched_pass.NODES:,} nodes"
        self._row(what, "ms", {OURS: took_ms}, at_most(100, "ms"))

    def stock(self, side: Side) -> None:
        """What a site sees that tunes nothing; short jobs would take minutes."""
        self.progress("stock configuration")
        starts = [measures.start(side).running_ms for _ in range(STOCK_STARTS)]
        self.report.rows.append(
            Row("idle cluster, sbatch to running, stock slurm.conf", "ms", statistics.median(starts), None)
        )

    def _row(self, what: str, unit: str, seen: dict[str, float], budget: Budget | None = None) -> None:
        judged = budget if self.sizes.judged else None
        row = Row(what, unit, seen.get(REAL), seen.get(OURS), judged)
        self.report.rows.append(row)
        figures = ", ".join(f"{name} {value:.4g} {unit}" for name, value in seen.items())
        self.progress(f"  {what.strip()}: {figures}")


def host() -> str:
    """What the figures were taken on."""
    return f"{platform.node()}: {os.cpu_count()} CPUs, Linux {platform.release()}, Python {platform.python_version()}"


@contextmanager
def clusters(kinds: list[type[Side]], directory: Path) -> Iterator[list[Side]]:
    """Clusters of the given kinds, all up, in new directories below `directory`; they die with the context."""
    program = build(directory)
    with ExitStack() as stack:
        yield [stack.enter_context(kind(Path(mkdtemp(dir=directory)), program)) for kind in kinds]


def compare(kinds: list[type[Side]], sizes: Sizes, directory: Path, progress: Progress, stock: bool = False) -> Report:
    """Run everything and return the report. Raises BenchError where a cluster does not come up."""
    comparison = Comparison(kinds, sizes, directory, progress)
    comparison.run()
    if stock:
        with clusters([StockSlurm], directory) as sides:
            comparison.stock(sides[0])
    return comparison.report
