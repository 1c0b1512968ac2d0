"""What becomes due by the clock alone: a pure question that the job manager asks once a second."""

from typing import NamedTuple

from flurm.core.enums import JobState, Reason
from flurm.core.lifecycle import ends_unsatisfied
from flurm.core.records import UNLIMITED, Cluster


class Due(NamedTuple):
    """Ids by what is due for them, and whether a waiting job's time has come."""

    timed_out: tuple[int, ...]
    past_deadline: tuple[int, ...]
    purgeable: tuple[int, ...]
    wake: bool


def due(cluster: Cluster, now_s: int) -> Due:
    """All that is due at `now_s`."""
    settings = cluster.settings
    timed_out, past_deadline, purgeable = [], [], []
    for job_id in cluster.active:
        job = cluster.jobs[job_id]
        if job.state is not JobState.RUNNING:
            continue
        partition = cluster.partitions.get(job.partition)
        over = settings.over_time_limit_min
        if partition is not None and partition.over_time_limit_min is not None:
            over = partition.over_time_limit_min
        if job.time_limit_min not in (None, UNLIMITED) and over != UNLIMITED and now_s >= job.end_s + 60 * over:
            timed_out.append(job_id)
        elif job.spec.deadline_s and now_s >= job.spec.deadline_s:
            past_deadline.append(job_id)
    wake = False
    for job_id in cluster.pending:
        job = cluster.jobs[job_id]
        if job.spec.deadline_s and now_s >= job.spec.deadline_s:
            past_deadline.append(job_id)
        elif (
            (job.reason is Reason.BEGIN_TIME and job.spec.begin_s <= now_s)
            or any(d.delay_min for d in job.dependencies)
            or ends_unsatisfied(cluster, job)
        ):
            wake = True
    for job_id, job in _ended(cluster):
        if settings.min_job_age_s and now_s - job.end_s >= settings.min_job_age_s and not _array_lives(cluster, job):
            purgeable.append(job_id)
    return Due(tuple(timed_out), tuple(past_deadline), tuple(purgeable), wake)


def _ended(cluster: Cluster):  # type: ignore[no-untyped-def]
    if len(cluster.jobs) == len(cluster.pending) + len(cluster.active):
        return
    for job_id, job in cluster.jobs.items():
        if job.state.is_finished and not job.completing:
            yield job_id, job


def _array_lives(cluster: Cluster, job) -> bool:  # type: ignore[no-untyped-def]
    if job.array is None:
        return False
    return any(
        not cluster.jobs[i].state.is_finished or cluster.jobs[i].completing
        for i in cluster.arrays.get(job.array.job_id, ())
        if i in cluster.jobs
    )
