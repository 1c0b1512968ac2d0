"""The load generator: compiles `load.c` against libslurm and reads what it prints."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("load.c")
HEADER = Path("/usr/include/slurm/slurm.h")


class BenchError(Exception):
    """A measurement that could not be made; the text says what failed."""


@dataclass(frozen=True)
class Load:
    """What a run of the generator saw. `records` is what the last listing held, `last_end_s` when all work was over."""

    verb: str
    count: int
    threads: int
    errors: int
    records: int
    seconds: float
    last_end_s: float
    first_ms: float
    p50_ms: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        """Requests per second over the whole run."""
        return self.count / self.seconds


def missing() -> list[str]:
    """What this machine lacks to compile and run the generator against both sides, as names of programs and headers."""
    programs = ("cc", "munged", "slurmctld", "slurmd", "sbatch", "unshare", "nsenter", "ip")
    lacking = [name for name in programs if shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") is None]
    return lacking + ([] if HEADER.exists() else [str(HEADER)])


def build(directory: Path) -> Path:
    """Compile the generator into `directory` and return its path. Raises BenchError."""
    program = directory / "load"
    command = ["cc", "-O2", "-o", str(program), str(SOURCE), "-lslurm", "-lpthread"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"cannot compile {SOURCE.name}: {done.stderr.strip()}")
    return program


def parse(stdout: str, stderr: str) -> Load:
    """Read the generator's line. Raises BenchError where requests failed: such a figure measures nothing."""
    try:
        load = Load(**json.loads(stdout))
    except (ValueError, TypeError) as error:
        raise BenchError(f"load printed {stdout!r}: {stderr.strip()}") from error
    if load.errors:
        raise BenchError(f"{load.errors} of {load.count} {load.verb} requests failed: {stderr.strip()}")
    return load
