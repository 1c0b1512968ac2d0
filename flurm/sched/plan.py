"""A scheduling pass: which of the waiting jobs start now, and why the others wait.

`plan` walks the queue once. A job that fits starts. One that does not blocks its partition; what that means for those
behind it is the reservation `depth`, the number of blocked jobs per partition that are promised a place in the future:

- 0, FIFO: nobody of the partition starts any more, nor does anybody else on its nodes;
- 1, EASY backfill: who does not delay the first blocked job may start;
- more, up to conservative backfill: who does not delay any of so many.

What makes the pass fast: jobs that ask for the same are of one `_Shape`, and since resources only shrink during a pass,
a shape that did not fit does not fit again. Nothing is proposed for a job whose record already says what was found.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

import msgspec

from flurm.core import arrays, licenses
from flurm.core.commands import Outlook, Start
from flurm.core.enums import PartitionState, Reason
from flurm.core.job_records import Allocation, ArrayTask, Job, JobSpec
from flurm.core.names import BadNodeList, compress
from flurm.core.node_records import Partition
from flurm.core.placement import (
    NODES_UNAVAILABLE,
    Demand,
    Free,
    Layout,
    demand_of,
    eligible_for,
    fits_when_idle,
    misfit_of,
    place,
)
from flurm.core.record import UNLIMITED
from flurm.core.records import Cluster
from flurm.sched.queue import is_ready, next_begin_s, partitions_to_try
from flurm.sched.timeline import YEAR_S, Timeline

START_TOLERANCE_S = 60
"""An expected start that moved by no more than this is not worth a change of the record."""


class Plan(msgspec.Struct, frozen=True):
    """What a pass decided. `wake_s`: when the queue changes though nothing happens (begin times), if ever."""

    starts: tuple[Start, ...] = ()
    outlooks: tuple[Outlook, ...] = ()
    wake_s: int | None = None
    considered: int = 0


class Verdict(msgspec.Struct, frozen=True):
    """Why a job does not start now in one partition."""

    reason: Reason
    text: str | None = None
    start_s: int = 0
    nodes: int = 0
    blocks: bool = False
    """Whether those behind it in the partition have to respect it."""


def plan(cluster: Cluster, order: Iterable[int], now_s: int, *, depth: int = 1) -> Plan:
    """Decide what starts now. `order` holds the ids of pending jobs, the first to start first: it is what counts."""
    scheduler = Pass(cluster, now_s, depth)
    for job_id in order:
        job = cluster.jobs.get(job_id)
        if job is not None and is_ready(job, now_s):
            scheduler.consider(job)
    wakes = [each for each in (next_begin_s(cluster, now_s), scheduler.wake_s) if each is not None]
    wake_s = min(wakes, default=None)
    return Plan(tuple(scheduler.starts), tuple(scheduler.outlooks), wake_s, scheduler.considered)


class Pass:
    """One pass under way. `consider` is told the jobs in queue order and fills `starts` and `outlooks`."""

    def __init__(self, cluster: Cluster, now_s: int, depth: int) -> None:
        self.cluster = cluster
        self.now_s = now_s
        self.depth = depth
        self.layout = Layout(cluster)
        self.timeline = Timeline(cluster, now_s, Free.of(cluster, self.layout))
        self.starts: list[Start] = []
        self.outlooks: list[Outlook] = []
        self.considered = 0
        self.wake_s: int | None = None
        """When a job that waits for a better place takes any."""
        self._shapes: dict[tuple, _Shape] = {}
        self._blocked: dict[str, int] = {}
        self._blocked_nodes = 0
        self._allowed: dict[int, int] = {}
        self._short_of_nodes: set[str] = set()
        self._licenses = licenses.free(cluster) if cluster.settings.licenses else {}

    def consider(self, job: Job) -> None:
        """Start the job, or as many tasks of the array record as fit, or say why not."""
        self.considered += 1
        array = job.array
        verdict = self.try_to_start(job, None) if array is None else self._start_tasks(job, array)
        if verdict is not None and not _is_known(job, verdict):
            self.outlooks.append(Outlook(job.id, verdict.reason, verdict.text, verdict.start_s, verdict.nodes))

    def _start_tasks(self, job: Job, array: ArrayTask) -> Verdict | None:
        """Start the record's one task, or its waiting tasks from the lowest, as far as the array's limit allows."""
        allowed = self._allowed_tasks(array)
        waiting = array.waiting if array.task_id is None else 1 << array.task_id
        while waiting:
            if allowed <= 0:
                return Verdict(Reason.JOB_ARRAY_TASK_LIMIT)
            lowest = waiting & -waiting
            verdict = self.try_to_start(job, lowest.bit_length() - 1)
            if verdict is not None:
                return verdict
            waiting ^= lowest
            allowed -= 1
            self._allowed[array.job_id] = allowed
        return None

    def _allowed_tasks(self, array: ArrayTask) -> int:
        """How many more tasks of the array may start in this pass."""
        if not array.max_running:
            return UNLIMITED
        if array.job_id not in self._allowed:
            self._allowed[array.job_id] = array.max_running - arrays.running_tasks(self.cluster, array.job_id)
        return self._allowed[array.job_id]

    def try_to_start(self, job: Job, task_id: int | None) -> Verdict | None:
        """Start the job in the first of its partitions where it fits; else the verdict of the first that counts.

        A job that waits for licenses holds nobody up: as in Slurm no place is kept for it.
        """
        wanted = licenses.wanted(job.spec.licenses) if job.spec.licenses else {}
        if any(count > self._licenses.get(name, 0) for name, count in wanted.items()):
            return Verdict(Reason.LICENSES)
        verdict = self._try_in_partitions(job, task_id)
        if verdict is None:
            for name, count in wanted.items():
                self._licenses[name] = self._licenses.get(name, 0) - count
        return verdict

    def _try_in_partitions(self, job: Job, task_id: int | None) -> Verdict | None:
        names = job.spec.partitions or (job.partition,)
        first: Verdict | None = None
        for name in names if len(names) == 1 else partitions_to_try(self.cluster, job):
            partition = self.cluster.partitions.get(name)
            if partition is None:
                continue
            verdict = self._try_in(job, task_id, partition)
            if verdict is None:
                return None
            if first is None or (verdict.blocks and not first.blocks):
                first = verdict
        return first or Verdict(Reason.PARTITION_DOWN)

    def _try_in(self, job: Job, task_id: int | None, partition: Partition) -> Verdict | None:
        shape = self.shape_of(job.spec, partition, self._most_switches(job))
        if shape.standing is not None:
            return shape.standing
        blocked = partition.name in self._blocked
        if self.depth == 0 and blocked:
            return shape.unavailable or _BEHIND
        allocation = self._place_now(shape)
        if allocation is None:
            return self._wait(job, shape, partition)
        self.timeline.start(allocation, shape.duration_s)
        by = "Backfill" if blocked else "Main"
        self.starts.append(Start(job.id, allocation, partition.name, task_id, by))
        return None

    def _place_now(self, shape: _Shape) -> Allocation | None:
        """Where the shape fits now without breaking a promise. One that did not fit in this pass never does again."""
        if shape.failed:
            return None
        free = self.timeline.free_for(shape.duration_s)
        candidates = shape.eligible if self.depth else shape.eligible & ~self._blocked_nodes
        allocation = place(shape.demand, free, candidates)
        shape.failed = allocation is None
        return allocation

    def _wait(self, job: Job, shape: _Shape, partition: Partition) -> Verdict:
        rank = self._blocked.get(partition.name, 0)
        unavailable = self._unavailable(shape)
        if unavailable is not None:
            if self.depth or rank or shape.demand.required or partition.name in self._short_of_nodes:
                return unavailable
            self._short_of_nodes.add(partition.name)
            return Verdict(Reason.RESOURCES, NODES_UNAVAILABLE)
        self._blocked[partition.name] = rank + 1
        reason, text = (Reason.PRIORITY, None) if rank else (Reason.RESOURCES, self._spoken_for(shape))
        self._blocked_nodes |= partition.node_mask
        if rank >= self.depth:
            return Verdict(reason, text, blocks=True) if not rank else _BEHIND
        found = self.timeline.earliest(shape.demand, shape.eligible, shape.duration_s)
        if found is None:
            return Verdict(reason, text, blocks=True)
        start_s, allocation, then = found
        self.timeline.promise(job.id, start_s, shape.duration_s, allocation, then)
        return Verdict(reason, text, start_s, allocation.node_mask, blocks=True)

    def _unavailable(self, shape: _Shape) -> Verdict | None:
        """The verdict for a shape that even an idle cluster could not serve without the nodes out of service."""
        if not shape.availability_known:
            shape.availability_known = True
            usable = self.timeline.free.usable
            missing = (shape.demand.required or shape.eligible) & ~usable
            if missing and not fits_when_idle(shape.demand, self.layout, shape.eligible & usable):
                names = compress(self.layout.names_in(missing))
                text = f"{Reason.NODE_NOT_AVAIL}, UnavailableNodes:{names}"
                shape.unavailable = Verdict(Reason.NODE_NOT_AVAIL, text)
        return shape.unavailable

    def _spoken_for(self, shape: _Shape) -> str | None:
        """What to say where the nodes of blocked jobs in other partitions are what the job would need."""
        if not self._blocked_nodes & shape.eligible:
            return None
        others = shape.eligible & self.timeline.free.usable & ~self._blocked_nodes
        return None if fits_when_idle(shape.demand, self.layout, others) else NODES_UNAVAILABLE

    def _most_switches(self, job: Job) -> int:
        """How many leaf switches the job may be spread over now (--switches=count@max-time); 0: as many as need be."""
        spec = job.spec
        if not spec.req_switch or not self.layout.switches:
            return 0
        until_s = max(job.eligible_s, job.submit_s) + spec.wait_for_switch_s
        if until_s <= self.now_s:
            return 0
        self.wake_s = until_s if self.wake_s is None else min(until_s, self.wake_s)
        return spec.req_switch

    def shape_of(self, spec: JobSpec, partition: Partition, most_switches: int = 0) -> _Shape:
        """What the job asks for in the partition, shared by all that ask for the same."""
        key = (partition.name, most_switches, *_ASKED(spec))
        shape = self._shapes.get(key)
        if shape is None:
            shape = self._shapes[key] = self._new_shape(spec, partition)
            shape.demand = msgspec.structs.replace(shape.demand, most_switches=most_switches)
        return shape

    def _new_shape(self, spec: JobSpec, partition: Partition) -> _Shape:
        try:
            demand = demand_of(self.cluster, spec, partition)
        except (KeyError, BadNodeList):
            return _Shape(Demand(), 0, 0, Verdict(Reason.BAD_CONSTRAINTS))
        standing: Verdict | None = None
        if not partition.state & PartitionState.DRAIN:
            down = partition.state & PartitionState.DOWN
            standing = Verdict(Reason.PARTITION_DOWN if down else Reason.PARTITION_INACTIVE)
        elif misfit := misfit_of(self.layout, spec, demand, partition):
            standing = Verdict(misfit.reason or Reason.BAD_CONSTRAINTS)
        return _Shape(demand, eligible_for(self.layout, demand, partition), duration_s(spec, partition), standing)


class _Shape:
    """What jobs that ask for the same in one partition share during a pass."""

    __slots__ = ("availability_known", "demand", "duration_s", "eligible", "failed", "standing", "unavailable")

    def __init__(self, demand: Demand, eligible: int, duration_s: int, standing: Verdict | None) -> None:
        self.demand = demand
        self.eligible = eligible
        self.duration_s = duration_s
        self.standing = standing
        self.failed = False
        self.availability_known = False
        self.unavailable: Verdict | None = None


def duration_s(spec: JobSpec, partition: Partition) -> int:
    """How long the job may run at most; a year where that has no end."""
    limit = spec.time_limit_min
    if limit is None:
        limit = partition.max_time_min if partition.default_time_min is None else partition.default_time_min
    return YEAR_S if limit >= UNLIMITED else limit * 60


def _is_known(job: Job, verdict: Verdict) -> bool:
    """Whether the job's record says what the verdict says."""
    return (
        job.reason is verdict.reason
        and job.reason_text == verdict.text
        and job.planned_nodes == verdict.nodes
        and abs(job.start_s - verdict.start_s) <= START_TOLERANCE_S
    )


_BEHIND = Verdict(Reason.PRIORITY, blocks=True)

_ASKED = attrgetter(
    "num_tasks", "min_nodes", "max_nodes", "min_cpus", "cpus_per_task", "time_limit_min", "memory_per_cpu_mib",
    "memory_per_node_mib", "features", "required_nodes", "excluded_nodes", "exclusive", "overcommit", "contiguous",
    "ntasks_per_node", "ntasks_per_socket", "ntasks_per_core", "sockets_per_node", "cores_per_socket",
    "threads_per_core", "min_cpus_per_node", "tmp_disk_mib",
)  # fmt: skip
"""Every field of a spec that `demand_of`, `misfit_of` and `duration_s` look at."""
