"""FLURM and Debian's slurmctld side by side, as ratios. Run: python -m bench [--quick] [--json FILE]

Or, for the costs behind a figure, FLURM alone under one kind of load and a sampling profiler:
python -m bench --profile submit|ping|jobs|short
Or one controller and three, and one that has many jobs: python -m bench --members
Or a single controller beside that of another checkout: python -m bench --against DIR
Or what messages cost to pack and to unpack, which needs none of the following: python -m bench --wire

Needs root (the clusters live in namespaces of their own), Slurm's and MUNGE's daemons, libslurm and a C compiler.
Exit status: 0 whatever the figures say, 1 when something could not be measured, 2 for wrong usage.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench import against, load, members, profile, report, wire
from bench.compare import compare, host
from bench.measures import FULL, QUICK
from bench.sides import Flurm, Side, Slurm

KINDS: dict[str, list[type[Side]]] = {"both": [Slurm, Flurm], "slurmctld": [Slurm], "flurm": [Flurm]}


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark or the profile; returns the exit status."""
    arguments = _parser().parse_args(argv)
    if arguments.wire:
        return _wire(arguments)
    lacking = load.missing() + ([] if os.geteuid() == 0 else ["root"])
    if lacking:
        print(f"bench: needs {', '.join(lacking)}; see `make slurm`", file=sys.stderr)
        return 1
    # Below the state directories' own disk: a temporary directory may lie in memory.
    with tempfile.TemporaryDirectory(prefix="flurm-bench-", dir=arguments.directory) as directory:
        Path(directory).chmod(0o755)
        try:
            return _run(arguments, Path(directory))
        except load.BenchError as error:
            print(f"bench: {error}", file=sys.stderr)
            return 1


def _wire(arguments: argparse.Namespace) -> int:
    rows = wire.measure(_progress(), **({"repeats": 3, "jobs": 500} if arguments.quick else {}))
    text = json.dumps(report.rows_data(rows, wire.REAL), indent=2)
    print(text if arguments.json == "-" else wire.table(rows))
    if arguments.json not in (None, "-"):
        Path(arguments.json).write_text(text + "\n")
    return 0


def _progress() -> Callable[[str], None]:
    begun_s = time.monotonic()

    def progress(text: str) -> None:
        print(f"[{time.monotonic() - begun_s:5.0f} s] {text}", file=sys.stderr, flush=True)

    return progress


def _run(arguments: argparse.Namespace, directory: Path) -> int:
    progress = _progress()
    if arguments.profile:
        shown = {"rows": arguments.rows, "raw": arguments.raw, "process": arguments.process}
        print(profile.profile(arguments.profile, directory, progress, **shown))
        return 0
    if arguments.members:
        print(members.measure(directory, load.build(directory), arguments.quick, progress))
        return 0
    if arguments.against:
        rounds, jobs = (1, 64) if arguments.quick else (arguments.rounds, 1600)
        begun = report.Report(host(), sides=(against.OTHER, against.THIS))
        seen = against.measure(arguments.against, rounds, jobs, directory, begun, progress)
    else:
        sizes = QUICK if arguments.quick else FULL
        seen = compare(KINDS[arguments.only], sizes, directory, progress, stock=arguments.stock)
    if arguments.json != "-":
        print(seen.table())
    if arguments.json == "-":
        print(seen.json())
    elif arguments.json:
        Path(arguments.json).write_text(seen.json() + "\n")
    return 1 if seen.failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.split("\n")[0].split(". Run")[0])
    parser.add_argument("--quick", action="store_true", help="few of everything: shows that it runs, judges nothing")
    parser.add_argument("--json", metavar="FILE", help="write the report as JSON too; - for standard output, no table")
    parser.add_argument("--only", choices=KINDS, default="both", help="one side alone")
    parser.add_argument("--stock", action="store_true", help="also measure slurmctld without the tuning")
    parser.add_argument(
        "--directory", default="/var/tmp", help="where the clusters keep their state (default: %(default)s)"
    )
    parser.add_argument("--wire", action="store_true", help="CPU time of packing and unpacking messages instead")
    parser.add_argument("--members", action="store_true", help="one controller and three of them instead")
    parser.add_argument("--against", metavar="DIR", type=Path, help="submit to another checkout's controller beside")
    parser.add_argument("--rounds", type=int, default=7, help="of --against (default: %(default)s)")
    parser.add_argument("--profile", choices=profile.LOADS, help="profile FLURM under one load instead")
    parser.add_argument("--rows", type=int, default=15, help="how many costs a profile shows (default: %(default)s)")
    parser.add_argument(
        "--process", type=int, default=0, help="which to sample: 0 the controller, 1 its node, and so on"
    )
    parser.add_argument("--raw", metavar="FILE", help="keep the profile's stacks, as flame graph tools read them")
    return parser


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that clusters and directories are cleaned up
    sys.exit(main())
