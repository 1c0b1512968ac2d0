"""Writes the slurm.conf that unmodified Slurm programs need to work with this cluster.

Clients need to know where the controller is, how to prove who they are, and the nodes that srun talks to; slurmd
needs a little more. Whatever a site's own slurm.conf said is kept, except where FLURM decides.
"""

from flurm.config.munge_key import SYSTEM_SOCKET, munge_socket_path
from flurm.config.records import Config, ControllerAddress, NodeConfig, PartitionConfig
from protocol.hostlist import fold

# Of no use to a client, and some of it (paths, programs) of no business to it.
_SERVER_ONLY = frozenset(
    """
    AccountingStoragePass JobCompPass Epilog EpilogSlurmctld Prolog PrologSlurmctld HealthCheckInterval
    HealthCheckNodeState HealthCheckProgram SlurmSchedLogFile SlurmSchedLogLevel SlurmctldDebug SlurmctldLogFile
    SlurmctldPidFile SlurmctldSyslogDebug SlurmdDebug SlurmdLogFile SlurmdPidFile SlurmdSpoolDir SlurmdSyslogDebug
    StateSaveLocation SlurmctldParameters RebootProgram AuthAltParameters
    """.split()  # noqa: SIM905
)
_SLURMD_DEFAULTS = {
    "ProctrackType": "proctrack/linuxproc",
    "TaskPlugin": "task/none",
    "SlurmdPidFile": "/run/slurmd.%n.pid",
}
_ANYWHERE = ("", "0.0.0.0", "::", "localhost")


def render_slurm_conf(config: Config, *, for_client: bool = True) -> str:
    """Return the text of a slurm.conf for clients, or (for_client=False) for real slurmd."""
    lines = [f"# Written by FLURM for cluster {config.cluster_name}; made anew by `flurm client-config`."]
    lines += [_line("ClusterName", config.cluster_name)]
    lines += [_line("SlurmctldHost", host) for host in _hosts(config)]
    kept = {key: value for key, value in config.slurm.items() if not (for_client and key in _SERVER_ONLY)}
    defaults = {} if for_client else _SLURMD_DEFAULTS | {"SlurmdSpoolDir": f"{config.spool_dir}/slurmd.%n"}
    for key, value in sorted((defaults | kept | _decided(config)).items()):
        if key not in ("ClusterName", "SlurmctldHost", *_OLD_HOST_KEYS) and value is not None:
            lines += [_line(key, each) for each in ([value] if not isinstance(value, list) else value)]
    lines += [_node_line(each) for each in config.nodes]
    features = dict.fromkeys(each for part in config.partitions for each in part.dynamic_features)
    lines += [_node_set(each) for each in features]
    lines += [_partition_line(each) for each in config.partitions]
    return "\n".join(lines) + "\n"


_OLD_HOST_KEYS = ("ControlMachine", "ControlAddr", "BackupController", "BackupAddr")


def _hosts(config: Config) -> list[str]:
    """Return name(address) of each controller that listens on our port: a slurm.conf knows but one port."""
    same = [each for each in config.all_controllers if each.port == config.slurmctld_port]
    return list(dict.fromkeys(_host(config, each) for each in same or config.all_controllers))


def _host(config: Config, each: ControllerAddress) -> str:
    own = each.host == config.slurmctld_host
    name = each.name or (config.controller_name if own else each.host)
    address = each.host
    if address in _ANYWHERE:
        address = "127.0.0.1" if address == "localhost" else name
    return name if address == name else f"{name}({address})"


def _decided(config: Config) -> dict[str, str | None]:
    socket = munge_socket_path(config)
    munge = config.auth_type == "munge"
    options = [f"socket={socket}"] if munge and socket != SYSTEM_SOCKET else []
    options += [f"ttl={config.munge_ttl}"] if munge and config.munge_ttl != 300 else []
    return {
        "AuthType": f"auth/{config.auth_type}",
        "AuthInfo": ",".join(options) or config.slurm.get("AuthInfo"),
        "CredType": "auth/slurm" if config.has_launch_tokens else config.slurm.get("CredType"),
        "AuthAltTypes": ",".join(f"auth/{each}" for each in config.auth_alt_types) or None,
        "SlurmctldPort": config.slurm.get("SlurmctldPort", str(config.slurmctld_port)),
        "SlurmdPort": str(config.slurmd_port),
        "SlurmUser": config.slurm_user,
        "SlurmdUser": config.slurmd_user,
        "SelectType": config.select_type,
        "SelectTypeParameters": config.select_type_parameters or None,
        "SchedulerType": "sched/builtin" if config.scheduler_plugin == "flurm_sched_fifo" else "sched/backfill",
        "MessageTimeout": str(config.message_timeout),
        "KillWait": str(config.kill_wait),
        "MaxArraySize": str(config.max_array_size),
        "ReturnToService": str(config.return_to_service),
        "TreeWidth": str(config.tree_width),
        "GresTypes": _gres_types(config),
    }


def _gres_types(config: Config) -> str | None:
    """Return the kinds of generic resources that the nodes have; Slurm refuses a Gres whose type is not declared."""
    kinds = {part.split(":")[0]: None for node in config.nodes if node.gres for part in node.gres.split(",")}
    return config.slurm.get("GresTypes") or ",".join(kinds) or None


def _line(key: str, value: str) -> str:
    quoted = f'"{value}"' if any(each in value for each in " \t") else value.replace("#", "\\#")
    return f"{key}={quoted}"


def _join(first: str, pairs: dict[str, object]) -> str:
    return " ".join([first, *(_line(key, str(value)) for key, value in pairs.items() if value not in (None, "", ()))])


def _node_line(node: NodeConfig) -> str:
    return _join(f"NodeName={node.name}", {
        "NodeHostname": None if node.hostname == node.name else node.hostname,
        "NodeAddr": None if node.address == node.name else node.address,
        "BcastAddr": node.bcast_address,
        "Port": node.port,
        "CPUs": node.cpus,
        "Boards": None if node.boards == 1 else node.boards,
        "SocketsPerBoard": node.sockets // node.boards,
        "CoresPerSocket": node.cores_per_socket,
        "ThreadsPerCore": node.threads_per_core,
        "RealMemory": node.real_memory_mib,
        "TmpDisk": node.tmp_disk_mib or None,
        "Feature": ",".join(node.features),
        "Gres": node.gres,
        "Weight": None if node.weight == 1 else node.weight,
        "CoreSpecCount": node.core_spec_count or None,
        "CpuSpecList": node.cpu_spec_list,
        "MemSpecLimit": node.mem_spec_limit_mib or None,
        "State": node.state,
        "Reason": node.reason,
    })  # fmt: skip


def _node_set(feature: str) -> str:
    return f"NodeSet=feature_{feature} Feature={feature}"


def _members(part: PartitionConfig) -> str:
    """The nodes that there are, and the node sets by which those belong that join later."""
    sets = [f"feature_{feature}" for feature in part.dynamic_features]
    return ",".join([fold(part.nodes), *sets] if part.nodes else sets)


def _partition_line(part: PartitionConfig) -> str:
    def unless(value: object, usual: object) -> object:
        return None if value == usual else value

    def yes(value: bool) -> str | None:
        return "YES" if value else None

    return _join(f"PartitionName={part.name}", {
        "Nodes": "ALL" if part.all_nodes else _members(part),
        "Default": yes(part.default),
        "MaxTime": "UNLIMITED" if part.max_time is None else part.max_time,
        "DefaultTime": part.default_time,
        "State": part.state,
        "MaxNodes": part.max_nodes,
        "MinNodes": part.min_nodes or None,
        "AllowGroups": ",".join(part.allow_groups or ()),
        "AllowAccounts": ",".join(part.allow_accounts or ()),
        "AllowQos": ",".join(part.allow_qos or ()),
        "AllocNodes": ",".join(part.alloc_nodes or ()),
        "DenyAccounts": ",".join(part.deny_accounts),
        "DenyQos": ",".join(part.deny_qos),
        "Alternate": part.alternate,
        "DefMemPerCPU": part.def_mem_per_cpu,
        "DefMemPerNode": part.def_mem_per_node,
        "MaxMemPerCPU": part.max_mem_per_cpu,
        "MaxMemPerNode": part.max_mem_per_node,
        "MaxCPUsPerNode": part.max_cpus_per_node,
        "DisableRootJobs": yes(part.disable_root_jobs),
        "ExclusiveUser": yes(part.exclusive_user),
        "GraceTime": part.grace_time or None,
        "Hidden": yes(part.hidden),
        "LLN": yes(part.lln),
        "OverSubscribe": unless(part.over_subscribe, "NO"),
        "OverTimeLimit": part.over_time_limit,
        "PreemptMode": part.preempt_mode,
        "PriorityJobFactor": unless(part.priority_job_factor, 1),
        "PriorityTier": unless(part.priority_tier, 1),
        "QOS": part.qos,
        "ReqResv": yes(part.req_resv),
        "RootOnly": yes(part.root_only),
        "TRESBillingWeights": part.tres_billing_weights,
    })  # fmt: skip
