"""Job steps: creation, information, updates, statistics, and completion."""

from __future__ import annotations

import msgspec

from protocol.constants import (
    NO_VAL,
    AccelBind,
    CpuBindType,
    CpuFrequency,
    CpuGovernor,
    JobState,
    LogLevel,
    MemBind,
    MessageType,
    OpenMode,
    ProfileFlag,
    SelectPlugin,
    ShowFlag,
    SpecialStep,
    StepFlag,
    TaskDistribution,
)
from protocol.messages.accounting import DbTresNoalloc
from protocol.messages.common import StepId
from protocol.schema import (
    Field,
    If,
    Record,
    bits,
    boolean,
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
    "JobAccounting",
    "JobMemUsageResponse",
    "LaunchParams",
    "StepComplete",
    "StepCreateRequest",
    "StepInfo",
    "StepInfoRequest",
    "StepInfoResponse",
    "StepPids",
    "StepStat",
    "StepUpdate",
    "StepmgrJobInfo",
    "StepsDrainedSub",
]


@message(MessageType.REQUEST_UPDATE_JOB_STEP)
class StepUpdate(Record):
    """Body of REQUEST_UPDATE_JOB_STEP."""

    job_id: int = 0
    step_id: int = 0
    step: StepId = msgspec.field(default_factory=StepId)
    time_limit: int = NO_VAL

    WIRE = (
        Field("job_id", u32, until="25.05"),
        Field("step_id", u32, until="25.05", means=SpecialStep),
        Field("step", StepId, since="25.11"),
        Field("time_limit", u32, unit="min"),
    )


class JobAccounting(Record):
    """Part of LoadStepState, BatchComplete, StepComplete, StepStat."""

    has_user_cpu_sec: int = 0
    user_cpu_sec: int = 0
    user_cpu_usec: int = 0
    sys_cpu_sec: int = 0
    sys_cpu_usec: int = 0
    act_cpufreq: int = 0
    energy_consumed_energy: int = 0
    tres_ids: list[int] = []
    tres_list: list[DbTresNoalloc] | None = None
    tres_usage_in_max: list[int] = []
    tres_usage_in_max_nodeid: list[int] = []
    tres_usage_in_max_taskid: list[int] = []
    tres_usage_in_min: list[int] = []
    tres_usage_in_min_nodeid: list[int] = []
    tres_usage_in_min_taskid: list[int] = []
    tres_usage_in_tot: list[int] = []
    tres_usage_out_max: list[int] = []
    tres_usage_out_max_nodeid: list[int] = []
    tres_usage_out_max_taskid: list[int] = []
    tres_usage_out_min: list[int] = []
    tres_usage_out_min_nodeid: list[int] = []
    tres_usage_out_min_taskid: list[int] = []
    tres_usage_out_tot: list[int] = []

    WIRE = (
        Field("has_user_cpu_sec", u8),
        If(
            "has_user_cpu_sec",
            (
                Field("user_cpu_sec", u64, unit="s"),
                Field("user_cpu_usec", u32, unit="us"),
                Field("sys_cpu_sec", u64, unit="s"),
                Field("sys_cpu_usec", u32, unit="us"),
                Field("act_cpufreq", u32, unit="kHz"),
                Field("energy_consumed_energy", u64, unit="J"),
                Field("tres_ids", vector(u32)),
                Field("tres_list", list_of(DbTresNoalloc)),
                Field("tres_usage_in_max", vector(u64)),
                Field("tres_usage_in_max_nodeid", vector(u64)),
                Field("tres_usage_in_max_taskid", vector(u64)),
                Field("tres_usage_in_min", vector(u64)),
                Field("tres_usage_in_min_nodeid", vector(u64)),
                Field("tres_usage_in_min_taskid", vector(u64)),
                Field("tres_usage_in_tot", vector(u64)),
                Field("tres_usage_out_max", vector(u64)),
                Field("tres_usage_out_max_nodeid", vector(u64)),
                Field("tres_usage_out_max_taskid", vector(u64)),
                Field("tres_usage_out_min", vector(u64)),
                Field("tres_usage_out_min_nodeid", vector(u64)),
                Field("tres_usage_out_min_taskid", vector(u64)),
                Field("tres_usage_out_tot", vector(u64)),
            ),
        ),
    )


class LaunchParams(Record):
    """Part of StepCreateRequest."""

    has_argv: bool = False
    argv: list[str | None] = []
    env: list[str | None] = []
    container: str | None = None
    cwd: str | None = None
    msg_timeout: int = 0
    ntasks_per_board: int = 0
    ntasks_per_core: int = 0
    ntasks_per_tres: int = 0
    ntasks_per_socket: int = 0
    buffered_stdio: bool = False
    labelio: bool = False
    output_filename: str | None = None
    error_filename: str | None = None
    input_filename: str | None = None
    multi_prog: bool = False
    no_alloc: bool = False
    slurmd_debug: int = 0
    het_job_node_offset: int = 0
    het_job_id: int = 0
    het_job_nnodes: int = 0
    het_job_ntasks: int = 0
    het_job_step_cnt: int = 0
    het_job_offset: int = 0
    het_job_task_offset: int = 0
    het_job_node_list: str | None = None
    parallel_debug: bool = False
    profile: int = 0
    task_prolog: str | None = None
    task_epilog: str | None = None
    cpu_bind_type: int = 0
    cpu_bind: str | None = None
    cpu_freq_min: int = 0
    cpu_freq_max: int = 0
    cpu_freq_gov: int = 0
    mem_bind_type: int = 0
    mem_bind: str | None = None
    accel_bind_type: int = 0
    max_sockets: int = 0
    max_cores: int = 0
    max_threads: int = 0
    cpus_per_task: int = 0
    cpt_compact_array: list[int] = []
    cpt_compact_reps: list[int] = []
    threads_per_core: int = 0
    task_dist: int = 0
    tree_width: int = 0
    preserve_env: bool = False
    mpi_plugin_name: str | None = None
    open_mode: int = 0
    acctg_freq: str | None = None
    pty: bool = False
    spank_job_env: list[str | None] = []
    tres_bind: str | None = None
    tres_freq: str | None = None
    oom_kill_step: int = 0

    WIRE = (
        Field("has_argv", boolean),
        If(
            "has_argv",
            (
                Field("argv", vector(string)),
                Field("env", vector(string)),
                Field("container", string),
                Field("cwd", string),
                Field("msg_timeout", u32),
                Field("ntasks_per_board", u16, unit="tasks"),
                Field("ntasks_per_core", u16, unit="tasks"),
                Field("ntasks_per_tres", u16, unit="tasks"),
                Field("ntasks_per_socket", u16, unit="tasks"),
                Field("buffered_stdio", boolean),
                Field("labelio", boolean),
                Field("output_filename", string),
                Field("error_filename", string),
                Field("input_filename", string),
                Field("multi_prog", boolean),
                Field("no_alloc", boolean),
                Field("slurmd_debug", u32, means=LogLevel),
                Field("het_job_node_offset", u32),
                Field("het_job_id", u32),
                Field("het_job_nnodes", u32),
                Field("het_job_ntasks", u32, unit="tasks"),
                Field("het_job_step_cnt", u32),
                Field("het_job_offset", u32),
                Field("het_job_task_offset", u32),
                Field("het_job_node_list", string),
                Field("parallel_debug", boolean),
                Field("profile", u32, means=ProfileFlag),
                Field("task_prolog", string),
                Field("task_epilog", string),
                Field("cpu_bind_type", u16, means=CpuBindType),
                Field("cpu_bind", string),
                Field("cpu_freq_min", u32, means=CpuFrequency, unit="kHz"),
                Field("cpu_freq_max", u32, means=CpuFrequency, unit="kHz"),
                Field("cpu_freq_gov", u32, means=CpuGovernor),
                Field("mem_bind_type", u16, means=MemBind),
                Field("mem_bind", string),
                Field("accel_bind_type", u16, means=AccelBind),
                Field("max_sockets", u16),
                Field("max_cores", u16),
                Field("max_threads", u16),
                Field("cpus_per_task", u16, unit="CPUs"),
                Field("cpt_compact_array", vector(u16), unit="CPUs"),
                Field("cpt_compact_reps", vector(u32)),
                Field("threads_per_core", u16, unit="threads"),
                Field("task_dist", u32, means=TaskDistribution),
                Field("tree_width", u16),
                Field("preserve_env", boolean),
                Field("mpi_plugin_name", string),
                Field("open_mode", u8, means=OpenMode),
                Field("acctg_freq", string),
                Field("pty", boolean),
                Field("spank_job_env", vector(string)),
                Field("tres_bind", string),
                Field("tres_freq", string),
                Field("oom_kill_step", u16),
            ),
        ),
    )


@message(MessageType.REQUEST_JOB_STEP_CREATE)
class StepCreateRequest(Record):
    """Body of REQUEST_JOB_STEP_CREATE."""

    step_id: StepId = msgspec.field(default_factory=StepId)
    array_task_id: int = 0
    user_id: int = 0
    min_nodes: int = 0
    max_nodes: int = 0
    container: str | None = None
    container_id: str | None = None
    container_type: str | None = None
    cpu_count: int = 0
    cpu_freq_min: int = 0
    cpu_freq_max: int = 0
    cpu_freq_gov: int = 0
    num_tasks: int = 0
    pn_min_memory: int = 0
    time_limit: int = 0
    threads_per_core: int = 0
    ntasks_per_core: int = 0
    relative: int = 0
    task_dist: int = 0
    plane_size: int = 0
    port: int = 0
    immediate: int = 0
    resv_port_cnt: int = 0
    srun_pid: int = 0
    flags: int = 0
    host: str | None = None
    name: str | None = None
    network: str | None = None
    node_list: str | None = None
    exc_nodes: str | None = None
    features: str | None = None
    step_het_comp_cnt: int = 0
    step_het_grps: str | None = None
    cpus_per_tres: str | None = None
    mem_per_tres: str | None = None
    ntasks_per_tres: int = 0
    cwd: str | None = None
    std_err: str | None = None
    std_in: str | None = None
    std_out: str | None = None
    submit_line: str | None = None
    tres_bind: str | None = None
    tres_freq: str | None = None
    tres_per_step: str | None = None
    tres_per_node: str | None = None
    tres_per_socket: str | None = None
    tres_per_task: str | None = None
    launch_params: LaunchParams = msgspec.field(default_factory=LaunchParams)

    WIRE = (
        Field("step_id", StepId),
        Field("array_task_id", u32, since="23.02"),
        Field("user_id", u32),
        Field("min_nodes", u32, unit="nodes"),
        Field("max_nodes", u32, unit="nodes"),
        Field("container", string),
        Field("container_id", string, since="23.02"),
        Field("container_type", string, since="26.05"),
        Field("cpu_count", u32, unit="CPUs"),
        Field("cpu_freq_min", u32, means=CpuFrequency, unit="kHz"),
        Field("cpu_freq_max", u32, means=CpuFrequency, unit="kHz"),
        Field("cpu_freq_gov", u32, means=CpuGovernor),
        Field("num_tasks", u32, unit="tasks"),
        Field("pn_min_memory", u64, unit="MiB"),
        Field("time_limit", u32, unit="min"),
        Field("threads_per_core", u16, unit="threads"),
        Field("ntasks_per_core", u16, since="23.02", unit="tasks"),
        Field("relative", u16),
        Field("task_dist", u32, means=TaskDistribution),
        Field("plane_size", u16),
        Field("port", u16),
        Field("immediate", u16),
        Field("resv_port_cnt", u16),
        Field("srun_pid", u32),
        Field("flags", u32, means=StepFlag),
        Field("host", string),
        Field("name", string),
        Field("network", string),
        Field("node_list", string),
        Field("exc_nodes", string),
        Field("features", string),
        Field("step_het_comp_cnt", u32),
        Field("step_het_grps", string),
        Field("cpus_per_tres", string),
        Field("mem_per_tres", string),
        Field("ntasks_per_tres", u16, unit="tasks"),
        Field("cwd", string, since="25.05"),
        Field("std_err", string, since="25.05"),
        Field("std_in", string, since="25.05"),
        Field("std_out", string, since="25.05"),
        Field("submit_line", string),
        Field("tres_bind", string),
        Field("tres_freq", string),
        Field("tres_per_step", string),
        Field("tres_per_node", string),
        Field("tres_per_socket", string),
        Field("tres_per_task", string),
        Field("launch_params", LaunchParams, since="26.05"),
    )


@message(MessageType.REQUEST_JOB_STEP_INFO)
class StepInfoRequest(Record):
    """Body of REQUEST_JOB_STEP_INFO."""

    last_update: int = 0
    step_id: StepId = msgspec.field(default_factory=StepId)
    show_flags: int = 0

    WIRE = (
        Field("last_update", epoch),
        Field("step_id", StepId),
        Field("show_flags", u16, means=ShowFlag),
    )


@message(MessageType.REQUEST_STEP_COMPLETE)
class StepComplete(Record):
    """Body of REQUEST_STEP_COMPLETE."""

    step_id: StepId = msgspec.field(default_factory=StepId)
    range_first: int = 0
    range_last: int = 0
    step_rc: int = 0
    jobacct: JobAccounting = msgspec.field(default_factory=JobAccounting)
    send_to_stepmgr: bool = False

    WIRE = (
        Field("step_id", StepId),
        Field("range_first", u32),
        Field("range_last", u32),
        Field("step_rc", u32),
        Field("jobacct", JobAccounting),
        Field("send_to_stepmgr", boolean, since="24.05"),
    )


@message(MessageType.RESPONSE_JOB_STEP_PIDS)
class StepPids(Record):
    """Body of RESPONSE_JOB_STEP_PIDS."""

    node_name: str | None = None
    pid: list[int] = []

    WIRE = (
        Field("node_name", string),
        Field("pid", vector(u32)),
    )


@message(MessageType.RESPONSE_JOB_STEP_STAT)
class StepStat(Record):
    """Body of RESPONSE_JOB_STEP_STAT."""

    return_code: int = 0
    num_tasks: int = 0
    jobacct: JobAccounting = msgspec.field(default_factory=JobAccounting)
    step_pids: StepPids = msgspec.field(default_factory=StepPids)

    WIRE = (
        Field("return_code", u32),
        Field("num_tasks", u32, unit="tasks"),
        Field("jobacct", JobAccounting),
        Field("step_pids", StepPids),
    )


class StepInfo(Record):
    """Part of StepInfoResponse."""

    array_job_id: int = 0
    array_task_id: int = 0
    step_id: StepId = msgspec.field(default_factory=StepId)
    user_id: int = 0
    num_cpus: int = 0
    cpu_freq_min: int = 0
    cpu_freq_max: int = 0
    cpu_freq_gov: int = 0
    num_tasks: int = 0
    task_dist: int = 0
    time_limit: int = 0
    state: int = 0
    srun_pid: int = 0
    start_time: int = 0
    run_time: int = 0
    cluster: str | None = None
    container: str | None = None
    container_id: str | None = None
    container_type: str | None = None
    partition: str | None = None
    srun_host: str | None = None
    resv_ports: str | None = None
    nodes: str | None = None
    name: str | None = None
    network: str | None = None
    node_inx: Bits | None = None
    select_jobinfo: int = 0
    tres_fmt_alloc_str: str | None = None
    start_protocol_ver: int = 0
    cpus_per_tres: str | None = None
    mem_per_tres: str | None = None
    job_name: str | None = None
    cwd: str | None = None
    std_err: str | None = None
    std_in: str | None = None
    std_out: str | None = None
    submit_line: str | None = None
    tres_bind: str | None = None
    tres_freq: str | None = None
    tres_per_step: str | None = None
    tres_per_node: str | None = None
    tres_per_socket: str | None = None
    tres_per_task: str | None = None

    WIRE = (
        Field("array_job_id", u32),
        Field("array_task_id", u32),
        Field("step_id", StepId),
        Field("user_id", u32),
        Field("num_cpus", u32, unit="CPUs"),
        Field("cpu_freq_min", u32, means=CpuFrequency, unit="kHz"),
        Field("cpu_freq_max", u32, means=CpuFrequency, unit="kHz"),
        Field("cpu_freq_gov", u32, means=CpuGovernor),
        Field("num_tasks", u32, unit="tasks"),
        Field("task_dist", u32, means=TaskDistribution),
        Field("time_limit", u32, unit="min"),
        Field("state", u32, means=JobState),
        Field("srun_pid", u32),
        Field("start_time", epoch),
        Field("run_time", epoch),
        Field("cluster", string),
        Field("container", string),
        Field("container_id", string, since="23.02"),
        Field("container_type", string, since="26.05"),
        Field("partition", string),
        Field("srun_host", string),
        Field("resv_ports", string),
        Field("nodes", string),
        Field("name", string),
        Field("network", string),
        Field("node_inx", bits),
        Field("select_jobinfo", u32, until="22.05", means=SelectPlugin),
        Field("tres_fmt_alloc_str", string),
        Field("start_protocol_ver", u16, means=Version),
        Field("cpus_per_tres", string),
        Field("mem_per_tres", string),
        Field("job_name", string, since="25.05"),
        Field("cwd", string, since="25.05"),
        Field("std_err", string, since="25.05"),
        Field("std_in", string, since="25.05"),
        Field("std_out", string, since="25.05"),
        Field("submit_line", string),
        Field("tres_bind", string),
        Field("tres_freq", string),
        Field("tres_per_step", string),
        Field("tres_per_node", string),
        Field("tres_per_socket", string),
        Field("tres_per_task", string),
    )


class StepmgrJobInfo(Record):
    """Part of StepInfoResponse."""

    job_id: int = 0
    step_id: StepId = msgspec.field(default_factory=StepId)
    stepmgr: str | None = None

    WIRE = (
        Field("job_id", u32, until="25.05"),
        Field("step_id", StepId, since="25.11"),
        Field("stepmgr", string),
    )


@message(MessageType.RESPONSE_JOB_STEP_INFO)
class StepInfoResponse(Record):
    """Body of RESPONSE_JOB_STEP_INFO."""

    job_step_count: int = 0
    last_update: int = 0
    job_steps: list[StepInfo] = []
    stepmgr_jobs: list[StepmgrJobInfo] | None = None

    WIRE = (
        Field("job_step_count", u32),
        Field("last_update", epoch),
        Field("job_steps", repeat(StepInfo, "job_step_count")),
        Field("stepmgr_jobs", list_of(StepmgrJobInfo), since="24.05"),
    )


@message(MessageType.REQUEST_STEPS_DRAINED_SUBSCRIBE)
class StepsDrainedSub(Record):
    """Body of REQUEST_STEPS_DRAINED_SUBSCRIBE."""

    host: str | None = None
    port: int = 0
    step_id: StepId = msgspec.field(default_factory=StepId)
    tls_cert: str | None = None

    WIRE = (
        Field("host", string),
        Field("port", u16),
        Field("step_id", StepId),
        Field("tls_cert", string),
    )


@message(MessageType.RESPONSE_JOB_MEM_USAGE)
class JobMemUsageResponse(Record):
    """Body of RESPONSE_JOB_MEM_USAGE."""

    step_id: StepId = msgspec.field(default_factory=StepId)
    mem_usage: int = 0

    WIRE = (
        Field("step_id", StepId),
        Field("mem_usage", u64),
    )
