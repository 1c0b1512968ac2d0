"""Job arrays: their task lists, their records, and how users name parts of them.

All waiting tasks of an array are one record whose id is the array's. A task that starts is split off under the next
free job id; the last one keeps the array's own id, so it needs no new one. (Behaviour: Slurm's job arrays page.)
"""

import re
from typing import NamedTuple

from flurm.core.bits import bits_of
from flurm.core.job_records import ArrayTask, Job
from flurm.core.records import Cluster
from flurm.core.tables import give_id, put

_PART = re.compile(r"(\d+)(?:-(\d+)(?::(\d+))?)?")
_TARGET = re.compile(r"(\d+)(?:_(\d+|\*|\[[^\]]*\]))?")


class ArrayRequest(NamedTuple):
    """A parsed --array text: the tasks as a bitmap and how many may run at once (0: all)."""

    tasks: int
    max_running: int


def parse(text: str, max_array_size: int) -> ArrayRequest | None:
    """Read a --array text such as `0-15:4,20%2`; None where it is not one or a task id is too large."""
    body, _, limit = text.strip().partition("%")
    body = body.removeprefix("[").removesuffix("]")
    if "%" in text and not limit.rstrip("]").isdigit():
        return None
    tasks = parse_tasks(body, max_array_size)
    if not tasks:
        return None
    return ArrayRequest(tasks, int(limit.rstrip("]")) if limit else 0)


def parse_tasks(text: str, max_array_size: int) -> int | None:
    """Read a list of task ids such as `0-15:4,20` into a bitmap; None where it is not one."""
    tasks = 0
    for part in text.split(","):
        found = _PART.fullmatch(part.strip())
        if found is None:
            return None
        low = int(found[1])
        high = int(found[2] or low)
        step = int(found[3] or 1)
        if high < low or step < 1 or high >= max_array_size:
            return None
        for task in range(low, high + 1, step):
            tasks |= 1 << task
    return tasks


def describe(tasks: int, max_running: int = 0) -> str:
    """A task bitmap as text, ranges folded: `0-3,7%2`."""
    parts, ids = [], bits_of(tasks)
    start = 0
    for i in range(1, len(ids) + 1):
        if i == len(ids) or ids[i] != ids[i - 1] + 1:
            parts.append(str(ids[start]) if start == i - 1 else f"{ids[start]}-{ids[i - 1]}")
            start = i
    return ",".join(parts) + (f"%{max_running}" if max_running else "")


def new_array(job_id: int, request: ArrayRequest) -> ArrayTask:
    """The array part of the record that holds all tasks."""
    ids = bits_of(request.tasks)
    return ArrayTask(
        job_id=job_id,
        waiting=request.tasks,
        max_running=request.max_running,
        count=len(ids),
        lowest=ids[0],
        highest=ids[-1],
        step=ids[1] - ids[0] if len(ids) > 1 else 1,
    )


def split(cluster: Cluster, meta: Job, task_id: int) -> tuple[Cluster, Job]:
    """Make a waiting task a record of its own; returns it (stored) and the cluster with both records."""
    assert meta.array is not None
    rest = meta.array.waiting & ~(1 << task_id)
    own = meta.array.__class__(
        job_id=meta.array.job_id,
        task_id=task_id,
        max_running=meta.array.max_running,
        count=meta.array.count,
        lowest=meta.array.lowest,
        highest=meta.array.highest,
        step=meta.array.step,
    )
    if not rest:
        task = meta.with_(array=own)
        return put(cluster, task), task
    cluster, task_job_id = give_id(cluster)
    task = meta.with_(id=task_job_id, array=own)
    cluster = put(cluster, meta.with_(array=meta.array.with_(waiting=rest)))
    return put(cluster, task), task


def records_of(cluster: Cluster, array_job_id: int) -> list[Job]:
    """All records of an array, the waiting rest last."""
    ids = cluster.arrays.get(array_job_id, ())
    found = [cluster.jobs[i] for i in ids if i in cluster.jobs]
    return sorted(found, key=lambda job: job.array.task_id if job.array and job.array.task_id is not None else 1 << 40)


def running_tasks(cluster: Cluster, array_job_id: int) -> int:
    """How many tasks of the array hold resources."""
    return sum(1 for i in cluster.arrays.get(array_job_id, ()) if i in cluster.active)


class Target(NamedTuple):
    """A job as a user names it: `tasks` None means the job or the whole array."""

    job_id: int
    tasks: int | None


def parse_target(text: str, max_array_size: int) -> Target | None:
    """Read `12`, `12_3`, `12_[1-3]` or `12_*`; None where it is none of them."""
    found = _TARGET.fullmatch(text.strip())
    if found is None:
        return None
    job_id, part = int(found[1]), found[2]
    if part is None or part == "*":
        return Target(job_id, None)
    body = part.strip("[]").partition("%")[0]
    tasks = parse_tasks(body, max_array_size)
    return None if tasks is None else Target(job_id, tasks)


def label(job: Job) -> str:
    """The job's id as users read it: `12`, `12_3` or `12_[4-9]`."""
    if job.array is None:
        return str(job.id)
    if job.array.task_id is not None:
        return f"{job.array.job_id}_{job.array.task_id}"
    return f"{job.array.job_id}_[{describe(job.array.waiting, job.array.max_running)}]"
