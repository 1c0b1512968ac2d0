"""``python -m flurm.simulation raft``: run many seeds, print what failed and how to see it again."""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from flurm.simulation import raft_world
from flurm.simulation.faults import Plan, plan_of
from flurm.simulation.recording import Recorder
from flurm.simulation.shrink import shrink


def main(arguments: list[str] | None = None) -> int:
    """Run the seeds asked for. 0 where all held, 1 where one failed, 2 for wrong arguments."""
    parser = argparse.ArgumentParser(prog="python -m flurm.simulation", description=__doc__)
    parser.add_argument("world", choices=["raft"], help="what to simulate")
    parser.add_argument("--seeds", type=int, default=100, metavar="N", help="how many seeds to run (100)")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="the first of them (0)")
    parser.add_argument("--processes", type=int, default=1, metavar="P", help="how many to run at a time (1)")
    parser.add_argument("--plan", type=Path, metavar="FILE", help="run this plan, as printed for a failure, instead")
    parser.add_argument("--trace", type=Path, metavar="DIR", help="write each run's steps there, for specs.traces too")
    options = parser.parse_args(arguments)
    if options.trace:
        options.trace.mkdir(parents=True, exist_ok=True)
    if options.plan:
        plan = msgspec.json.decode(options.plan.read_bytes(), type=Plan)
        return _report_one(_run(plan, options.trace), plan)
    return _run_many(options.first, options.seeds, options.processes, options.trace)


def _run_many(first: int, count: int, processes: int, traces: Path | None) -> int:
    started, failed, steps, commits, elections = time.monotonic(), 0, 0, 0, 0
    for outcome in _outcomes(range(first, first + count), processes, traces):
        steps, commits, elections = steps + outcome.steps, commits + outcome.commits, elections + outcome.elections
        if outcome.problem:
            failed += 1
            _report_one(outcome, plan_of(outcome.seed))
    took_s = time.monotonic() - started
    print(
        f"{count} seeds from {first}: {failed} failed, {steps} steps, {elections} elections, "
        f"{commits} entries committed, {took_s:.1f} s ({1000 * took_s * processes / count:.1f} ms a seed)"
    )
    return 1 if failed else 0


def _outcomes(seeds: range, processes: int, traces: Path | None) -> Iterator[raft_world.Outcome]:
    run = functools.partial(_run_seed, traces=traces)
    if processes == 1:
        yield from map(run, seeds)
        return
    with multiprocessing.Pool(processes) as pool:
        yield from pool.imap_unordered(run, seeds, chunksize=20)


def _run_seed(seed: int, traces: Path | None) -> raft_world.Outcome:
    return _run(plan_of(seed), traces)


def _run(plan: Plan, traces: Path | None) -> raft_world.Outcome:
    if traces is None:
        return raft_world.run(plan)
    with (traces / f"seed-{plan.seed}.jsonl").open("wb") as file:
        return raft_world.run(plan, Recorder(lambda record: file.write(msgspec.json.encode(record) + b"\n")))


def _report_one(outcome: raft_world.Outcome, plan: Plan) -> int:
    if not outcome.problem:
        print(f"seed {outcome.seed}: all held, {outcome.steps} steps, {outcome.commits} entries committed")
        return 0
    small = shrink(plan, lambda candidate: bool(raft_world.run(candidate).problem))
    print(f"seed {outcome.seed}: {outcome.problem} (at {outcome.ended_ms:.0f} ms, step {outcome.steps})")
    print(f"  again: python -m flurm.simulation raft --seeds 1 --first {outcome.seed}")
    print(f"  with fewer faults: {raft_world.run(small).problem}")
    print(f"  plan: {msgspec.json.encode(small).decode()}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
