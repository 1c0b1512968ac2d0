"""Steps, allocations and the smaller answers about one job.

The cluster keeps no steps of its own yet: every running batch job has exactly its batch step, on its first node.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from flurm.bridge.resources import cpu_groups, node_bits
from flurm.bridge.show_jobs import requested_memory
from flurm.core.enums import JobFlag, JobState
from flurm.core.job_records import Job
from flurm.core.record import UNLIMITED
from flurm.core.records import Cluster
from protocol.constants import BATCH_STEP, INFINITE16, NO_VAL, SELECT_CONS_TRES, ReadyBit
from protocol.constants import JobFlag as JobOption
from protocol.hostlist import fold
from protocol.messages import (
    Allocation,
    JobStateInfo,
    JobStateResponse,
    SrunTimeout,
    StepId,
    StepInfo,
    StepInfoResponse,
    StepLayout,
)
from protocol.versions import Version
from protocol.wire import Bits

__all__ = ["Names", "allocation", "end_time", "job_states", "ready_bits", "step_layout", "steps_response"]


class Names(Protocol):
    """Names of users and groups, from a cache that never blocks for long."""

    def user(self, uid: int) -> str | None:
        """The name of a user, None where it has none."""

    def group(self, gid: int) -> str | None:
        """The name of a group, None where it has none."""


def steps_response(cluster: Cluster, jobs: Iterable[Job], version: int, now_s: int) -> StepInfoResponse:
    """The batch steps of those of the jobs that run."""
    steps = [_batch_step(cluster, job, version, now_s) for job in jobs if has_batch_step(job)]
    return StepInfoResponse(job_step_count=len(steps), last_update=now_s, job_steps=steps)


def has_batch_step(job: Job) -> bool:
    """Whether a batch script of the job runs, or is stopped."""
    return job.state in (JobState.RUNNING, JobState.SUSPENDED) and job.allocation is not None


def _batch_step(cluster: Cluster, job: Job, version: int, now_s: int) -> StepInfo:
    assert job.allocation is not None
    array = job.array
    return StepInfo(
        array_job_id=array.job_id if array else 0,
        array_task_id=NO_VAL if array is None or array.task_id is None else array.task_id,
        step_id=StepId(job_id=job.id, step_id=BATCH_STEP, step_het_comp=NO_VAL),
        user_id=job.spec.user_id,
        num_tasks=1,
        time_limit=UNLIMITED,
        state=int(job.state),
        start_time=job.start_s,
        run_time=max(0, now_s - job.start_s),
        cluster=cluster.settings.cluster_name,
        partition=job.partition,
        nodes=job.batch_host,
        name="batch",
        node_inx=node_bits(cluster, 1 << job.allocation.shares[0].node),
        select_jobinfo=SELECT_CONS_TRES,
        start_protocol_ver=job.spec.protocol_version or version,
        container=job.spec.container,
        job_name=job.spec.name,
        submit_line=job.spec.submit_line,
    )


def step_layout(job: Job, step_id: int, version: int) -> StepLayout | None:
    """Where the tasks of a step are; None for a step that does not run."""
    if step_id != BATCH_STEP or not has_batch_step(job):
        return None
    node_version = 0 if version <= Version.V22_05 else job.spec.protocol_version or version
    return StepLayout(
        has_layout=1, node_list=job.batch_host, node_cnt=1, start_protocol_ver=node_version, task_cnt=1, tids=[[0]]
    )


def allocation(job: Job, names: Names) -> Allocation:
    """What a job was given, as salloc and the tools inside a job ask for it."""
    spec = job.spec
    values, reps = cpu_groups(job)
    return Allocation(
        account=spec.account,
        batch_host=job.batch_host,
        gid=spec.group_id,
        group_name=names.group(spec.group_id),
        uid=spec.user_id,
        user_name=spec.user_name or names.user(spec.user_id),
        job_id=job.id,
        step_id=StepId(job_id=job.id, step_id=NO_VAL, step_het_comp=NO_VAL),
        node_cnt=len(job.node_names),
        node_list=fold(job.node_names),
        ntasks_per_board=spec.ntasks_per_board or 0,
        ntasks_per_core=spec.ntasks_per_core or INFINITE16,
        ntasks_per_socket=spec.ntasks_per_socket or INFINITE16,
        ntasks_per_tres=spec.ntasks_per_tres or 0,
        num_cpu_groups=len(values),
        cpus_per_node=values,
        cpu_count_reps=reps,
        partition=job.partition,
        pn_min_memory=requested_memory(spec) if spec.bit_flags & JobOption.MEM_SET else 0,
        qos=spec.qos,
        resv_name=spec.reservation,
        select_jobinfo=SELECT_CONS_TRES,
        start_protocol_ver=spec.protocol_version,
        tres_per_node=spec.tres_per_node,
        tres_per_task=spec.tres_per_task,
    )


def ready_bits(job: Job) -> int:
    """Whether a job's nodes and prolog are ready (scontrol wait_job polls this)."""
    if job.state not in (JobState.RUNNING, JobState.SUSPENDED):
        return int(ReadyBit.PROLOG_STATE)
    bits = ReadyBit.JOB_STATE | ReadyBit.PROLOG_STATE
    if not job.flags & JobFlag.CONFIGURING:
        bits |= ReadyBit.NODE_STATE
    return int(bits)


def end_time(job: Job) -> SrunTimeout:
    """When a job ends, or will end at the latest."""
    return SrunTimeout(step_id=StepId(job_id=job.id, step_id=NO_VAL, step_het_comp=NO_VAL), timeout=job.end_s)


def job_states(jobs: Iterable[Job]) -> JobStateResponse:
    """Nothing but the states: what squeue --only-job-state asks for."""
    infos = []
    for job in jobs:
        state = int(job.state) | int(job.flags)
        array = job.array
        if array is None:
            infos.append(JobStateInfo(job_id=job.id, state=state))
            continue
        waiting = Bits(array.highest + 1, array.waiting) if array.task_id is None else None
        task_id = NO_VAL if array.task_id is None else array.task_id
        infos.append(JobStateInfo(job.id, array.job_id, task_id, waiting, 0, state))
    return JobStateResponse(infos)
