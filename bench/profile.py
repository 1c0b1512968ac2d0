"""FLURM alone under one kind of load and a sampling profiler: where the time goes.

py-spy samples the controller from outside, twice: whoever holds the interpreter's lock, which is what limits a process
of many threads, and whoever is on a processor at all. Needs `pip install py-spy`. Costs are shown by function: its own
share, and its share with whatever it calls.
"""

from __future__ import annotations

import collections
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from bench.load import BenchError, build
from bench.measures import PING_THREADS, SUBMIT_THREADS
from bench.sides import Flurm, Side

RATE_HZ = 200
FILLING_JOBS = 10_000
LOADS = ("submit", "ping", "jobs", "short")
Stacks = list[tuple[tuple[str, ...], int]]


def profile(kind: str, directory: Path, progress: Callable[[str], None], rows: int, raw: str | None) -> str:
    """Run the load under the profiler and return the costs as text. Raises BenchError."""
    spy = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if spy is None:
        raise BenchError(f"needs py-spy: {Path(sys.executable).parent}/pip install py-spy")
    with Flurm(directory / "flurm", build(directory)) as side:
        if kind == "jobs":
            progress(f"submitting {FILLING_JOBS} jobs")
            side.load("submit", FILLING_JOBS, SUBMIT_THREADS)
        progress(f"profiling {kind}")
        samples = directory / "stacks"
        threads_before = _processor_s(side.pid)
        profiler = _record(spy, side.pid, samples)
        result = _work(kind, side)
        threads = _busiest(threads_before, _processor_s(side.pid))
        _finish(profiler)
    if raw:
        shutil.copyfile(samples, raw)
    stacks = read_stacks(samples.read_text())
    return "\n".join([result, "", "CPU seconds by thread:", *threads, "", *costs(stacks, rows)])


def _work(kind: str, side: Side) -> str:
    counts = {"submit": (8_000, SUBMIT_THREADS), "ping": (20_000, PING_THREADS), "jobs": (60, 1), "short": (400, 8)}
    seen = side.load(kind, *counts[kind])
    rate = f"{seen.per_second:.0f}/s" if kind != "short" else f"all ended after {seen.last_end_s:.2f} s"
    return f"{kind}: {seen.count} requests, {seen.threads} threads, {rate}, p50 {seen.p50_ms:.2f} ms (while profiled)"


def _record(spy: str, pid: int, samples: Path) -> subprocess.Popen[bytes]:
    command = [spy, "record", "--pid", str(pid), "--rate", str(RATE_HZ), "--gil", "--threads", "--format", "raw"]
    command += ["--output", str(samples), "--duration", "unlimited", "--nonblocking"]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _finish(profiler: subprocess.Popen[bytes]) -> None:
    profiler.send_signal(2)
    profiler.wait(60)


def read_stacks(text: str) -> Stacks:
    """Collapsed stacks, outermost frame first, with the number of samples of each."""
    parsed = []
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        parsed.append((tuple(stack.split(";")), int(count)))
    return parsed


def costs(stacks: Stacks, rows: int) -> list[str]:
    """Lines that name the costliest threads and functions, by own share and with what they call."""
    total = sum(count for _, count in stacks) or 1
    own: collections.Counter[str] = collections.Counter()
    inclusive: collections.Counter[str] = collections.Counter()
    threads: collections.Counter[str] = collections.Counter()
    for stack, count in stacks:
        thread, frames = stack[0], [_function(frame) for frame in stack[1:]]
        threads[thread] += count
        own[frames[-1] if frames else thread] += count
        for function in set(frames):
            inclusive[function] += count
    return [
        f"{total} samples of whoever held the interpreter's lock",
        *_section("by thread", threads, total, rows),
        *_section("by function, own", own, total, rows),
        *_section("by function, with what it calls", inclusive, total, 2 * rows),
    ]


def _function(frame: str) -> str:
    """`name (file:line)` without the line, so that the samples of a function add up."""
    head, _, line = frame.rpartition(":")
    return f"{head})" if line.rstrip(")").isdigit() else frame


def _section(title: str, counter: collections.Counter[str], total: int, rows: int) -> Iterable[str]:
    yield ""
    yield f"{title}:"
    for what, count in counter.most_common(rows):
        yield f"  {100 * count / total:5.1f} %  {what}"


def _processor_s(pid: int) -> dict[str, float]:
    """CPU seconds of each thread, by its id and name."""
    seen = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        name, _, rest = (task / "stat").read_text().partition("(")[2].rpartition(")")
        fields = rest.split()
        seen[f"{task.name} {name}"] = (int(fields[11]) + int(fields[12])) / 100
    return seen


def _busiest(before: dict[str, float], after: dict[str, float], rows: int = 12) -> list[str]:
    spent = {thread: after[thread] - before.get(thread, 0.0) for thread in after}
    busiest = sorted(spent.items(), key=lambda item: -item[1])[:rows]
    return [f"  {seconds:6.2f} s  {thread}" for thread, seconds in busiest if seconds]
