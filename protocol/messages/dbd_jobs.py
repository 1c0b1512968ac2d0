"""Jobs and steps as they come out of the accounting database."""

from __future__ import annotations

import msgspec

from protocol.constants import INFINITE, NO_VAL, JobReason, JobState, TaskDistribution
from protocol.dbd_constants import DbJobFlag
from protocol.messages.common import StepId
from protocol.schema import Field, Record, array, double, epoch, string, u16, u32, u64

__all__ = [
    "DbJob",
    "DbStep",
    "DbStepStats",
]


class DbStepStats(Record):
    """What a step used; texts are `id=value` lists by TRES."""

    act_cpufreq: float = 0.0
    consumed_energy: int = 0
    tres_usage_in_ave: str | None = None
    tres_usage_in_max: str | None = None
    tres_usage_in_max_nodeid: str | None = None
    tres_usage_in_max_taskid: str | None = None
    tres_usage_in_min: str | None = None
    tres_usage_in_min_nodeid: str | None = None
    tres_usage_in_min_taskid: str | None = None
    tres_usage_in_tot: str | None = None
    tres_usage_out_ave: str | None = None
    tres_usage_out_max: str | None = None
    tres_usage_out_max_nodeid: str | None = None
    tres_usage_out_max_taskid: str | None = None
    tres_usage_out_min: str | None = None
    tres_usage_out_min_nodeid: str | None = None
    tres_usage_out_min_taskid: str | None = None
    tres_usage_out_tot: str | None = None

    WIRE = (
        Field("act_cpufreq", double, unit="kHz"),
        Field("consumed_energy", u64, unit="J"),
        Field("tres_usage_in_ave", string),
        Field("tres_usage_in_max", string),
        Field("tres_usage_in_max_nodeid", string),
        Field("tres_usage_in_max_taskid", string),
        Field("tres_usage_in_min", string),
        Field("tres_usage_in_min_nodeid", string),
        Field("tres_usage_in_min_taskid", string),
        Field("tres_usage_in_tot", string),
        Field("tres_usage_out_ave", string),
        Field("tres_usage_out_max", string),
        Field("tres_usage_out_max_nodeid", string),
        Field("tres_usage_out_max_taskid", string),
        Field("tres_usage_out_min", string),
        Field("tres_usage_out_min_nodeid", string),
        Field("tres_usage_out_min_taskid", string),
        Field("tres_usage_out_tot", string),
    )


class DbStep(Record):
    """A step as `sacct` prints it."""

    container: str | None = None
    elapsed: int = 0
    end: int = 0
    exitcode: int = 0
    nnodes: int = 0
    nodes: str | None = None
    ntasks: int = 0
    req_cpufreq_min: int = 0
    req_cpufreq_max: int = 0
    req_cpufreq_gov: int = 0
    requid: int = INFINITE
    stats: DbStepStats = msgspec.field(default_factory=DbStepStats)
    start: int = 0
    state: int = 0
    step_id: StepId = msgspec.field(default_factory=StepId)
    stepname: str | None = None
    cwd: str | None = None
    std_err: str | None = None
    std_in: str | None = None
    std_out: str | None = None
    submit_line: str | None = None
    suspended: int = 0
    sys_cpu_sec: int = 0
    sys_cpu_usec: int = 0
    task_dist: int = 0
    timelimit: int = 0
    tot_cpu_sec: int = 0
    tot_cpu_usec: int = 0
    tres_alloc_str: str | None = None
    user_cpu_sec: int = 0
    user_cpu_usec: int = 0

    WIRE = (
        Field("container", string),
        Field("elapsed", u32, unit="s"),
        Field("end", epoch),
        Field("exitcode", u32),
        Field("nnodes", u32),
        Field("nodes", string),
        Field("ntasks", u32),
        Field("req_cpufreq_min", u32, unit="kHz"),
        Field("req_cpufreq_max", u32, unit="kHz"),
        Field("req_cpufreq_gov", u32),
        Field("requid", u32),
        Field("stats", DbStepStats),
        Field("start", epoch),
        Field("state", u16, means=JobState),
        Field("step_id", StepId),
        Field("stepname", string),
        Field("cwd", string, since="25.05"),
        Field("std_err", string, since="25.05"),
        Field("std_in", string, since="25.05"),
        Field("std_out", string, since="25.05"),
        Field("submit_line", string),
        Field("suspended", u32, unit="s"),
        Field("sys_cpu_sec", u64, unit="s"),
        Field("sys_cpu_usec", u32, unit="us"),
        Field("task_dist", u32, means=TaskDistribution),
        Field("timelimit", u32, since="25.05", unit="min"),
        Field("tot_cpu_sec", u64, unit="s"),
        Field("tot_cpu_usec", u32, unit="us"),
        Field("tres_alloc_str", string),
        Field("user_cpu_sec", u64, unit="s"),
        Field("user_cpu_usec", u32, unit="us"),
    )


class DbJob(Record):
    """A job as `sacct` prints it."""

    account: str | None = None
    admin_comment: str | None = None
    alloc_nodes: int = 0
    array_job_id: int = 0
    array_max_tasks: int = 0
    array_task_id: int = NO_VAL
    array_task_str: str | None = None
    associd: int = 0
    blockid: str | None = None
    cluster: str | None = None
    constraints: str | None = None
    container: str | None = None
    db_index: int = 0
    derived_ec: int = 0
    derived_es: str | None = None
    elapsed: int = 0
    eligible: int = 0
    end: int = 0
    env: str | None = None
    exclusive: str | None = None
    exitcode: int = 0
    extra: str | None = None
    failed_node: str | None = None
    flags: int = 0
    gid: int = 0
    jobid: int = 0
    jobname: str | None = None
    lft: int = NO_VAL
    licenses: str | None = None
    lineage: str | None = None
    mcs_label: str | None = None
    nodes: str | None = None
    het_job_id: int = 0
    het_job_offset: int = NO_VAL
    oversubscribe: str | None = None
    partition: str | None = None
    priority: int = 0
    qosid: int = 0
    qos_req: str | None = None
    req_cpus: int = 0
    req_mem: int = 0
    requid: int = INFINITE
    restart_cnt: int = 0
    resv_name: str | None = None
    resvid: int = NO_VAL
    resv_req: str | None = None
    script: str | None = None
    sluid: int = 0
    show_full: int = 0
    start: int = 0
    state: int = 0
    state_reason_prev: int = 0
    steps: list[DbStep] = []
    segment_size: int = 0
    std_err: str | None = None
    std_in: str | None = None
    std_out: str | None = None
    submit: int = 0
    submit_line: str | None = None
    suspended: int = 0
    system_comment: str | None = None
    sys_cpu_sec: int = 0
    sys_cpu_usec: int = 0
    timelimit: int = 0
    tot_cpu_sec: int = 0
    tot_cpu_usec: int = 0
    tres_alloc_str: str | None = None
    tres_req_str: str | None = None
    uid: int = 0
    user: str | None = None
    user_cpu_sec: int = 0
    user_cpu_usec: int = 0
    wckey: str | None = None
    wckeyid: int = 0
    work_dir: str | None = None

    WIRE = (
        Field("account", string),
        Field("admin_comment", string),
        Field("alloc_nodes", u32),
        Field("array_job_id", u32),
        Field("array_max_tasks", u32),
        Field("array_task_id", u32),
        Field("array_task_str", string),
        Field("associd", u32),
        Field("blockid", string),
        Field("cluster", string),
        Field("constraints", string),
        Field("container", string),
        Field("db_index", u64),
        Field("derived_ec", u32),
        Field("derived_es", string),
        Field("elapsed", u32, unit="s"),
        Field("eligible", epoch),
        Field("end", epoch),
        Field("env", string),
        Field("exclusive", string, since="26.05"),
        Field("exitcode", u32),
        Field("extra", string, since="23.02"),
        Field("failed_node", string, since="23.02"),
        Field("flags", u32, means=DbJobFlag),
        Field("gid", u32),
        Field("jobid", u32),
        Field("jobname", string),
        Field("lft", u32, until="23.02"),
        Field("licenses", string, since="23.02"),
        Field("lineage", string, since="23.11"),
        Field("mcs_label", string),
        Field("nodes", string),
        Field("het_job_id", u32),
        Field("het_job_offset", u32),
        Field("oversubscribe", string, since="26.05"),
        Field("partition", string),
        Field("priority", u32),
        Field("qosid", u32),
        Field("qos_req", string, since="24.11"),
        Field("req_cpus", u32),
        Field("req_mem", u64, unit="MiB"),
        Field("requid", u32),
        Field("restart_cnt", u16, since="24.11"),
        Field("resv_name", string),
        Field("resvid", u32),
        Field("resv_req", string, since="25.05"),
        Field("script", string),
        Field("sluid", u64, since="26.05"),
        Field("show_full", u32),
        Field("start", epoch),
        Field("state", u32, means=JobState),
        Field("state_reason_prev", u32, means=JobReason),
        Field("steps", array(DbStep)),
        Field("segment_size", u16, since="25.05"),
        Field("std_err", string, since="24.05"),
        Field("std_in", string, since="24.05"),
        Field("std_out", string, since="24.05"),
        Field("submit", epoch),
        Field("submit_line", string),
        Field("suspended", u32, unit="s"),
        Field("system_comment", string),
        Field("sys_cpu_sec", u64, unit="s"),
        Field("sys_cpu_usec", u64, unit="us"),
        Field("timelimit", u32, unit="min"),
        Field("tot_cpu_sec", u64, unit="s"),
        Field("tot_cpu_usec", u64, unit="us"),
        Field("tres_alloc_str", string),
        Field("tres_req_str", string),
        Field("uid", u32),
        Field("user", string),
        Field("user_cpu_sec", u64, unit="s"),
        Field("user_cpu_usec", u64, unit="us"),
        Field("wckey", string),
        Field("wckeyid", u32),
        Field("work_dir", string),
    )
