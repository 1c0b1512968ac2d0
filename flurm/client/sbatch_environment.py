"""What sbatch puts into a job's environment: the caller's variables as `--export` wants them, and its own.

Its own tell the job where it was submitted and what was asked for; the limits travel as SLURM_RLIMIT_* for the node.
"""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Mapping
from pathlib import Path

__all__ = ["exported", "own_variables"]

_LIMITS = ("CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS")
_UNLIMITED = (1 << 64) - 1
_FROM_OPTIONS = {
    "hint": "SLURM_HINT",
    "open_mode": "SLURM_OPEN_MODE",
    "profile": "SLURM_PROFILE",
    "distribution": "SLURM_DISTRIBUTION",
}


def exported(environment: Mapping[str, str], export: str | None) -> dict[str, str]:
    """The caller's variables that the job gets; `NAME=value` sets one. Slurm's own always come along."""
    words = (export or "ALL").split(",")
    if "ALL" in [word.upper() for word in words]:
        chosen = dict(environment)
    else:
        chosen = {name: value for name, value in environment.items() if name.startswith("SLURM_")}
    for word in words:
        name, equals, value = word.partition("=")
        if equals:
            chosen[name] = value
        elif name in environment:
            chosen[name] = environment[name]
    return chosen


def own_variables(options: Mapping[str, str | None], job_name: str, tasks: int | None) -> dict[str, str]:
    """The variables that sbatch itself sets."""
    own: dict[str, str] = {}
    for dest, name in _FROM_OPTIONS.items():
        if value := options.get(dest):
            own[name] = value[:1] if dest == "open_mode" else value
    own["SLURM_JOB_NAME"] = job_name
    export = options.get("export")
    if export:
        own["SLURM_EXPORT_ENV"] = export
    for name in _LIMITS:
        own[f"SLURM_RLIMIT_{name}"] = _limit(getattr(resource, f"RLIMIT_{name}"))
    mask = os.umask(0o022)
    os.umask(mask)
    own |= {
        "SLURM_PRIO_PROCESS": str(os.getpriority(os.PRIO_PROCESS, 0)),
        "SLURM_SUBMIT_DIR": str(Path.cwd()),
        "SLURM_SUBMIT_HOST": socket.gethostname().partition(".")[0],
        "SLURM_UMASK": f"{mask:04o}",
    }
    if export and "ALL" not in export.upper().split(","):
        own["SLURM_GET_USER_ENV"] = "1"
    if cpus := options.get("cpus_per_task"):
        own["SLURM_CPUS_PER_TASK"] = cpus
    if tasks is not None:
        own["SLURM_NPROCS"] = own["SLURM_NTASKS"] = str(tasks)
    for dest in ("ntasks_per_node", "ntasks_per_socket", "ntasks_per_core", "threads_per_core"):
        if value := options.get(dest):
            own[f"SLURM_{dest.upper()}"] = value
    return own


def _limit(which: int) -> str:
    soft, _ = resource.getrlimit(which)
    return str(_UNLIMITED if soft == resource.RLIM_INFINITY else soft)
