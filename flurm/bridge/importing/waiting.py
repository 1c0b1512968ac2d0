"""Dependencies of a slurmctld's jobs, once all jobs are there that they may name; and why jobs wait.

What a dependency names and nobody knows any more counts for the core as fulfilled. So does none here: the job is held.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from flurm.bridge.importing.answers import Note
from flurm.bridge.importing.jobs import job_id_of
from flurm.core import dependencies
from flurm.core.enums import JobState, Reason
from flurm.core.job_records import Dependency, Job
from flurm.core.records import Cluster
from flurm.core.submission import waiting_reason
from flurm.core.tables import put
from protocol.messages import JobInfo

__all__ = ["held", "with_reasons"]


_CONDITION = re.compile(r"([^()]+)(?:\((\w+)\))?")


def with_reasons(cluster: Cluster, told: Iterable[JobInfo], now_s: int) -> tuple[Cluster, list[Note]]:
    """The cluster with the dependencies of its waiting jobs and what each waits for; and which of them are held."""
    notes: list[Note] = []
    for info in told:
        job = cluster.jobs.get(job_id_of(info))
        if job is None or job.state is not JobState.PENDING:
            continue
        if info.dependency:
            job, lost = _with_dependencies(cluster, job, info.dependency)
            if lost:
                text = f"depends on {lost}, which FLURM cannot test: held; `scontrol release {job.id}` lets it go"
                notes.append(Note(f"job {job.id}", text))
        if not job.completing:
            job = waiting_reason(cluster, job, now_s)
        cluster = put(cluster, job)
    return cluster, notes


def held(job: Job) -> Job:
    """The job, held by the administrator."""
    return job.with_(priority=0, hold="admin", reason=Reason.HELD_ADMIN, reason_text=None)


def _with_dependencies(cluster: Cluster, job: Job, text: str) -> tuple[Job, str]:
    """The job with its conditions, and those for which it is held as they were told."""
    conditions: list[Dependency] = []
    plain, lost = [], []
    joint = "?" if "?" in text else ","
    for part in text.split(joint):
        found = _CONDITION.fullmatch(part.strip())
        parsed = dependencies.parse(cluster, found[1]) if found else None
        if found is None or not parsed:
            lost.append(part)
            continue
        plain.append(found[1])
        state = found[2] or dependencies.UNFULFILLED
        known = [each.with_(state=state, any_of=joint == "?") for each in parsed]
        conditions += [each for each in known if _can_be_tested(cluster, each)]
        if not all(_can_be_tested(cluster, each) for each in known):
            lost.append(part)
    job = job.with_(spec=job.spec.with_(dependency=joint.join(plain) or None), dependencies=tuple(conditions))
    return (held(job) if lost else job), joint.join(lost)


def _can_be_tested(cluster: Cluster, condition: Dependency) -> bool:
    known = condition.job_id in cluster.jobs or condition.job_id in cluster.arrays
    return condition.kind == "singleton" or known or condition.state == dependencies.FULFILLED
