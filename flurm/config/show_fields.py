"""The fields of Slurm's configuration record: the slurm.conf key of each, how its text is read, its default.

Kinds: text, number (with the unlimited and not-set values of its width), flag, time span, and words that are bits.
A default that differs between releases is a Since: what holds before, and from which release on what.
"""

from collections.abc import Mapping

import msgspec

NO_VAL16, NO_VAL, INFINITE, NO_VAL64 = 0xFFFE, 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFE
MEM_PER_CPU = 1 << 63

RELEASES = ("22.05", "23.02", "23.11", "24.05", "24.11", "25.05", "25.11", "26.05")


class Since(msgspec.Struct, frozen=True):
    """A default that changed: before it was one thing, from the given release on it is another."""

    before: object
    release: str
    after: object

    def at(self, release: str) -> object:
        """Return the value in release."""
        return self.after if RELEASES.index(release) >= RELEASES.index(self.release) else self.before


class Bits(msgspec.Struct, frozen=True):
    """Comma separated words that stand for bits."""

    words: Mapping[str, int]


class Choice(msgspec.Struct, frozen=True):
    """One word that stands for a number."""

    words: Mapping[str, int]


TREE_WIDTH = Since(50, "23.11", 16)


def none_since(text: str, release: str = "23.11") -> Since:
    """Return the default of a plugin that used to be named and is now left out."""
    return Since(text, release, None)


DEBUG_FLAGS = {
    "SelectType": 1 << 0, "Steps": 1 << 1, "Triggers": 1 << 2, "CPU_Bind": 1 << 3, "NetworkRaw": 1 << 4,
    "NO_CONF_HASH": 1 << 5, "Gres": 1 << 6, "MPI": 1 << 7, "Data": 1 << 8, "WorkQueue": 1 << 9, "Network": 1 << 10,
    "Priority": 1 << 11, "Backfill": 1 << 12, "Gang": 1 << 13, "Reservation": 1 << 14, "FrontEnd": 1 << 15,
    "Switch": 1 << 17, "Energy": 1 << 18, "License": 1 << 20, "Profile": 1 << 21, "Interconnect": 1 << 22,
    "JobContainer": 1 << 24, "Protocol": 1 << 26, "BackfillMap": 1 << 27, "TraceJobs": 1 << 28, "Route": 1 << 29,
    "BurstBuffer": 1 << 40, "CpuFrequency": 1 << 41, "Power": 1 << 42, "NodeFeatures": 1 << 47,
    "Federation": 1 << 48, "Hetjob": 1 << 49, "Accrue": 1 << 50, "Agent": 1 << 52, "Dependency": 1 << 53,
    "JobAccountGather": 1 << 54, "Cgroup": 1 << 55, "Script": 1 << 56,
}  # fmt: skip

LEVELS = Choice({
    "quiet": 0, "fatal": 1, "error": 2, "info": 3, "verbose": 4, "debug": 5, "debug2": 6, "debug3": 7, "debug4": 8,
    "debug5": 9,
})  # fmt: skip

SELECT_BITS = Bits({
    "CR_CPU": 1, "CR_Socket": 2, "CR_Core": 4, "CR_Memory": 16, "CR_CPU_Memory": 17, "CR_Socket_Memory": 18,
    "CR_Core_Memory": 20, "CR_ONE_TASK_PER_CORE": 0x100, "CR_Pack_Nodes": 0x200, "CR_CORE_DEFAULT_DIST_BLOCK": 0x1000,
    "CR_LLN": 0x4000,
})  # fmt: skip

PREEMPT_BITS = Bits({"OFF": 0, "SUSPEND": 1, "REQUEUE": 2, "CANCEL": 8, "WITHIN": 0x4000, "GANG": 0x8000})
ENFORCE_BITS = Bits({
    "none": 0, "associations": 1, "limits": 3, "wckeys": 5, "qos": 9, "safe": 19, "nojobs": 96, "nosteps": 64,
})  # fmt: skip
PRIVATE_BITS = Bits({
    "none": 0, "jobs": 1, "nodes": 2, "partitions": 4, "usage": 8, "users": 16, "accounts": 32, "reservations": 64,
    "cloud": 128, "events": 256,
})  # fmt: skip
PROLOG_BITS = Bits({
    "Alloc": 1, "NoHold": 3, "Contain": 5, "Serial": 8, "X11": 21, "DeferBatch": 33, "ForceRequeueOnFail": 65,
    "RunInJob": 133,
})  # fmt: skip
PRIORITY_BITS = Bits({
    "ACCRUE_ALWAYS": 1, "MAX_TRES": 2, "SMALL_RELATIVE_TO_TIME": 4, "DEPTH_OBLIVIOUS": 8, "CALCULATE_RUNNING": 16,
    "FAIR_TREE": 32, "INCR_ONLY": 64, "NO_NORMAL_ASSOC": 128, "NO_NORMAL_PART": 256, "NO_NORMAL_QOS": 512,
    "NO_NORMAL_TRES": 1024, "NO_NORMAL_ALL": 1920, "MAX_TRES_GRES": 2048,
})  # fmt: skip
RECONFIG_BITS = Bits({
    "KeepPartInfo": 1, "KeepPartState": 2, "KeepPowerSaveSettings": 4, "KeepNodeStateFuture": 8,
})  # fmt: skip
HEALTH_BITS = Bits({"IDLE": 1, "ALLOC": 2, "MIXED": 4, "NONDRAINED_IDLE": 8, "ANY": 15, "CYCLE": 0x8000})
RESET = Choice({"NONE": 0, "NOW": 1, "DAILY": 2, "WEEKLY": 3, "MONTHLY": 4, "QUARTERLY": 5, "YEARLY": 6})
LOG_FORMATS = Choice({
    "iso8601_ms": 0, "iso8601": 1, "rfc5424_ms": 2, "rfc5424": 3, "clock": 4, "short": 5, "thread_id": 6, "rfc3339": 7,
})  # fmt: skip
TASK_BITS = Bits({
    "None": 0, "Threads": 2, "Cores": 4, "Sockets": 8, "SlurmdOffSpec": 0x40000, "OOMKillStep": 0x100000, "Verbose": 1,
    "Autobind=none": 0, "Autobind=threads": 0x4000, "Autobind=cores": 0x10000, "Autobind=sockets": 0x20000,
})  # fmt: skip

# Keys whose words set one bit each of conf_flags: key -> (bit, words that set it, first word of a list value).
CONF_FLAG_KEYS = {
    "DisableRootJobs": 4, "AllowSpecResourcesUsage": 8, "UsePam": 16, "TrackWCKey": 32,
}  # fmt: skip
STORE_FLAGS = {"job_comment": 2, "job_extra": 256, "job_script": 512, "job_env": 1024}
IPV4, IPV6 = 64, 128

TEXT_FIELDS = {
    "accounting_storage_backup_host": "AccountingStorageBackupHost",
    "accounting_storage_ext_host": "AccountingStorageExternalHost",
    "accounting_storage_params": "AccountingStorageParameters",
    "authalttypes": "AuthAltTypes", "authalt_params": "AuthAltParameters", "bb_type": "BurstBufferType",
    "bcast_parameters": "BcastParameters", "certmgr_params": "CertmgrParameters", "certmgr_type": "CertmgrType",
    "cli_filter_params": "CliFilterParameters", "cli_filter_plugins": "CliFilterPlugins",
    "comm_params": "CommunicationParameters", "data_parser_parameters": "DataParserParameters",
    "dependency_params": "DependencyParameters", "fed_params": "FederationParameters", "gres_plugins": "GresTypes",
    "health_check_program": "HealthCheckProgram", "http_parser_type": "HttpParserType",
    "job_acct_gather_params": "JobAcctGatherParams", "job_comp_params": "JobCompParams",
    "job_credential_private_key": "JobCredentialPrivateKey",
    "job_credential_public_certificate": "JobCredentialPublicCertificate", "job_submit_plugins": "JobSubmitPlugins",
    "launch_params": "LaunchParameters", "license_params": "LicenseParameters", "mail_domain": "MailDomain",
    "mcs_plugin_params": "MCSParameters", "metrics_auth_users": "MetricsAuthUsers",
    "metrics_params": "MetricsParameters", "metrics_type": "MetricsType", "mpi_params": "MpiParams",
    "node_features_plugins": "NodeFeaturesPlugins", "plugstack": "PlugStackConfig",
    "power_parameters": "PowerParameters", "preempt_params": "PreemptParameters", "prep_params": "PrEpParameters",
    "priority_params": "PriorityParameters", "priority_weight_tres": "PriorityWeightTRES",
    "propagate_rlimits_except": "PropagateResourceLimitsExcept", "reboot_program": "RebootProgram",
    "requeue_exit": "RequeueExit", "requeue_exit_hold": "RequeueExitHold",
    "resume_fail_program": "ResumeFailProgram", "resume_program": "ResumeProgram", "resv_epilog": "ResvEpilog",
    "resv_prolog": "ResvProlog", "sched_logfile": "SlurmSchedLogFile", "scron_params": "ScronParameters",
    "slurmctld_addr": "SlurmctldAddr", "slurmctld_http_auth_params": "SlurmctldHttpAuthParameters",
    "slurmctld_logfile": "SlurmctldLogFile", "slurmctld_params": "SlurmctldParameters",
    "slurmctld_plugstack": "SlurmctldPlugstack", "slurmctld_primary_off_prog": "SlurmctldPrimaryOffProg",
    "slurmctld_primary_on_prog": "SlurmctldPrimaryOnProg", "slurmd_http_auth_params": "SlurmdHttpAuthParameters",
    "slurmd_logfile": "SlurmdLogFile", "slurmd_params": "SlurmdParameters", "srun_epilog": "SrunEpilog",
    "srun_prolog": "SrunProlog", "suspend_exc_nodes": "SuspendExcNodes", "suspend_exc_parts": "SuspendExcParts",
    "suspend_exc_states": "SuspendExcStates", "suspend_program": "SuspendProgram",
    "switch_param": "SwitchParameters", "task_epilog": "TaskEpilog", "task_prolog": "TaskProlog",
    "tls_params": "TLSParameters", "topology_param": "TopologyParam", "unkillable_program": "UnkillableStepProgram",
    "url_parser_type": "UrlParserType", "x11_params": "X11Parameters",
}  # fmt: skip

_TOPOLOGY = Since(Since("topology/none", "23.11", "topology/default"), "25.05", "topology/flat")

TEXT_DEFAULTS: dict[str, tuple[str, object]] = {
    "accounting_storage_host": ("AccountingStorageHost", "localhost"),
    "accounting_storage_tres": ("AccountingStorageTRES", "cpu,mem,energy,node,billing,fs/disk,vmem,pages"),
    "accounting_storage_type": ("AccountingStorageType", none_since("accounting_storage/none")),
    "accounting_storage_user": ("AccountingStorageUser", "root"),
    "acct_gather_energy_type": ("AcctGatherEnergyType", none_since("acct_gather_energy/none")),
    "acct_gather_filesystem_type": ("AcctGatherFilesystemType", none_since("acct_gather_filesystem/none")),
    "acct_gather_interconnect_type": ("AcctGatherInterconnectType", none_since("acct_gather_interconnect/none")),
    "acct_gather_profile_type": ("AcctGatherProfileType", none_since("acct_gather_profile/none")),
    "bcast_exclude": ("BcastExclude", "/lib,/usr/lib,/lib64,/usr/lib64"),
    "core_spec_plugin": ("CoreSpecPlugin", none_since("core_spec/none")),
    "cred_type": ("CredType", "cred/munge"),
    "ext_sensors_type": ("ExtSensorsType", none_since("ext_sensors/none")),
    "gpu_freq_def": ("GpuFreqDef", none_since("high,memory=high")),
    "hash_plugin": ("HashPlugin", "hash/k12"),
    "interactive_step_opts": ("InteractiveStepOptions", "--interactive --preserve-env --pty $SHELL"),
    "job_acct_gather_freq": ("JobAcctGatherFrequency", "30"),
    "job_acct_gather_type": ("JobAcctGatherType", none_since("jobacct_gather/none")),
    "job_comp_host": ("JobCompHost", "localhost"),
    "job_comp_loc": ("JobCompLoc", none_since("/var/log/slurm_jobcomp.log", "23.02")),
    "job_comp_type": ("JobCompType", none_since("jobcomp/none")),
    "job_comp_user": ("JobCompUser", "root"),
    "launch_type": ("LaunchType", "launch/slurm"),
    "mail_prog": ("MailProg", "/bin/mail"),
    "mcs_plugin": ("MCSPlugin", none_since("mcs/none")),
    "mpi_default": ("MpiDefault", none_since("none")),
    "namespace_plugin": ("JobContainerType", none_since("job_container/none")),
    "plugindir": ("PluginDir", "/usr/lib/x86_64-linux-gnu/slurm-wlm"),
    "power_plugin": ("PowerPlugin", ""),
    "preempt_type": ("PreemptType", none_since("preempt/none")),
    "prep_plugins": ("PrEpPlugins", "prep/script"),
    "proctrack_type": ("ProctrackType", "proctrack/linuxproc"),
    "propagate_rlimits": ("PropagateResourceLimits", "ALL"),
    "route_plugin": ("RoutePlugin", "route/default"),
    "slurmctld_pidfile": ("SlurmctldPidFile", "/run/slurmctld.pid"),
    "slurmd_pidfile": ("SlurmdPidFile", "/run/slurmd.pid"),
    "switch_type": ("SwitchType", none_since("switch/none")),
    "task_plugin": ("TaskPlugin", none_since("task/none")),
    "tls_type": ("TLSType", "tls/none"),
    "tmp_fs": ("TmpFS", "/tmp"),
    "topology_plugin": ("TopologyPlugin", _TOPOLOGY),
}  # fmt: skip

# field: (key, default); the number that "unlimited" stands for follows from the width in WIDTHS.
NUMBER_FIELDS: dict[str, tuple[str, object]] = {
    "accounting_storage_port": ("AccountingStoragePort", 0), "acct_gather_node_freq": ("AcctGatherNodeFreq", 0),
    "eio_timeout": ("EioTimeout", 60), "epilog_msg_time": ("EpilogMsgTime", 2000),
    "ext_sensors_freq": ("ExtSensorsFreq", 0), "fs_dampening_factor": ("FairShareDampeningFactor", 1),
    "get_env_timeout": ("GetEnvTimeout", 2), "group_time": ("GroupUpdateTime", 600),
    "group_force": ("GroupUpdateForce", 1), "health_check_interval": ("HealthCheckInterval", 0),
    "health_check_timeout": ("HealthCheckTimeout", 0), "job_comp_port": ("JobCompPort", 0),
    "max_dbd_msgs": ("MaxDBDMsgs", 0), "prolog_epilog_timeout": ("PrologEpilogTimeout", NO_VAL16),
    "prolog_timeout": ("PrologTimeout", NO_VAL16), "epilog_timeout": ("EpilogTimeout", NO_VAL16),
    "priority_weight_age": ("PriorityWeightAge", 0), "priority_weight_assoc": ("PriorityWeightAssoc", 0),
    "priority_weight_fs": ("PriorityWeightFairShare", 0), "priority_weight_js": ("PriorityWeightJobSize", 0),
    "priority_weight_part": ("PriorityWeightPartition", 0), "priority_weight_qos": ("PriorityWeightQOS", 0),
    "propagate_prio_process": ("PropagatePrioProcess", 0), "resume_rate": ("ResumeRate", 300),
    "resume_timeout": ("ResumeTimeout", 60), "sched_log_level": ("SlurmSchedLogLevel", 0),
    "sched_time_slice": ("SchedulerTimeSlice", 30), "slurmctld_timeout": ("SlurmctldTimeout", 120),
    "suspend_rate": ("SuspendRate", 60), "suspend_timeout": ("SuspendTimeout", 30),
    "unkillable_timeout": ("UnkillableStepTimeout", 60), "vsize_factor": ("VSizeFactor", 0),
    "resv_over_run": ("ResvOverRun", 0),
}  # fmt: skip

# field: (key, default in seconds, seconds in one unit of the number in slurm.conf)
SPAN_FIELDS: dict[str, tuple[str, int, int]] = {
    "priority_decay_hl": ("PriorityDecayHalfLife", 604800, 60),
    "priority_calc_period": ("PriorityCalcPeriod", 300, 60),
    "priority_max_age": ("PriorityMaxAge", 604800, 60),
    "preempt_exempt_time": ("PreemptExemptTime", 0, 60),
    "suspend_time": ("SuspendTime", INFINITE, 1),
}

WORD_FIELDS: dict[str, tuple[str, Bits | Choice, int]] = {
    "accounting_storage_enforce": ("AccountingStorageEnforce", ENFORCE_BITS, 0),
    "debug_flags": ("DebugFlags", Bits(DEBUG_FLAGS), 0),
    "health_check_node_state": ("HealthCheckNodeState", HEALTH_BITS, 15),
    "log_fmt": ("LogTimeFormat", LOG_FORMATS, 0),
    "priority_reset_period": ("PriorityUsageResetPeriod", RESET, 0),
    "private_data": ("PrivateData", PRIVATE_BITS, 0),
    "prolog_flags": ("PrologFlags", PROLOG_BITS, 0),
    "reconfig_flags": ("ReconfigFlags", RECONFIG_BITS, 0),
    "slurmctld_debug": ("SlurmctldDebug", LEVELS, 3),
    "slurmctld_syslog_debug": ("SlurmctldSyslogDebug", LEVELS, 10),
    "slurmd_debug": ("SlurmdDebug", LEVELS, 3),
    "slurmd_syslog_debug": ("SlurmdSyslogDebug", LEVELS, 10),
    "task_plugin_param": ("TaskPluginParam", TASK_BITS, 0),
}
