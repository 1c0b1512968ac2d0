"""What a step manager is given about the details and steps of a job (24.05 and later)."""

from __future__ import annotations

import msgspec

from protocol.constants import (
    NO_VAL,
    CpuBindType,
    CpuFrequency,
    CpuGovernor,
    JobState,
    MemBind,
    OpenMode,
    SelectPlugin,
    SpecialStep,
    StepFlag,
    TaskDistribution,
    X11Flag,
)
from protocol.messages.common import CronEntry, DependencyList, MultiCoreData, StepLayout, SwitchStepinfo
from protocol.messages.gres import GresStepState
from protocol.messages.steps import JobAccounting, StepCreateRequest
from protocol.schema import Field, If, Record, array, bits, boolean, epoch, string, u8, u16, u32, u64, vector
from protocol.versions import Version
from protocol.wire import Bits

__all__ = [
    "LoadJobDetails",
    "LoadJobFedDetails",
    "LoadStepState",
]


class LoadJobFedDetails(Record):
    """Part of JobRecordCommon, JobRecord."""

    has_cluster_lock: int | bool = 0
    cluster_lock: int = 0
    origin_str: str | None = None
    siblings_active: int = 0
    siblings_active_str: str | None = None
    siblings_viable: int = 0
    siblings_viable_str: str | None = None

    WIRE = (
        Field("has_cluster_lock", u16, until="24.05"),
        Field("has_cluster_lock", boolean, since="24.11"),
        If(
            "has_cluster_lock",
            (
                Field("cluster_lock", u32),
                Field("origin_str", string),
                Field("siblings_active", u64),
                Field("siblings_active_str", string),
                Field("siblings_viable", u64),
                Field("siblings_viable_str", string),
            ),
        ),
    )


class LoadJobDetails(Record):
    """Part of JobRecord."""

    details_accrue_time: int = 0
    details_begin_time: int = 0
    details_cluster_features: str | None = None
    details_cpu_freq_gov: int = 0
    details_cpu_freq_max: int = 0
    details_cpu_freq_min: int = 0
    details_dependency: str | None = None
    details_job_size_bitmap: Bits | None = None
    details_nice: int = 0
    details_ntasks_per_node: int = 0
    details_ntasks_per_tres: int = 0
    details_requeue: int = 0
    details_segment_size: int = 0
    details_submit_time: int = 0
    details_work_dir: str | None = None
    details_min_cpus: int = 0
    details_orig_min_cpus: int = 0
    details_max_cpus: int = 0
    details_orig_max_cpus: int = 0
    details_min_nodes: int = 0
    details_max_nodes: int = 0
    details_num_tasks: int = 0
    details_acctg_freq: str | None = None
    details_contiguous: int = 0
    details_core_spec: int = 0
    details_cpus_per_task: int = 0
    details_orig_cpus_per_task: int = 0
    details_task_dist: int = 0
    details_share_res: int = 0
    details_whole_node: int = 0
    details_cpu_bind: str | None = None
    details_cpu_bind_type: int = 0
    details_mem_bind: str | None = None
    details_mem_bind_type: int = 0
    details_mem_update_delay: int = 0
    details_mem_update_margin: int = 0
    details_open_mode: int = 0
    details_overcommit: int = 0
    details_prolog_running: int = 0
    details_pn_min_cpus: int = 0
    details_orig_pn_min_cpus: int = 0
    details_pn_min_memory: int = 0
    details_pn_min_memory_pre_resize: int = 0
    details_orig_pn_min_memory: int = 0
    details_oom_kill_step: int = 0
    details_pn_min_tmp_disk: int = 0
    details_req_nodes: str | None = None
    details_resv_req: str | None = None
    details_exc_nodes: str | None = None
    details_features: str | None = None
    details_prefer: str | None = None
    features_use: int = 0
    details_depend_list: DependencyList = msgspec.field(default_factory=DependencyList)
    details_orig_dependency: str | None = None
    details_std_err: str | None = None
    details_std_in: str | None = None
    details_std_out: str | None = None
    details_submit_line: str | None = None
    details_mc_ptr: MultiCoreData = msgspec.field(default_factory=MultiCoreData)
    details_argv: list[str | None] = []
    details_env_sup: list[str | None] = []
    details_crontab_entry: CronEntry = msgspec.field(default_factory=CronEntry)
    details_env_hash: str | None = None
    details_script_hash: str | None = None
    details_resv_port_cnt: int = 0
    details_qos_req: str | None = None
    details_x11: int = 0
    details_x11_magic_cookie: str | None = None
    details_x11_target: str | None = None
    details_x11_target_port: int = 0

    WIRE = (
        Field("details_accrue_time", epoch, since="24.11"),
        Field("details_begin_time", epoch, since="24.11"),
        Field("details_cluster_features", string, since="24.11"),
        Field("details_cpu_freq_gov", u32, since="24.11", means=CpuGovernor),
        Field("details_cpu_freq_max", u32, since="24.11", means=CpuFrequency, unit="kHz"),
        Field("details_cpu_freq_min", u32, since="24.11", means=CpuFrequency, unit="kHz"),
        Field("details_dependency", string, since="24.11"),
        Field("details_job_size_bitmap", bits, since="24.11"),
        Field("details_nice", u32, since="24.11", unit="over NICE_OFFSET"),
        Field("details_ntasks_per_node", u16, since="24.11", unit="tasks"),
        Field("details_ntasks_per_tres", u16, since="24.11", unit="tasks"),
        Field("details_requeue", u16, since="24.11"),
        Field("details_segment_size", u16, since="25.05"),
        Field("details_submit_time", epoch, since="24.11"),
        Field("details_work_dir", string, since="24.11"),
        Field("details_min_cpus", u32, unit="CPUs"),
        Field("details_orig_min_cpus", u32, since="26.05", unit="CPUs"),
        Field("details_max_cpus", u32, unit="CPUs"),
        Field("details_orig_max_cpus", u32, since="26.05", unit="CPUs"),
        Field("details_min_nodes", u32, unit="nodes"),
        Field("details_max_nodes", u32, unit="nodes"),
        Field("details_num_tasks", u32, unit="tasks"),
        Field("details_acctg_freq", string),
        Field("details_contiguous", u16),
        Field("details_core_spec", u16),
        Field("details_cpus_per_task", u16, unit="CPUs"),
        Field("details_orig_cpus_per_task", u16, since="26.05", unit="CPUs"),
        Field("details_nice", u32, until="24.05", unit="over NICE_OFFSET"),
        Field("details_ntasks_per_node", u16, until="24.05", unit="tasks"),
        Field("details_requeue", u16, until="24.05"),
        Field("details_task_dist", u32, means=TaskDistribution),
        Field("details_share_res", u8),
        Field("details_whole_node", u8),
        Field("details_cpu_bind", string),
        Field("details_cpu_bind_type", u16, means=CpuBindType),
        Field("details_mem_bind", string),
        Field("details_mem_bind_type", u16, means=MemBind),
        Field("details_mem_update_delay", u16, since="26.05", unit="s"),
        Field("details_mem_update_margin", u16, since="26.05"),
        Field("details_open_mode", u8, means=OpenMode),
        Field("details_overcommit", u8),
        Field("details_prolog_running", u8),
        Field("details_pn_min_cpus", u32, unit="CPUs"),
        Field("details_orig_pn_min_cpus", u32, since="26.05", unit="CPUs"),
        Field("details_pn_min_memory", u64, unit="MiB"),
        Field("details_pn_min_memory_pre_resize", u64, since="26.05", unit="MiB"),
        Field("details_orig_pn_min_memory", u64, since="26.05", unit="MiB"),
        Field("details_oom_kill_step", u16, since="24.11"),
        Field("details_pn_min_tmp_disk", u32, unit="MiB"),
        Field("details_cpu_freq_min", u32, until="24.05", means=CpuFrequency, unit="kHz"),
        Field("details_cpu_freq_max", u32, until="24.05", means=CpuFrequency, unit="kHz"),
        Field("details_cpu_freq_gov", u32, until="24.05", means=CpuGovernor),
        Field("details_begin_time", epoch, until="24.05"),
        Field("details_accrue_time", epoch, until="24.05"),
        Field("details_submit_time", epoch, until="24.05"),
        Field("details_req_nodes", string),
        Field("details_resv_req", string, since="25.05"),
        Field("details_exc_nodes", string),
        Field("details_features", string),
        Field("details_cluster_features", string, until="24.05"),
        Field("details_prefer", string),
        Field("features_use", u8),
        Field("details_job_size_bitmap", bits, until="24.05"),
        Field("details_depend_list", DependencyList),
        Field("details_dependency", string, until="24.05"),
        Field("details_orig_dependency", string),
        Field("details_std_err", string),
        Field("details_std_in", string),
        Field("details_std_out", string),
        Field("details_submit_line", string),
        Field("details_work_dir", string, until="24.05"),
        Field("details_mc_ptr", MultiCoreData),
        Field("details_argv", vector(string)),
        Field("details_env_sup", vector(string)),
        Field("details_crontab_entry", CronEntry),
        Field("details_env_hash", string),
        Field("details_script_hash", string),
        Field("details_segment_size", u16, until="24.11"),
        Field("details_resv_port_cnt", u16),
        Field("details_qos_req", string, since="24.11"),
        Field("details_x11", u16, since="24.11", means=X11Flag),
        Field("details_x11_magic_cookie", string, since="24.11"),
        Field("details_x11_target", string, since="24.11"),
        Field("details_x11_target_port", u16, since="24.11"),
    )


class LoadStepState(Record):
    """Part of JobRecordChainedSteps, JobRecord."""

    step_id: int = 0
    step_het_comp: int = 0
    cyclic_alloc: int = 0
    srun_pid: int = 0
    port: int = 0
    cpus_per_task: int = 0
    container: str | None = None
    container_id: str | None = None
    container_type: str | None = None
    resv_port_cnt: int = 0
    state: int = 0
    start_protocol_ver: int = 0
    flags: int = 0
    cpu_alloc_reps: list[int] = []
    cpu_alloc_values: list[int] = []
    cpu_count: int = 0
    pn_min_memory: int = 0
    exit_code: int = NO_VAL
    exit_node_bitmap: Bits | None = None
    core_bitmap_job: Bits | None = None
    time_limit: int = 0
    cpu_freq_min: int = 0
    cpu_freq_max: int = 0
    cpu_freq_gov: int = 0
    start_time: int = 0
    pre_sus_time: int = 0
    tot_sus_time: int = 0
    host: str | None = None
    resv_ports: str | None = None
    name: str | None = None
    network: str | None = None
    gres_list_req: list[GresStepState] = []
    gres_list_alloc: list[GresStepState] = []
    step_layout: StepLayout = msgspec.field(default_factory=StepLayout)
    has_switch_step: int = 0
    switch_step: SwitchStepinfo = msgspec.field(default_factory=SwitchStepinfo)
    select_jobinfo: int = 0
    tres_alloc_str: str | None = None
    tres_fmt_alloc_str: str | None = None
    cpus_per_tres: str | None = None
    mem_per_tres: str | None = None
    cwd: str | None = None
    std_in: str | None = None
    std_err: str | None = None
    std_out: str | None = None
    submit_line: str | None = None
    tres_bind: str | None = None
    tres_freq: str | None = None
    tres_per_step: str | None = None
    tres_per_node: str | None = None
    tres_per_socket: str | None = None
    tres_per_task: str | None = None
    jobacct: JobAccounting = msgspec.field(default_factory=JobAccounting)
    memory_allocated: list[int] = []
    has_step_req: bool = False
    step_req_msg: StepCreateRequest = msgspec.field(default_factory=StepCreateRequest)

    WIRE = (
        Field("step_id", u32, means=SpecialStep),
        Field("step_het_comp", u32),
        Field("cyclic_alloc", u16, until="25.11"),
        Field("srun_pid", u32),
        Field("port", u16),
        Field("cpus_per_task", u16, unit="CPUs"),
        Field("container", string),
        Field("container_id", string),
        Field("container_type", string, since="26.05"),
        Field("resv_port_cnt", u16),
        Field("state", u16, means=JobState),
        Field("start_protocol_ver", u16, means=Version),
        Field("flags", u32, means=StepFlag),
        Field("cpu_alloc_reps", vector(u32)),
        Field("cpu_alloc_values", vector(u16), unit="CPUs"),
        Field("cpu_count", u32, unit="CPUs"),
        Field("pn_min_memory", u64, unit="MiB"),
        Field("exit_code", u32),
        If(
            "exit_code != NO_VAL",
            (Field("exit_node_bitmap", bits),),
        ),
        Field("core_bitmap_job", bits),
        Field("time_limit", u32, unit="min"),
        Field("cpu_freq_min", u32, means=CpuFrequency, unit="kHz"),
        Field("cpu_freq_max", u32, means=CpuFrequency, unit="kHz"),
        Field("cpu_freq_gov", u32, means=CpuGovernor),
        Field("start_time", epoch),
        Field("pre_sus_time", epoch),
        Field("tot_sus_time", epoch),
        Field("host", string),
        Field("resv_ports", string),
        Field("name", string),
        Field("network", string),
        Field("gres_list_req", array(GresStepState, u16)),
        Field("gres_list_alloc", array(GresStepState, u16)),
        Field("step_layout", StepLayout),
        Field("has_switch_step", u8),
        If(
            "has_switch_step",
            (Field("switch_step", SwitchStepinfo),),
        ),
        Field("select_jobinfo", u32, until="24.11", means=SelectPlugin),
        Field("tres_alloc_str", string),
        Field("tres_fmt_alloc_str", string),
        Field("cpus_per_tres", string),
        Field("mem_per_tres", string),
        Field("cwd", string, since="25.05"),
        Field("std_in", string, since="25.05"),
        Field("std_err", string, since="25.05"),
        Field("std_out", string, since="25.05"),
        Field("submit_line", string),
        Field("tres_bind", string),
        Field("tres_freq", string),
        Field("tres_per_step", string),
        Field("tres_per_node", string),
        Field("tres_per_socket", string),
        Field("tres_per_task", string),
        Field("jobacct", JobAccounting),
        Field("memory_allocated", vector(u64), unit="MiB"),
        Field("has_step_req", boolean, since="26.05"),
        If(
            "has_step_req",
            (Field("step_req_msg", StepCreateRequest),),
            since="26.05",
        ),
    )
