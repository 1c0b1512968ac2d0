"""A run's jobs written down command by command, in the form that ``specs.job_traces`` reads.

Every controller applies the same log, many entries at once. So the entries are noted where a controller hands them to
its disk, and applied here one by one as soon as the first controller shows that they are committed; its state and the
one made here must be the same then. Beside the commands stand the processes that run on the nodes at that moment.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from flurm.core import commands
from flurm.core.apply import apply
from flurm.core.enums import JobState, NodeState
from flurm.core.job_records import Job
from flurm.core.node_records import Node
from flurm.core.records import Cluster
from flurm.raft.records import Entry, EntryKind


class Recorder:
    """Hands each record of a run, as plain values, to ``write``."""

    def __init__(self, write: Callable[[dict[str, Any]], object]) -> None:
        self._write = write
        self._logs: dict[str, dict[int, Entry]] = {}
        self._cluster = Cluster()
        self._index = 0
        self._jobs: dict[int, dict[str, Any]] = {}
        self._nodes: dict[str, dict[str, Any]] = {}
        self._running: list[tuple[int, int, str]] = []

    def begin(self, world: Any) -> None:
        """The cluster, before anything has started."""
        self._write({"nodes": list(world.nodes), "seed": world.plan.seed})

    def appended(self, controller: str, entries: Iterable[Entry]) -> None:
        """A controller writes these entries; what it had at their indexes they replace."""
        self._logs.setdefault(controller, {}).update((entry.index, entry) for entry in entries)

    def applied(self, world: Any, controller: str, index: int, cluster: Cluster) -> str | None:
        """A controller is the first to show the state after ``index``; says so where it is another than the log's."""
        for each in range(self._index + 1, index + 1):
            entry = self._logs[controller][each]
            self._index = each
            if entry.kind is EntryKind.COMMAND:
                command = commands.decode(entry.payload)
                self._cluster = apply(self._cluster, command).cluster
                self._note(world, type(command).__name__)
        if self._cluster.version == cluster.version and self._cluster.jobs == cluster.jobs:
            return None
        return f"{controller} shows another state at entry {index} than its log gives"

    def started(self, world: Any) -> None:
        """A node has started a job."""
        self._note(world, "launch")

    def _note(self, world: Any, action: str) -> None:
        jobs = _changed(self._jobs, {job.id: _job(job, self._cluster) for job in self._cluster.jobs.values()})
        nodes = _changed(self._nodes, {node.name: _node(node) for node in self._cluster.nodes.values()})
        running = [(*key, node.name) for node in world.nodes.values() for j in node.jobs.values() for key in j.running]
        if jobs or nodes or running != self._running:
            self._running = running
            at_s = round(world.scheduler.now_s, 3)
            step = {"action": action, "step": self._index, "at_s": at_s, "jobs": jobs, "nodes": nodes}
            self._write({**step, "running": running})


def _changed(known: dict[Any, Any], now: dict[Any, Any]) -> dict[str, Any]:
    changed = {key: value for key, value in now.items() if known.get(key) != value}
    known.update(changed)
    return {str(key): value for key, value in changed.items()}


def _job(job: Job, cluster: Cluster) -> dict[str, Any]:
    allocated = cluster.names_in(job.allocation.node_mask) if job.allocation is not None else []
    return {
        "state": job.state.name,
        "completing": cluster.names_in(job.completing),
        "alloc": allocated,
        "host": job.batch_host if allocated else None,
        "launch": job.launch,
        "restarts": job.restarts,
        "held": job.priority == 0,
        "exit": _exit(job),
    }


def _exit(job: Job) -> str | None:
    """What is known of how the script ended; a status of 0 says so only where the job has succeeded."""
    if job.exit_status == 0:
        return "zero" if job.state is JobState.COMPLETED else None
    return "signal" if os.WIFSIGNALED(job.exit_status) else "one"


def _node(node: Node) -> dict[str, Any]:
    counted_on = node.state not in (NodeState.DOWN, NodeState.UNKNOWN) and not node.lost
    return {"up": counted_on, "used": list(node.jobs)}
