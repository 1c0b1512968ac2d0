"""What must hold all the time, looked at whenever something is published, started or answered.

A violation is raised at once where the driver sees it, and remembered where a process would swallow it; either way the
run ends with it.
"""

from __future__ import annotations

from typing import Any

from flurm.core import snapshot
from flurm.core.enums import JobState
from flurm.core.records import Cluster
from flurm.otp.errors import Crash
from flurm.raft.records import Role
from flurm.simulation.tree.clients import Op
from flurm.storage.errors import CorruptFile

KEPT = 400
DUMP_EVERY = 25
OF_STORAGE = frozenset({"StorageLost", "StorageError", "StorageFull", "LogPoisoned", "BlobsLost"})
"""What processes may die of when the disk fails."""
RESTARTED_WITHIN_S = 1.0
"""So long after a process was killed, others may die of its absence while they start."""


class Violation(Exception):
    """Something that must hold does not."""


class Watch:
    """Everything that was seen in one run."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self.violations: list[str] = []
        self.leaders: dict[int, str] = {}
        self.states: dict[int, Cluster] = {}
        self.highest = 0
        self.starts: dict[tuple[int, int], str] = {}
        self.acknowledged: dict[int, str] = {}
        self.checked = 0
        self.applied: dict[str, int] = {}
        self.gave_up_count = 0
        self.killed_s: dict[str, float] = {}
        """When a process of a controller was killed last."""

    def violated(self, what: str) -> None:
        """Remember a violation."""
        self.violations.append(f"at {self._world.scheduler.now_s:.3f} s: {what}")

    def published(self, controller: Any, name: str, value: Any) -> None:
        """A process of a controller has published a value."""
        if name == "cluster_index":
            self._applied(controller, value, controller.terms.get("cluster"))
        elif name == "consensus" and value is not None and value.role is Role.LEADER:
            known = self.leaders.setdefault(value.term, value.member)
            if known != value.member:
                self.violated(f"two leaders in term {value.term}: {known} and {value.member}")
        elif name == "in_charge" and value:
            self._took_charge(controller)

    def _applied(self, controller: Any, index: int, cluster: Cluster | None) -> None:
        if cluster is None:
            return
        if index < self.applied.get(controller.name, 0):
            self.violated(f"{controller.name} went back from {self.applied[controller.name]} to {index}")
        self.applied[controller.name] = index
        known = self.states.get(index)
        if known is None:
            self.states[index] = cluster
            if index > self.highest:
                self.highest = index
                self._record(controller, index, cluster)
                self._check_resources(cluster)
            if len(self.states) > KEPT:
                del self.states[next(iter(self.states))]  # the one that was reached first
        elif known is not cluster:
            self._compare(controller, index, known, cluster)

    def _record(self, controller: Any, index: int, cluster: Cluster) -> None:
        recorder = self._world.recorder
        if recorder is not None and (wrong := recorder.applied(self._world, controller.name, index, cluster)):
            self.violated(wrong)

    def _compare(self, controller: Any, index: int, known: Cluster, cluster: Cluster) -> None:
        self.checked += 1
        same = (known.version, known.next_job_id, len(known.jobs), known.jobs_changed_s, known.answers_given) == (
            cluster.version, cluster.next_job_id, len(cluster.jobs), cluster.jobs_changed_s, cluster.answers_given,
        )  # fmt: skip
        if same and self.checked % DUMP_EVERY == 0:
            same = snapshot.dump(known) == snapshot.dump(cluster)
        if not same:
            self.violated(f"{controller.name} has another state at entry {index} than others had")

    def _check_resources(self, cluster: Cluster) -> None:
        held: dict[int, list[Any]] = {}
        for job_id in cluster.active:
            allocation = cluster.jobs[job_id].allocation
            for share in allocation.shares if allocation is not None else ():
                job = cluster.jobs[job_id]
                if job.state is JobState.RUNNING or job.completing >> share.node & 1:
                    held.setdefault(share.node, []).append(share)
        for index, shares in held.items():
            node = cluster.node_at(index)
            if sum(share.cpus for share in shares) > node.cpus:
                self.violated(f"{node.name} is over-allocated: {shares}")
            cores = 0
            for share in shares:
                if cores & share.cores:
                    self.violated(f"two jobs have the same cores of {node.name}")
                cores |= share.cores

    def _took_charge(self, controller: Any) -> None:
        cluster: Cluster = controller.terms["cluster"]
        missing = [job_id for job_id in self.acknowledged if job_id not in cluster.jobs]
        if missing:
            self.violated(f"{controller.name} takes charge without acknowledged jobs {missing[:5]}")

    def answered(self, op: Op) -> None:
        """A client has its answer."""
        if op.kind == "submit" and op.code == 0:
            if op.job_id in self.acknowledged:
                self.violated(f"job {op.job_id} was given to {self.acknowledged[op.job_id]} and to {op.name}")
            self.acknowledged[op.job_id] = op.name

    def job_started(self, node: Any, key: tuple[int, int]) -> None:
        """A node has started a job."""
        cluster = self.states.get(self.highest)
        job = cluster.jobs.get(key[0]) if cluster is not None else None
        if job is not None and job.restarts == key[1] and job.launch == "prolog":
            self.violated(f"job {key[0]} started on {node.name} before its prolog was done")
        if key in self.starts:
            self.violated(f"job {key[0]} (restart {key[1]}) started on {node.name}, before on {self.starts[key]}")
        self.starts[key] = node.name
        if self._world.recorder is not None:
            self._world.recorder.started(self._world)
        if node.busy_cpus > node.cpus:
            self.violated(f"{node.name} runs {node.busy_cpus} CPUs of {node.cpus}")

    def process_event(self, controller: Any, event: Any) -> None:
        """A process has ended."""
        if event.kind != "exited" or not isinstance(event.reason, Crash):
            return
        if event.reason.kind in OF_STORAGE and self._world.disk_faults:
            return
        killed_s = self.killed_s.get(controller.name, -RESTARTED_WITHIN_S)
        if event.reason.kind == "NoProcess" and self._world.scheduler.now_s - killed_s < RESTARTED_WITHIN_S:
            return
        self.violated(f"{controller.name}: {event.name} crashed: {event.reason}\n{event.reason.traceback}")

    def logged(self, event: str, facts: dict[str, Any]) -> None:
        """Something was logged as an error."""
        if event in ("rule failed", "node agent crashed", "log writer crashed"):
            self.violated(f"{event}: {facts}")

    def gave_up(self, controller: Any, why: Any) -> None:
        """A controller's tree has ended by itself."""
        self.gave_up_count += 1
        if not self._world.disk_faults:
            self.violated(f"the tree of {controller.name} gave up: {why}")

    def refused_to_start(self, controller: Any, why: Exception) -> None:
        """A controller cannot be started from what its disk holds."""
        if not (isinstance(why, CorruptFile) and controller.name in self._world.flipped):
            self.violated(f"{controller.name} cannot start: {why}")

    def went_down(self, controller: Any) -> None:
        """A controller is down; it may come back with less than it had applied."""
        self.applied.pop(controller.name, None)

    def check_end(self) -> None:
        """Everything is quiet, all faults are over: what must have come true by now."""
        up = [c for c in self._world.controllers.values() if c.is_up]
        indexes = {c.name: c.terms.get("cluster_index") for c in up}
        if len(set(indexes.values())) != 1:
            self.violated(f"controllers do not agree how far the log goes: {indexes}")
            return
        dumps = {snapshot.dump(c.terms["cluster"]) for c in up}
        if len(dumps) != 1:
            self.violated("controllers end in different states")
        cluster: Cluster = up[0].terms["cluster"]
        self._check_jobs(cluster)

    def _check_jobs(self, cluster: Cluster) -> None:
        lost = [job_id for job_id in self.acknowledged if job_id not in cluster.jobs]
        if lost:
            self.violated(f"acknowledged jobs are gone: {lost[:5]}")
        names: dict[str, int] = {}
        for job in cluster.jobs.values():
            if job.spec.name in names:
                self.violated(f"{job.spec.name} was submitted once and exists as {names[job.spec.name]} and {job.id}")
            names[job.spec.name] = job.id
        for job_id, name in self.acknowledged.items():
            if job_id in cluster.jobs and cluster.jobs[job_id].spec.name != name:
                self.violated(f"job {job_id} was {name} and is {cluster.jobs[job_id].spec.name}")
        if cluster.programs:
            self.violated(f"programs do not end: {sorted(cluster.programs)[:5]}")
        stuck = [j for j in cluster.jobs.values() if not _is_over(j)]
        if stuck:
            shown = [(j.id, j.state.name, str(j.reason), j.launch, j.completing, j.restarts) for j in stuck[:3]]
            nodes = [(n.name, n.state.name, int(n.flags), n.reason) for n in cluster.nodes.values()]
            self.violated(f"{len(stuck)} jobs do not end: {shown}; nodes {nodes}")


def _is_over(job: Any) -> bool:
    return (job.state.is_finished and not job.completing and not job.epilog_run) or (
        job.is_pending and job.priority == 0
    )
