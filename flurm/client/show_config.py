"""`scontrol show config`: the controller's configuration, one setting per line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from flurm.client.show_cluster import memory_limit, preempt_text
from flurm.client.texts import full_span, moment, user_name
from protocol.constants import (
    INFINITE,
    NO_VAL,
    AccountingEnforce,
    ConfigFlag,
    DebugFlag,
    LogFormat,
    PartitionLimitEnforcement,
    PrivateData,
    PrologFlag,
    SelectFlag,
)
from protocol.messages import BuildInfoResponse

__all__ = ["config_lines"]

_TABLE = """
AccountingStorageBackupHost accounting_storage_backup_host
AccountingStorageEnforce accounting_storage_enforce enforce
AccountingStorageHost accounting_storage_host
AccountingStorageExternalHost accounting_storage_ext_host
AccountingStorageParameters accounting_storage_params
AccountingStoragePort accounting_storage_port
AccountingStorageTRES accounting_storage_tres
AccountingStorageType accounting_storage_type
AccountingStorageUser accounting_storage_user
AccountingStoreFlags conf_flags store_flags
AcctGatherEnergyType acct_gather_energy_type
AcctGatherFilesystemType acct_gather_filesystem_type
AcctGatherInterconnectType acct_gather_interconnect_type
AcctGatherNodeFreq acct_gather_node_freq sec
AcctGatherProfileType acct_gather_profile_type
AllowSpecResourcesUsage conf_flags spec_resources
AuthAltTypes authalttypes
AuthAltParameters authalt_params
AuthInfo authinfo
AuthType authtype
BatchStartTimeout batch_start_timeout sec
BcastExclude bcast_exclude
BcastParameters bcast_parameters
BOOT_TIME boot_time time
BurstBufferType bb_type
CliFilterPlugins cli_filter_plugins
ClusterName cluster_name
CommunicationParameters comm_params
CompleteWait complete_wait sec
CoreSpecPlugin core_spec_plugin
CpuFreqDef cpu_freq_def frequency
CpuFreqGovernors cpu_freq_govs governors
CredType cred_type
DebugFlags debug_flags debug_flags
DefMemPerCPU def_mem_per_cpu def_memory
DependencyParameters dependency_params
DisableRootJobs conf_flags root_jobs
EioTimeout eio_timeout
EnforcePartLimits enforce_part_limits limits
Epilog epilog
EpilogMsgTime epilog_msg_time usec
EpilogSlurmctld epilog_slurmctld
ExtSensorsType ext_sensors_type
ExtSensorsFreq ext_sensors_freq sec
FairShareDampeningFactor fs_dampening_factor
FederationParameters fed_params
FirstJobId first_job_id
GetEnvTimeout get_env_timeout sec
GresTypes gres_plugins
GpuFreqDef gpu_freq_def
GroupUpdateForce group_force
GroupUpdateTime group_time sec
HASH_VAL hash_val hash
HealthCheckInterval health_check_interval sec
HealthCheckNodeState health_check_node_state health
HealthCheckProgram health_check_program
InactiveLimit inactive_limit sec
InteractiveStepOptions interactive_step_opts
JobAcctGatherFrequency job_acct_gather_freq
JobAcctGatherType job_acct_gather_type
JobAcctGatherParams job_acct_gather_params
JobCompHost job_comp_host
JobCompLoc job_comp_loc
JobCompPort job_comp_port
JobCompType job_comp_type
JobCompUser job_comp_user
JobContainerType namespace_plugin
JobCredentialPrivateKey job_credential_private_key
JobCredentialPublicCertificate job_credential_public_certificate
JobDefaults job_defaults_list none
JobFileAppend job_file_append
JobRequeue job_requeue
JobSubmitPlugins job_submit_plugins
KillOnBadExit kill_on_bad_exit
KillWait kill_wait sec
LaunchParameters launch_params
LaunchType launch_type
Licenses licenses
LogTimeFormat log_fmt log_format
MailDomain mail_domain
MailProg mail_prog
MaxArraySize max_array_sz
MaxDBDMsgs max_dbd_msgs
MaxJobCount max_job_cnt
MaxJobId max_job_id
MaxMemPerNode max_mem_per_cpu max_memory
MaxNodeCount max_node_cnt
MaxStepCount max_step_cnt
MaxTasksPerNode max_tasks_per_node
MCSPlugin mcs_plugin
MCSParameters mcs_plugin_params
MessageTimeout msg_timeout sec
MinJobAge min_job_age sec
MpiDefault mpi_default
MpiParams mpi_params
MULTIPLE_SLURMD conf_flags always_yes
NEXT_JOB_ID next_job_id
NodeFeaturesPlugins node_features_plugins
OverTimeLimit over_time_limit min
PluginDir plugindir
PlugStackConfig plugstack
PowerParameters power_parameters
PowerPlugin power_plugin
PreemptMode preempt_mode preempt
PreemptType preempt_type
PreemptExemptTime preempt_exempt_time span
PrEpParameters prep_params
PrEpPlugins prep_plugins
PriorityParameters priority_params
PrioritySiteFactorParameters - none
PrioritySiteFactorPlugin - none
PriorityDecayHalfLife priority_decay_hl span
PriorityCalcPeriod priority_calc_period span
PriorityFavorSmall priority_favor_small yes
PriorityFlags priority_flags priority_flags
PriorityMaxAge priority_max_age span
PriorityUsageResetPeriod priority_reset_period reset
PriorityType priority_type
PriorityWeightAge priority_weight_age
PriorityWeightAssoc priority_weight_assoc
PriorityWeightFairShare priority_weight_fs
PriorityWeightJobSize priority_weight_js
PriorityWeightPartition priority_weight_part
PriorityWeightQOS priority_weight_qos
PriorityWeightTRES priority_weight_tres
PrivateData private_data private
ProctrackType proctrack_type
Prolog prolog
PrologEpilogTimeout prolog_epilog_timeout
PrologSlurmctld prolog_slurmctld
PrologFlags prolog_flags prolog_flags
PropagatePrioProcess propagate_prio_process
PropagateResourceLimits propagate_rlimits
PropagateResourceLimitsExcept propagate_rlimits_except
RebootProgram reboot_program
ReconfigFlags reconfig_flags reconfig
RequeueExit requeue_exit
RequeueExitHold requeue_exit_hold
ResumeFailProgram resume_fail_program
ResumeProgram resume_program
ResumeRate resume_rate nodes/min
ResumeTimeout resume_timeout sec
ResvEpilog resv_epilog
ResvOverRun resv_over_run min
ResvProlog resv_prolog
ReturnToService ret2service
RoutePlugin route_plugin
SchedulerParameters sched_params
SchedulerTimeSlice sched_time_slice sec
SchedulerType schedtype
ScronParameters scron_params
SelectType select_type
SelectTypeParameters select_type_param select
SlurmUser slurm_user_id user
SlurmctldAddr slurmctld_addr
SlurmctldDebug slurmctld_debug level
SlurmctldHost control_machine hosts
SlurmctldLogFile slurmctld_logfile
SlurmctldPort slurmctld_port port
SlurmctldSyslogDebug slurmctld_syslog_debug level
SlurmctldPrimaryOffProg slurmctld_primary_off_prog
SlurmctldPrimaryOnProg slurmctld_primary_on_prog
SlurmctldTimeout slurmctld_timeout sec
SlurmctldParameters slurmctld_params
SlurmdDebug slurmd_debug level
SlurmdLogFile slurmd_logfile
SlurmdParameters slurmd_params
SlurmdPidFile slurmd_pidfile
SlurmdPort slurmd_port
SlurmdSpoolDir slurmd_spooldir
SlurmdSyslogDebug slurmd_syslog_debug level
SlurmdTimeout slurmd_timeout sec
SlurmdUser slurmd_user_id user
SlurmSchedLogFile sched_logfile
SlurmSchedLogLevel sched_log_level
SlurmctldPidFile slurmctld_pidfile
SlurmctldPlugstack slurmctld_plugstack
SLURM_CONF slurm_conf
SLURM_VERSION version
SrunEpilog srun_epilog
SrunPortRange srun_port_range ports
SrunProlog srun_prolog
StateSaveLocation state_save_location
SuspendExcNodes suspend_exc_nodes
SuspendExcParts suspend_exc_parts
SuspendProgram suspend_program
SuspendRate suspend_rate nodes/min
SuspendTime suspend_time endless
SuspendTimeout suspend_timeout sec
SwitchParameters switch_param
SwitchType switch_type
TaskEpilog task_epilog
TaskPlugin task_plugin
TaskPluginParam task_plugin_param task_param
TaskProlog task_prolog
TCPTimeout tcp_timeout sec
TmpFS tmp_fs
TopologyParam topology_param
TopologyPlugin topology_plugin
TrackWCKey conf_flags wckey
TreeWidth tree_width
UsePam conf_flags pam
UnkillableStepProgram unkillable_program
UnkillableStepTimeout unkillable_timeout sec
VSizeFactor vsize_factor percent
WaitTime wait_time sec
X11Parameters x11_params
"""
"""Printed name, field, and how it is written: a unit, or the name of a function in `_KINDS`."""
_UNITS = ("sec", "usec", "min", "percent", "nodes/min")
_MULTIFACTOR_ONLY = (
    "FairShareDampeningFactor",
    "PriorityDecayHalfLife",
    "PriorityCalcPeriod",
    "PriorityFavorSmall",
    "PriorityFlags",
    "PriorityMaxAge",
    "PriorityUsageResetPeriod",
)
_WIDTH = 23
_LEVELS = ("quiet", "fatal", "error", "info", "verbose", "debug", "debug2", "debug3", "debug4", "debug5")


def config_lines(body: BuildInfoResponse, now_s: float) -> Iterator[str]:
    """The lines, without the controllers' state that scontrol adds."""
    yield f"Configuration data as of {moment(int(now_s))}"
    multifactor = body.priority_type == "priority/multifactor"
    for row in _TABLE.split("\n")[1:-1]:
        name, field, kind = (*row.split(" "), "")[:3]
        if not multifactor and (name in _MULTIFACTOR_ONLY or name.startswith("PriorityWeight")):
            continue
        if kind == "hosts":
            yield from _hosts(body)
        elif kind in ("max_memory", "def_memory"):
            label, _, value = memory_limit(name[:6], getattr(body, field)).partition("=")
            yield _line(label, value)
        else:
            yield _line(name, _text(getattr(body, field, None), kind))


def _line(name: str, value: str) -> str:
    return f"{name:<{_WIDTH}} = {value}"


def _text(value: Any, kind: str) -> str:
    if kind in _KINDS:
        return _KINDS[kind](value)
    text = "(null)" if value is None else str(value)
    return f"{text} {kind}" if kind in _UNITS else text


def _hosts(body: BuildInfoResponse) -> Iterator[str]:
    for index, (host, address) in enumerate(zip(body.control_machine, body.control_addr, strict=False)):
        yield _line(f"SlurmctldHost[{index}]", str(host) if host == address else f"{host}({address})")


def _yes_if(flag: ConfigFlag) -> Callable[[int], str]:
    return lambda flags: "Yes" if flags & flag else "No"


def _words(table: dict[int, str], absent: str = "(null)") -> Callable[[int], str]:
    return lambda flags: ",".join(word for bit, word in table.items() if flags & bit) or absent


_ENFORCE = {
    int(AccountingEnforce.ASSOCS): "associations",
    int(AccountingEnforce.LIMITS): "limits",
    int(AccountingEnforce.NO_JOBS): "nojobs",
    int(AccountingEnforce.NO_STEPS): "nosteps",
    int(AccountingEnforce.QOS): "qos",
    int(AccountingEnforce.SAFE): "safe",
    int(AccountingEnforce.WCKEYS): "wckeys",
}
_STORED = {
    int(ConfigFlag.SJC): "job_comment",
    int(ConfigFlag.SJE): "job_env",
    int(ConfigFlag.SJX): "job_extra",
    int(ConfigFlag.SJS): "job_script",
}
_PROLOG = {
    int(PrologFlag.ALLOC): "Alloc",
    int(PrologFlag.CONTAIN): "Contain",
    int(PrologFlag.DEFER_BATCH): "DeferBatch",
    int(PrologFlag.NOHOLD): "NoHold",
    int(PrologFlag.SERIAL): "Serial",
    int(PrologFlag.X11): "X11",
}
_HEALTH = {1: "IDLE", 2: "ALLOC", 4: "MIXED"}


def _health(states: int) -> str:
    if states & 0xF == 0xF:
        words = ["ANY"]
    else:
        words = [word for bit, word in _HEALTH.items() if states & bit]
    return ",".join(words + (["CYCLE"] if states & 0x8000 else []))


def _select(flags: int) -> str:
    words = [f"CR_{flag.name}" for flag in (SelectFlag.CPU, SelectFlag.SOCKET, SelectFlag.CORE) if flags & flag]
    if flags & SelectFlag.MEMORY:
        words = [f"{word}_MEMORY" for word in words] or ["CR_MEMORY"]
    more = (
        SelectFlag.ONE_TASK_PER_CORE,
        SelectFlag.PACK_NODES,
        SelectFlag.CORE_DEFAULT_DIST_BLOCK,
        SelectFlag.LLN,
    )
    return ",".join(words + [f"CR_{flag.name}" for flag in more if flags & flag]) or "NONE"


def _debug_flags(flags: int) -> str:
    return ",".join(flag.name or "" for flag in DebugFlag if flags & flag) or "(null)"


_KINDS: dict[str, Callable[[Any], str]] = {
    "always_yes": lambda value: "Yes",
    "debug_flags": _debug_flags,
    "endless": lambda value: "INFINITE" if value in (INFINITE, NO_VAL) else f"{value} sec",
    "enforce": _words(_ENFORCE, "none"),
    "frequency": lambda value: "Unknown",
    "governors": lambda value: "OnDemand,Performance,UserSpace",
    "hash": lambda value: "Match",
    "health": _health,
    "level": lambda value: _LEVELS[value] if value < len(_LEVELS) else "(null)",
    "limits": lambda value: "NO" if not value else PartitionLimitEnforcement(value).name,
    "log_format": lambda value: LogFormat(value).name.lower(),
    "none": lambda value: "(null)",
    "pam": _yes_if(ConfigFlag.PAM),
    "port": str,
    "ports": lambda value: f"{value}-{value}",
    "preempt": preempt_text,
    "priority_flags": lambda value: "",
    "private": lambda value: ",".join((flag.name or "").lower() for flag in PrivateData if value & flag) or "none",
    "prolog_flags": _words(_PROLOG),
    "reconfig": _words({1: "KeepPartInfo", 2: "KeepPartState", 4: "KeepPowerSaveSettings"}),
    "reset": lambda value: ("NONE", "NOW", "DAILY", "WEEKLY", "MONTHLY", "QUARTERLY", "YEARLY")[value],
    "root_jobs": _yes_if(ConfigFlag.DRJ),
    "select": _select,
    "span": full_span,
    "spec_resources": _yes_if(ConfigFlag.ASRU),
    "store_flags": _words(_STORED),
    "task_param": lambda value: "(null type)",
    "time": moment,
    "user": lambda uid: f"{user_name(uid)}({uid})",
    "wckey": _yes_if(ConfigFlag.WCKEY),
    "yes": lambda value: "Yes" if value else "No",
}
