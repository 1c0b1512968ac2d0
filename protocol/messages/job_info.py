"""What is known about jobs: the records behind squeue and scontrol show job."""

from __future__ import annotations

import msgspec

from protocol.constants import (
    CpuFrequency,
    CpuGovernor,
    JobExclusive,
    JobFlag,
    JobOversubscribe,
    JobReason,
    JobShared,
    JobState,
    MailFlag,
    MessageType,
    ProfileFlag,
    SelectPlugin,
    ShowFlag,
)
from protocol.errno import Errno
from protocol.messages.common import JobResources, MultiCoreData, StepId
from protocol.schema import (
    Field,
    If,
    Record,
    array,
    bits,
    boolean,
    double,
    epoch,
    list_of,
    message,
    repeat,
    string,
    u8,
    u16,
    u32,
    u64,
    vector,
)
from protocol.versions import Version
from protocol.wire import Bits

__all__ = [
    "AllocationInfoRequest",
    "BatchScript",
    "JobIdRequest",
    "JobInfo",
    "JobInfoRequest",
    "JobInfoResponse",
    "JobOfPidRequest",
    "JobOfPidResponse",
    "JobStateInfo",
    "JobStateItem",
    "JobStateRequest",
    "JobStateResponse",
    "NodeGresLayout",
    "NodeLayout",
    "ResourceLayout",
    "UserJobsRequest",
]


class JobInfo(Record):
    """One job in RESPONSE_JOB_INFO."""

    step_id: StepId = msgspec.field(default_factory=StepId)
    account: str | None = None
    admin_comment: str | None = None
    alloc_node: str | None = None
    alloc_sid: int = 0
    array_job_id: int = 0
    array_task_id: int = 0
    array_task_str: str | None = None
    array_max_tasks: int = 0
    assoc_id: int = 0
    batch_features: str | None = None
    batch_flag: int = 0
    batch_host: str | None = None
    bitflags: int = 0
    burst_buffer: str | None = None
    burst_buffer_state: str | None = None
    billable_tres: float = 0.0
    comment: str | None = None
    container: str | None = None
    container_id: str | None = None
    container_type: str | None = None
    cpus_per_tres: str | None = None
    deadline: int = 0
    delay_boot: int = 0
    derived_ec: int = 0
    exit_code: int = 0
    extra: str | None = None
    failed_node: str | None = None
    job_id: int = 0
    user_id: int = 0
    has_fed_origin_str: bool = False
    fed_origin_str: str | None = None
    fed_siblings_active: int = 0
    fed_siblings_active_str: str | None = None
    fed_siblings_viable: int = 0
    fed_siblings_viable_str: str | None = None
    gres_total: str | None = None
    group_id: int = 0
    het_job_id: int = 0
    het_job_id_set: str | None = None
    het_job_offset: int = 0
    job_state: int = 0
    last_sched_eval: int = 0
    licenses: str | None = None
    licenses_allocated: str | None = None
    mail_type: int = 0
    mail_user: str | None = None
    mcs_label: str | None = None
    mem_per_tres: str | None = None
    name: str | None = None
    network: str | None = None
    preempt_time: int = 0
    pre_sus_time: int = 0
    priority: int = 0
    profile: int = 0
    state_reason: int = 0
    power_flags: int = 0
    reboot: int = 0
    req_switch: int = 0
    resize_time: int = 0
    restart_cnt: int = 0
    show_flags: int = 0
    time_limit: int = 0
    time_min: int = 0
    nice: int = 0
    submit_time: int = 0
    eligible_time: int = 0
    accrue_time: int = 0
    start_time: int = 0
    end_time: int = 0
    suspend_time: int = 0
    priority_array: list[int] = []
    priority_array_parts: str | None = None
    cluster: str | None = None
    nodes: str | None = None
    sched_nodes: str | None = None
    partition: str | None = None
    site_factor: int = 0
    container__2: str | None = None
    system_comment: str | None = None
    qos: str | None = None
    preemptable_time: int = 0
    state_desc: str | None = None
    resv_name: str | None = None
    resv_ports: str | None = None
    job_resrcs: JobResources = msgspec.field(default_factory=JobResources)
    gres_detail_str: list[str | None] = []
    user_name: str | None = None
    wckey: str | None = None
    wait4switch: int = 0
    node_inx: Bits | None = None
    select_jobinfo: int = 0
    features: str | None = None
    prefer: str | None = None
    cluster_features: str | None = None
    work_dir: str | None = None
    dependency: str | None = None
    command: str | None = None
    num_cpus: int = 0
    max_cpus: int = 0
    num_nodes: int = 0
    max_nodes: int = 0
    job_size_str: Bits | None = None
    requeue: int = 0
    ntasks_per_node: int = 0
    ntasks_per_tres: int = 0
    num_tasks: int = 0
    shared: int = 0
    cpu_freq_min: int = 0
    cpu_freq_max: int = 0
    cpu_freq_gov: int = 0
    cronspec: str | None = None
    contiguous: int = 0
    core_spec: int = 0
    cpus_per_task: int = 0
    pn_min_cpus: int = 0
    pn_min_memory: int = 0
    pn_min_tmp_disk: int = 0
    req_nodes: str | None = None
    req_node_inx: Bits | None = None
    exc_nodes: str | None = None
    exc_node_inx: Bits | None = None
    std_err: str | None = None
    std_in: str | None = None
    std_out: str | None = None
    boards_per_node: MultiCoreData = msgspec.field(default_factory=MultiCoreData)
    selinux_context: str | None = None
    start_protocol_ver: int = 0
    tres_bind: str | None = None
    tres_alloc_str: str | None = None
    tres_req_str: str | None = None
    tres_freq: str | None = None
    tres_per_job: str | None = None
    tres_per_node: str | None = None
    tres_per_socket: str | None = None
    tres_per_task: str | None = None
    priority_array_names: str | None = None
    has_accrue_time: bool = False
    segment_size: int = 0
    submit_line: str | None = None
    exclusive: int = 0
    oversubscribe: int = 0
    mem_update_delay: int = 0
    mem_update_margin: int = 0
    oom_kill_step: int = 0

    WIRE = (
        Field("step_id", StepId, since="25.11"),
        Field("account", string, since="24.11"),
        Field("admin_comment", string, since="24.11"),
        Field("alloc_node", string, since="24.11"),
        Field("alloc_sid", u32, since="24.11"),
        Field("array_job_id", u32),
        Field("array_task_id", u32),
        Field("array_task_str", string, until="24.05"),
        Field("array_max_tasks", u32, until="24.05"),
        Field("assoc_id", u32),
        Field("batch_features", string, since="24.11"),
        Field("batch_flag", u16, since="24.11"),
        Field("batch_host", string, since="24.11"),
        Field("bitflags", u64, since="24.11", means=JobFlag),
        Field("burst_buffer", string, since="24.11"),
        Field("burst_buffer_state", string, since="24.11"),
        Field("billable_tres", double, since="24.11"),
        Field("comment", string, since="24.11"),
        Field("container", string),
        Field("container_id", string, since="23.02"),
        Field("container_type", string, since="26.05"),
        Field("cpus_per_tres", string, since="24.11"),
        Field("deadline", epoch, since="24.11"),
        Field("delay_boot", u32, unit="s"),
        Field("derived_ec", u32, since="24.11"),
        Field("exit_code", u32, since="24.11"),
        Field("extra", string, since="24.11"),
        Field("failed_node", string, since="23.02"),
        Field("job_id", u32, until="24.05"),
        Field("user_id", u32, until="24.05"),
        Field("has_fed_origin_str", boolean, since="24.11"),
        If(
            "has_fed_origin_str",
            (
                Field("fed_origin_str", string),
                Field("fed_siblings_active", u64),
                Field("fed_siblings_active_str", string),
                Field("fed_siblings_viable", u64),
                Field("fed_siblings_viable_str", string),
            ),
            since="24.11",
        ),
        Field("gres_total", string, since="24.11"),
        Field("group_id", u32),
        Field("het_job_id", u32),
        Field("het_job_id_set", string),
        Field("het_job_offset", u32),
        Field("job_id", u32, since="24.11", until="25.05"),
        Field("job_state", u32, since="24.11", means=JobState),
        Field("last_sched_eval", epoch, since="24.11"),
        Field("licenses", string, since="24.11"),
        Field("licenses_allocated", string, since="25.05"),
        Field("mail_type", u16, since="24.11", means=MailFlag),
        Field("mail_user", string, since="24.11"),
        Field("mcs_label", string, since="24.11"),
        Field("mem_per_tres", string, since="24.11"),
        Field("name", string, since="24.11"),
        Field("network", string, since="24.11"),
        Field("preempt_time", epoch, since="24.11"),
        Field("pre_sus_time", epoch, since="24.11"),
        Field("priority", u32, since="24.11"),
        Field("profile", u32, means=ProfileFlag),
        Field("job_state", u32, until="24.05", means=JobState),
        Field("batch_flag", u16, until="24.05"),
        Field("state_reason", u16, until="22.05", means=JobReason),
        Field("state_reason", u32, since="23.02", until="24.05", means=JobReason),
        Field("power_flags", u8, until="24.05"),
        Field("reboot", u8),
        Field("req_switch", u32, since="24.11"),
        Field("resize_time", epoch, since="24.11"),
        Field("restart_cnt", u16),
        Field("show_flags", u16, until="24.05", means=ShowFlag),
        Field("deadline", epoch, until="24.05"),
        Field("alloc_sid", u32, until="24.05"),
        Field("time_limit", u32, until="24.05", unit="min"),
        Field("time_min", u32, until="24.05", unit="min"),
        Field("nice", u32, until="24.05", unit="over NICE_OFFSET"),
        Field("submit_time", epoch, until="24.05"),
        Field("eligible_time", epoch, until="24.05"),
        Field("accrue_time", epoch, until="24.05"),
        Field("start_time", epoch, until="24.05"),
        Field("end_time", epoch, until="24.05"),
        Field("suspend_time", epoch, until="24.05"),
        Field("pre_sus_time", epoch, until="24.05"),
        Field("resize_time", epoch, until="24.05"),
        Field("last_sched_eval", epoch, until="24.05"),
        Field("preempt_time", epoch, until="24.05"),
        Field("priority", u32, until="24.05"),
        Field("priority_array", vector(u32), since="24.05", until="24.05"),
        Field("priority_array_parts", string, since="24.05", until="24.05"),
        Field("billable_tres", double, until="24.05"),
        Field("cluster", string, until="24.05"),
        Field("nodes", string, until="24.05"),
        Field("sched_nodes", string, until="24.05"),
        Field("partition", string, until="24.05"),
        Field("account", string, until="24.05"),
        Field("admin_comment", string, until="24.05"),
        Field("site_factor", u32, until="24.05", unit="over NICE_OFFSET"),
        Field("network", string, until="24.05"),
        Field("comment", string, until="24.05"),
        Field("extra", string, since="23.02", until="24.05"),
        Field("container__2", string, until="24.05"),
        Field("batch_features", string, until="24.05"),
        Field("batch_host", string, until="24.05"),
        Field("burst_buffer", string, until="24.05"),
        Field("burst_buffer_state", string, until="24.05"),
        Field("system_comment", string, until="24.05"),
        Field("qos", string, until="24.05"),
        Field("preemptable_time", epoch, until="24.05"),
        Field("licenses", string, until="24.05"),
        Field("state_desc", string, until="24.05"),
        Field("resv_name", string),
        Field("resv_ports", string, since="24.05"),
        Field("mcs_label", string, until="24.05"),
        Field("exit_code", u32, until="24.05"),
        Field("derived_ec", u32, until="24.05"),
        Field("gres_total", string, until="24.05"),
        Field("job_resrcs", JobResources, until="24.05"),
        Field("gres_detail_str", vector(string), until="24.05"),
        Field("name", string, until="24.05"),
        Field("user_name", string, until="24.05"),
        Field("wckey", string, until="24.05"),
        Field("req_switch", u32, until="24.05"),
        Field("wait4switch", u32, until="24.05", unit="s"),
        Field("alloc_node", string, until="24.05"),
        Field("node_inx", bits, until="24.05"),
        Field("select_jobinfo", u32, until="22.05", means=SelectPlugin),
        Field("features", string, until="24.05"),
        Field("prefer", string, until="24.05"),
        Field("cluster_features", string, until="24.05"),
        Field("work_dir", string, until="24.05"),
        Field("dependency", string, until="24.05"),
        Field("command", string, until="24.05"),
        Field("num_cpus", u32, until="24.05", unit="CPUs"),
        Field("max_cpus", u32, until="24.05", unit="CPUs"),
        Field("num_nodes", u32, until="24.05", unit="nodes"),
        Field("max_nodes", u32, until="24.05", unit="nodes"),
        Field("job_size_str", bits, since="23.02", until="24.05"),
        Field("requeue", u16, until="24.05"),
        Field("ntasks_per_node", u16, until="24.05", unit="tasks"),
        Field("ntasks_per_tres", u16, until="24.05", unit="tasks"),
        Field("num_tasks", u32, until="24.05", unit="tasks"),
        Field("shared", u16, until="24.05", means=JobShared),
        Field("cpu_freq_min", u32, until="24.05", means=CpuFrequency, unit="kHz"),
        Field("cpu_freq_max", u32, until="24.05", means=CpuFrequency, unit="kHz"),
        Field("cpu_freq_gov", u32, until="24.05", means=CpuGovernor),
        Field("cronspec", string, until="24.05"),
        Field("contiguous", u16, until="24.05"),
        Field("core_spec", u16, until="24.05"),
        Field("cpus_per_task", u16, until="24.05", unit="CPUs"),
        Field("pn_min_cpus", u16, until="24.05", unit="CPUs"),
        Field("pn_min_memory", u64, until="24.05", unit="MiB"),
        Field("pn_min_tmp_disk", u32, until="24.05", unit="MiB"),
        Field("req_nodes", string, until="24.05"),
        Field("req_node_inx", bits, until="24.05"),
        Field("exc_nodes", string, until="24.05"),
        Field("exc_node_inx", bits, until="24.05"),
        Field("std_err", string, until="24.05"),
        Field("std_in", string, until="24.05"),
        Field("std_out", string, until="24.05"),
        Field("boards_per_node", MultiCoreData, until="24.05"),
        Field("bitflags", u64, until="24.05", means=JobFlag),
        Field("selinux_context", string, since="24.11"),
        Field("site_factor", u32, since="24.11", unit="over NICE_OFFSET"),
        Field("start_protocol_ver", u16, since="24.11", means=Version),
        Field("state_desc", string, since="24.11"),
        Field("state_reason", u32, since="24.11", means=JobReason),
        Field("suspend_time", epoch, since="24.11"),
        Field("system_comment", string, since="24.11"),
        Field("time_min", u32, since="24.11", unit="min"),
        Field("tres_bind", string, since="24.11"),
        Field("tres_alloc_str", string),
        Field("tres_req_str", string),
        Field("start_protocol_ver", u16, until="24.05", means=Version),
        Field("fed_origin_str", string, until="24.05"),
        Field("fed_siblings_active", u64, until="24.05"),
        Field("fed_siblings_active_str", string, until="24.05"),
        Field("fed_siblings_viable", u64, until="24.05"),
        Field("fed_siblings_viable_str", string, until="24.05"),
        Field("cpus_per_tres", string, until="24.05"),
        Field("mem_per_tres", string, until="24.05"),
        Field("tres_bind", string, until="24.05"),
        Field("tres_freq", string),
        Field("tres_per_job", string),
        Field("tres_per_node", string),
        Field("tres_per_socket", string),
        Field("tres_per_task", string),
        Field("mail_type", u16, until="24.05", means=MailFlag),
        Field("mail_user", string, until="24.05"),
        Field("selinux_context", string, until="24.05"),
        Field("user_id", u32, since="24.11"),
        Field("user_name", string, since="24.11"),
        Field("wait4switch", u32, since="24.11", unit="s"),
        Field("wckey", string, since="24.11"),
        Field("array_task_str", string, since="24.11"),
        Field("array_max_tasks", u32, since="24.11"),
        Field("time_limit", u32, since="24.11", unit="min"),
        Field("start_time", epoch, since="24.11"),
        Field("end_time", epoch, since="24.11"),
        Field("priority_array", vector(u32), since="24.11"),
        Field("priority_array_names", string, since="24.11"),
        Field("cluster", string, since="24.11"),
        Field("nodes", string, since="24.11"),
        Field("sched_nodes", string, since="24.11"),
        Field("partition", string, since="24.11"),
        Field("qos", string, since="24.11"),
        Field("preemptable_time", epoch, since="24.11"),
        Field("job_resrcs", JobResources, since="24.11"),
        Field("gres_detail_str", vector(string), since="24.11"),
        Field("node_inx", bits, since="24.11"),
        Field("has_accrue_time", boolean, since="24.11"),
        If(
            "not has_accrue_time",
            (
                Field("num_cpus", u32, unit="CPUs"),
                Field("num_nodes", u32, unit="nodes"),
                Field("nice", u32, unit="over NICE_OFFSET"),
            ),
            (
                Field("accrue_time", epoch),
                Field("eligible_time", epoch),
                Field("cluster_features", string),
                Field("cpu_freq_gov", u32, means=CpuGovernor),
                Field("cpu_freq_max", u32, means=CpuFrequency, unit="kHz"),
                Field("cpu_freq_min", u32, means=CpuFrequency, unit="kHz"),
                Field("dependency", string),
                Field("job_size_str", bits),
                Field("nice", u32, unit="over NICE_OFFSET"),
                Field("ntasks_per_node", u16, unit="tasks"),
                Field("ntasks_per_tres", u16, unit="tasks"),
                Field("requeue", u16),
                Field("segment_size", u16, since="25.05"),
                Field("submit_time", epoch),
                Field("work_dir", string),
                Field("features", string),
                Field("prefer", string),
                Field("command", string),
                Field("submit_line", string, since="25.11"),
                Field("num_cpus", u32, unit="CPUs"),
                Field("max_cpus", u32, unit="CPUs"),
                Field("num_nodes", u32, unit="nodes"),
                Field("max_nodes", u32, unit="nodes"),
                Field("num_tasks", u32, unit="tasks"),
                Field("exclusive", u16, since="26.05", means=JobExclusive),
                Field("shared", u16, means=JobShared),
                Field("oversubscribe", u16, since="26.05", means=JobOversubscribe),
                Field("cronspec", string),
                Field("mem_update_delay", u16, since="26.05", unit="s"),
                Field("mem_update_margin", u16, since="26.05"),
                Field("contiguous", u16, until="24.11"),
                Field("core_spec", u16, until="24.11"),
                Field("cpus_per_task", u16, until="24.11", unit="CPUs"),
                Field("pn_min_cpus", u16, until="24.11", unit="CPUs"),
                Field("pn_min_memory", u64, until="24.11", unit="MiB"),
                Field("pn_min_tmp_disk", u32, until="24.11", unit="MiB"),
                Field("oom_kill_step", u16, until="24.11"),
                Field("req_nodes", string, until="24.11"),
                Field("req_node_inx", bits, until="24.11"),
                Field("exc_nodes", string, until="24.11"),
                Field("exc_node_inx", bits, until="24.11"),
                Field("std_err", string, until="24.11"),
                Field("std_in", string, until="24.11"),
                Field("std_out", string, until="24.11"),
                Field("boards_per_node", MultiCoreData, until="24.11"),
            ),
            since="24.11",
        ),
        Field("contiguous", u16, since="25.05"),
        Field("core_spec", u16, since="25.05"),
        Field("cpus_per_task", u16, since="25.05", unit="CPUs"),
        Field("pn_min_cpus", u16, since="25.05", unit="CPUs"),
        Field("pn_min_memory", u64, since="25.05", unit="MiB"),
        Field("pn_min_tmp_disk", u32, since="25.05", unit="MiB"),
        Field("oom_kill_step", u16, since="25.05"),
        Field("req_nodes", string, since="25.05"),
        Field("req_node_inx", bits, since="25.05"),
        Field("exc_nodes", string, since="25.05"),
        Field("exc_node_inx", bits, since="25.05"),
        Field("std_err", string, since="25.05"),
        Field("std_in", string, since="25.05"),
        Field("std_out", string, since="25.05"),
        Field("boards_per_node", MultiCoreData, since="25.05"),
    )


@message(MessageType.RESPONSE_JOB_INFO)
class JobInfoResponse(Record):
    """Body of RESPONSE_JOB_INFO."""

    record_count: int = 0
    last_update: int = 0
    last_backfill: int = 0
    jobs: list[JobInfo] = []

    WIRE = (
        Field("record_count", u32),
        Field("last_update", epoch),
        Field("last_backfill", epoch),
        Field("jobs", repeat(JobInfo, "record_count")),
    )


@message(MessageType.RESPONSE_BATCH_SCRIPT)
class BatchScript(Record):
    """Body of RESPONSE_BATCH_SCRIPT."""

    data: str | None = None

    WIRE = (Field("data", string),)


@message(
    MessageType.REQUEST_JOB_ALLOCATION_INFO, MessageType.REQUEST_JOB_END_TIME, MessageType.REQUEST_HET_JOB_ALLOC_INFO
)
class AllocationInfoRequest(Record):
    """Body of REQUEST_JOB_ALLOCATION_INFO, REQUEST_JOB_END_TIME, REQUEST_HET_JOB_ALLOC_INFO."""

    job_id: int = 0
    step_id: StepId = msgspec.field(default_factory=StepId)
    req_cluster: str | None = None

    WIRE = (
        Field("job_id", u32, until="25.05"),
        Field("step_id", StepId, since="25.11"),
        Field("req_cluster", string),
    )


@message(MessageType.REQUEST_JOB_INFO)
class JobInfoRequest(Record):
    """Body of REQUEST_JOB_INFO."""

    last_update: int = 0
    show_flags: int = 0
    job_ids: list[int] | None = None

    WIRE = (
        Field("last_update", epoch),
        Field("show_flags", u16, means=ShowFlag),
        Field("job_ids", list_of(u32)),
    )


@message(MessageType.REQUEST_JOB_ID)
class JobOfPidRequest(Record):
    """Body of REQUEST_JOB_ID."""

    job_pid: int = 0

    WIRE = (Field("job_pid", u32),)


@message(MessageType.RESPONSE_JOB_ID)
class JobOfPidResponse(Record):
    """Body of RESPONSE_JOB_ID."""

    job_id: int = 0
    step_id: StepId = msgspec.field(default_factory=StepId)
    return_code: int = 0

    WIRE = (
        Field("job_id", u32, until="25.05"),
        Field("step_id", StepId, since="25.11"),
        Field("return_code", u32, means=Errno),
    )


@message(
    MessageType.REQUEST_JOB_INFO_SINGLE,
    MessageType.REQUEST_BATCH_SCRIPT,
    MessageType.REQUEST_RESOURCE_LAYOUT,
    MessageType.REQUEST_JOB_READY,
)
class JobIdRequest(Record):
    """Body of REQUEST_BATCH_SCRIPT, REQUEST_JOB_READY, REQUEST_JOB_INFO_SINGLE, REQUEST_RESOURCE_LAYOUT."""

    job_id: int = 0
    step_id: StepId = msgspec.field(default_factory=StepId)
    show_flags: int = 0

    WIRE = (
        Field("job_id", u32, until="25.05"),
        Field("step_id", StepId, since="25.11"),
        Field("show_flags", u16, means=ShowFlag),
    )


@message(MessageType.REQUEST_JOB_USER_INFO)
class UserJobsRequest(Record):
    """Body of REQUEST_JOB_USER_INFO."""

    user_id: int = 0
    show_flags: int = 0

    WIRE = (
        Field("user_id", u32),
        Field("show_flags", u16, means=ShowFlag),
    )


class JobStateItem(Record):
    """One element of `items` in JobStateRequest."""

    job_ids_step_id_job_id: int = 0
    job_ids_array_task_id: int = 0
    job_ids_het_job_offset: int = 0

    WIRE = (
        Field("job_ids_step_id_job_id", u32),
        Field("job_ids_array_task_id", u32),
        Field("job_ids_het_job_offset", u32),
    )


@message(MessageType.REQUEST_JOB_STATE)
class JobStateRequest(Record):
    """Body of REQUEST_JOB_STATE."""

    items: list[JobStateItem] = []

    WIRE = (Field("items", array(JobStateItem)),)


class JobStateInfo(Record):
    """One element of `jobs` in JobStateResponse."""

    job_id: int = 0
    array_job_id: int = 0
    array_task_id: int = 0
    array_task_id_bitmap: Bits | None = None
    het_job_id: int = 0
    state: int = 0

    WIRE = (
        Field("job_id", u32),
        Field("array_job_id", u32),
        If(
            "array_job_id",
            (
                Field("array_task_id", u32),
                Field("array_task_id_bitmap", bits),
            ),
            (Field("het_job_id", u32),),
        ),
        Field("state", u32, means=JobState),
    )


@message(MessageType.RESPONSE_JOB_STATE)
class JobStateResponse(Record):
    """Body of RESPONSE_JOB_STATE."""

    jobs: list[JobStateInfo] = []

    WIRE = (Field("jobs", array(JobStateInfo)),)


class NodeGresLayout(Record):
    """Part of NodeLayout."""

    name: str | None = None
    type: str | None = None
    count: int = 0
    pack_index: bool = False
    index: Bits | None = None

    WIRE = (
        Field("name", string),
        Field("type", string),
        Field("count", u64),
        Field("pack_index", boolean),
        If(
            "pack_index",
            (Field("index", bits),),
        ),
    )


class NodeLayout(Record):
    """Part of ResourceLayout."""

    node: str | None = None
    mem_alloc: int = 0
    sockets_per_node: int = 0
    cores_per_socket: int = 0
    channel: int = 0
    core_bitmap: str | None = None
    gres: list[NodeGresLayout] | None = None

    WIRE = (
        Field("node", string),
        Field("mem_alloc", u64, unit="MiB"),
        Field("sockets_per_node", u16, unit="sockets"),
        Field("cores_per_socket", u16, unit="cores"),
        Field("channel", u32),
        Field("core_bitmap", string),
        Field("gres", list_of(NodeGresLayout)),
    )


@message(MessageType.RESPONSE_RESOURCE_LAYOUT)
class ResourceLayout(Record):
    """Body of RESPONSE_RESOURCE_LAYOUT."""

    nodes: list[NodeLayout] | None = None

    WIRE = (Field("nodes", list_of(NodeLayout)),)
