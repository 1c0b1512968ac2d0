"""Changing the job and node tables so that the indexes beside them stay right.

`put` is the only way a job gets into a cluster: it keeps `pending`, `active`, `ended`, `timed`, `dependent` and
`arrays` in step with the record's own state. `put_all` is the same for many at once.
"""

from collections.abc import Iterable
from typing import TypeVar

from immutables import Map

from flurm.core.enums import JobFlag, JobState, NodeFlag, Reason
from flurm.core.job_records import Job
from flurm.core.node_records import Node
from flurm.core.records import Cluster
from flurm.core.trigger_events import note_node

K = TypeVar("K", int, str)
INDEXES = ("pending", "active", "ended", "timed", "dependent")


def put(cluster: Cluster, job: Job) -> Cluster:
    """Store a job under its id."""
    pending, active, ended, timed, dependent = _places(job)
    cluster = cluster.with_(
        jobs=cluster.jobs.set(job.id, job),
        pending=_member(cluster.pending, job.id, pending),
        active=_member(cluster.active, job.id, active),
        ended=_member(cluster.ended, job.id, ended),
        timed=_member(cluster.timed, job.id, timed),
        dependent=_member(cluster.dependent, job.id, dependent),
    )
    if job.array is None:
        return cluster
    known = cluster.arrays.get(job.array.job_id, ())
    if job.id in known:
        return cluster
    return cluster.with_(arrays=cluster.arrays.set(job.array.job_id, (*known, job.id)))


def put_all(cluster: Cluster, jobs: Iterable[Job]) -> Cluster:
    """Store jobs that are not there yet, in a tenth of the time that `put` takes one by one."""
    table = cluster.jobs.mutate()
    indexes = {name: getattr(cluster, name).mutate() for name in INDEXES}
    arrays: dict[int, list[int]] = {}
    for job in jobs:
        table[job.id] = job
        for index, value in zip(indexes.values(), _places(job), strict=True):
            if value is not None:
                index[job.id] = value
        if job.array is not None:
            arrays.setdefault(job.array.job_id, []).append(job.id)
    members = {array: (*cluster.arrays.get(array, ()), *ids) for array, ids in arrays.items()}
    finished = {name: index.finish() for name, index in indexes.items()}
    return cluster.with_(jobs=table.finish(), arrays=cluster.arrays.update(members), **finished)


def drop(cluster: Cluster, job: Job) -> Cluster:
    """Forget a job."""
    arrays = cluster.arrays
    if job.array is not None:
        left = tuple(i for i in arrays.get(job.array.job_id, ()) if i != job.id)
        arrays = arrays.set(job.array.job_id, left) if left else arrays.delete(job.array.job_id)
    return cluster.with_(
        jobs=cluster.jobs.delete(job.id),
        pending=_member(cluster.pending, job.id, None),
        active=_member(cluster.active, job.id, None),
        ended=_member(cluster.ended, job.id, None),
        timed=_member(cluster.timed, job.id, None),
        dependent=_member(cluster.dependent, job.id, None),
        arrays=arrays,
    )


def _waits_for_the_clock(job: Job) -> bool:
    return bool(job.dependencies) or job.reason is Reason.BEGIN_TIME or job.spec.deadline_s > 0


def _places(job: Job) -> tuple[int | None, ...]:
    """What each of INDEXES says of a job; None where the job is not in it."""
    pending = job.state is JobState.PENDING
    waits = pending and not job.flags & JobFlag.COMPLETING
    holds = job.state in (JobState.RUNNING, JobState.SUSPENDED) or bool(job.flags & JobFlag.COMPLETING)
    return (
        job.submit_s if waits else None,
        job.start_s if holds else None,
        None if waits or holds else job.end_s,
        0 if waits and _waits_for_the_clock(job) else None,
        0 if pending and job.dependencies else None,
    )


def _member(index: "Map[K, int]", key: K, value: int | None) -> "Map[K, int]":
    if value is not None:
        return index if index.get(key) == value else index.set(key, value)
    return index.delete(key) if key in index else index


def give_id(cluster: Cluster) -> tuple[Cluster, int]:
    """Take the next free job id; after the highest one counting begins again."""
    job_id = cluster.next_job_id
    first, last = cluster.settings.first_job_id, cluster.settings.max_job_id
    while job_id in cluster.jobs or job_id in cluster.arrays:
        job_id = job_id + 1 if job_id < last else first
    following = job_id + 1 if job_id < last else first
    return cluster.with_(next_job_id=following), job_id


def put_node(cluster: Cluster, node: Node) -> Cluster:
    """Store a node under its name."""
    before = cluster.nodes.get(node.name)
    if before is not None and cluster.triggers:
        cluster = note_node(cluster, before, node)
    awaits = 1 if node.reboot is not None else None
    rebooting = _member(cluster.rebooting, node.name, awaits)
    return cluster.with_(nodes=cluster.nodes.set(node.name, node), rebooting=rebooting)


def occupy(cluster: Cluster, job: Job, now_s: int) -> Cluster:
    """Give the job the cores and memory of its allocation."""
    assert job.allocation is not None
    for share in job.allocation.shares:
        node = cluster.node_at(share.node)
        cluster = put_node(
            cluster,
            node.with_(
                used_cores=node.used_cores | share.cores,
                used_cpus=node.used_cpus + share.cpus,
                used_memory_mib=node.used_memory_mib + share.memory_mib,
                jobs=(*node.jobs, job.id),
                exclusive_job=job.id if job.allocation.whole_nodes else node.exclusive_job,
                last_busy_s=now_s,
            ),
        )
    return cluster


def mark_completing(cluster: Cluster, job: Job) -> Cluster:
    """Show on the job's nodes that it is ending there."""
    for node in cluster.nodes_in(job.completing):
        if job.id not in node.completing_jobs:
            changed = node.with_(
                completing_jobs=(*node.completing_jobs, job.id), flags=node.flags | NodeFlag.COMPLETING
            )
            cluster = put_node(cluster, changed)
    return cluster


def vacate(cluster: Cluster, job: Job, node: Node, now_s: int) -> Cluster:
    """Take back what the job holds of one node."""
    if job.id not in node.jobs or job.allocation is None:
        return cluster
    share = next(s for s in job.allocation.shares if s.node == node.index)
    completing = tuple(i for i in node.completing_jobs if i != job.id)
    return put_node(
        cluster,
        node.with_(
            used_cores=node.used_cores & ~share.cores,
            used_cpus=node.used_cpus - share.cpus,
            used_memory_mib=node.used_memory_mib - share.memory_mib,
            jobs=tuple(i for i in node.jobs if i != job.id),
            completing_jobs=completing,
            flags=node.flags if completing else node.flags & ~NodeFlag.COMPLETING,
            exclusive_job=0 if node.exclusive_job == job.id else node.exclusive_job,
            last_busy_s=now_s,
        ),
    )
