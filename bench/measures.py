"""What is measured, and how. Each function drives one side once and returns one figure.

starting    from the start of the `sbatch` program to the first line that the job itself prints: its own clock, in the
            first command of its script, so no polling blurs it. The cluster is idle before each.
short       from the first submission to the end of the last of many `true` jobs on the one node of two CPUs, submitted
            by 8 threads; the last job is asked for every 20 ms, and all jobs once it has ended.
pings       slurm_ping by 16 threads of one process.
submissions slurm_submit_batch_job of held jobs by 8 threads of one process. FLURM has each on disk before it answers;
            slurmctld writes its state some seconds later.
pass        one cold scheduling pass in this process, by bench/sched_pass.py's cluster.
memory      what the controller's resident memory grew by, per submitted job.
listing     slurm_load_jobs of every record with details: the first after the submissions, and the median of later ones.
"""

from __future__ import annotations

import os
import shlex
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import sched_pass
from bench.load import BenchError
from bench.sides import Side
from flurm.sched.policies import Backfill
from flurm.sched.queue import queue_order

PING_THREADS, SUBMIT_THREADS = 16, 8

_START = r"""
cd {directory}
printf '#!/bin/bash\necho $EPOCHREALTIME\n' > start.sh
rm -f start.out
while [ -n "$(squeue -h)" ]; do sleep 0.05; done
sleep 0.5
begun=$EPOCHREALTIME
sbatch -Q -o start.out start.sh || exit 1
returned=$EPOCHREALTIME
while [ ! -s start.out ]; do sleep 0.01; done
echo "$begun $returned $(cat start.out)"
"""


@dataclass(frozen=True)
class Sizes:
    """How much of everything; `judged` where the figures may be held against the budgets."""

    repeats: int = 3
    starts: int = 7
    short_jobs: int = 200
    short_repeats: int = 2
    pings: int = 8_000
    jobs: int = 10_000
    listings: int = 7
    judged: bool = True


FULL = Sizes()
QUICK = Sizes(repeats=1, starts=2, short_jobs=4, short_repeats=1, pings=300, jobs=100, listings=2, judged=False)


@dataclass(frozen=True)
class Start:
    """One start of a job on an idle cluster, in ms since `sbatch` was started."""

    running_ms: float
    sbatch_ms: float


def start(side: Side) -> Start:
    """Submit one job to the idle cluster by `sbatch`. Raises BenchError."""
    done = side.run(_START.format(directory=shlex.quote(str(side.directory))))
    words = done.stdout.split()
    if done.exit or len(words) != 3:
        raise BenchError(f"{side.name}: sbatch to running: {done.stdout}{done.stderr}\n{side.log_tail()}")
    begun, returned, running = map(float, words)
    return Start((running - begun) * 1e3, (returned - begun) * 1e3)


def short(side: Side, jobs: int) -> float:
    """Seconds from the first submission of `jobs` x `true` to the end of the last."""
    return side.load("short", jobs, SUBMIT_THREADS).last_end_s


def pings(side: Side, count: int) -> float:
    """Pings per second."""
    return side.load("ping", count, PING_THREADS).per_second


@dataclass(frozen=True)
class Queued:
    """What it took to fill the queue: submissions per second of each part, memory per job in KiB."""

    per_second: tuple[float, ...]
    kib_per_job: float


def fill(sides: list[Side], jobs: int, parts: int) -> dict[str, Queued]:
    """Submit `jobs` held jobs to each side, in `parts` that alternate between the sides."""
    before = {side.name: side.resident_kib() for side in sides}
    rates: dict[str, list[float]] = {side.name: [] for side in sides}
    for part in range(parts):
        size = jobs * (part + 1) // parts - jobs * part // parts
        for side in sides:
            rates[side.name].append(side.load("submit", size, SUBMIT_THREADS).per_second)
    return {
        side.name: Queued(tuple(rates[side.name]), (side.resident_kib() - before[side.name]) / jobs) for side in sides
    }


def listing(side: Side, at_least: int) -> float:
    """Milliseconds of a listing of all jobs. Raises BenchError where records are missing."""
    seen = side.load("jobs", 1)
    if seen.records < at_least:
        raise BenchError(f"{side.name}: {seen.records} job records listed, at least {at_least} expected")
    return seen.first_ms


def alternating(sides: list[Side], repeats: int, measure: Callable[[Side], float]) -> dict[str, float]:
    """The median of `repeats` measurements of each side, taken in turns."""
    seen: dict[str, list[float]] = {side.name: [] for side in sides}
    for _ in range(repeats):
        for side in sides:
            seen[side.name].append(measure(side))
    return {name: statistics.median(values) for name, values in seen.items()}


def scheduling_passes(repeats: int) -> list[float]:
    """Milliseconds of cold passes over a full queue of a busy cluster, with ordering the queue."""
    state = sched_pass.cluster(busy=True)
    took_ms = []
    for _ in range(repeats):
        begun_s = time.perf_counter()
        Backfill().plan(state, queue_order(state, 0), 0)
        took_ms.append((time.perf_counter() - begun_s) * 1e3)
    return took_ms


def disk_syncs_per_second(directory: Path, count: int = 200) -> float:
    """How often per second this disk makes 4 KiB durable, one after the other."""
    handle, path = tempfile.mkstemp(dir=directory)
    try:
        begun_s = time.perf_counter()
        for _ in range(count):
            os.write(handle, bytes(4096))
            os.fdatasync(handle)
        return count / (time.perf_counter() - begun_s)
    finally:
        os.close(handle)
        Path(path).unlink()
