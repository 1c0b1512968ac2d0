"""Fair share: users who have used less of the cluster lately go first.

The usage of a user at time t is the sum over his jobs that run or are still remembered of

    CPUs x seconds run x 0.5 ** ((t - end) / half life)

with end = t for a running job: what is over counts half after one half life, a quarter after two. A user's factor is

    2 ** -(usage / (total usage / number of users))

as in Slurm's classic formula with equal shares: 1 for who used nothing, one half for who had just his share. The queue
keeps the order of partition tiers; within a tier it is sorted by factor, and stays as it was among jobs of one user.
Where nobody used anything, nothing changes.
"""

from __future__ import annotations

from collections import defaultdict

from flurm.core.enums import JobState
from flurm.core.job_records import Job
from flurm.core.records import Cluster

HALF_LIFE_S = 7 * 24 * 3600


def usage(cluster: Cluster, now_s: int, half_life_s: int = HALF_LIFE_S) -> dict[int, float]:
    """Decayed CPU seconds by user id."""
    used: defaultdict[int, float] = defaultdict(float)
    for job in cluster.jobs.values():
        if job.state is not JobState.PENDING and job.allocation is not None:
            used[job.spec.user_id] += _cpu_seconds(job, now_s, half_life_s)
    return dict(used)


def factors(cluster: Cluster, now_s: int, half_life_s: int = HALF_LIFE_S) -> dict[int, float]:
    """The factor of every user who has jobs, from 1 (used nothing) towards 0."""
    used = usage(cluster, now_s, half_life_s)
    users = {job.spec.user_id for job in map(cluster.jobs.__getitem__, cluster.pending)} | used.keys()
    total = sum(used.values())
    if total <= 0:
        return dict.fromkeys(users, 1.0)
    share = total / len(users)
    return {user: 2.0 ** -(used.get(user, 0.0) / share) for user in users}


def reorder(cluster: Cluster, order: tuple[int, ...], now_s: int, half_life_s: int = HALF_LIFE_S) -> tuple[int, ...]:
    """The queue sorted by tier, then by the factor of the job's user; the sort is stable."""
    by_user = factors(cluster, now_s, half_life_s)
    tiers = {partition.name: partition.priority_tier for partition in cluster.partitions.values()}

    def rank(job_id: int) -> tuple[int, float]:
        job = cluster.jobs[job_id]
        tier = max((tiers.get(name, 0) for name in job.spec.partitions or (job.partition,)), default=0)
        return -tier, -by_user.get(job.spec.user_id, 1.0)

    return tuple(sorted((job_id for job_id in order if job_id in cluster.jobs), key=rank))


def _cpu_seconds(job: Job, now_s: int, half_life_s: int) -> float:
    assert job.allocation is not None
    ended_s = min(job.end_s, now_s) if job.state.is_finished else now_s
    seconds = max(0, ended_s - job.start_s)
    return job.allocation.cpus * seconds * 0.5 ** ((now_s - ended_s) / half_life_s)
