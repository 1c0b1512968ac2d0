"""Controller and srun to node daemon: prolog, batch jobs, tasks, termination, and the reports that come back."""

from __future__ import annotations

import msgspec

from protocol.constants import (
    AccelBind,
    BroadcastFlag,
    Compression,
    CpuBindType,
    CpuFrequency,
    CpuGovernor,
    JobState,
    KillFlag,
    LaunchFlag,
    LogLevel,
    MemBind,
    MessageType,
    OpenMode,
    ProfileFlag,
    SelectPlugin,
    Signal,
    SuspendOp,
    TaskDistribution,
    X11Flag,
)
from protocol.errno import Errno
from protocol.messages.common import StepId, SwitchStepinfo
from protocol.messages.credentials import LaunchCredential, SbcastCredential
from protocol.messages.gres import GresAllocation
from protocol.messages.stepmgr import JobOptions, JobRecord, NodeRecord, PartitionRecord
from protocol.messages.steps import JobAccounting
from protocol.schema import (
    Field,
    If,
    Record,
    Versioned,
    addr,
    array,
    boolean,
    epoch,
    list_of,
    mem,
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
from protocol.wire import Address

__all__ = [
    "AllocationComplete",
    "BatchComplete",
    "BatchLaunch",
    "EpilogComplete",
    "FileBcast",
    "ForwardData",
    "KillJob",
    "LaunchTasks",
    "LaunchTasksResponse",
    "NodeTasks",
    "PrologComplete",
    "PrologLaunch",
    "ReattachTasks",
    "ReattachTasksResponse",
    "SignalTasks",
    "SuspendStep",
    "SwitchSuspendInfo",
    "TaskExit",
]


class NodeTasks(Record):
    """One element of `node_tasks` in LaunchTasks."""

    tasks_to_launch: int = 0
    global_task_ids: list[int] = []

    WIRE = (
        Field("tasks_to_launch", u16, unit="tasks"),
        Field("global_task_ids", vector(u32)),
    )


@message(MessageType.REQUEST_LAUNCH_TASKS)
class LaunchTasks(Record):
    """Body of REQUEST_LAUNCH_TASKS."""

    step_id: StepId = msgspec.field(default_factory=StepId)
    uid: int = 0
    gid: int = 0
    user_name: str | None = None
    gids: list[int] = []
    het_job_node_offset: int = 0
    het_job_id: int = 0
    het_job_tids: list[list[int]] | None = None
    het_job_tid_offsets: list[int] | None = None
    het_job_offset: int = 0
    het_job_step_cnt: int = 0
    het_job_step_task_cnts: list[int] = []
    het_job_task_offset: int = 0
    het_job_node_list: str | None = None
    mpi_plugin_id: int = 0
    ntasks: int = 0
    ntasks_per_board: int = 0
    ntasks_per_core: int = 0
    ntasks_per_tres: int = 0
    ntasks_per_socket: int = 0
    job_mem_lim: int = 0
    step_mem_lim: int = 0
    nnodes: int = 0
    cpus_per_task: int = 0
    cpt_compact_array: list[int] = []
    cpt_compact_reps: list[int] = []
    tres_per_task: str | None = None
    threads_per_core: int = 0
    task_dist: int = 0
    node_cpus: int = 0
    job_core_spec: int = 0
    accel_bind_type: int = 0
    cred_version: int = 0
    cred: LaunchCredential = msgspec.field(default_factory=LaunchCredential)
    node_tasks: list[NodeTasks] = []
    resp_port: list[int] = []
    orig_addr: Address = Address()
    env: list[str | None] = []
    spank_job_env: list[str | None] = []
    container: str | None = None
    cwd: str | None = None
    cpu_bind_type: int = 0
    cpu_bind: str | None = None
    mem_bind_type: int = 0
    mem_bind: str | None = None
    argv: list[str | None] = []
    flags: int = 0
    ofname: str | None = None
    efname: str | None = None
    ifname: str | None = None
    io_port: list[int] = []
    alloc_tls_cert: str | None = None
    profile: int = 0
    task_prolog: str | None = None
    task_epilog: str | None = None
    slurmd_debug: int = 0
    switch_job: SwitchStepinfo = msgspec.field(default_factory=SwitchStepinfo)
    options: JobOptions = msgspec.field(default_factory=JobOptions)
    alias_list: str | None = None
    complete_nodelist: str | None = None
    open_mode: int = 0
    acctg_freq: str | None = None
    cpu_freq_min: int = 0
    cpu_freq_max: int = 0
    cpu_freq_gov: int = 0
    select_jobinfo: int = 0
    tres_bind: str | None = None
    tres_freq: str | None = None
    x11: int = 0
    x11_alloc_host: str | None = None
    x11_alloc_port: int = 0
    x11_magic_cookie: str | None = None
    x11_target: str | None = None
    x11_target_port: int = 0
    stepmgr: str | None = None
    oom_kill_step: bool = False
    has_stepmgr_job: bool = False
    stepmgr_job: JobRecord = msgspec.field(default_factory=JobRecord)
    stepmgr_nodes: list[NodeRecord] | None = None
    stepmgr_part: PartitionRecord = msgspec.field(default_factory=PartitionRecord)

    WIRE = (
        Field("step_id", StepId),
        Field("uid", u32, until="23.02"),
        Field("gid", u32, until="23.02"),
        Field("user_name", string, until="23.02"),
        Field("gids", vector(u32)),
        Field("het_job_node_offset", u32),
        Field("het_job_id", u32),
        Field("het_job_tids", list_of(vector(u32))),
        Field("het_job_tid_offsets", list_of(u32)),
        Field("het_job_offset", u32),
        Field("het_job_step_cnt", u32),
        If(
            "het_job_offset < NO_VAL and het_job_step_cnt > 0",
            (Field("het_job_step_task_cnts", vector(u32)),),
            since="25.05",
        ),
        Field("het_job_task_offset", u32),
        Field("het_job_node_list", string),
        Field("mpi_plugin_id", u32),
        Field("ntasks", u32, unit="tasks"),
        Field("ntasks_per_board", u16, unit="tasks"),
        Field("ntasks_per_core", u16, unit="tasks"),
        Field("ntasks_per_tres", u16, unit="tasks"),
        Field("ntasks_per_socket", u16, unit="tasks"),
        Field("job_mem_lim", u64, unit="MiB"),
        Field("step_mem_lim", u64, unit="MiB"),
        Field("nnodes", u32, unit="nodes"),
        Field("cpus_per_task", u16, unit="CPUs"),
        Field("cpt_compact_array", vector(u16), since="23.11", unit="CPUs"),
        Field("cpt_compact_reps", vector(u32), since="23.11"),
        Field("tres_per_task", string),
        Field("threads_per_core", u16, unit="threads"),
        Field("task_dist", u32, means=TaskDistribution),
        Field("node_cpus", u16, unit="CPUs"),
        Field("job_core_spec", u16),
        Field("accel_bind_type", u16, means=AccelBind),
        Field("cred_version", u16, means=Version),
        Field("cred", Versioned(LaunchCredential, "cred_version")),
        Field("node_tasks", repeat(NodeTasks, "nnodes")),
        Field("resp_port", array(u16, u16)),
        Field("orig_addr", addr),
        Field("env", vector(string)),
        Field("spank_job_env", vector(string)),
        Field("container", string),
        Field("cwd", string),
        Field("cpu_bind_type", u16, means=CpuBindType),
        Field("cpu_bind", string),
        Field("mem_bind_type", u16, means=MemBind),
        Field("mem_bind", string),
        Field("argv", vector(string)),
        Field("flags", u32, means=LaunchFlag),
        Field("ofname", string),
        Field("efname", string),
        Field("ifname", string),
        Field("io_port", array(u16, u16)),
        Field("alloc_tls_cert", string, since="25.05"),
        Field("profile", u32, means=ProfileFlag),
        Field("task_prolog", string),
        Field("task_epilog", string),
        Field("slurmd_debug", u16, means=LogLevel),
        Field("switch_job", SwitchStepinfo, until="24.05"),
        Field("options", JobOptions),
        Field("alias_list", string, until="24.11"),
        Field("complete_nodelist", string),
        Field("open_mode", u8, means=OpenMode),
        Field("acctg_freq", string),
        Field("cpu_freq_min", u32, means=CpuFrequency, unit="kHz"),
        Field("cpu_freq_max", u32, means=CpuFrequency, unit="kHz"),
        Field("cpu_freq_gov", u32, means=CpuGovernor),
        Field("select_jobinfo", u32, until="22.05", means=SelectPlugin),
        Field("tres_bind", string),
        Field("tres_freq", string),
        Field("x11", u16, means=X11Flag),
        Field("x11_alloc_host", string),
        Field("x11_alloc_port", u16),
        Field("x11_magic_cookie", string),
        Field("x11_target", string),
        Field("x11_target_port", u16),
        Field("stepmgr", string, since="24.05"),
        Field("oom_kill_step", boolean, since="24.11"),
        Field("has_stepmgr_job", boolean, since="24.05"),
        If(
            "has_stepmgr_job",
            (
                Field("stepmgr_job", JobRecord),
                Field("stepmgr_nodes", list_of(NodeRecord)),
                Field("stepmgr_part", PartitionRecord),
            ),
            since="24.05",
        ),
    )


@message(MessageType.RESPONSE_LAUNCH_TASKS)
class LaunchTasksResponse(Record):
    """Body of RESPONSE_LAUNCH_TASKS."""

    step_id: StepId = msgspec.field(default_factory=StepId)
    return_code: int = 0
    node_name: str | None = None
    count_of_pids: int = 0
    local_pids: list[int] = []
    task_ids: list[int] = []

    WIRE = (
        Field("step_id", StepId),
        Field("return_code", u32, means=Errno),
        Field("node_name", string),
        Field("count_of_pids", u32),
        Field("local_pids", vector(u32)),
        Field("task_ids", vector(u32)),
    )


@message(MessageType.REQUEST_REATTACH_TASKS)
class ReattachTasks(Record):
    """Body of REQUEST_REATTACH_TASKS."""

    tls_cert: str | None = None
    step_id: StepId = msgspec.field(default_factory=StepId)
    io_key: str | None = None
    resp_port: list[int] = []
    io_port: list[int] = []
    slurm_cred: LaunchCredential = msgspec.field(default_factory=LaunchCredential)

    WIRE = (
        Field("tls_cert", string, since="25.05"),
        Field("step_id", StepId),
        Field("io_key", string, since="23.11"),
        Field("resp_port", array(u16, u16)),
        Field("io_port", array(u16, u16)),
        Field("slurm_cred", LaunchCredential, until="23.02"),
    )


@message(MessageType.RESPONSE_REATTACH_TASKS)
class ReattachTasksResponse(Record):
    """Body of RESPONSE_REATTACH_TASKS."""

    node_name: str | None = None
    return_code: int = 0
    ntasks: int = 0
    gtids: list[int] = []
    local_pids: list[int] = []
    executable_names: list[str | None] = []

    WIRE = (
        Field("node_name", string),
        Field("return_code", u32, means=Errno),
        Field("ntasks", u32, unit="tasks"),
        Field("gtids", vector(u32)),
        Field("local_pids", vector(u32)),
        Field("executable_names", repeat(string, "ntasks")),
    )


@message(MessageType.REQUEST_SIGNAL_TASKS, MessageType.REQUEST_TERMINATE_TASKS)
class SignalTasks(Record):
    """Body of REQUEST_SIGNAL_TASKS, REQUEST_TERMINATE_TASKS."""

    step_id: StepId = msgspec.field(default_factory=StepId)
    flags: int = 0
    signal: int = 0

    WIRE = (
        Field("step_id", StepId),
        Field("flags", u16, means=KillFlag),
        Field("signal", u16, means=Signal),
    )


@message(MessageType.REQUEST_COMPLETE_JOB_ALLOCATION)
class AllocationComplete(Record):
    """Body of REQUEST_COMPLETE_JOB_ALLOCATION."""

    job_id: int = 0
    step_id: StepId = msgspec.field(default_factory=StepId)
    job_rc: int = 0

    WIRE = (
        Field("job_id", u32, until="25.05"),
        Field("step_id", StepId, since="25.11"),
        Field("job_rc", u32),
    )


@message(MessageType.REQUEST_COMPLETE_PROLOG)
class PrologComplete(Record):
    """Body of REQUEST_COMPLETE_PROLOG."""

    job_id: int = 0
    step_id: StepId = msgspec.field(default_factory=StepId)
    node_name: str | None = None
    prolog_rc: int = 0

    WIRE = (
        Field("job_id", u32, until="25.05"),
        Field("step_id", StepId, since="25.11"),
        Field("node_name", string),
        Field("prolog_rc", u32, means=Errno),
    )


@message(MessageType.REQUEST_COMPLETE_BATCH_SCRIPT)
class BatchComplete(Record):
    """Body of REQUEST_COMPLETE_BATCH_SCRIPT."""

    jobacct: JobAccounting = msgspec.field(default_factory=JobAccounting)
    job_id: int = 0
    job_rc: int = 0
    slurm_rc: int = 0
    step_id: StepId = msgspec.field(default_factory=StepId)
    user_id: int = 0
    node_name: str | None = None

    WIRE = (
        Field("jobacct", JobAccounting),
        Field("job_id", u32, until="25.05"),
        Field("job_rc", u32),
        Field("slurm_rc", u32, means=Errno),
        Field("step_id", StepId, since="25.11"),
        Field("user_id", u32),
        Field("node_name", string),
    )


@message(
    MessageType.REQUEST_KILL_TIMELIMIT,
    MessageType.REQUEST_TERMINATE_JOB,
    MessageType.REQUEST_ABORT_JOB,
    MessageType.REQUEST_KILL_PREEMPTED,
)
class KillJob(Record):
    """Body of REQUEST_ABORT_JOB, REQUEST_KILL_PREEMPTED, REQUEST_KILL_TIMELIMIT, REQUEST_TERMINATE_JOB."""

    has_slurm_cred: int = 0
    slurm_cred: LaunchCredential = msgspec.field(default_factory=LaunchCredential)
    details: str | None = None
    derived_ec: int = 0
    exit_code: int = 0
    job_gres_prep: list[GresAllocation] | None = None
    step_id: StepId = msgspec.field(default_factory=StepId)
    het_job_id: int = 0
    job_state: int = 0
    job_uid: int = 0
    job_gid: int = 0
    nodes: str | None = None
    select_jobinfo: int = 0
    spank_job_env: list[str | None] = []
    start_time: int = 0
    time: int = 0
    work_dir: str | None = None

    WIRE = (
        Field("has_slurm_cred", u8),
        If(
            "has_slurm_cred",
            (Field("slurm_cred", LaunchCredential),),
        ),
        Field("details", string),
        Field("derived_ec", u32),
        Field("exit_code", u32),
        Field("job_gres_prep", array(GresAllocation, u16), until="24.11"),
        Field("job_gres_prep", list_of(GresAllocation), since="25.05"),
        Field("step_id", StepId),
        Field("het_job_id", u32),
        Field("job_state", u32, means=JobState),
        Field("job_uid", u32),
        Field("job_gid", u32),
        Field("nodes", string),
        Field("select_jobinfo", u32, until="22.05", means=SelectPlugin),
        Field("spank_job_env", vector(string)),
        Field("start_time", epoch),
        Field("time", epoch),
        Field("work_dir", string),
    )


@message(MessageType.MESSAGE_EPILOG_COMPLETE)
class EpilogComplete(Record):
    """Body of MESSAGE_EPILOG_COMPLETE."""

    job_id: int = 0
    step_id: StepId = msgspec.field(default_factory=StepId)
    return_code: int = 0
    node_name: str | None = None

    WIRE = (
        Field("job_id", u32, until="25.05"),
        Field("step_id", StepId, since="25.11"),
        Field("return_code", u32, means=Errno),
        Field("node_name", string),
    )


@message(MessageType.MESSAGE_TASK_EXIT)
class TaskExit(Record):
    """Body of MESSAGE_TASK_EXIT."""

    return_code: int = 0
    num_tasks: int = 0
    task_id_list: list[int] = []
    step_id: StepId = msgspec.field(default_factory=StepId)

    WIRE = (
        Field("return_code", u32),
        Field("num_tasks", u32, unit="tasks"),
        Field("task_id_list", vector(u32)),
        Field("step_id", StepId),
    )


@message(MessageType.REQUEST_BATCH_JOB_LAUNCH)
class BatchLaunch(Record):
    """Body of REQUEST_BATCH_JOB_LAUNCH."""

    job_id: int = 0
    het_job_id: int = 0
    uid: int = 0
    gid: int = 0
    user_name: str | None = None
    gids: list[int] = []
    partition: str | None = None
    ntasks: int = 0
    pn_min_memory: int = 0
    open_mode: int = 0
    overcommit: int = 0
    array_job_id: int = 0
    array_task_id: int = 0
    acctg_freq: str | None = None
    container: str | None = None
    cpu_bind_type: int = 0
    cpus_per_task: int = 0
    restart_cnt: int = 0
    job_core_spec: int = 0
    num_cpu_groups: int = 0
    cpus_per_node: list[int] = []
    cpu_count_reps: list[int] = []
    alias_list: str | None = None
    cpu_bind: str | None = None
    nodes: str | None = None
    script: str | None = None
    work_dir: str | None = None
    std_err: str | None = None
    std_in: str | None = None
    std_out: str | None = None
    argc: int = 0
    argv: list[str | None] = []
    spank_job_env: list[str | None] = []
    envc: int = 0
    environment: list[str | None] = []
    job_mem: int = 0
    cred_version: int = 0
    cred: LaunchCredential = msgspec.field(default_factory=LaunchCredential)
    select_jobinfo: int = 0
    account: str | None = None
    qos: str | None = None
    resv_name: str | None = None
    profile: int = 0
    tres_bind: str | None = None
    tres_freq: str | None = None
    tres_per_task: str | None = None
    cpu_freq_min: int = 0
    cpu_freq_max: int = 0
    cpu_freq_gov: int = 0
    oom_kill_step: bool = False

    WIRE = (
        Field("job_id", u32, until="25.05"),
        Field("het_job_id", u32),
        Field("uid", u32, until="23.02"),
        Field("gid", u32, until="23.02"),
        Field("user_name", string, until="23.02"),
        Field("gids", vector(u32)),
        Field("partition", string),
        Field("ntasks", u32, unit="tasks"),
        Field("pn_min_memory", u64, unit="MiB"),
        Field("open_mode", u8, means=OpenMode),
        Field("overcommit", u8),
        Field("array_job_id", u32),
        Field("array_task_id", u32),
        Field("acctg_freq", string),
        Field("container", string),
        Field("cpu_bind_type", u16, means=CpuBindType),
        Field("cpus_per_task", u16, unit="CPUs"),
        Field("restart_cnt", u16),
        Field("job_core_spec", u16),
        Field("num_cpu_groups", u32),
        If(
            "num_cpu_groups",
            (
                Field("cpus_per_node", vector(u16), unit="CPUs"),
                Field("cpu_count_reps", vector(u32)),
            ),
        ),
        Field("alias_list", string, until="24.05"),
        Field("cpu_bind", string),
        Field("nodes", string),
        Field("script", string),
        Field("work_dir", string),
        Field("std_err", string),
        Field("std_in", string),
        Field("std_out", string),
        Field("argc", u32),
        Field("argv", vector(string)),
        Field("spank_job_env", vector(string)),
        Field("envc", u32),
        Field("environment", vector(string)),
        Field("job_mem", u64, unit="MiB"),
        Field("cred_version", u16, means=Version),
        Field("cred", Versioned(LaunchCredential, "cred_version")),
        Field("select_jobinfo", u32, until="22.05", means=SelectPlugin),
        Field("account", string),
        Field("qos", string),
        Field("resv_name", string),
        Field("profile", u32, means=ProfileFlag),
        Field("tres_bind", string),
        Field("tres_freq", string),
        Field("tres_per_task", string, since="25.05"),
        Field("cpu_freq_min", u32, since="24.11", means=CpuFrequency, unit="kHz"),
        Field("cpu_freq_max", u32, since="24.11", means=CpuFrequency, unit="kHz"),
        Field("cpu_freq_gov", u32, since="24.11", means=CpuGovernor),
        Field("oom_kill_step", boolean, since="24.11"),
    )


@message(MessageType.REQUEST_LAUNCH_PROLOG)
class PrologLaunch(Record):
    """Body of REQUEST_LAUNCH_PROLOG."""

    job_gres_prep: list[GresAllocation] | None = None
    alloc_tls_cert: str | None = None
    job_id: int = 0
    het_job_id: int = 0
    uid: int = 0
    gid: int = 0
    alias_list: str | None = None
    nodes: str | None = None
    std_err: str | None = None
    std_out: str | None = None
    work_dir: str | None = None
    x11: int = 0
    x11_alloc_host: str | None = None
    x11_alloc_port: int = 0
    x11_magic_cookie: str | None = None
    x11_target: str | None = None
    x11_target_port: int = 0
    spank_job_env: list[str | None] = []
    slurm_cred: LaunchCredential = msgspec.field(default_factory=LaunchCredential)
    has_stepmgr_job: bool = False
    stepmgr_job: JobRecord = msgspec.field(default_factory=JobRecord)
    stepmgr_nodes: list[NodeRecord] | None = None
    stepmgr_part: PartitionRecord = msgspec.field(default_factory=PartitionRecord)
    user_name: str | None = None

    WIRE = (
        Field("job_gres_prep", array(GresAllocation, u16), until="24.11"),
        Field("alloc_tls_cert", string, since="25.05"),
        Field("job_gres_prep", list_of(GresAllocation), since="25.05"),
        Field("job_id", u32, until="25.05"),
        Field("het_job_id", u32),
        Field("uid", u32),
        Field("gid", u32),
        Field("alias_list", string, until="24.11"),
        Field("nodes", string),
        Field("std_err", string, until="23.02"),
        Field("std_out", string, until="23.02"),
        Field("work_dir", string),
        Field("x11", u16, means=X11Flag),
        Field("x11_alloc_host", string),
        Field("x11_alloc_port", u16),
        Field("x11_magic_cookie", string),
        Field("x11_target", string),
        Field("x11_target_port", u16),
        Field("spank_job_env", vector(string)),
        Field("slurm_cred", LaunchCredential),
        Field("has_stepmgr_job", boolean, since="24.05"),
        If(
            "has_stepmgr_job",
            (
                Field("stepmgr_job", JobRecord),
                Field("stepmgr_nodes", list_of(NodeRecord)),
                Field("stepmgr_part", PartitionRecord),
            ),
            since="24.05",
        ),
        Field("user_name", string, until="23.02"),
    )


class SwitchSuspendInfo(Record):
    """Part of SuspendStep."""

    WIRE = ()


@message(MessageType.REQUEST_SUSPEND_INT)
class SuspendStep(Record):
    """Body of REQUEST_SUSPEND_INT."""

    indf_susp: int = 0
    job_core_spec: int = 0
    job_id: int = 0
    step_id: StepId = msgspec.field(default_factory=StepId)
    op: int = 0
    switch_info: SwitchSuspendInfo = msgspec.field(default_factory=SwitchSuspendInfo)

    WIRE = (
        Field("indf_susp", u8, until="23.02"),
        Field("job_core_spec", u16, until="23.02"),
        Field("job_id", u32, until="25.05"),
        Field("step_id", StepId, since="25.11"),
        Field("op", u16, means=SuspendOp),
        Field("switch_info", SwitchSuspendInfo, until="23.02"),
    )


@message(MessageType.REQUEST_FILE_BCAST)
class FileBcast(Record):
    """Body of REQUEST_FILE_BCAST."""

    block_no: int = 0
    compress: int = 0
    flags: int = 0
    modes: int = 0
    uid: int = 0
    user_name: str | None = None
    gid: int = 0
    atime: int = 0
    mtime: int = 0
    fname: str | None = None
    exe_fname: str | None = None
    block_len: int = 0
    uncomp_len: int = 0
    block_offset: int = 0
    file_size: int = 0
    block: bytes = b""
    cred: SbcastCredential = msgspec.field(default_factory=SbcastCredential)

    WIRE = (
        Field("block_no", u32),
        Field("compress", u16, means=Compression),
        Field("flags", u16, means=BroadcastFlag),
        Field("modes", u16),
        Field("uid", u32),
        Field("user_name", string),
        Field("gid", u32),
        Field("atime", epoch),
        Field("mtime", epoch),
        Field("fname", string),
        Field("exe_fname", string, since="24.05"),
        Field("block_len", u32, unit="bytes"),
        Field("uncomp_len", u32, unit="bytes"),
        Field("block_offset", u64, unit="bytes"),
        Field("file_size", u64, unit="bytes"),
        Field("block", mem),
        Field("cred", SbcastCredential),
    )


@message(MessageType.REQUEST_FORWARD_DATA)
class ForwardData(Record):
    """Body of REQUEST_FORWARD_DATA."""

    address: str | None = None
    len: int = 0
    data: bytes = b""

    WIRE = (
        Field("address", string),
        Field("len", u32),
        Field("data", mem),
    )
