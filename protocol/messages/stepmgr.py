"""Job, node and partition records that a step manager on a node is given (24.05 and later)."""

from __future__ import annotations

import msgspec

from protocol.constants import (
    NO_VAL,
    CpuBind,
    JobFlag,
    JobReason,
    JobState,
    KillFlag,
    MailFlag,
    NodeState,
    PartitionFlag,
    PartitionState,
    PreemptMode,
    ProfileFlag,
    SelectFlag,
    SelectPlugin,
    Signal,
)
from protocol.messages.common import JobResources, StepId, SwitchStepinfo, UserIdentity
from protocol.messages.gres import GresJobState, GresNodeState
from protocol.messages.stepmgr_state import LoadJobDetails, LoadJobFedDetails, LoadStepState
from protocol.schema import (
    Chain,
    Field,
    If,
    Record,
    array,
    bits,
    boolean,
    double,
    epoch,
    list_of,
    mem,
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
    "AcctPolicyLimit",
    "JobOptionInfo",
    "JobOptions",
    "JobRecord",
    "JobRecordChainedSteps",
    "JobRecordCommon",
    "NodeRecord",
    "PartitionRecord",
]


class JobOptionInfo(Record):
    """Part of JobOptions."""

    type: int = 0
    option: str | None = None
    optarg: str | None = None

    WIRE = (
        Field("type", u32),
        Field("option", string),
        Field("optarg", string),
    )


class JobOptions(Record):
    """Part of LaunchTasks."""

    tag: str | None = None
    items: list[JobOptionInfo] = []

    WIRE = (
        Field("tag", string),
        Field("items", array(JobOptionInfo)),
    )


class JobRecordCommon(Record):
    """Part of JobRecord."""

    step_id: StepId = msgspec.field(default_factory=StepId)
    account: str | None = None
    admin_comment: str | None = None
    alloc_node: str | None = None
    alloc_sid: int = 0
    array_job_id: int = 0
    array_task_id: int = 0
    assoc_id: int = 0
    batch_features: str | None = None
    batch_flag: int = 0
    batch_host: str | None = None
    bit_flags: int = 0
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
    fed_details: LoadJobFedDetails = msgspec.field(default_factory=LoadJobFedDetails)
    gres_used: str | None = None
    group_id: int = 0
    het_job_id: int = 0
    het_job_id_set: str | None = None
    het_job_offset: int = 0
    job_id: int = 0
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
    reboot: int = 0
    req_switch: int = 0
    resize_time: int = 0
    restart_cnt: int = 0
    resv_name: str | None = None
    resv_ports: str | None = None
    selinux_context: str | None = None
    site_factor: int = 0
    start_protocol_ver: int = 0
    state_desc: str | None = None
    state_reason: int = 0
    suspend_time: int = 0
    system_comment: str | None = None
    time_min: int = 0
    tres_bind: str | None = None
    tres_fmt_alloc_str: str | None = None
    tres_fmt_req_str: str | None = None
    tres_freq: str | None = None
    tres_per_job: str | None = None
    tres_per_node: str | None = None
    tres_per_socket: str | None = None
    tres_per_task: str | None = None
    user_id: int = 0
    user_name: str | None = None
    wait4switch: int = 0
    wckey: str | None = None

    WIRE = (
        Field("step_id", StepId, since="25.11"),
        Field("account", string),
        Field("admin_comment", string),
        Field("alloc_node", string),
        Field("alloc_sid", u32),
        Field("array_job_id", u32),
        Field("array_task_id", u32),
        Field("assoc_id", u32),
        Field("batch_features", string),
        Field("batch_flag", u16),
        Field("batch_host", string),
        Field("bit_flags", u64, means=JobFlag),
        Field("burst_buffer", string),
        Field("burst_buffer_state", string),
        Field("billable_tres", double),
        Field("comment", string),
        Field("container", string),
        Field("container_id", string),
        Field("container_type", string, since="26.05"),
        Field("cpus_per_tres", string),
        Field("deadline", epoch),
        Field("delay_boot", u32, unit="s"),
        Field("derived_ec", u32),
        Field("exit_code", u32),
        Field("extra", string),
        Field("failed_node", string),
        Field("fed_details", LoadJobFedDetails),
        Field("gres_used", string),
        Field("group_id", u32),
        Field("het_job_id", u32),
        Field("het_job_id_set", string),
        Field("het_job_offset", u32),
        Field("job_id", u32, until="25.05"),
        Field("job_state", u32, means=JobState),
        Field("last_sched_eval", epoch),
        Field("licenses", string),
        Field("licenses_allocated", string, since="25.05"),
        Field("mail_type", u16, means=MailFlag),
        Field("mail_user", string),
        Field("mcs_label", string),
        Field("mem_per_tres", string),
        Field("name", string),
        Field("network", string),
        Field("preempt_time", epoch),
        Field("pre_sus_time", epoch),
        Field("priority", u32),
        Field("profile", u32, means=ProfileFlag),
        Field("reboot", u8),
        Field("req_switch", u32),
        Field("resize_time", epoch),
        Field("restart_cnt", u16),
        Field("resv_name", string),
        Field("resv_ports", string),
        Field("selinux_context", string),
        Field("site_factor", u32, unit="over NICE_OFFSET"),
        Field("start_protocol_ver", u16, means=Version),
        Field("state_desc", string),
        Field("state_reason", u32, means=JobReason),
        Field("suspend_time", epoch),
        Field("system_comment", string),
        Field("time_min", u32, unit="min"),
        Field("tres_bind", string),
        Field("tres_fmt_alloc_str", string),
        Field("tres_fmt_req_str", string),
        Field("tres_freq", string),
        Field("tres_per_job", string),
        Field("tres_per_node", string),
        Field("tres_per_socket", string),
        Field("tres_per_task", string),
        Field("user_id", u32),
        Field("user_name", string),
        Field("wait4switch", u32, unit="s"),
        Field("wckey", string),
    )


class AcctPolicyLimit(Record):
    """Part of JobRecord."""

    qos: int = 0
    time: int = 0
    tres: list[int] = []

    WIRE = (
        Field("qos", u16),
        Field("time", u16),
        Field("tres", vector(u16)),
    )


class JobRecordChainedSteps(Record):
    """One step and what announces the next."""

    step: LoadStepState = msgspec.field(default_factory=LoadStepState)
    next_flag: int = 0

    WIRE = (
        Field("step", LoadStepState),
        Field("next_flag", u16),
    )


class JobRecord(Record):
    """Part of LaunchTasks, PrologLaunch."""

    array_job_id: int = 0
    array_task_id: int = 0
    common: JobRecordCommon = msgspec.field(default_factory=JobRecordCommon)
    array_recs_task_id_bitmap: int = NO_VAL
    array_recs_task_id_str: str | None = None
    array_recs_array_flags: int = 0
    array_recs_max_run_tasks: int = 0
    array_recs_tot_run_tasks: int = 0
    array_recs_min_exit_code: int = 0
    array_recs_max_exit_code: int = 0
    array_recs_tot_comp_tasks: int = 0
    assoc_id: int = 0
    batch_features: str | None = None
    container: str | None = None
    container_id: str | None = None
    delay_boot: int = 0
    failed_node: str | None = None
    job_id: int = 0
    user_id: int = 0
    group_id: int = 0
    time_limit: int = 0
    time_min: int = 0
    priority: int = 0
    alloc_sid: int = 0
    total_cpus: int = 0
    total_nodes: int = 0
    cpu_cnt: int = 0
    exit_code: int = 0
    derived_ec: int = 0
    db_index: int = 0
    resv_id: int = 0
    next_step_id: int = 0
    het_job_id: int = 0
    het_job_id_set: str | None = None
    het_job_offset: int = 0
    qos_id: int = 0
    req_switch: int = 0
    wait4switch: int = 0
    profile: int = 0
    db_flags: int = 0
    last_sched_eval: int = 0
    preempt_time: int = 0
    prolog_launch_time: int = 0
    start_time: int = 0
    end_time: int = 0
    end_time_exp: int = 0
    suspend_time: int = 0
    pre_sus_time: int = 0
    resize_time: int = 0
    tot_sus_time: int = 0
    deadline: int = 0
    site_factor: int = 0
    direct_set_prio: int = 0
    epilog_failed: int = 0
    job_state: int = 0
    kill_on_node_fail: int = 0
    batch_flag: int = 0
    mail_type: int = 0
    state_reason: int = 0
    state_reason_prev_db: int = 0
    reboot: int = 0
    restart_cnt: int = 0
    wait_all_nodes: int = 0
    warn_flags: int = 0
    warn_signal: int = 0
    warn_time: int = 0
    limit_set: AcctPolicyLimit = msgspec.field(default_factory=AcctPolicyLimit)
    state_desc: str | None = None
    resp_host: str | None = None
    alloc_resp_port: int = 0
    alloc_tls_cert: str | None = None
    other_port: int = 0
    resv_ports: str | None = None
    resv_port_cnt: int = 0
    power_flags: int = 0
    start_protocol_ver: int = 0
    billable_tres: float = 0.0
    nodes_completing: str | None = None
    nodes_pr: str | None = None
    nodes_rs: str | None = None
    nodes: str | None = None
    node_cnt: int = 0
    node_bitmap: Bits | None = None
    partition: str | None = None
    name: str | None = None
    user_name: str | None = None
    wckey: str | None = None
    alloc_node: str | None = None
    account: str | None = None
    admin_comment: str | None = None
    comment: str | None = None
    extra: str | None = None
    gres_used: str | None = None
    network: str | None = None
    licenses: str | None = None
    lic_req: str | None = None
    mail_user: str | None = None
    mcs_label: str | None = None
    resv_name: str | None = None
    batch_host: str | None = None
    burst_buffer: str | None = None
    burst_buffer_state: str | None = None
    system_comment: str | None = None
    select_jobinfo: int = 0
    switch_jobinfo: SwitchStepinfo | bytes = msgspec.field(default_factory=SwitchStepinfo)
    topo_jobinfo: bytes = b""
    job_resrcs: JobResources = msgspec.field(default_factory=JobResources)
    spank_job_env: list[str | None] = []
    gres_list_req: list[GresJobState] = []
    gres_list_alloc: list[GresJobState] = []
    details: int = 0
    job_details: LoadJobDetails = msgspec.field(default_factory=LoadJobDetails)
    step_flag: int = 0
    chained_steps: list[JobRecordChainedSteps] | list[LoadStepState] | None = None
    bit_flags: int = 0
    has_details: bool = False
    steps: list[LoadStepState] | None = None
    tres_alloc_str: str | None = None
    tres_fmt_alloc_str: str | None = None
    tres_req_str: str | None = None
    tres_fmt_req_str: str | None = None
    clusters: str | None = None
    fed_details: LoadJobFedDetails = msgspec.field(default_factory=LoadJobFedDetails)
    origin_cluster: str | None = None
    cpus_per_tres: str | None = None
    mem_per_tres: str | None = None
    tres_bind: str | None = None
    tres_freq: str | None = None
    tres_per_job: str | None = None
    tres_per_node: str | None = None
    tres_per_socket: str | None = None
    tres_per_task: str | None = None
    selinux_context: str | None = None
    has_id: int | bool = 0
    id: UserIdentity = msgspec.field(default_factory=UserIdentity)

    WIRE = (
        Field("array_job_id", u32, until="24.05"),
        Field("array_task_id", u32, until="24.05"),
        Field("common", JobRecordCommon, since="24.11"),
        Field("array_recs_task_id_bitmap", u32),
        If(
            "array_recs_task_id_bitmap != NO_VAL",
            (
                If(
                    "array_recs_task_id_bitmap",
                    (Field("array_recs_task_id_str", string),),
                ),
                Field("array_recs_array_flags", u32),
                Field("array_recs_max_run_tasks", u32),
                Field("array_recs_tot_run_tasks", u32),
                Field("array_recs_min_exit_code", u32),
                Field("array_recs_max_exit_code", u32),
                Field("array_recs_tot_comp_tasks", u32),
            ),
        ),
        Field("assoc_id", u32, until="24.05"),
        Field("batch_features", string, until="24.05"),
        Field("container", string, until="24.05"),
        Field("container_id", string, until="24.05"),
        Field("delay_boot", u32, until="24.05", unit="s"),
        Field("failed_node", string, until="24.05"),
        Field("job_id", u32, until="24.05"),
        Field("user_id", u32, until="24.05"),
        Field("group_id", u32, until="24.05"),
        Field("time_limit", u32, unit="min"),
        Field("time_min", u32, until="24.05", unit="min"),
        Field("priority", u32, until="24.05"),
        Field("alloc_sid", u32, until="24.05"),
        Field("total_cpus", u32, unit="CPUs"),
        Field("total_nodes", u32, unit="nodes"),
        Field("cpu_cnt", u32, unit="CPUs"),
        Field("exit_code", u32, until="24.05"),
        Field("derived_ec", u32, until="24.05"),
        Field("db_index", u64),
        Field("resv_id", u32),
        Field("next_step_id", u32),
        Field("het_job_id", u32, until="24.05"),
        Field("het_job_id_set", string, until="24.05"),
        Field("het_job_offset", u32, until="24.05"),
        Field("qos_id", u32),
        Field("req_switch", u32, until="24.05"),
        Field("wait4switch", u32, until="24.05", unit="s"),
        Field("profile", u32, until="24.05", means=ProfileFlag),
        Field("db_flags", u32),
        Field("last_sched_eval", epoch, until="24.05"),
        Field("preempt_time", epoch, until="24.05"),
        Field("prolog_launch_time", epoch),
        Field("start_time", epoch),
        Field("end_time", epoch),
        Field("end_time_exp", epoch),
        Field("suspend_time", epoch, until="24.05"),
        Field("pre_sus_time", epoch, until="24.05"),
        Field("resize_time", epoch, until="24.05"),
        Field("tot_sus_time", epoch),
        Field("deadline", epoch, until="24.05"),
        Field("site_factor", u32, until="24.05", unit="over NICE_OFFSET"),
        Field("direct_set_prio", u16),
        Field("epilog_failed", u16, since="25.11"),
        Field("job_state", u32, until="24.05", means=JobState),
        Field("kill_on_node_fail", u16),
        Field("batch_flag", u16, until="24.05"),
        Field("mail_type", u16, until="24.05", means=MailFlag),
        Field("state_reason", u32, until="24.05", means=JobReason),
        Field("state_reason_prev_db", u32, means=JobReason),
        Field("reboot", u8, until="24.05"),
        Field("restart_cnt", u16, until="24.05"),
        Field("wait_all_nodes", u16),
        Field("warn_flags", u16, means=KillFlag),
        Field("warn_signal", u16, means=Signal),
        Field("warn_time", u16, unit="s"),
        Field("limit_set", AcctPolicyLimit),
        Field("state_desc", string, until="24.05"),
        Field("resp_host", string),
        Field("alloc_resp_port", u16),
        Field("alloc_tls_cert", string, since="25.05"),
        Field("other_port", u16),
        Field("resv_ports", string, until="24.05"),
        Field("resv_port_cnt", u16),
        Field("power_flags", u8, until="24.05"),
        Field("start_protocol_ver", u16, until="24.05", means=Version),
        Field("billable_tres", double, until="24.05"),
        If(
            "job_state & JOB_COMPLETING",
            (Field("nodes_completing", string),),
            until="24.05",
        ),
        If(
            "state_reason == WAIT_PROLOG",
            (Field("nodes_pr", string),),
            until="24.05",
        ),
        If(
            "common.job_state & JOB_COMPLETING",
            (Field("nodes_completing", string),),
            since="24.11",
        ),
        If(
            "common.state_reason == WAIT_PROLOG",
            (Field("nodes_pr", string),),
            since="24.11",
        ),
        If(
            "common.job_state & JOB_RESIZING",
            (Field("nodes_rs", string),),
            since="26.05",
        ),
        Field("nodes", string),
        Field("node_cnt", u32, unit="nodes"),
        Field("node_bitmap", bits, until="25.11"),
        Field("partition", string),
        Field("name", string, until="24.05"),
        Field("user_name", string, until="24.05"),
        Field("wckey", string, until="24.05"),
        Field("alloc_node", string, until="24.05"),
        Field("account", string, until="24.05"),
        Field("admin_comment", string, until="24.05"),
        Field("comment", string, until="24.05"),
        Field("extra", string, until="24.05"),
        Field("gres_used", string, until="24.05"),
        Field("network", string, until="24.05"),
        Field("licenses", string, until="24.05"),
        Field("lic_req", string),
        Field("mail_user", string, until="24.05"),
        Field("mcs_label", string, until="24.05"),
        Field("resv_name", string, until="24.05"),
        Field("batch_host", string, until="24.05"),
        Field("burst_buffer", string, until="24.05"),
        Field("burst_buffer_state", string, until="24.05"),
        Field("system_comment", string, until="24.05"),
        Field("select_jobinfo", u32, until="24.11", means=SelectPlugin),
        Field("switch_jobinfo", SwitchStepinfo, until="25.05"),
        Field("switch_jobinfo", mem, since="25.11"),
        Field("topo_jobinfo", mem, since="25.11"),
        Field("job_resrcs", JobResources),
        Field("spank_job_env", vector(string)),
        Field("gres_list_req", array(GresJobState, u16)),
        Field("gres_list_alloc", array(GresJobState, u16)),
        Field("details", u16, until="24.05"),
        If(
            "details == DETAILS_FLAG",
            (Field("job_details", LoadJobDetails),),
            until="24.05",
        ),
        Field("step_flag", u16, until="24.05"),
        Field("chained_steps", Chain(JobRecordChainedSteps, "step_flag", "next_flag", 0xBBBB), until="24.05"),
        Field("bit_flags", u64, until="24.05", means=JobFlag),
        Field("has_details", boolean, since="24.11"),
        If(
            "has_details",
            (Field("job_details", LoadJobDetails),),
            since="24.11",
        ),
        Field("steps", list_of(LoadStepState), since="24.11"),
        Field("tres_alloc_str", string),
        Field("tres_fmt_alloc_str", string, until="24.05"),
        Field("tres_req_str", string),
        Field("tres_fmt_req_str", string, until="24.05"),
        Field("clusters", string),
        Field("fed_details", LoadJobFedDetails, until="24.05"),
        Field("origin_cluster", string),
        Field("cpus_per_tres", string, until="24.05"),
        Field("mem_per_tres", string, until="24.05"),
        Field("tres_bind", string, until="24.05"),
        Field("tres_freq", string, until="24.05"),
        Field("tres_per_job", string, until="24.05"),
        Field("tres_per_node", string, until="24.05"),
        Field("tres_per_socket", string, until="24.05"),
        Field("tres_per_task", string, until="24.05"),
        Field("selinux_context", string, until="24.05"),
        Field("has_id", u8, until="24.05"),
        Field("has_id", boolean, since="24.11"),
        If(
            "has_id",
            (Field("id", UserIdentity),),
        ),
    )


class NodeRecord(Record):
    """Part of LaunchTasks, PrologLaunch."""

    cert_last_renewal: int = 0
    cert_token: str | None = None
    comm_name: str | None = None
    name: str | None = None
    node_hostname: str | None = None
    comment: str | None = None
    extra: str | None = None
    reason: str | None = None
    features: str | None = None
    features_act: str | None = None
    gres: str | None = None
    instance_id: str | None = None
    instance_type: str | None = None
    cpu_spec_list: str | None = None
    next_state: int = 0
    node_state: int = 0
    cpu_bind: int = 0
    suspend_time: int = 0
    cpus: int = 0
    boards: int = 0
    tot_cores: int = 0
    tot_sockets: int = 0
    cores: int = 0
    core_spec_cnt: int = 0
    mem_spec_limit: int = 0
    threads: int = 0
    real_memory: int = 0
    res_cores_per_gpu: int = 0
    gpu_spec_bitmap: Bits | None = None
    tmp_disk: int = 0
    topology_str: str | None = None
    topology_orig_str: str | None = None
    reason_uid: int = 0
    reason_time: int = 0
    resume_after: int = 0
    boot_req_time: int = 0
    power_save_req_time: int = 0
    last_busy: int = 0
    last_response: int = 0
    parameters: str | None = None
    port: int = 0
    power_action_name: str | None = None
    protocol_version: int = 0
    tpc: int = 0
    mcs_label: str | None = None
    gres_list: list[GresNodeState] = []
    weight: int = 0

    WIRE = (
        Field("cert_last_renewal", epoch, since="25.05"),
        Field("cert_token", string, since="24.11"),
        Field("comm_name", string),
        Field("name", string),
        Field("node_hostname", string),
        Field("comment", string),
        Field("extra", string),
        Field("reason", string),
        Field("features", string),
        Field("features_act", string),
        Field("gres", string),
        Field("instance_id", string),
        Field("instance_type", string),
        Field("cpu_spec_list", string),
        Field("next_state", u32, means=NodeState),
        Field("node_state", u32, means=NodeState),
        Field("cpu_bind", u32, means=CpuBind),
        Field("suspend_time", u32, since="26.05", unit="s"),
        Field("cpus", u16, unit="CPUs"),
        Field("boards", u16, unit="boards"),
        Field("tot_cores", u16, since="25.05", unit="cores"),
        Field("tot_sockets", u16, unit="sockets"),
        Field("cores", u16, unit="cores"),
        Field("core_spec_cnt", u16, unit="cores"),
        Field("mem_spec_limit", u64, since="24.11", unit="MiB"),
        Field("threads", u16, unit="threads"),
        Field("real_memory", u64, unit="MiB"),
        Field("res_cores_per_gpu", u16),
        Field("gpu_spec_bitmap", bits),
        Field("tmp_disk", u32, unit="MiB"),
        Field("topology_str", string, since="25.05"),
        Field("topology_orig_str", string, since="25.11", until="25.11"),
        Field("reason_uid", u32),
        Field("reason_time", epoch),
        Field("resume_after", epoch),
        Field("boot_req_time", epoch),
        Field("power_save_req_time", epoch),
        Field("last_busy", epoch),
        Field("last_response", epoch),
        Field("parameters", string, since="25.11"),
        Field("port", u16),
        Field("power_action_name", string, since="26.05"),
        Field("protocol_version", u16, means=Version),
        Field("tpc", u16, unit="threads"),
        Field("mcs_label", string),
        Field("gres_list", array(GresNodeState, u16)),
        Field("weight", u32),
    )


class PartitionRecord(Record):
    """Part of LaunchTasks, PrologLaunch."""

    cpu_bind: int = 0
    name: str | None = None
    grace_time: int = 0
    max_time: int = 0
    default_time: int = 0
    max_cpus_per_node: int = 0
    max_cpus_per_socket: int = 0
    max_nodes: int = 0
    min_nodes: int = 0
    flags: int = 0
    max_share: int = 0
    over_time_limit: int = 0
    preempt_mode: int = 0
    priority_job_factor: int = 0
    priority_tier: int = 0
    state_up: int = 0
    cr_type: int = 0
    allow_accounts: str | None = None
    allow_groups: str | None = None
    allow_qos: str | None = None
    qos_char: str | None = None
    allow_alloc_nodes: str | None = None
    alternate: str | None = None
    deny_accounts: str | None = None
    deny_qos: str | None = None
    nodes: str | None = None
    topology_name: str | None = None

    WIRE = (
        Field("cpu_bind", u32, means=CpuBind),
        Field("name", string),
        Field("grace_time", u32, unit="s"),
        Field("max_time", u32, unit="min"),
        Field("default_time", u32, unit="min"),
        Field("max_cpus_per_node", u32, unit="CPUs"),
        Field("max_cpus_per_socket", u32, unit="CPUs"),
        Field("max_nodes", u32, unit="nodes"),
        Field("min_nodes", u32, unit="nodes"),
        Field("flags", u32, means=PartitionFlag),
        Field("max_share", u16),
        Field("over_time_limit", u16, unit="min"),
        Field("preempt_mode", u16, means=PreemptMode),
        Field("priority_job_factor", u16),
        Field("priority_tier", u16),
        Field("state_up", u16, means=PartitionState),
        Field("cr_type", u16, means=SelectFlag),
        Field("allow_accounts", string),
        Field("allow_groups", string),
        Field("allow_qos", string),
        Field("qos_char", string),
        Field("allow_alloc_nodes", string),
        Field("alternate", string),
        Field("deny_accounts", string),
        Field("deny_qos", string),
        Field("nodes", string),
        Field("topology_name", string, since="25.05"),
    )
