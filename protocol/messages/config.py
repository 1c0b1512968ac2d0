"""The controller's configuration and control: build information, configless files, debugging, shutdown."""

from __future__ import annotations

from protocol.constants import (
    AccountingEnforce,
    ConfigFlag,
    ConfigRequestFlag,
    CpuBind,
    CpuGovernor,
    DebugFlag,
    HealthCheckState,
    LogFormat,
    LogLevel,
    MessageType,
    PartitionLimitEnforcement,
    PreemptMode,
    PriorityFlag,
    PriorityReset,
    PrivateData,
    PrologFlag,
    PropagatePriority,
    ReconfigFlag,
    SelectFlag,
    ShutdownOp,
    UpdateMode,
)
from protocol.messages.common import ConfigKeyPair, ConfigPluginParams, JobDefaults
from protocol.schema import Field, Record, boolean, epoch, list_of, message, string, u16, u32, u64, vector

__all__ = [
    "BuildInfoResponse",
    "ConfigFile",
    "ConfigRequest",
    "ConfigResponse",
    "ControlStatus",
    "SetDebugFlags",
    "SetDebugLevel",
    "SetFsDampeningFactor",
    "ShutdownRequest",
    "SuspendExcUpdate",
    "TlsCertRequest",
    "TlsCertResponse",
    "TokenRequest",
    "TokenResponse",
]


@message(MessageType.RESPONSE_BUILD_INFO)
class BuildInfoResponse(Record):
    """Body of RESPONSE_BUILD_INFO."""

    last_update: int = 0
    accounting_storage_enforce: int = 0
    accounting_storage_backup_host: str | None = None
    accounting_storage_host: str | None = None
    accounting_storage_ext_host: str | None = None
    accounting_storage_params: str | None = None
    accounting_storage_port: int = 0
    accounting_storage_tres: str | None = None
    accounting_storage_type: str | None = None
    accounting_storage_user: str | None = None
    acct_gather_conf: list[ConfigKeyPair] | None = None
    acct_gather_energy_type: str | None = None
    acct_gather_filesystem_type: str | None = None
    acct_gather_interconnect_type: str | None = None
    acct_gather_node_freq: int = 0
    acct_gather_profile_type: str | None = None
    authalttypes: str | None = None
    authalt_params: str | None = None
    authinfo: str | None = None
    authtype: str | None = None
    batch_start_timeout: int = 0
    boot_time: int = 0
    bb_type: str | None = None
    bcast_exclude: str | None = None
    bcast_parameters: str | None = None
    certmgr_params: str | None = None
    certmgr_type: str | None = None
    cgroup_conf: list[ConfigKeyPair] | None = None
    cli_filter_params: str | None = None
    cli_filter_plugins: str | None = None
    cluster_name: str | None = None
    comm_params: str | None = None
    complete_wait: int = 0
    conf_flags: int = 0
    control_addr: list[str | None] = []
    control_machine: list[str | None] = []
    core_spec_plugin: str | None = None
    cpu_freq_def: int = 0
    cpu_freq_govs: int = 0
    cred_type: str | None = None
    data_parser_parameters: str | None = None
    def_mem_per_cpu: int = 0
    debug_flags: int = 0
    dependency_params: str | None = None
    eio_timeout: int = 0
    enforce_part_limits: int = 0
    epilog: str | None = None
    epilogs: list[str | None] = []
    epilog_msg_time: int = 0
    epilog_slurmctld: str | None = None
    ext_sensors_conf: list[ConfigKeyPair] | None = None
    ext_sensors_type: str | None = None
    ext_sensors_freq: int = 0
    epilogs_slurmctld: list[str | None] = []
    epilog_timeout: int = 0
    fed_params: str | None = None
    first_job_id: int = 0
    fs_dampening_factor: int = 0
    get_env_timeout: int = 0
    gres_plugins: str | None = None
    group_time: int = 0
    group_force: int = 0
    gpu_freq_def: str | None = None
    hash_plugin: str | None = None
    hash_val: int = 0
    health_check_interval: int = 0
    health_check_node_state: int = 0
    health_check_program: str | None = None
    health_check_timeout: int = 0
    http_parser_type: str | None = None
    inactive_limit: int = 0
    interactive_step_opts: str | None = None
    job_acct_gather_freq: str | None = None
    job_acct_gather_type: str | None = None
    job_acct_gather_params: str | None = None
    job_comp_host: str | None = None
    job_comp_loc: str | None = None
    job_comp_params: str | None = None
    job_comp_port: int = 0
    job_comp_type: str | None = None
    job_comp_user: str | None = None
    namespace_plugin: str | None = None
    job_credential_private_key: str | None = None
    job_credential_public_certificate: str | None = None
    job_defaults_list: list[JobDefaults] | None = None
    job_file_append: int = 0
    job_requeue: int = 0
    job_submit_plugins: str | None = None
    kill_on_bad_exit: int = 0
    kill_wait: int = 0
    launch_params: str | None = None
    license_params: str | None = None
    launch_type: str | None = None
    licenses: str | None = None
    log_fmt: int = 0
    max_array_sz: int = 0
    max_batch_requeue: int = 0
    max_dbd_msgs: int = 0
    mail_domain: str | None = None
    mail_prog: str | None = None
    max_job_cnt: int = 0
    max_job_id: int = 0
    max_mem_per_cpu: int = 0
    max_node_cnt: int = 0
    max_step_cnt: int = 0
    max_tasks_per_node: int = 0
    mcs_plugin: str | None = None
    mcs_plugin_params: str | None = None
    metrics_auth_users: str | None = None
    metrics_params: str | None = None
    metrics_type: str | None = None
    min_job_age: int = 0
    mpi_conf: list[ConfigKeyPair] | None = None
    mpi_default: str | None = None
    mpi_params: str | None = None
    msg_timeout: int = 0
    next_job_id: int = 0
    node_features_conf: list[ConfigPluginParams] | None = None
    node_features_plugins: str | None = None
    node_prefix: str | None = None
    over_time_limit: int = 0
    plugindir: str | None = None
    plugstack: str | None = None
    power_parameters: str | None = None
    power_plugin: str | None = None
    preempt_mode: int = 0
    preempt_params: str | None = None
    preempt_type: str | None = None
    preempt_exempt_time: int = 0
    prep_params: str | None = None
    prep_plugins: str | None = None
    priority_decay_hl: int = 0
    priority_calc_period: int = 0
    priority_favor_small: int = 0
    priority_flags: int = 0
    priority_max_age: int = 0
    priority_params: str | None = None
    priority_reset_period: int = 0
    priority_type: str | None = None
    priority_weight_age: int = 0
    priority_weight_assoc: int = 0
    priority_weight_fs: int = 0
    priority_weight_js: int = 0
    priority_weight_part: int = 0
    priority_weight_qos: int = 0
    priority_weight_tres: str | None = None
    private_data: int = 0
    proctrack_type: str | None = None
    prolog: str | None = None
    prologs: list[str | None] = []
    prolog_epilog_timeout: int = 0
    prolog_slurmctld: str | None = None
    prologs_slurmctld: list[str | None] = []
    prolog_timeout: int = 0
    prolog_flags: int = 0
    propagate_prio_process: int = 0
    propagate_rlimits: str | None = None
    propagate_rlimits_except: str | None = None
    reboot_program: str | None = None
    reconfig_flags: int = 0
    requeue_exit: str | None = None
    requeue_exit_hold: str | None = None
    resume_fail_program: str | None = None
    resume_program: str | None = None
    resume_rate: int = 0
    resume_timeout: int = 0
    resv_epilog: str | None = None
    resv_over_run: int = 0
    resv_prolog: str | None = None
    ret2service: int = 0
    route_plugin: str | None = None
    sched_params: str | None = None
    sched_logfile: str | None = None
    sched_log_level: int = 0
    sched_time_slice: int = 0
    schedtype: str | None = None
    scron_params: str | None = None
    select_type: str | None = None
    select_conf_key_pairs: list[ConfigKeyPair] | None = None
    select_type_param: int = 0
    slurm_conf: str | None = None
    slurm_user_id: int = 0
    slurm_user_name: str | None = None
    slurmd_user_id: int = 0
    slurmd_user_name: str | None = None
    slurmctld_addr: str | None = None
    slurmctld_debug: int = 0
    slurmctld_http_auth_params: str | None = None
    slurmctld_logfile: str | None = None
    slurmctld_params: str | None = None
    slurmctld_pidfile: str | None = None
    slurmctld_plugstack: str | None = None
    slurmctld_plugstack_conf: list[ConfigPluginParams] | None = None
    slurmctld_port: int = 0
    slurmctld_port_count: int = 0
    slurmctld_primary_off_prog: str | None = None
    slurmctld_primary_on_prog: str | None = None
    slurmctld_syslog_debug: int = 0
    slurmctld_timeout: int = 0
    slurmd_debug: int = 0
    slurmd_http_auth_params: str | None = None
    slurmd_logfile: str | None = None
    slurmd_params: str | None = None
    slurmd_pidfile: str | None = None
    slurmd_port: int = 0
    slurmd_spooldir: str | None = None
    slurmd_syslog_debug: int = 0
    slurmd_timeout: int = 0
    srun_epilog: str | None = None
    srun_port_range: int = 0
    srun_port_range__2: int = 0
    srun_prolog: str | None = None
    state_save_location: str | None = None
    suspend_exc_nodes: str | None = None
    suspend_exc_parts: str | None = None
    suspend_exc_states: str | None = None
    suspend_program: str | None = None
    suspend_rate: int = 0
    suspend_time: int = 0
    suspend_timeout: int = 0
    switch_param: str | None = None
    switch_type: str | None = None
    task_epilog: str | None = None
    task_prolog: str | None = None
    task_plugin: str | None = None
    task_plugin_param: int = 0
    tcp_timeout: int = 0
    tls_params: str | None = None
    tls_type: str | None = None
    tmp_fs: str | None = None
    topology_param: str | None = None
    topology_plugin: str | None = None
    tree_width: int = 0
    unkillable_program: str | None = None
    unkillable_timeout: int = 0
    url_parser_type: str | None = None
    version: str | None = None
    vsize_factor: int = 0
    wait_time: int = 0
    x11_params: str | None = None

    WIRE = (
        Field("last_update", epoch),
        Field("accounting_storage_enforce", u16, means=AccountingEnforce),
        Field("accounting_storage_backup_host", string),
        Field("accounting_storage_host", string),
        Field("accounting_storage_ext_host", string),
        Field("accounting_storage_params", string),
        Field("accounting_storage_port", u16),
        Field("accounting_storage_tres", string),
        Field("accounting_storage_type", string),
        Field("accounting_storage_user", string, until="25.05"),
        Field("acct_gather_conf", list_of(ConfigKeyPair)),
        Field("acct_gather_energy_type", string),
        Field("acct_gather_filesystem_type", string),
        Field("acct_gather_interconnect_type", string),
        Field("acct_gather_node_freq", u16, unit="s"),
        Field("acct_gather_profile_type", string),
        Field("authalttypes", string),
        Field("authalt_params", string),
        Field("authinfo", string),
        Field("authtype", string),
        Field("batch_start_timeout", u16, unit="s"),
        Field("boot_time", epoch),
        Field("bb_type", string),
        Field("bcast_exclude", string),
        Field("bcast_parameters", string),
        Field("certmgr_params", string, since="25.05"),
        Field("certmgr_type", string, since="25.05"),
        Field("cgroup_conf", list_of(ConfigKeyPair)),
        Field("cli_filter_params", string, since="25.11"),
        Field("cli_filter_plugins", string),
        Field("cluster_name", string),
        Field("comm_params", string),
        Field("complete_wait", u16, unit="s"),
        Field("conf_flags", u32, means=ConfigFlag),
        Field("control_addr", vector(string)),
        Field("control_machine", vector(string)),
        Field("core_spec_plugin", string, until="23.11"),
        Field("cpu_freq_def", u32, means=CpuGovernor),
        Field("cpu_freq_govs", u32, means=CpuGovernor),
        Field("cred_type", string),
        Field("data_parser_parameters", string, since="24.11"),
        Field("def_mem_per_cpu", u64, unit="MiB"),
        Field("debug_flags", u64, means=DebugFlag),
        Field("dependency_params", string),
        Field("eio_timeout", u16, unit="s"),
        Field("enforce_part_limits", u16, means=PartitionLimitEnforcement),
        Field("epilog", string, until="23.11"),
        Field("epilogs", vector(string), since="24.05"),
        Field("epilog_msg_time", u32, unit="us"),
        Field("epilog_slurmctld", string, until="23.11"),
        Field("ext_sensors_conf", list_of(ConfigKeyPair), until="23.11"),
        Field("ext_sensors_type", string, until="23.11"),
        Field("ext_sensors_freq", u16, until="23.11", unit="s"),
        Field("epilogs_slurmctld", vector(string), since="24.05"),
        Field("epilog_timeout", u16, since="25.05", unit="s"),
        Field("fed_params", string),
        Field("first_job_id", u32),
        Field("fs_dampening_factor", u16),
        Field("get_env_timeout", u16, until="24.11", unit="s"),
        Field("gres_plugins", string),
        Field("group_time", u16, unit="s"),
        Field("group_force", u16),
        Field("gpu_freq_def", string),
        Field("hash_plugin", string, since="24.05"),
        Field("hash_val", u32),
        Field("health_check_interval", u16, unit="s"),
        Field("health_check_node_state", u16, means=HealthCheckState),
        Field("health_check_program", string),
        Field("health_check_timeout", u16, since="26.05", unit="s"),
        Field("http_parser_type", string, since="25.11"),
        Field("inactive_limit", u16, unit="s"),
        Field("interactive_step_opts", string),
        Field("job_acct_gather_freq", string),
        Field("job_acct_gather_type", string),
        Field("job_acct_gather_params", string),
        Field("job_comp_host", string),
        Field("job_comp_loc", string),
        Field("job_comp_params", string),
        Field("job_comp_port", u32),
        Field("job_comp_type", string),
        Field("job_comp_user", string),
        Field("namespace_plugin", string),
        Field("job_credential_private_key", string, until="23.02"),
        Field("job_credential_public_certificate", string, until="23.02"),
        Field("job_defaults_list", list_of(JobDefaults)),
        Field("job_file_append", u16),
        Field("job_requeue", u16),
        Field("job_submit_plugins", string),
        Field("kill_on_bad_exit", u16),
        Field("kill_wait", u16, unit="s"),
        Field("launch_params", string),
        Field("license_params", string, since="26.05"),
        Field("launch_type", string, until="22.05"),
        Field("licenses", string),
        Field("log_fmt", u16, means=LogFormat),
        Field("max_array_sz", u32),
        Field("max_batch_requeue", u32, since="23.02"),
        Field("max_dbd_msgs", u32),
        Field("mail_domain", string),
        Field("mail_prog", string),
        Field("max_job_cnt", u32),
        Field("max_job_id", u32),
        Field("max_mem_per_cpu", u64, unit="MiB"),
        Field("max_node_cnt", u32, unit="nodes"),
        Field("max_step_cnt", u32),
        Field("max_tasks_per_node", u16, unit="tasks"),
        Field("mcs_plugin", string),
        Field("mcs_plugin_params", string),
        Field("metrics_auth_users", string, since="26.05"),
        Field("metrics_params", string, since="26.05"),
        Field("metrics_type", string, since="25.11"),
        Field("min_job_age", u32, unit="s"),
        Field("mpi_conf", list_of(ConfigKeyPair)),
        Field("mpi_default", string),
        Field("mpi_params", string),
        Field("msg_timeout", u16, unit="s"),
        Field("next_job_id", u32),
        Field("node_features_conf", list_of(ConfigPluginParams)),
        Field("node_features_plugins", string),
        Field("node_prefix", string, until="24.11"),
        Field("over_time_limit", u16, unit="min"),
        Field("plugindir", string),
        Field("plugstack", string),
        Field("power_parameters", string, until="23.11"),
        Field("power_plugin", string, until="23.11"),
        Field("preempt_mode", u16, means=PreemptMode),
        Field("preempt_params", string, since="23.02"),
        Field("preempt_type", string),
        Field("preempt_exempt_time", u32, unit="s"),
        Field("prep_params", string),
        Field("prep_plugins", string),
        Field("priority_decay_hl", u32, unit="s"),
        Field("priority_calc_period", u32, unit="s"),
        Field("priority_favor_small", u16),
        Field("priority_flags", u16, means=PriorityFlag),
        Field("priority_max_age", u32, unit="s"),
        Field("priority_params", string),
        Field("priority_reset_period", u16, means=PriorityReset),
        Field("priority_type", string),
        Field("priority_weight_age", u32),
        Field("priority_weight_assoc", u32),
        Field("priority_weight_fs", u32),
        Field("priority_weight_js", u32),
        Field("priority_weight_part", u32),
        Field("priority_weight_qos", u32),
        Field("priority_weight_tres", string),
        Field("private_data", u16, means=PrivateData),
        Field("proctrack_type", string),
        Field("prolog", string, until="23.11"),
        Field("prologs", vector(string), since="24.05"),
        Field("prolog_epilog_timeout", u16, until="24.11", unit="s"),
        Field("prolog_slurmctld", string, until="23.11"),
        Field("prologs_slurmctld", vector(string), since="24.05"),
        Field("prolog_timeout", u16, since="25.05", unit="s"),
        Field("prolog_flags", u16, means=PrologFlag),
        Field("propagate_prio_process", u16, means=PropagatePriority),
        Field("propagate_rlimits", string),
        Field("propagate_rlimits_except", string),
        Field("reboot_program", string),
        Field("reconfig_flags", u16, means=ReconfigFlag),
        Field("requeue_exit", string),
        Field("requeue_exit_hold", string),
        Field("resume_fail_program", string),
        Field("resume_program", string),
        Field("resume_rate", u16, unit="nodes/min"),
        Field("resume_timeout", u16, unit="s"),
        Field("resv_epilog", string),
        Field("resv_over_run", u16, unit="min"),
        Field("resv_prolog", string),
        Field("ret2service", u16),
        Field("route_plugin", string, until="23.02"),
        Field("sched_params", string),
        Field("sched_logfile", string),
        Field("sched_log_level", u16),
        Field("sched_time_slice", u16, unit="s"),
        Field("schedtype", string),
        Field("scron_params", string),
        Field("select_type", string),
        Field("select_conf_key_pairs", list_of(ConfigKeyPair)),
        Field("select_type_param", u16, means=SelectFlag),
        Field("slurm_conf", string),
        Field("slurm_user_id", u32),
        Field("slurm_user_name", string),
        Field("slurmd_user_id", u32),
        Field("slurmd_user_name", string),
        Field("slurmctld_addr", string),
        Field("slurmctld_debug", u16, means=LogLevel),
        Field("slurmctld_http_auth_params", string, since="26.05"),
        Field("slurmctld_logfile", string),
        Field("slurmctld_params", string),
        Field("slurmctld_pidfile", string),
        Field("slurmctld_plugstack", string, until="22.05"),
        Field("slurmctld_plugstack_conf", list_of(ConfigPluginParams), until="22.05"),
        Field("slurmctld_port", u32),
        Field("slurmctld_port_count", u16),
        Field("slurmctld_primary_off_prog", string),
        Field("slurmctld_primary_on_prog", string),
        Field("slurmctld_syslog_debug", u16, means=LogLevel),
        Field("slurmctld_timeout", u16, unit="s"),
        Field("slurmd_debug", u16, means=LogLevel),
        Field("slurmd_http_auth_params", string, since="26.05"),
        Field("slurmd_logfile", string),
        Field("slurmd_params", string),
        Field("slurmd_pidfile", string),
        Field("slurmd_port", u32),
        Field("slurmd_spooldir", string),
        Field("slurmd_syslog_debug", u16, means=LogLevel),
        Field("slurmd_timeout", u16, unit="s"),
        Field("srun_epilog", string),
        Field("srun_port_range", u16),
        Field("srun_port_range__2", u16),
        Field("srun_prolog", string),
        Field("state_save_location", string),
        Field("suspend_exc_nodes", string),
        Field("suspend_exc_parts", string),
        Field("suspend_exc_states", string, since="23.02"),
        Field("suspend_program", string),
        Field("suspend_rate", u16, unit="nodes/min"),
        Field("suspend_time", u32, unit="s"),
        Field("suspend_timeout", u16, unit="s"),
        Field("switch_param", string),
        Field("switch_type", string),
        Field("task_epilog", string),
        Field("task_prolog", string),
        Field("task_plugin", string),
        Field("task_plugin_param", u32, means=CpuBind),
        Field("tcp_timeout", u16, unit="s"),
        Field("tls_params", string, since="25.05"),
        Field("tls_type", string, since="24.05"),
        Field("tmp_fs", string),
        Field("topology_param", string),
        Field("topology_plugin", string),
        Field("tree_width", u16),
        Field("unkillable_program", string),
        Field("unkillable_timeout", u16, unit="s"),
        Field("url_parser_type", string, since="25.11"),
        Field("version", string),
        Field("vsize_factor", u16, unit="%"),
        Field("wait_time", u16, unit="s"),
        Field("x11_params", string),
    )


@message(MessageType.REQUEST_SHUTDOWN)
class ShutdownRequest(Record):
    """Body of REQUEST_SHUTDOWN."""

    options: int = 0

    WIRE = (Field("options", u16, means=ShutdownOp),)


@message(MessageType.REQUEST_CONFIG)
class ConfigRequest(Record):
    """Body of REQUEST_CONFIG."""

    flags: int = 0
    port: int = 0

    WIRE = (
        Field("flags", u32, means=ConfigRequestFlag),
        Field("port", u16, since="25.05"),
    )


class ConfigFile(Record):
    """Part of ConfigResponse."""

    exists: bool = False
    execute: bool = False
    file_name: str | None = None
    file_content: str | None = None

    WIRE = (
        Field("exists", boolean),
        Field("execute", boolean, since="23.11"),
        Field("file_name", string),
        Field("file_content", string),
    )


@message(
    MessageType.REQUEST_RECONFIGURE_WITH_CONFIG, MessageType.REQUEST_RECONFIGURE_SACKD, MessageType.RESPONSE_CONFIG
)
class ConfigResponse(Record):
    """Body of REQUEST_RECONFIGURE_WITH_CONFIG, RESPONSE_CONFIG, REQUEST_RECONFIGURE_SACKD."""

    config_files: list[ConfigFile] | None = None
    slurmd_spooldir: str | None = None

    WIRE = (
        Field("config_files", list_of(ConfigFile)),
        Field("slurmd_spooldir", string),
    )


@message(MessageType.REQUEST_AUTH_TOKEN)
class TokenRequest(Record):
    """Body of REQUEST_AUTH_TOKEN."""

    lifespan: int = 0
    username: str | None = None

    WIRE = (
        Field("lifespan", u32, unit="s"),
        Field("username", string),
    )


@message(MessageType.RESPONSE_AUTH_TOKEN)
class TokenResponse(Record):
    """Body of RESPONSE_AUTH_TOKEN."""

    token: str | None = None

    WIRE = (Field("token", string),)


@message(MessageType.REQUEST_SET_DEBUG_FLAGS)
class SetDebugFlags(Record):
    """Body of REQUEST_SET_DEBUG_FLAGS."""

    debug_flags_minus: int = 0
    debug_flags_plus: int = 0

    WIRE = (
        Field("debug_flags_minus", u64, means=DebugFlag),
        Field("debug_flags_plus", u64, means=DebugFlag),
    )


@message(MessageType.REQUEST_SET_DEBUG_LEVEL, MessageType.REQUEST_SET_SCHEDLOG_LEVEL)
class SetDebugLevel(Record):
    """Body of REQUEST_SET_DEBUG_LEVEL, REQUEST_SET_SCHEDLOG_LEVEL."""

    debug_level: int = 0

    WIRE = (Field("debug_level", u32, means=LogLevel),)


@message(MessageType.REQUEST_SET_FS_DAMPENING_FACTOR)
class SetFsDampeningFactor(Record):
    """Body of REQUEST_SET_FS_DAMPENING_FACTOR."""

    dampening_factor: int = 0

    WIRE = (Field("dampening_factor", u16),)


@message(MessageType.RESPONSE_CONTROL_STATUS)
class ControlStatus(Record):
    """Body of RESPONSE_CONTROL_STATUS."""

    backup_inx: int = 0
    control_time: int = 0

    WIRE = (
        Field("backup_inx", u16),
        Field("control_time", epoch),
    )


@message(
    MessageType.REQUEST_SET_SUSPEND_EXC_NODES,
    MessageType.REQUEST_SET_SUSPEND_EXC_PARTS,
    MessageType.REQUEST_SET_SUSPEND_EXC_STATES,
)
class SuspendExcUpdate(Record):
    """Body of REQUEST_SET_SUSPEND_EXC_NODES, REQUEST_SET_SUSPEND_EXC_PARTS, REQUEST_SET_SUSPEND_EXC_STATES."""

    update_str: str | None = None
    mode: int = 0

    WIRE = (
        Field("update_str", string),
        Field("mode", u32, means=UpdateMode),
    )


@message(MessageType.REQUEST_TLS_CERT)
class TlsCertRequest(Record):
    """Body of REQUEST_TLS_CERT."""

    csr: str | None = None
    node_name: str | None = None
    token: str | None = None

    WIRE = (
        Field("csr", string),
        Field("node_name", string),
        Field("token", string),
    )


@message(MessageType.RESPONSE_TLS_CERT)
class TlsCertResponse(Record):
    """Body of RESPONSE_TLS_CERT."""

    signed_cert: str | None = None

    WIRE = (Field("signed_cert", string),)
