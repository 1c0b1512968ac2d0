"""FLURM alone under one kind of load and a sampling profiler: where the time goes.

The load runs twice. First alone, for the processor time and the context switches per request; then while py-spy (which
needs `pip install py-spy`) samples the controller from outside. Who holds the interpreter's lock is sampled, because
that is what limits a process of many threads. Costs are shown by function: its own share, and with what it calls.
"""

from __future__ import annotations

import collections
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.load import BenchError, Load, build
from bench.measures import PING_THREADS, SUBMIT_THREADS
from bench.sides import Flurm, Side

RATE_HZ = 200
FILLING_JOBS = 10_000
LOADS = ("submit", "ping", "jobs", "short")
Stacks = list[tuple[tuple[str, ...], int]]


def profile(
    kind: str, directory: Path, progress: Callable[[str], None], *, rows: int, raw: str | None, process: int = 0
) -> str:
    """Run the load under the profiler and return the costs as text. Raises BenchError.

    `process` 0 samples the controller, 1 and on those that it has started: its node, and what that has started.
    """
    spy = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if spy is None:
        raise BenchError(f"needs py-spy: {Path(sys.executable).parent}/pip install py-spy")
    (directory / "flurm").mkdir()
    with Flurm(directory / "flurm", build(directory)) as side:
        if kind == "jobs":
            progress(f"submitting {FILLING_JOBS} jobs")
            side.load("submit", FILLING_JOBS, SUBMIT_THREADS)
        progress(f"measuring {kind}, then profiling it")
        family = _family(side.pid)
        before = {pid: _Usage.of(pid) for pid in family}
        alone = _work(kind, side)
        used = [_Usage.of(pid).since(before[pid]).shown(f"{pid} {_name(pid)}", alone.count) for pid in family]
        samples = directory / "stacks"
        profiler = _record(spy, family[process], samples)
        profiled = _work(kind, side)
        _finish(profiler)
    if raw:
        shutil.copyfile(samples, raw)
    head = [_result(kind, alone), *used, f"while profiled: {_result(kind, profiled)}"]
    return "\n".join([*head, "", *costs(read_stacks(samples.read_text()), rows)])


def _work(kind: str, side: Side) -> Load:
    counts = {"submit": (8_000, SUBMIT_THREADS), "ping": (20_000, PING_THREADS), "jobs": (60, 1), "short": (400, 8)}
    return side.load(kind, *counts[kind])


def _result(kind: str, seen: Load) -> str:
    rate = f"{seen.per_second:.0f}/s" if kind != "short" else f"all ended after {seen.last_end_s:.2f} s"
    return f"{kind}: {seen.count} requests, {seen.threads} threads, {rate}, p50 {seen.p50_ms:.2f} ms"


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


@dataclass(frozen=True)
class _Usage:
    """What a process has used: processor seconds, its ended children's among them; context switches of each thread."""

    user_s: float
    system_s: float
    children_s: float
    switches: dict[str, int]

    @staticmethod
    def of(pid: int) -> _Usage:
        ticks = os.sysconf("SC_CLK_TCK")
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        user_s, system_s, *children_s = (int(field) / ticks for field in stat[11:15])
        switches = {task.name: _switches(task) for task in Path(f"/proc/{pid}/task").iterdir()}
        return _Usage(user_s, system_s, sum(children_s), switches)

    def since(self, before: _Usage) -> _Usage:
        switches = {thread: count - before.switches.get(thread, 0) for thread, count in self.switches.items()}
        children_s = self.children_s - before.children_s
        return _Usage(self.user_s - before.user_s, self.system_s - before.system_s, children_s, switches)

    def shown(self, what: str, requests: int) -> str:
        own_ms = (self.user_s + self.system_s) / requests * 1e3
        switches = sum(self.switches.values()) / requests
        return (
            f"{what} used {own_ms:.3f} ms of processor time per request ({self.user_s:.2f} s in user mode,"
            f" {self.system_s:.2f} s in the kernel), its ended children {self.children_s / requests * 1e3:.3f} ms;"
            f" {switches:.1f} context switches per request, in {len(self.switches)} threads"
        )


def _switches(task: Path) -> int:
    lines = (task / "status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)


def _family(pid: int) -> list[int]:
    """The process and all that descend from it, the eldest first."""
    children = Path(f"/proc/{pid}/task").glob("*/children")
    return [pid, *(each for path in children for child in path.read_text().split() for each in _family(int(child)))]


def _name(pid: int) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return " ".join(Path(word).name for word in words[:4] if word)
