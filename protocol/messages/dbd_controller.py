"""What a controller reports to the accounting daemon: jobs, steps, nodes, itself."""

from __future__ import annotations

import msgspec

from protocol.constants import INFINITE, NO_VAL, DbdMessageType, JobReason, JobState, NodeState, TaskDistribution
from protocol.dbd_constants import ClusterFlag, DbJobFlag, NodeStateChange, Oversubscribe
from protocol.messages.common import StepId
from protocol.messages.steps import JobAccounting
from protocol.schema import Field, Record, epoch, message, string, u8, u16, u32, u64

__all__ = [
    "DbdClusterTres",
    "DbdIdRc",
    "DbdJobComplete",
    "DbdJobHeavy",
    "DbdJobStart",
    "DbdJobSuspend",
    "DbdNodeState",
    "DbdRegisterCtld",
    "DbdStepComplete",
    "DbdStepStart",
]


@message(DbdMessageType.DBD_JOB_START)
class DbdJobStart(Record):
    """A job that was submitted, became eligible, started or changed."""

    account: str | None = None
    alloc_nodes: int = 0
    array_job_id: int = 0
    array_max_tasks: int = 0
    array_task_id: int = NO_VAL
    array_task_str: str | None = None
    array_task_pending: int = 0
    assoc_id: int = 0
    constraints: str | None = None
    container: str | None = None
    db_flags: int = 0
    db_index: int = 0
    eligible_time: int = 0
    exclusive: int = 0
    gid: int = 0
    gres_used: str | None = None
    job_id: int = 0
    job_state: int = 0
    state_reason_prev: int = 0
    licenses: str | None = None
    mcs_label: str | None = None
    name: str | None = None
    nodes: str | None = None
    node_inx: str | None = None
    het_job_id: int = 0
    het_job_offset: int = NO_VAL
    oversubscribe: int = 0
    partition: str | None = None
    priority: int = 0
    qos_id: int = 0
    qos_req: str | None = None
    req_cpus: int = 0
    req_mem: int = 0
    restart_cnt: int = 0
    resv_id: int = 0
    resv_req: str | None = None
    segment_size: int = 0
    sluid: int = 0
    start_time: int = 0
    std_err: str | None = None
    std_in: str | None = None
    std_out: str | None = None
    submit_line: str | None = None
    submit_time: int = 0
    timelimit: int = 0
    tres_alloc_str: str | None = None
    tres_req_str: str | None = None
    uid: int = 0
    wckey: str | None = None
    work_dir: str | None = None
    env_hash: str | None = None
    script_hash: str | None = None

    WIRE = (
        Field("account", string),
        Field("alloc_nodes", u32),
        Field("array_job_id", u32),
        Field("array_max_tasks", u32),
        Field("array_task_id", u32),
        Field("array_task_str", string),
        Field("array_task_pending", u32),
        Field("assoc_id", u32),
        Field("constraints", string),
        Field("container", string),
        Field("db_flags", u32, means=DbJobFlag),
        Field("db_index", u64),
        Field("eligible_time", epoch),
        Field("exclusive", u8, since="26.05"),
        Field("gid", u32),
        Field("gres_used", string),
        Field("job_id", u32),
        Field("job_state", u32, means=JobState),
        Field("state_reason_prev", u32, means=JobReason),
        Field("licenses", string, since="23.02"),
        Field("mcs_label", string),
        Field("name", string),
        Field("nodes", string),
        Field("node_inx", string),
        Field("het_job_id", u32),
        Field("het_job_offset", u32),
        Field("oversubscribe", u8, since="26.05", means=Oversubscribe),
        Field("partition", string),
        Field("priority", u32),
        Field("qos_id", u32),
        Field("qos_req", string, since="24.11"),
        Field("req_cpus", u32),
        Field("req_mem", u64, unit="MiB"),
        Field("restart_cnt", u16, since="24.11"),
        Field("resv_id", u32),
        Field("resv_req", string, since="25.05"),
        Field("segment_size", u16, since="25.05"),
        Field("sluid", u64, since="26.05"),
        Field("start_time", epoch),
        Field("std_err", string, since="24.05"),
        Field("std_in", string, since="24.05"),
        Field("std_out", string, since="24.05"),
        Field("submit_line", string),
        Field("submit_time", epoch),
        Field("timelimit", u32, unit="min"),
        Field("tres_alloc_str", string),
        Field("tres_req_str", string),
        Field("uid", u32),
        Field("wckey", string),
        Field("work_dir", string),
        Field("env_hash", string),
        Field("script_hash", string),
    )


@message(DbdMessageType.DBD_JOB_COMPLETE)
class DbdJobComplete(Record):
    """A job that ended."""

    admin_comment: str | None = None
    assoc_id: int = 0
    comment: str | None = None
    db_index: int = 0
    derived_ec: int = 0
    end_time: int = 0
    exit_code: int = 0
    extra: str | None = None
    failed_node: str | None = None
    job_id: int = 0
    job_state: int = 0
    nodes: str | None = None
    req_uid: int = INFINITE
    start_time: int = 0
    submit_time: int = 0
    system_comment: str | None = None
    tres_alloc_str: str | None = None

    WIRE = (
        Field("admin_comment", string),
        Field("assoc_id", u32),
        Field("comment", string),
        Field("db_index", u64),
        Field("derived_ec", u32),
        Field("end_time", epoch),
        Field("exit_code", u32),
        Field("extra", string, since="23.02"),
        Field("failed_node", string, since="23.02"),
        Field("job_id", u32),
        Field("job_state", u32, means=JobState),
        Field("nodes", string),
        Field("req_uid", u32),
        Field("start_time", epoch),
        Field("submit_time", epoch),
        Field("system_comment", string),
        Field("tres_alloc_str", string),
    )


@message(DbdMessageType.DBD_JOB_HEAVY)
class DbdJobHeavy(Record):
    """Script and environment of a job, which travel once for all jobs that share them."""

    env: str | None = None
    env_hash: str | None = None
    script: str | None = None
    script_hash: str | None = None

    WIRE = (
        Field("env", string),
        Field("env_hash", string),
        Field("script", string),
        Field("script_hash", string),
    )


@message(DbdMessageType.DBD_JOB_SUSPEND)
class DbdJobSuspend(Record):
    """A job that was suspended or resumed."""

    assoc_id: int = 0
    db_index: int = 0
    job_id: int = 0
    job_state: int = 0
    submit_time: int = 0
    suspend_time: int = 0

    WIRE = (
        Field("assoc_id", u32),
        Field("db_index", u64),
        Field("job_id", u32),
        Field("job_state", u32, means=JobState),
        Field("submit_time", epoch),
        Field("suspend_time", epoch),
    )


@message(DbdMessageType.DBD_ID_RC)
class DbdIdRc(Record):
    """Index in the database of a job that was reported, and what of it is still wanted."""

    job_id: int = 0
    db_index: int = 0
    flags: int = 0
    return_code: int = 0

    WIRE = (
        Field("job_id", u32),
        Field("db_index", u64),
        Field("flags", u64),
        Field("return_code", u32),
    )


@message(DbdMessageType.DBD_STEP_START)
class DbdStepStart(Record):
    """A step that started."""

    assoc_id: int = 0
    db_index: int = 0
    container: str | None = None
    name: str | None = None
    nodes: str | None = None
    node_inx: str | None = None
    node_cnt: int = 0
    start_time: int = 0
    job_submit_time: int = 0
    req_cpufreq_min: int = NO_VAL
    req_cpufreq_max: int = NO_VAL
    req_cpufreq_gov: int = NO_VAL
    step_id: StepId = msgspec.field(default_factory=StepId)
    cwd: str | None = None
    state: int = 0
    std_err: str | None = None
    std_in: str | None = None
    std_out: str | None = None
    submit_line: str | None = None
    task_dist: int = 0
    time_limit: int = 0
    total_tasks: int = 0
    tres_alloc_str: str | None = None

    WIRE = (
        Field("assoc_id", u32),
        Field("db_index", u64),
        Field("container", string),
        Field("name", string),
        Field("nodes", string),
        Field("node_inx", string),
        Field("node_cnt", u32),
        Field("start_time", epoch),
        Field("job_submit_time", epoch),
        Field("req_cpufreq_min", u32, unit="kHz"),
        Field("req_cpufreq_max", u32, unit="kHz"),
        Field("req_cpufreq_gov", u32),
        Field("step_id", StepId),
        Field("cwd", string, since="25.05"),
        Field("state", u32, since="26.05", means=JobState),
        Field("std_err", string, since="25.05"),
        Field("std_in", string, since="25.05"),
        Field("std_out", string, since="25.05"),
        Field("submit_line", string),
        Field("task_dist", u32, means=TaskDistribution),
        Field("time_limit", u32, since="25.05", unit="min"),
        Field("total_tasks", u32),
        Field("tres_alloc_str", string),
    )


@message(DbdMessageType.DBD_STEP_COMPLETE)
class DbdStepComplete(Record):
    """A step that ended, and what it used."""

    assoc_id: int = 0
    db_index: int = 0
    end_time: int = 0
    exit_code: int = 0
    jobacct: JobAccounting = msgspec.field(default_factory=JobAccounting)
    job_submit_time: int = 0
    job_tres_alloc_str: str | None = None
    req_uid: int = INFINITE
    start_time: int = 0
    state: int = 0
    step_id: StepId = msgspec.field(default_factory=StepId)
    total_tasks: int = 0

    WIRE = (
        Field("assoc_id", u32),
        Field("db_index", u64),
        Field("end_time", epoch),
        Field("exit_code", u32),
        Field("jobacct", JobAccounting),
        Field("job_submit_time", epoch),
        Field("job_tres_alloc_str", string),
        Field("req_uid", u32),
        Field("start_time", epoch),
        Field("state", u16, means=JobState),
        Field("step_id", StepId),
        Field("total_tasks", u32),
    )


@message(DbdMessageType.DBD_NODE_STATE)
class DbdNodeState(Record):
    """A node that became available or not, or changed its resources."""

    hostlist: str | None = None
    extra: str | None = None
    instance_id: str | None = None
    instance_type: str | None = None
    reason: str | None = None
    reason_uid: int = 0
    new_state: int = 0
    event_time: int = 0
    state: int = 0
    tres_str: str | None = None

    WIRE = (
        Field("hostlist", string),
        Field("extra", string, since="23.11"),
        Field("instance_id", string, since="23.11"),
        Field("instance_type", string, since="23.11"),
        Field("reason", string),
        Field("reason_uid", u32),
        Field("new_state", u16, means=NodeStateChange),
        Field("event_time", epoch),
        Field("state", u32, means=NodeState),
        Field("tres_str", string),
    )


@message(DbdMessageType.DBD_CLUSTER_TRES, DbdMessageType.DBD_FLUSH_JOBS)
class DbdClusterTres(Record):
    """Nodes and resources that a cluster has from now on; as DBD_FLUSH_JOBS: all its jobs are gone."""

    cluster_nodes: str | None = None
    event_time: int = 0
    tres_str: str | None = None

    WIRE = (
        Field("cluster_nodes", string),
        Field("event_time", epoch),
        Field("tres_str", string),
    )


@message(DbdMessageType.DBD_REGISTER_CTLD)
class DbdRegisterCtld(Record):
    """A controller that wants to be told of changes on this port of its host."""

    dimensions: int = 0
    flags: int = 0
    plugin_id_select: int = 0
    port: int = 0
    cluster_id: int = 0

    WIRE = (
        Field("dimensions", u16),
        Field("flags", u32, means=ClusterFlag),
        Field("plugin_id_select", u32, until="23.11"),
        Field("port", u16),
        Field("cluster_id", u32, since="25.11"),
    )
