"""Why a job waits, in sentences, from the same data that decided it (`flurm scheduler debug-job ID`)."""

from __future__ import annotations

import msgspec

from flurm.core.enums import JobState, PartitionState
from flurm.core.job_records import Job
from flurm.core.names import compress
from flurm.core.node_records import Partition
from flurm.core.placement import Free, place
from flurm.core.record import UNLIMITED
from flurm.core.records import Cluster
from flurm.sched.plan import Pass, Plan, plan
from flurm.sched.queue import partitions_to_try, queue_order


class Explanation(msgspec.Struct, frozen=True):
    """What was found about one job: the sentences, and the numbers behind them."""

    job_id: int
    sentences: tuple[str, ...]
    position: int | None = None
    """Place in the queue, from 0; None where it is not in the queue."""
    starts_now: bool = False
    reason: str | None = None
    start_s: int = 0


def explain(cluster: Cluster, job_id: int, now_s: int, *, depth: int = 1) -> Explanation:
    """Run the pass that would run now and tell what it makes of the job."""
    job = cluster.jobs.get(job_id)
    if job is None:
        return Explanation(job_id, (f"There is no job {job_id}.",))
    if not job.is_pending:
        return Explanation(job_id, (f"Job {job_id} does not wait: it is {JobState(job.state).name}.",))
    order = queue_order(cluster, now_s)
    if job_id not in order:
        return Explanation(job_id, tuple(_not_queued(job, now_s)), reason=str(job.reason))
    position = order.index(job_id)
    decided = plan(cluster, order, now_s, depth=depth)
    sentences = [f"Job {job_id} is number {position + 1} of {len(order)} in the queue, with priority {job.priority}."]
    for name in partitions_to_try(cluster, job):
        sentences += _in_partition(cluster, job, cluster.partitions[name], now_s) if name in cluster.partitions else []
    starts_now, reason, start_s = _fate(decided, job)
    sentences.append(_verdict(starts_now, reason, start_s, now_s))
    return Explanation(job_id, tuple(sentences), position, starts_now, reason, start_s)


def _not_queued(job: Job, now_s: int) -> list[str]:
    if job.priority == 0:
        return [f"Job {job.id} is held by the {job.hold or 'user'}: `scontrol release {job.id}` lets it go."]
    if job.dependencies:
        kinds = ", ".join(f"{d.kind}:{d.job_id}" if d.job_id else d.kind for d in job.dependencies)
        return [f"Job {job.id} waits for other jobs ({kinds})."]
    return [f"Job {job.id} asked not to begin for another {job.spec.begin_s - now_s} seconds."]


def _in_partition(cluster: Cluster, job: Job, partition: Partition, now_s: int) -> list[str]:
    """What the partition as such says to the job: its state, its limits, its nodes now and when idle."""
    probe = Pass(cluster, now_s, depth=0)
    shape = probe.shape_of(job.spec, partition)
    demand, name = shape.demand, partition.name
    if not partition.state & PartitionState.DRAIN:
        return [f"Partition {name} starts no jobs: it is {'DOWN' if partition.state else 'INACTIVE'}."]
    if shape.standing is not None:
        return [f"Partition {name} cannot run it as configured: {shape.standing.reason}."]
    most = "" if demand.max_nodes >= UNLIMITED else f", at most {demand.max_nodes}"
    wants = f"{demand.cpus} CPUs on at least {demand.min_nodes} nodes{most}"
    usable = shape.eligible & probe.timeline.free.usable
    down = compress(probe.layout.names_in(shape.eligible & ~usable))
    fits = place(demand, probe.timeline.free, shape.eligible) is not None
    said = [
        f"In partition {name} it needs {wants}, for {shape.duration_s // 60} minutes.",
        f"{shape.eligible.bit_count()} of {partition.node_mask.bit_count()} nodes could serve it, {usable.bit_count()} "
        f"of them are in service{f' (not {down})' if down else ''}; they have {_free_cores(probe, usable)} free cores.",
    ]
    if fits:
        return [*said, "By free resources alone it could start now."]
    idle = place(demand, Free.empty(probe.layout, probe.timeline.free.usable), shape.eligible) is not None
    return [*said, "Its nodes are busy." if idle else "Without the nodes that are out of service it can never start."]


def _free_cores(probe: Pass, mask: int) -> int:
    return probe.timeline.free.cores_in(mask)


def _fate(decided: Plan, job: Job) -> tuple[bool, str | None, int]:
    if any(start.job_id == job.id for start in decided.starts):
        return True, None, 0
    for outlook in decided.outlooks:
        if outlook.job_id == job.id:
            return False, outlook.text or str(outlook.reason), outlook.start_s
    return False, job.reason_text or str(job.reason), job.start_s


def _verdict(starts_now: bool, reason: str | None, start_s: int, now_s: int) -> str:
    if starts_now:
        return "The next pass starts it."
    when = f", and expects it to start in {max(0, start_s - now_s)} seconds" if start_s else ""
    return f"The next pass lets it wait ({reason}){when}."
