"""What a running step uses, for sstat: looked up in the spool and in the system's process table when asked."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import psutil

from flurm.node import processes, spool
from flurm.node.spec import StepKey, Usage


def step_pids(spool_dir: str, key: StepKey) -> list[int]:
    """The processes of a step; empty where it does not run."""
    record = spool.read_record(Path(spool_dir) / key.name, spool.STARTED) or {}
    manager = record.get("manager_pid", 0)
    if not manager or processes.start_time(manager) != record.get("manager_start"):
        return []
    return processes.descendants(manager)


def of_processes(pids: Sequence[int]) -> Usage:
    """CPU time so far of processes and of those they have waited for, and the resident memory of all."""
    user_s = system_s = 0.0
    memory_kib = 0
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            times = process.cpu_times()
            user_s += times.user + times.children_user
            system_s += times.system + times.children_system
            memory_kib += process.memory_info().rss >> 10
    return Usage(user_s=user_s, system_s=system_s, max_rss_kib=memory_kib)
