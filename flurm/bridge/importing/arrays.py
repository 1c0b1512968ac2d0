"""Job arrays of a slurmctld: which tasks a record stands for, and with which ones the array was submitted."""

from __future__ import annotations

import re

from flurm.core.arrays import parse as parse_array
from flurm.core.bits import bits_of
from flurm.core.job_records import ArrayTask
from protocol.constants import NO_VAL
from protocol.messages import JobInfo

__all__ = ["array_of", "array_tasks", "asked_tasks"]


def array_tasks(info: JobInfo) -> int:
    """The array tasks that a record stands for, as a bitmap; 0 for a job of no array."""
    if info.array_task_id != NO_VAL:
        return 1 << info.array_task_id if info.array_job_id else 0
    text = (info.array_task_str or "").partition("%")[0]
    if text.lower().startswith("0x"):
        return int(text, 16)
    found = parse_array(text, _NO_TASK_ABOVE) if text else None
    return found.tasks if found is not None else 0


_NO_TASK_ABOVE = 4_000_002


def array_of(info: JobInfo, tasks: int) -> ArrayTask | None:
    """The job's place in its array, all of whose tasks are `tasks`; None for a job of no array."""
    if not info.array_job_id:
        return None
    own, ids = array_tasks(info), bits_of(tasks)
    single = info.array_task_id != NO_VAL
    return ArrayTask(
        job_id=info.array_job_id,
        task_id=info.array_task_id if single else None,
        waiting=0 if single else own,
        max_running=info.array_max_tasks,
        count=len(ids),
        lowest=ids[0] if ids else 0,
        highest=ids[-1] if ids else 0,
        step=ids[1] - ids[0] if len(ids) > 1 else 1,
    )


_ARRAY_OPTION = re.compile(r"(?:--array[= ]|\s-a[= ]?)\s*[\"']?([0-9,:%\-]+)")


def asked_tasks(info: JobInfo, script: bytes) -> int:
    """The tasks that an array was submitted with, where the command line or the script says so; 0 where not."""
    lines = [info.submit_line or ""]
    lines += [line.decode("latin-1") for line in script.splitlines() if line.startswith(b"#SBATCH")]
    for line in lines:
        option = _ARRAY_OPTION.search(line)
        found = parse_array(option[1], _NO_TASK_ABOVE) if option else None
        if found is not None:
            return found.tasks
    return 0
