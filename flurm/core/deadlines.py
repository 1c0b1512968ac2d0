"""What becomes due by the clock alone: a pure question that the job manager asks once a second."""

from typing import NamedTuple

from flurm.core import reboots, triggers
from flurm.core.enums import JobState, Reason
from flurm.core.lifecycle import ends_unsatisfied
from flurm.core.mail import REMINDERS, reminders_due
from flurm.core.record import UNLIMITED
from flurm.core.records import Cluster


class Due(NamedTuple):
    """Ids by what is due for them, and whether a waiting job's time has come."""

    timed_out: tuple[int, ...]
    past_deadline: tuple[int, ...]
    purgeable: tuple[int, ...]
    wake: bool
    reminders: tuple[int, ...] = ()
    triggers: bool = False
    reboots: bool = False


def due(cluster: Cluster, now_s: int) -> Due:
    """All that is due at `now_s`."""
    settings = cluster.settings
    timed_out: list[int] = []
    past_deadline: list[int] = []
    reminders: list[int] = []
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
        elif job.spec.mail_type & REMINDERS and reminders_due(job, now_s):
            reminders.append(job_id)
    wake = False
    for job_id in cluster.timed:
        job = cluster.jobs[job_id]
        if job.spec.deadline_s and now_s >= job.spec.deadline_s:
            past_deadline.append(job_id)
        elif (
            (job.reason is Reason.BEGIN_TIME and job.spec.begin_s <= now_s)
            or any(d.delay_min for d in job.dependencies)
            or ends_unsatisfied(cluster, job)
        ):
            wake = True
    return Due(
        tuple(timed_out), tuple(past_deadline), _purgeable(cluster, now_s), wake, tuple(reminders),
        triggers.due(cluster, now_s), reboots.due(cluster, now_s),
    )  # fmt: skip


def _purgeable(cluster: Cluster, now_s: int) -> tuple[int, ...]:
    """Jobs that are over for long enough; the tasks of an array are kept until all of them are."""
    age_s = cluster.settings.min_job_age_s
    if not age_s:
        return ()
    found: list[int] = []
    alive: dict[int, bool] = {}
    for job_id, end_s in cluster.ended.items():
        if now_s - end_s < age_s:
            continue
        array = cluster.jobs[job_id].array
        if array is None:
            found.append(job_id)
            continue
        if array.job_id not in alive:
            alive[array.job_id] = any(i not in cluster.ended for i in cluster.arrays.get(array.job_id, ()))
        if not alive[array.job_id]:
            found.append(job_id)
    return tuple(found)
