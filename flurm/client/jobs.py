"""What commands say about a job beyond its bare fields: its id as people write it, its reason, its times and counts."""

from __future__ import annotations

import os
from itertools import pairwise

from flurm.client.texts import amount
from protocol.constants import INFINITE, MEM_PER_CPU, NO_VAL, JobReason, JobState, NodeState
from protocol.hostlist import count, expand
from protocol.messages import JobInfo

__all__ = [
    "base",
    "is_pending",
    "job_id_text",
    "minimum_memory",
    "node_count",
    "reason",
    "reason_or_nodes",
    "seconds_left",
    "seconds_used",
    "task_ids",
    "task_text",
]

_REASON_IN_PLACE_OF_NODES = {
    JobState.PENDING,
    JobState.FAILED,
    JobState.TIMEOUT,
    JobState.OOM,
    JobState.DEADLINE,
}
_REASONS = {int(each): each.text for each in JobReason}
_TASK_TEXT_LIMIT = 64
_SHORTEST_STEPPED = 10


def base(job: JobInfo) -> int:
    """The base state."""
    return job.job_state & 0xFF


def is_pending(job: JobInfo) -> bool:
    """Whether the job waits."""
    return base(job) == JobState.PENDING


def job_id_text(job: JobInfo) -> str:
    """`17`, `17_3` for an array's task, `17_[4-9%2]` for what is left of an array, `17+1` for part of a group."""
    if job.array_task_str:
        return f"{job.array_job_id}_[{task_text(job)}]"
    if job.array_task_id != NO_VAL:
        return f"{job.array_job_id}_{job.array_task_id}"
    if job.het_job_id:
        return f"{job.het_job_id}+{job.het_job_offset}"
    return str(job.job_id)


def task_ids(text: str) -> list[int]:
    """The numbers in an array's task expression, which is a bitmap `0x..%limit` on the wire, or plain ranges."""
    text = text.partition("%")[0]
    if text.startswith("0x"):
        mask = int(text, 16)
        return [index for index in range(mask.bit_length()) if mask >> index & 1]
    found: list[int] = []
    for part in filter(None, text.split(",")):
        ends, _, step = part.partition(":")
        first, _, last = ends.partition("-")
        found += range(int(first), int(last or first) + 1, int(step or 1))
    return found


def task_text(job: JobInfo) -> str:
    """What is left of an array as it is shown: `0-9`, `0-90:10%4`, cut off after 64 characters with `...`."""
    text = job.array_task_str or ""
    if text.startswith("0x"):
        ids = task_ids(text)
        text = _regular(ids) or _ranges(ids)
    longest = int(os.environ.get("SLURM_BITSTR_LEN") or _TASK_TEXT_LIMIT)
    if longest and len(text) >= longest:
        text = text[: longest - 4].rpartition(",")[0] + ",..."
    return f"{text}%{job.array_max_tasks}" if job.array_max_tasks and "%" not in text else text


def _regular(ids: list[int]) -> str:
    steps = {after - before for before, after in pairwise(ids)}
    if ids[-1] - ids[0] > _SHORTEST_STEPPED and len(steps) == 1 and (step := steps.pop()) > 1:
        return f"{ids[0]}-{ids[-1]}:{step}"
    return ""


def _ranges(ids: list[int]) -> str:
    runs: list[list[int]] = []
    for each in ids:
        if runs and runs[-1][1] == each - 1:
            runs[-1][1] = each
        else:
            runs.append([each, each])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def reason(job: JobInfo) -> str:
    """Why the job waits or how it ended."""
    return job.state_desc or _REASONS.get(job.state_reason, "InvalidReason")


def reason_or_nodes(job: JobInfo) -> str:
    """The nodes of a job that has some to speak of, else the reason in parentheses."""
    return f"({reason(job)})" if base(job) in _REASON_IN_PLACE_OF_NODES else job.nodes or ""


def node_count(job: JobInfo) -> int:
    """The nodes that the job has, or at least wants."""
    return max(job.num_nodes, count(job.req_nodes)) if is_pending(job) else job.num_nodes


def minimum_memory(job: JobInfo) -> str:
    """The memory asked for, by CPU or by node."""
    return amount(job.pn_min_memory & ~MEM_PER_CPU, "M")


def seconds_used(job: JobInfo, now_s: float) -> int:
    """How long the job has run, without the time that it was suspended."""
    if not job.start_time or is_pending(job):
        return 0
    if base(job) == JobState.SUSPENDED:
        return job.pre_sus_time
    end_s = now_s if base(job) == JobState.RUNNING or not job.end_time else job.end_time
    if job.suspend_time:
        return int(end_s - job.suspend_time) + job.pre_sus_time
    return int(end_s - job.start_time)


def seconds_left(job: JobInfo, now_s: float) -> int | None:
    """How long the job may still run; None where nothing limits it."""
    if job.time_limit in (INFINITE, NO_VAL):
        return None
    return job.time_limit * 60 - seconds_used(job, now_s)


def on_node(nodes: str | None, wanted: set[str]) -> bool:
    """Whether a host list has one of the wanted nodes."""
    return bool(nodes) and not wanted.isdisjoint(expand(nodes))


def is_future(node_state: int) -> bool:
    """Whether a node only exists in the configuration."""
    return node_state & 0xF == NodeState.FUTURE
