"""Requests that change jobs: kill, signal, suspend, requeue, reorder, notify, and their answers."""

from __future__ import annotations

import msgspec

from protocol.constants import JobState, KillFlag, MessageType, Signal, SuspendOp
from protocol.errno import Errno
from protocol.messages.common import SelectedStep, StepId
from protocol.messages.job_submit import JobDescriptionList
from protocol.schema import Field, Record, array, boolean, message, string, u16, u32, u64, vector

__all__ = [
    "CrontabRequest",
    "CrontabResponse",
    "CrontabUpdateRequest",
    "CrontabUpdateResponse",
    "JobArrayError",
    "JobArrayErrors",
    "JobNotify",
    "JobResize",
    "KillJobResult",
    "KillJobs",
    "KillJobsResponse",
    "KillStep",
    "RequeueJob",
    "ResponseUpdateJobMem",
    "SuspendJob",
    "TopJob",
    "UpdateJobMem",
]


@message(MessageType.REQUEST_CANCEL_JOB_STEP, MessageType.REQUEST_KILL_JOB, MessageType.SRUN_STEP_SIGNAL)
class KillStep(Record):
    """Body of REQUEST_CANCEL_JOB_STEP, REQUEST_KILL_JOB, SRUN_STEP_SIGNAL."""

    step_id: StepId = msgspec.field(default_factory=StepId)
    sjob_id: str | None = None
    sibling: str | None = None
    signal: int = 0
    flags: int = 0

    WIRE = (
        Field("step_id", StepId),
        Field("sjob_id", string),
        Field("sibling", string),
        Field("signal", u16, means=Signal),
        Field("flags", u16, means=KillFlag),
    )


@message(MessageType.REQUEST_SUSPEND, MessageType.SRUN_REQUEST_SUSPEND)
class SuspendJob(Record):
    """Body of REQUEST_SUSPEND, SRUN_REQUEST_SUSPEND."""

    step_id: StepId = msgspec.field(default_factory=StepId)
    op: int = 0
    job_id: int = 0
    job_id_str: str | None = None

    WIRE = (
        Field("step_id", StepId, since="25.11"),
        Field("op", u16, means=SuspendOp),
        Field("job_id", u32, until="25.05"),
        Field("job_id_str", string),
    )


@message(MessageType.REQUEST_TOP_JOB)
class TopJob(Record):
    """Body of REQUEST_TOP_JOB."""

    op: int = 0
    job_id: int = 0
    job_id_str: str | None = None

    WIRE = (
        Field("op", u16),
        Field("job_id", u32, until="25.05"),
        Field("job_id_str", string),
    )


@message(MessageType.REQUEST_JOB_REQUEUE)
class RequeueJob(Record):
    """Body of REQUEST_JOB_REQUEUE."""

    job_id: int = 0
    step_id: StepId = msgspec.field(default_factory=StepId)
    job_id_str: str | None = None
    flags: int = 0

    WIRE = (
        Field("job_id", u32, until="25.05"),
        Field("step_id", StepId, since="25.11"),
        Field("job_id_str", string),
        Field("flags", u32),
    )


@message(MessageType.REQUEST_JOB_NOTIFY)
class JobNotify(Record):
    """Body of REQUEST_JOB_NOTIFY."""

    step_id: StepId = msgspec.field(default_factory=StepId)
    message: str | None = None

    WIRE = (
        Field("step_id", StepId),
        Field("message", string),
    )


class JobArrayError(Record):
    """One element of `job_array` in JobArrayErrors."""

    error_code: int = 0
    job_array_id: str | None = None
    err_msg: str | None = None

    WIRE = (
        Field("error_code", u32, means=Errno),
        Field("job_array_id", string),
        Field("err_msg", string, since="23.02"),
    )


@message(MessageType.RESPONSE_JOB_ARRAY_ERRORS)
class JobArrayErrors(Record):
    """Body of RESPONSE_JOB_ARRAY_ERRORS."""

    job_array: list[JobArrayError] = []

    WIRE = (Field("job_array", array(JobArrayError)),)


@message(MessageType.REQUEST_CRONTAB)
class CrontabRequest(Record):
    """Body of REQUEST_CRONTAB."""

    uid: int = 0

    WIRE = (Field("uid", u32),)


@message(MessageType.RESPONSE_CRONTAB)
class CrontabResponse(Record):
    """Body of RESPONSE_CRONTAB."""

    crontab: str | None = None
    disabled_lines: str | None = None

    WIRE = (
        Field("crontab", string),
        Field("disabled_lines", string),
    )


@message(MessageType.REQUEST_UPDATE_CRONTAB)
class CrontabUpdateRequest(Record):
    """Body of REQUEST_UPDATE_CRONTAB."""

    crontab: str | None = None
    jobs: JobDescriptionList = msgspec.field(default_factory=JobDescriptionList)
    uid: int = 0
    gid: int = 0

    WIRE = (
        Field("crontab", string),
        Field("jobs", JobDescriptionList),
        Field("uid", u32),
        Field("gid", u32),
    )


@message(MessageType.RESPONSE_UPDATE_CRONTAB)
class CrontabUpdateResponse(Record):
    """Body of RESPONSE_UPDATE_CRONTAB."""

    err_msg: str | None = None
    job_submit_user_msg: str | None = None
    failed_lines: str | None = None
    jobids: list[int] = []
    return_code: int = 0

    WIRE = (
        Field("err_msg", string),
        Field("job_submit_user_msg", string, since="23.02"),
        Field("failed_lines", string),
        Field("jobids", vector(u32)),
        Field("return_code", u32, means=Errno),
    )


@message(MessageType.REQUEST_KILL_JOBS)
class KillJobs(Record):
    """Body of REQUEST_KILL_JOBS."""

    account: str | None = None
    admin_comment: str | None = None
    flags: int = 0
    job_name: str | None = None
    jobs_array: list[str | None] = []
    partition: str | None = None
    qos: str | None = None
    reservation: str | None = None
    signal: int = 0
    state: int = 0
    user_id: int = 0
    user_name: str | None = None
    wckey: str | None = None
    nodelist: str | None = None

    WIRE = (
        Field("account", string),
        Field("admin_comment", string, since="25.11"),
        Field("flags", u16, means=KillFlag),
        Field("job_name", string),
        Field("jobs_array", vector(string)),
        Field("partition", string),
        Field("qos", string),
        Field("reservation", string),
        Field("signal", u16, means=Signal),
        Field("state", u32, means=JobState),
        Field("user_id", u32),
        Field("user_name", string),
        Field("wckey", string),
        Field("nodelist", string),
    )


class KillJobResult(Record):
    """One element of `jobs` in KillJobsResponse."""

    error_code: int = 0
    error_msg: str | None = None
    id: SelectedStep = msgspec.field(default_factory=SelectedStep)
    real_job_id: int = 0
    sibling_name: str | None = None

    WIRE = (
        Field("error_code", u32, means=Errno),
        Field("error_msg", string),
        Field("id", SelectedStep),
        Field("real_job_id", u32),
        Field("sibling_name", string),
    )


@message(MessageType.RESPONSE_KILL_JOBS)
class KillJobsResponse(Record):
    """Body of RESPONSE_KILL_JOBS."""

    jobs: list[KillJobResult] = []

    WIRE = (Field("jobs", array(KillJobResult)),)


@message(MessageType.REQUEST_UPDATE_JOB_MEM)
class UpdateJobMem(Record):
    """Body of REQUEST_UPDATE_JOB_MEM."""

    step_id: StepId = msgspec.field(default_factory=StepId)
    job_mem_per_node: int = 0
    notify_ctld: bool = False

    WIRE = (
        Field("step_id", StepId),
        Field("job_mem_per_node", u64, unit="MiB"),
        Field("notify_ctld", boolean),
    )


@message(MessageType.RESPONSE_UPDATE_JOB_MEM)
class ResponseUpdateJobMem(Record):
    """Body of RESPONSE_UPDATE_JOB_MEM."""

    step_id: StepId = msgspec.field(default_factory=StepId)
    node_name: str | None = None
    job_mem_per_node: int = 0
    all_nodes: bool = False
    return_code: int = 0

    WIRE = (
        Field("step_id", StepId),
        Field("node_name", string),
        Field("job_mem_per_node", u64, unit="MiB"),
        Field("all_nodes", boolean),
        Field("return_code", u32),
    )


@message(MessageType.REQUEST_STEPMGR_RESIZE_KILL_STEPS)
class JobResize(Record):
    """Body of REQUEST_STEPMGR_RESIZE_KILL_STEPS."""

    nodelist: str | None = None
    step_id: StepId = msgspec.field(default_factory=StepId)

    WIRE = (
        Field("nodelist", string),
        Field("step_id", StepId),
    )
