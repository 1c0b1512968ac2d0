"""The simulator's runs that `make tla` holds against the specs: made here, checked in one run of TLC for each spec."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from specs import job_traces, tlc, traces

RAFT_SEEDS = 100
TREE_FIRST, TREE_SEEDS, TREE_MINUTES = 11, 20, 1.5


def raft(place: Path, seeds: int = RAFT_SEEDS) -> tuple[int, traces.Refused | None, tlc.Result]:
    """So many runs of the Raft core: recorded in `place`, and what TLC says of them. Raises as `traces.check` does."""
    _simulate("flurm.simulation", "raft", "--seeds", str(seeds), "--trace", str(place))
    return seeds, *traces.check([traces.load(path) for path in sorted(place.glob("*.jsonl"))])


def tree(place: Path, seeds: int = TREE_SEEDS) -> tuple[int, traces.Refused | None, tlc.Result]:
    """The same with the jobs of the whole tree."""
    wanted = ("--seed", str(TREE_FIRST), "--seeds", str(seeds), "--minutes", str(TREE_MINUTES))
    _simulate("flurm.cli.main", "simulate", *wanted, "--trace", str(place))
    return seeds, *job_traces.check([job_traces.load(path) for path in sorted(place.glob("*.jsonl"))])


def _simulate(module: str, *arguments: str) -> None:
    """In a process of its own, whose strings hash alike every time. A run that fails (1) is recorded up to there."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{module} {' '.join(arguments)}\n{done.stdout}{done.stderr}")
