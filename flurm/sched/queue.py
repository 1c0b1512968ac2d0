"""The order of the pending queue, and which of its jobs are to be considered at all.

As in Slurm without multifactor priorities: jobs of partitions of a higher tier first, then by priority, then by age.
"""

from __future__ import annotations

from flurm.core.enums import JobFlag, JobState
from flurm.core.job_records import Job
from flurm.core.records import Cluster


def queue_order(cluster: Cluster, now_s: int) -> tuple[int, ...]:
    """Ids of all pending jobs that may be considered now, the first to start first. Array records are one entry."""
    tiers = {partition.name: partition.priority_tier for partition in cluster.partitions.values()}
    keys = []
    for job_id in cluster.pending:
        job = cluster.jobs[job_id]
        if is_ready(job, now_s):
            named = job.spec.partitions or (job.partition,)
            tier = tiers.get(named[0], 0) if len(named) == 1 else max([tiers.get(name, 0) for name in named])
            keys.append((-tier, -job.priority, job.submit_s, job_id))
    keys.sort()
    return tuple([key[3] for key in keys])


def is_ready(job: Job, now_s: int) -> bool:
    """Whether nothing but resources and limits keeps the job: not held, begin time reached, dependencies gone."""
    if job.priority == 0 or job.dependencies or job.spec.begin_s > now_s:
        return False
    return job.state is JobState.PENDING and (job.flags is JobFlag.NONE or job.is_pending)


def next_begin_s(cluster: Cluster, now_s: int) -> int | None:
    """The earliest begin time that is still to come among pending jobs: when the queue changes by itself."""
    times = [job.spec.begin_s for job in map(cluster.jobs.__getitem__, cluster.pending) if job.spec.begin_s > now_s]
    return min(times, default=None)


def partitions_to_try(cluster: Cluster, job: Job) -> list[str]:
    """The partitions that a job may run in, by descending tier, else in the order named."""
    named = job.spec.partitions or (job.partition,)
    if len(named) == 1:
        return list(named)
    known = [name for name in named if name in cluster.partitions]
    return sorted(known, key=lambda name: -cluster.partitions[name].priority_tier)
