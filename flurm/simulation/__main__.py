"""``python -m flurm.simulation raft``: run many seeds, print what failed and how to see it again."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from flurm.simulation import raft_world
from flurm.simulation.faults import Plan, plan_of
from flurm.simulation.shrink import shrink


def main(arguments: list[str] | None = None) -> int:
    """Run the seeds asked for. 0 where all held, 1 where one failed, 2 for wrong arguments."""
    parser = argparse.ArgumentParser(prog="python -m flurm.simulation", description=__doc__)
    parser.add_argument("world", choices=["raft"], help="what to simulate")
    parser.add_argument("--seeds", type=int, default=100, metavar="N", help="how many seeds to run (100)")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="the first of them (0)")
    parser.add_argument("--processes", type=int, default=1, metavar="P", help="how many to run at a time (1)")
    parser.add_argument("--plan", type=Path, metavar="FILE", help="run this plan, as printed for a failure, instead")
    parser.add_argument("--trace", type=Path, metavar="FILE", help="write every step of the (first) run as JSON lines")
    options = parser.parse_args(arguments)
    plan = msgspec.json.decode(options.plan.read_bytes(), type=Plan) if options.plan else plan_of(options.first)
    if options.trace:
        return _report_one(_trace(plan, options.trace), plan)
    if options.plan:
        return _report_one(raft_world.run(plan), plan)
    return _run_many(options.first, options.seeds, options.processes)


def _run_many(first: int, count: int, processes: int) -> int:
    started, failed, steps, commits, elections = time.monotonic(), 0, 0, 0, 0
    for outcome in _outcomes(range(first, first + count), processes):
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


def _outcomes(seeds: range, processes: int) -> Iterator[raft_world.Outcome]:
    if processes == 1:
        yield from map(_run_seed, seeds)
        return
    with multiprocessing.Pool(processes) as pool:
        yield from pool.imap_unordered(_run_seed, seeds, chunksize=20)


def _run_seed(seed: int) -> raft_world.Outcome:
    return raft_world.run(plan_of(seed))


def _trace(plan: Plan, path: Path) -> raft_world.Outcome:
    with path.open("wb") as file:

        def record(step: dict[str, Any]) -> None:
            file.write(msgspec.json.encode(step) + b"\n")

        return raft_world.run(plan, record)


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
