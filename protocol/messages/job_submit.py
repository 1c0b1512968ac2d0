"""Job descriptions: what a submission, allocation, will-run test or update asks for, and the answers."""

from __future__ import annotations

import msgspec

from protocol.constants import (
    BATCH_STEP,
    NO_VAL,
    NO_VAL8,
    NO_VAL16,
    NO_VAL64,
    CpuBindType,
    CpuFrequency,
    CpuGovernor,
    JobFlag,
    JobShared,
    KillFlag,
    MailFlag,
    MemBind,
    MessageType,
    OpenMode,
    ProfileFlag,
    SelectPlugin,
    Signal,
    SpecialStep,
    TaskDistribution,
    X11Flag,
)
from protocol.errno import Errno
from protocol.messages.accounting import DbCluster
from protocol.messages.common import CronEntry, StepId
from protocol.schema import (
    Field,
    If,
    Record,
    addr,
    array,
    double,
    epoch,
    list_of,
    message,
    string,
    u8,
    u16,
    u32,
    u64,
    vector,
)
from protocol.versions import Version
from protocol.wire import Address

__all__ = [
    "Allocation",
    "AllocationList",
    "JobDescription",
    "JobDescriptionList",
    "SubmitResponse",
    "WillRunResponse",
]


@message(
    MessageType.REQUEST_UPDATE_JOB,
    MessageType.REQUEST_RESOURCE_ALLOCATION,
    MessageType.REQUEST_SUBMIT_BATCH_JOB,
    MessageType.REQUEST_JOB_WILL_RUN,
)
class JobDescription(Record):
    """A job as it is asked for; every default is what sbatch sends when the option is not given."""

    step_id: StepId = msgspec.field(default_factory=StepId)
    site_factor: int = NO_VAL
    batch_features: str | None = None
    cluster_features: str | None = None
    clusters: str | None = None
    contiguous: int = NO_VAL16
    container: str | None = None
    container_id: str | None = None
    container_type: str | None = None
    core_spec: int = NO_VAL16
    task_dist: int = NO_VAL
    kill_on_node_fail: int = NO_VAL16
    features: str | None = None
    fed_siblings_active: int = 0
    fed_siblings_viable: int = 0
    job_id: int = NO_VAL
    job_id_str: str | None = None
    name: str | None = None
    alloc_node: str | None = None
    alloc_sid: int = NO_VAL
    array_inx: str | None = None
    burst_buffer: str | None = None
    pn_min_cpus: int = NO_VAL16
    pn_min_memory: int = NO_VAL64
    mem_update_delay: int = 0
    mem_update_margin: int = 0
    oom_kill_step: int = NO_VAL16
    pn_min_tmp_disk: int = NO_VAL
    power_flags: int = 0
    prefer: str | None = None
    cpu_freq_min: int = NO_VAL
    cpu_freq_max: int = NO_VAL
    cpu_freq_gov: int = NO_VAL
    partition: str | None = None
    priority: int = NO_VAL
    dependency: str | None = None
    account: str | None = None
    admin_comment: str | None = None
    comment: str | None = None
    nice: int = NO_VAL
    profile: int = 0
    qos: str | None = None
    mcs_label: str | None = None
    origin_cluster: str | None = None
    open_mode: int = 0
    overcommit: int = NO_VAL8
    acctg_freq: str | None = None
    num_tasks: int = NO_VAL
    req_context: str | None = None
    req_nodes: str | None = None
    exc_nodes: str | None = None
    environment: list[str | None] = []
    spank_job_env: list[str | None] = []
    script: str | None = None
    argv: list[str | None] = []
    std_err: str | None = None
    std_in: str | None = None
    std_out: str | None = None
    submit_line: str | None = None
    work_dir: str | None = None
    immediate: int = 0
    reboot: int = NO_VAL16
    requeue: int = NO_VAL16
    shared: int = NO_VAL16
    cpus_per_task: int = NO_VAL16
    ntasks_per_node: int = NO_VAL16
    ntasks_per_board: int = 0
    ntasks_per_socket: int = NO_VAL16
    ntasks_per_core: int = NO_VAL16
    ntasks_per_tres: int = NO_VAL16
    plane_size: int = NO_VAL16
    cpu_bind_type: int = NO_VAL16
    mem_bind_type: int = NO_VAL16
    cpu_bind: str | None = None
    mem_bind: str | None = None
    time_limit: int = NO_VAL
    time_min: int = NO_VAL
    min_cpus: int = NO_VAL
    max_cpus: int = NO_VAL
    min_nodes: int = NO_VAL
    max_nodes: int = NO_VAL
    job_size_str: str | None = None
    boards_per_node: int = 0
    sockets_per_board: int = 0
    sockets_per_node: int = NO_VAL16
    cores_per_socket: int = NO_VAL16
    threads_per_core: int = NO_VAL16
    user_id: int = NO_VAL
    group_id: int = NO_VAL
    alloc_resp_port: int = 0
    alloc_tls_cert: str | None = None
    resp_host: str | None = None
    other_port: int = 0
    resv_port_cnt: int = NO_VAL16
    network: str | None = None
    begin_time: int = 0
    end_time: int = 0
    deadline: int = 0
    licenses: str | None = None
    mail_type: int = NO_VAL16
    mail_user: str | None = None
    reservation: str | None = None
    restart_cnt: int = 0
    warn_flags: int = 0
    warn_signal: int = 0
    warn_time: int = 0
    wckey: str | None = None
    req_switch: int = NO_VAL
    wait4switch: int = NO_VAL
    select_jobinfo: int = 0
    wait_all_nodes: int = NO_VAL16
    bitflags: int = 0
    delay_boot: int = NO_VAL
    extra: str | None = None
    x11: int = 0
    x11_magic_cookie: str | None = None
    x11_target: str | None = None
    x11_target_port: int = 0
    cpus_per_tres: str | None = None
    mem_per_tres: str | None = None
    tres_bind: str | None = None
    tres_freq: str | None = None
    tres_per_job: str | None = None
    tres_per_node: str | None = None
    tres_per_socket: str | None = None
    tres_per_task: str | None = None
    crontab_entry: CronEntry = msgspec.field(default_factory=CronEntry)
    segment_size: int = NO_VAL16

    WIRE = (
        Field("step_id", StepId, since="25.11"),
        Field("site_factor", u32, unit="over NICE_OFFSET"),
        Field("batch_features", string),
        Field("cluster_features", string),
        Field("clusters", string),
        Field("contiguous", u16),
        Field("container", string),
        Field("container_id", string, since="23.02"),
        Field("container_type", string, since="26.05"),
        Field("core_spec", u16),
        Field("task_dist", u32, means=TaskDistribution),
        Field("kill_on_node_fail", u16),
        Field("features", string),
        Field("fed_siblings_active", u64),
        Field("fed_siblings_viable", u64),
        Field("job_id", u32, until="25.05"),
        Field("job_id_str", string),
        Field("name", string),
        Field("alloc_node", string),
        Field("alloc_sid", u32),
        Field("array_inx", string),
        Field("burst_buffer", string),
        Field("pn_min_cpus", u16, unit="CPUs"),
        Field("pn_min_memory", u64, unit="MiB"),
        Field("mem_update_delay", u16, since="26.05", unit="s"),
        Field("mem_update_margin", u16, since="26.05"),
        Field("oom_kill_step", u16, since="24.11"),
        Field("pn_min_tmp_disk", u32, unit="MiB"),
        Field("power_flags", u8, until="24.05"),
        Field("prefer", string),
        Field("cpu_freq_min", u32, means=CpuFrequency, unit="kHz"),
        Field("cpu_freq_max", u32, means=CpuFrequency, unit="kHz"),
        Field("cpu_freq_gov", u32, means=CpuGovernor),
        Field("partition", string),
        Field("priority", u32),
        Field("dependency", string),
        Field("account", string),
        Field("admin_comment", string),
        Field("comment", string),
        Field("nice", u32, unit="over NICE_OFFSET"),
        Field("profile", u32, means=ProfileFlag),
        Field("qos", string),
        Field("mcs_label", string),
        Field("origin_cluster", string),
        Field("open_mode", u8, means=OpenMode),
        Field("overcommit", u8),
        Field("acctg_freq", string),
        Field("num_tasks", u32, unit="tasks"),
        Field("req_context", string),
        Field("req_nodes", string),
        Field("exc_nodes", string),
        Field("environment", vector(string)),
        Field("spank_job_env", vector(string)),
        Field("script", string),
        Field("argv", vector(string)),
        Field("std_err", string),
        Field("std_in", string),
        Field("std_out", string),
        Field("submit_line", string),
        Field("work_dir", string),
        Field("immediate", u16),
        Field("reboot", u16),
        Field("requeue", u16),
        Field("shared", u16, means=JobShared),
        Field("cpus_per_task", u16, unit="CPUs"),
        Field("ntasks_per_node", u16, unit="tasks"),
        Field("ntasks_per_board", u16, unit="tasks"),
        Field("ntasks_per_socket", u16, unit="tasks"),
        Field("ntasks_per_core", u16, unit="tasks"),
        Field("ntasks_per_tres", u16, unit="tasks"),
        Field("plane_size", u16),
        Field("cpu_bind_type", u16, means=CpuBindType),
        Field("mem_bind_type", u16, means=MemBind),
        Field("cpu_bind", string),
        Field("mem_bind", string),
        Field("time_limit", u32, unit="min"),
        Field("time_min", u32, unit="min"),
        Field("min_cpus", u32, unit="CPUs"),
        Field("max_cpus", u32, unit="CPUs"),
        Field("min_nodes", u32, unit="nodes"),
        Field("max_nodes", u32, unit="nodes"),
        Field("job_size_str", string, since="23.02"),
        Field("boards_per_node", u16, unit="boards"),
        Field("sockets_per_board", u16, unit="sockets"),
        Field("sockets_per_node", u16, unit="sockets"),
        Field("cores_per_socket", u16, unit="cores"),
        Field("threads_per_core", u16, unit="threads"),
        Field("user_id", u32),
        Field("group_id", u32),
        Field("alloc_resp_port", u16),
        Field("alloc_tls_cert", string, since="25.05"),
        Field("resp_host", string),
        Field("other_port", u16),
        Field("resv_port_cnt", u16, since="24.05"),
        Field("network", string),
        Field("begin_time", epoch),
        Field("end_time", epoch),
        Field("deadline", epoch),
        Field("licenses", string),
        Field("mail_type", u16, means=MailFlag),
        Field("mail_user", string),
        Field("reservation", string),
        Field("restart_cnt", u16),
        Field("warn_flags", u16, means=KillFlag),
        Field("warn_signal", u16, means=Signal),
        Field("warn_time", u16, unit="s"),
        Field("wckey", string),
        Field("req_switch", u32),
        Field("wait4switch", u32, unit="s"),
        Field("select_jobinfo", u32, until="22.05", means=SelectPlugin),
        Field("wait_all_nodes", u16),
        Field("bitflags", u64, means=JobFlag),
        Field("delay_boot", u32, unit="s"),
        Field("extra", string),
        Field("x11", u16, means=X11Flag),
        Field("x11_magic_cookie", string),
        Field("x11_target", string),
        Field("x11_target_port", u16),
        Field("cpus_per_tres", string),
        Field("mem_per_tres", string),
        Field("tres_bind", string),
        Field("tres_freq", string),
        Field("tres_per_job", string),
        Field("tres_per_node", string),
        Field("tres_per_socket", string),
        Field("tres_per_task", string),
        Field("crontab_entry", CronEntry),
        Field("segment_size", u16, since="24.05"),
    )


@message(MessageType.REQUEST_HET_JOB_ALLOCATION, MessageType.REQUEST_SUBMIT_BATCH_HET_JOB)
class JobDescriptionList(Record):
    """Body of REQUEST_HET_JOB_ALLOCATION, REQUEST_SUBMIT_BATCH_HET_JOB."""

    job_req_list: list[JobDescription] = []

    WIRE = (Field("job_req_list", array(JobDescription, u16)),)


@message(MessageType.RESPONSE_RESOURCE_ALLOCATION, MessageType.RESPONSE_JOB_ALLOCATION_INFO)
class Allocation(Record):
    """Body of RESPONSE_JOB_ALLOCATION_INFO, RESPONSE_RESOURCE_ALLOCATION."""

    account: str | None = None
    alias_list: str | None = None
    batch_host: str | None = None
    environment: list[str | None] = []
    error_code: int = 0
    gid: int = 0
    group_name: str | None = None
    job_submit_user_msg: str | None = None
    job_id: int = 0
    node_cnt: int = 0
    has_node_addr: int = 0
    node_addr: list[Address] = []
    node_list: str | None = None
    ntasks_per_board: int = 0
    ntasks_per_core: int = 0
    ntasks_per_tres: int = 0
    ntasks_per_socket: int = 0
    num_cpu_groups: int = 0
    cpus_per_node: list[int] = []
    cpu_count_reps: list[int] = []
    partition: str | None = None
    pn_min_memory: int = 0
    qos: str | None = None
    resv_name: str | None = None
    segment_size: int = 0
    start_protocol_ver: int = 0
    step_id: StepId = msgspec.field(default_factory=StepId)
    select_jobinfo: int = 0
    tres_per_node: str | None = None
    tres_per_task: str | None = None
    uid: int = 0
    user_name: str | None = None
    has_working_cluster_rec: int = 0
    working_cluster_rec: DbCluster = msgspec.field(default_factory=DbCluster)

    WIRE = (
        Field("account", string),
        Field("alias_list", string, until="24.11"),
        Field("batch_host", string),
        Field("environment", vector(string)),
        Field("error_code", u32, means=Errno),
        Field("gid", u32, since="23.02"),
        Field("group_name", string, since="23.02"),
        Field("job_submit_user_msg", string),
        Field("job_id", u32, until="25.05"),
        Field("node_cnt", u32, unit="nodes"),
        Field("has_node_addr", u8, until="24.11"),
        If(
            "has_node_addr",
            (Field("node_addr", array(addr)),),
            until="24.11",
        ),
        Field("node_list", string),
        Field("ntasks_per_board", u16, unit="tasks"),
        Field("ntasks_per_core", u16, unit="tasks"),
        Field("ntasks_per_tres", u16, unit="tasks"),
        Field("ntasks_per_socket", u16, unit="tasks"),
        Field("num_cpu_groups", u32),
        If(
            "num_cpu_groups > 0",
            (
                Field("cpus_per_node", vector(u16), unit="CPUs"),
                Field("cpu_count_reps", vector(u32)),
            ),
        ),
        Field("partition", string),
        Field("pn_min_memory", u64, unit="MiB"),
        Field("qos", string),
        Field("resv_name", string),
        Field("segment_size", u16, since="25.11"),
        Field("start_protocol_ver", u16, since="25.11", means=Version),
        Field("step_id", StepId, since="25.11"),
        Field("select_jobinfo", u32, until="22.05", means=SelectPlugin),
        Field("tres_per_node", string, since="23.02"),
        Field("tres_per_task", string, since="25.05"),
        Field("uid", u32, since="23.02"),
        Field("user_name", string, since="23.02"),
        Field("has_working_cluster_rec", u8),
        If(
            "has_working_cluster_rec",
            (Field("working_cluster_rec", DbCluster),),
        ),
    )


@message(MessageType.RESPONSE_HET_JOB_ALLOCATION)
class AllocationList(Record):
    """Body of RESPONSE_HET_JOB_ALLOCATION."""

    msg: list[Allocation] = []

    WIRE = (Field("msg", array(Allocation, u16)),)


@message(MessageType.RESPONSE_SUBMIT_BATCH_JOB)
class SubmitResponse(Record):
    """Body of RESPONSE_SUBMIT_BATCH_JOB."""

    job_id: int = 0
    step_id: int = BATCH_STEP
    step: StepId = msgspec.field(default_factory=StepId)
    error_code: int = 0
    job_submit_user_msg: str | None = None

    WIRE = (
        Field("job_id", u32, until="25.05"),
        Field("step_id", u32, until="25.05", means=SpecialStep),
        Field("step", StepId, since="25.11"),
        Field("error_code", u32, means=Errno),
        Field("job_submit_user_msg", string),
    )


@message(MessageType.RESPONSE_JOB_WILL_RUN)
class WillRunResponse(Record):
    """Body of RESPONSE_JOB_WILL_RUN."""

    job_id: int = 0
    step_id: StepId = msgspec.field(default_factory=StepId)
    job_submit_user_msg: str | None = None
    node_list: str | None = None
    part_name: str | None = None
    preemptee_job_id: list[int] | None = None
    proc_cnt: int = 0
    start_time: int = 0
    sys_usage_per: float = 0.0

    WIRE = (
        Field("job_id", u32, until="25.05"),
        Field("step_id", StepId, since="25.11"),
        Field("job_submit_user_msg", string),
        Field("node_list", string),
        Field("part_name", string),
        Field("preemptee_job_id", list_of(u32)),
        Field("proc_cnt", u32, unit="CPUs"),
        Field("start_time", epoch),
        Field("sys_usage_per", double),
    )
