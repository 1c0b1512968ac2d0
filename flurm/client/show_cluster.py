"""`scontrol show node` and `show partition`, line by line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flurm.client.show_job import join_lines
from flurm.client.states import node_base_word, node_flag_words, partition_state
from flurm.client.texts import amount, full_span, moment, or_null, user_name
from protocol.constants import (
    INFINITE,
    MEM_PER_CPU,
    NO_VAL,
    NO_VAL16,
    NO_VAL64,
    SHARED_FORCE,
    PartitionFlag,
    PreemptMode,
)
from protocol.hostlist import expand
from protocol.messages import NodeInfo, PartitionInfo

__all__ = ["node_text", "partition_text", "partitions_of"]

_SLURMD_PORT = 6818


def partitions_of(parts: Sequence[PartitionInfo]) -> dict[str, list[str]]:
    """Node name -> the partitions it is in."""
    found: dict[str, list[str]] = {}
    for part in parts:
        for name in expand(part.nodes) if part.nodes else []:
            found.setdefault(name, []).append(part.name or "")
    return found


def node_text(node: NodeInfo, partitions: Sequence[str], *, one_line: bool) -> str:
    """A node."""
    return join_lines(list(_node_lines(node, partitions)), one_line=one_line)


def _node_lines(node: NodeInfo, partitions: Sequence[str]) -> Iterator[str]:
    arch = f" Arch={node.arch}" if node.arch else ""
    yield f"NodeName={node.name}{arch} CoresPerSocket={node.cores} "
    load = "N/A" if node.cpu_load == NO_VAL else f"{node.cpu_load / 100:.2f}"
    alloc = node.select_nodeinfo
    yield f"CPUAlloc={alloc.alloc_cpus} CPUEfctv={node.cpus_efctv} CPUTot={node.cpus} CPULoad={load}"
    yield f"AvailableFeatures={or_null(node.features)}"
    yield f"ActiveFeatures={or_null(node.features_act)}"
    yield f"Gres={or_null(node.gres)}"
    if node.gres_drain and node.gres_drain != "N/A":
        yield f"GresDrain={node.gres_drain}"
    if node.node_hostname or node.node_addr:
        port = f" Port={node.port}" if node.port != _SLURMD_PORT else ""
        version = f" Version={node.version}" if node.version else ""
        yield f"NodeAddr={node.node_addr} NodeHostName={node.node_hostname}{port}{version}"
    if node.os:
        yield f"OS={node.os} "
    free = "N/A" if node.free_mem == NO_VAL64 else str(node.free_mem)
    yield (
        f"RealMemory={node.real_memory} AllocMem={alloc.alloc_memory} FreeMem={free}"
        f" Sockets={node.sockets} Boards={node.boards}"
    )
    if node.core_spec_cnt or node.cpu_spec_list or node.mem_spec_limit:
        cpus = or_null(node.cpu_spec_list)
        yield f"CoreSpecCount={node.core_spec_cnt} CPUSpecList={cpus} MemSpecLimit={node.mem_spec_limit}"
    state = "+".join([node_base_word(node.node_state), *node_flag_words(node.node_state)])
    owner = "N/A" if node.owner == NO_VAL else f"{user_name(node.owner)}({node.owner})"
    yield (
        f"State={state} ThreadsPerCore={node.threads} TmpDisk={node.tmp_disk} Weight={node.weight}"
        f" Owner={owner} MCS_label={node.mcs_label or 'N/A'}"
    )
    if partitions:
        yield f"Partitions={','.join(partitions)} "
    yield f"BootTime={moment(node.boot_time, 'None')} SlurmdStartTime={moment(node.slurmd_start_time, 'None')}"
    yield f"LastBusyTime={moment(node.last_busy, 'Unknown')}"
    yield f"CfgTRES={node.tres_fmt_str or ''}"
    yield f"AllocTRES={alloc.tres_alloc_fmt_str or ''}"
    yield "CapWatts=n/a"
    yield f"CurrentWatts={_watts(node.energy.current_watts)} AveWatts={_watts(node.energy.ave_watts)}"
    yield "ExtSensorsJoules=n/s ExtSensorsWatts=0 ExtSensorsTemp=n/s"
    if node.reason:
        where = ""
        if node.reason_time:
            where = f" [{user_name(node.reason_uid)}@{moment(node.reason_time)}]"
        yield f"Reason={node.reason}{where}"
    if node.comment:
        yield f"Comment={node.comment}"
    if node.extra:
        yield f"Extra={node.extra}"


def _watts(value: int) -> str:
    return "n/s" if value == NO_VAL else str(value)


def partition_text(part: PartitionInfo, *, one_line: bool) -> str:
    """A partition."""
    return join_lines(list(_partition_lines(part)), one_line=one_line)


def _span(minutes: int, absent: str) -> str:
    if minutes == INFINITE:
        return "UNLIMITED"
    return absent if minutes == NO_VAL else full_span(minutes * 60)


def _partition_lines(part: PartitionInfo) -> Iterator[str]:
    def yes(flag: PartitionFlag) -> str:
        return "YES" if part.flags & flag else "NO"

    yield f"PartitionName={part.name}"
    accounts = (
        f"DenyAccounts={part.deny_accounts}" if part.deny_accounts else f"AllowAccounts={part.allow_accounts or 'ALL'}"
    )
    qos = f"DenyQos={part.deny_qos}" if part.deny_qos else f"AllowQos={part.allow_qos or 'ALL'}"
    yield f"AllowGroups={part.allow_groups or 'ALL'} {accounts} {qos}"
    alternate = f" Alternate={part.alternate}" if part.alternate else ""
    allocating, default = part.allow_alloc_nodes or "ALL", yes(PartitionFlag.DEFAULT)
    yield f"AllocNodes={allocating} Default={default} QoS={part.qos_char or 'N/A'}{alternate}"
    yield (
        f"DefaultTime={_span(part.default_time, 'NONE')} DisableRootJobs={yes(PartitionFlag.NO_ROOT)}"
        f" ExclusiveUser={yes(PartitionFlag.EXCLUSIVE_USER)} GraceTime={part.grace_time}"
        f" Hidden={yes(PartitionFlag.HIDDEN)}"
    )
    most = "UNLIMITED" if part.max_nodes == INFINITE else amount(part.max_nodes)
    cpus = "UNLIMITED" if part.max_cpus_per_node == INFINITE else str(part.max_cpus_per_node)
    yield (
        f"MaxNodes={most} MaxTime={_span(part.max_time, 'UNLIMITED')} MinNodes={amount(part.min_nodes)}"
        f" LLN={yes(PartitionFlag.LLN)} MaxCPUsPerNode={cpus}"
    )
    if part.nodesets:
        yield f"NodeSets={part.nodesets}"
    yield f"Nodes={or_null(part.nodes)}"
    yield (
        f"PriorityJobFactor={part.priority_job_factor} PriorityTier={part.priority_tier}"
        f" RootOnly={yes(PartitionFlag.ROOT_ONLY)} ReqResv={yes(PartitionFlag.REQ_RESV)} OverSubscribe={_shared(part)}"
    )
    over = {NO_VAL16: "NONE", 0xFFFF: "UNLIMITED"}.get(part.over_time_limit, str(part.over_time_limit))
    yield f"OverTimeLimit={over} PreemptMode={preempt_text(part.preempt_mode)}"
    yield (
        f"State={partition_state(part.state_up)} TotalCPUs={part.total_cpus} TotalNodes={part.total_nodes}"
        f" SelectTypeParameters={_select(part.cr_type)}"
    )
    defaults = ",".join(
        f"{_JOB_DEFAULTS.get(each.type, each.type)}={each.value}" for each in part.job_defaults_list or []
    )
    yield f"JobDefaults={defaults or '(null)'}"
    yield f"{memory_limit('DefMem', part.def_mem_per_cpu)} {memory_limit('MaxMem', part.max_mem_per_cpu)}"
    yield f"TRES={part.tres_fmt_str or ''}"
    if part.billing_weights_str:
        yield f"TRESBillingWeights={part.billing_weights_str}"


_JOB_DEFAULTS = {1: "DefCpuPerGPU", 2: "DefMemPerGPU"}


def _shared(part: PartitionInfo) -> str:
    share = part.max_share & ~SHARED_FORCE
    if part.max_share & SHARED_FORCE:
        return f"FORCE:{share}"
    return "EXCLUSIVE" if share == 0 else "NO" if share == 1 else f"YES:{share}"


def preempt_text(mode: int) -> str:
    """A preemption mode."""
    if mode == NO_VAL16:
        return "OFF"
    flags = (PreemptMode.SUSPEND, PreemptMode.REQUEUE, PreemptMode.CANCEL)
    words = [flag.name or "" for flag in flags if mode & flag]
    if mode & PreemptMode.GANG:
        words.insert(0, "GANG")
    return ",".join(words) or "OFF"


def _select(cr_type: int) -> str:
    words = [word for bit, word in ((1, "CR_CPU"), (2, "CR_SOCKET"), (4, "CR_CORE")) if cr_type & bit]
    if cr_type & 0x10:
        words = [f"{word}_MEMORY" for word in words] or ["CR_MEMORY"]
    return ",".join(words) or "NONE"


def memory_limit(name: str, value: int) -> str:
    """A default or limit of memory, per CPU or per node."""
    if value & MEM_PER_CPU and value != NO_VAL64:
        return f"{name}PerCPU={value & ~MEM_PER_CPU}"
    return f"{name}PerNode={'UNLIMITED' if value == 0 else value}"
