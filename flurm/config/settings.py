"""The tables that say which keys exist, how each value is read, and which Slurm key means the same.

One row per key: its name in flurm.toml (which is also the attribute of the record), the parser, and the slurm.conf
key, None where Slurm has no such thing. Defaults stand in the records themselves.
"""

import msgspec

import flurm.config.values as v

BOUNDED = v.integer(0, 65535)
POSITIVE = v.integer(1)


class Key(msgspec.Struct, frozen=True):
    """A key: name in flurm.toml, parser, name in slurm.conf, attribute where it differs from the name."""

    name: str
    parse: v.Parser
    slurm: str | None = None
    attribute: str = ""

    @property
    def target(self) -> str:
        """The attribute that the parsed value belongs to."""
        return self.attribute or self.name


CLUSTER = (
    Key("cluster_name", v.name, "ClusterName"),
    Key("controller_name", v.name),
    Key("slurmctld_host", v.text),
    Key("slurmctld_port", v.port),
    Key("slurmd_port", v.port, "SlurmdPort"),
    Key("raft_port", v.port),
    Key("join_port", v.integer(0, 65535)),
    Key("http_host", v.text),
    Key("http_port", v.integer(0, 65535)),
    Key("state_dir", v.text),
    Key("log_dir", v.text),
    Key("spool_dir", v.text),
    Key("checkpoint_dir", v.text),
    Key("checkpoint_interval", POSITIVE),
    Key("scheduler_plugin", v.text),
    Key("schedule_interval", POSITIVE),
    Key("scheduler_parameters", v.any_text, "SchedulerParameters"),
    Key("max_job_count", POSITIVE, "MaxJobCount"),
    Key("default_time_limit", v.minutes),
    Key("max_time_limit", v.minutes),
    Key("raft_election_timeout", v.pair),
    Key("raft_heartbeat_interval", POSITIVE),
    Key("raft_snapshot_interval", POSITIVE),
    Key("raft_clock_drift_bound", v.fraction),
    Key("raft_bootstrap", v.flag),
    Key("raft_ca", v.text),
    Key("raft_certificate", v.text),
    Key("raft_key", v.text),
    Key("heartbeat_interval", POSITIVE),
    Key("heartbeat_timeout", POSITIVE),
    Key("node_down_threshold", POSITIVE),
    Key("auth_type", v.one_of("munge", "none", "slurm")),
    Key("cred_type", v.one_of("munge", "none", "slurm")),
    Key("auth_alt_types", v.auth_alt_types),
    Key("jwt_key", v.text),
    Key("slurm_key", v.text),
    Key("munge_key", v.text),
    Key("munge_socket", v.text),
    Key("munge_ttl", v.integer(1, 86400)),
    Key("log_level", v.one_of("debug", "info", "warning", "error", "critical")),
    Key("slurm_user", v.text, "SlurmUser"),
    Key("slurmd_user", v.text, "SlurmdUser"),
    Key("select_type", v.one_of("select/cons_tres", "select/cons_res", "select/linear"), "SelectType"),
    Key("select_type_parameters", v.any_text, "SelectTypeParameters"),
    Key("def_mem_per_cpu", v.memory_or_unlimited, "DefMemPerCPU"),
    Key("def_mem_per_node", v.memory_or_unlimited, "DefMemPerNode"),
    Key("max_mem_per_cpu", v.memory_or_unlimited, "MaxMemPerCPU"),
    Key("max_mem_per_node", v.memory_or_unlimited, "MaxMemPerNode"),
    Key("enforce_part_limits", v.enforce_part_limits, "EnforcePartLimits"),
    Key("priority_type", v.one_of("priority/multifactor", "priority/basic"), "PriorityType"),
    Key("preempt_type", v.text, "PreemptType"),
    Key("preempt_mode", v.words_of("OFF", "CANCEL", "GANG", "REQUEUE", "SUSPEND", "WITHIN"), "PreemptMode"),
    Key("job_requeue", v.flag, "JobRequeue"),
    Key("job_file_append", v.flag, "JobFileAppend"),
    Key("kill_on_bad_exit", v.flag, "KillOnBadExit"),
    Key("disable_root_jobs", v.flag, "DisableRootJobs"),
    Key("kill_wait", BOUNDED, "KillWait"),
    Key("complete_wait", BOUNDED, "CompleteWait"),
    Key("inactive_limit", BOUNDED, "InactiveLimit"),
    Key("wait_time", BOUNDED, "WaitTime"),
    Key("over_time_limit", v.minutes, "OverTimeLimit"),
    Key("batch_start_timeout", BOUNDED, "BatchStartTimeout"),
    Key("min_job_age", v.integer(), "MinJobAge"),
    Key("first_job_id", POSITIVE, "FirstJobId"),
    Key("max_job_id", v.integer(1, 0x03FFFFFF), "MaxJobId"),
    Key("max_array_size", v.integer(0, 4000001), "MaxArraySize"),
    Key("max_step_count", POSITIVE, "MaxStepCount"),
    Key("max_tasks_per_node", v.integer(1, 65533), "MaxTasksPerNode"),
    Key("max_batch_requeue", v.integer(), "MaxBatchRequeue"),
    Key("message_timeout", v.integer(1, 65534), "MessageTimeout"),
    Key("tcp_timeout", BOUNDED, "TCPTimeout"),
    Key("tree_width", v.integer(1, 65533), "TreeWidth"),
    Key("return_to_service", v.integer(0, 2), "ReturnToService"),
    Key("licenses", v.licenses, "Licenses"),
    Key("job_submit_plugins", v.job_submit_plugins, "JobSubmitPlugins"),
    Key("max_message_size", v.integer(1024, 1 << 30)),
    Key("max_connections", POSITIVE),
    Key("max_request_memory", v.integer(65536)),
    Key("connection_timeout", POSITIVE),
    Key("embedded_node", v.flag),
)

SLURMD = (
    Key("node_name", v.name),
    Key("slurmd_port", v.port),
    Key("spool_dir", v.text),
    Key("cpus", v.integer(1, 65533)),
    Key("boards", v.integer(1, 65533)),
    Key("sockets", v.integer(1, 65533)),
    Key("cores_per_socket", v.integer(1, 65533)),
    Key("threads_per_core", v.integer(1, 65533)),
    Key("memory", v.memory_mib),
    Key("tmp_disk", v.memory_mib),
    Key("features", v.strings),
    Key("gres", v.gres),
    Key("partitions", v.strings),
    Key("weight", v.integer()),
    Key("heartbeat_interval", POSITIVE),
)

NODE = (
    Key("hostname", v.text, "NodeHostname"),
    Key("address", v.text, "NodeAddr"),
    Key("bcast_address", v.text, "BcastAddr"),
    Key("port", v.port, "Port"),
    Key("cpus", v.integer(1, 65533), "CPUs"),
    Key("boards", v.integer(1, 65533), "Boards"),
    Key("sockets", v.integer(1, 65533), "Sockets"),
    Key("sockets_per_board", v.integer(1, 65533), "SocketsPerBoard"),
    Key("cores_per_socket", v.integer(1, 65533), "CoresPerSocket"),
    Key("threads_per_core", v.integer(1, 65533), "ThreadsPerCore"),
    Key("memory", v.memory_mib, "RealMemory", "real_memory_mib"),
    Key("tmp_disk", v.memory_mib, "TmpDisk", "tmp_disk_mib"),
    Key("features", v.strings, "Feature"),
    Key("gres", v.gres, "Gres"),
    Key("weight", v.integer(), "Weight"),
    Key(
        "state", v.one_of("UNKNOWN", "CLOUD", "DOWN", "DRAIN", "EXTERNAL", "FAIL", "FAILING", "FUTURE", "IDLE"), "State"
    ),
    Key("reason", v.text, "Reason"),
    Key("core_spec_count", BOUNDED, "CoreSpecCount"),
    Key("cpu_spec_list", v.text, "CpuSpecList"),
    Key("mem_spec_limit", v.memory_mib, "MemSpecLimit", "mem_spec_limit_mib"),
    Key("cpu_bind", v.text, "CpuBind"),
    Key("tres_weights", v.text, "TRESWeights"),
    Key("restricted_cores_per_gpu", BOUNDED, "RestrictedCoresPerGPU"),
)

PARTITION = (
    Key("alloc_nodes", v.limited_names, "AllocNodes"),
    Key("allow_accounts", v.limited_names, "AllowAccounts"),
    Key("allow_groups", v.limited_names, "AllowGroups"),
    Key("allow_qos", v.limited_names, "AllowQos"),
    Key("deny_accounts", v.strings, "DenyAccounts"),
    Key("deny_qos", v.strings, "DenyQos"),
    Key("alternate", v.text, "Alternate"),
    Key("cpu_bind", v.text, "CpuBind"),
    Key("default", v.flag, "Default"),
    Key("default_time", v.minutes, "DefaultTime"),
    Key("def_cpu_per_gpu", POSITIVE, "DefCpuPerGPU"),
    Key("def_mem_per_gpu", v.memory_or_unlimited, "DefMemPerGPU"),
    Key("def_mem_per_cpu", v.memory_or_unlimited, "DefMemPerCPU"),
    Key("def_mem_per_node", v.memory_or_unlimited, "DefMemPerNode"),
    Key("disable_root_jobs", v.flag, "DisableRootJobs"),
    Key("exclusive_topo", v.flag, "ExclusiveTopo"),
    Key("exclusive_user", v.flag, "ExclusiveUser"),
    Key("features_required", v.strings),
    Key("grace_time", v.integer(), "GraceTime"),
    Key("hidden", v.flag, "Hidden"),
    Key("lln", v.flag, "LLN"),
    Key("max_cpus_per_node", v.integer_or_unlimited(1), "MaxCPUsPerNode"),
    Key("max_cpus_per_socket", v.integer_or_unlimited(1), "MaxCPUsPerSocket"),
    Key("max_jobs_per_user", v.integer_or_unlimited()),
    Key("max_mem_per_cpu", v.memory_or_unlimited, "MaxMemPerCPU"),
    Key("max_mem_per_node", v.memory_or_unlimited, "MaxMemPerNode"),
    Key("max_nodes_per_job", v.integer_or_unlimited(), None, "max_nodes"),
    Key("max_nodes", v.integer_or_unlimited(), "MaxNodes"),
    Key("max_time", v.minutes, "MaxTime"),
    Key("min_nodes", v.integer(), "MinNodes"),
    Key("over_subscribe", v.over_subscribe, "OverSubscribe"),
    Key("over_time_limit", v.over_time_limit, "OverTimeLimit"),
    Key("power_down_on_idle", v.flag, "PowerDownOnIdle"),
    Key("preempt_mode", v.words_of("OFF", "CANCEL", "GANG", "REQUEUE", "SUSPEND", "WITHIN"), "PreemptMode"),
    Key("priority_job_factor", BOUNDED, "PriorityJobFactor"),
    Key("priority_tier", BOUNDED, "PriorityTier"),
    Key("qos", v.text, "QOS"),
    Key("req_resv", v.flag, "ReqResv"),
    Key("resume_timeout", v.seconds, "ResumeTimeout"),
    Key("root_only", v.flag, "RootOnly"),
    Key("select_type_parameters", v.text, "SelectTypeParameters"),
    Key("state", v.one_of("UP", "DOWN", "DRAIN", "INACTIVE"), "State"),
    Key("suspend_time", v.seconds, "SuspendTime"),
    Key("suspend_timeout", v.seconds, "SuspendTimeout"),
    Key("topology", v.name, "Topology"),
    Key("tres_billing_weights", v.text, "TRESBillingWeights"),
)

# Keys that hold tables or lists of records; load.py reads them.
CLUSTER_TABLES = ("controllers", "slurm_conf", "slurmd", "nodes", "partitions", "slurm")

# What slurm.conf leaves out has Slurm's default, which is not always flurm.toml's.
SLURM_DEFAULTS: dict[str, object] = {
    "default_time_limit": None,
    "max_time_limit": None,
    "max_job_count": 10000,
    "return_to_service": 0,
    "slurm_user": "root",
    "heartbeat_timeout": 300_000,
}
