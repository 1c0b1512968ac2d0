"""Partitions as clients read them, in the order of the configuration: sinfo prints them as they come."""

from __future__ import annotations

from collections.abc import Iterable

from flurm.bridge.resources import node_bits, node_list, tres_text
from flurm.core.node_records import Partition
from flurm.core.records import Cluster
from protocol.constants import (
    INFINITE,
    INFINITE16,
    MEM_PER_CPU,
    NO_VAL,
    NO_VAL16,
    SHARED_FORCE,
    PartitionFlag,
    PreemptMode,
    ShowFlag,
)
from protocol.messages import PartitionInfo, PartitionInfoResponse

__all__ = ["in_configured_order", "partition_info", "partitions_response"]


def partitions_response(
    cluster: Cluster, order: Iterable[str], show_flags: int, now_s: int, *, closed: frozenset[str] = frozenset()
) -> PartitionInfoResponse:
    """All partitions that are not hidden, nor `closed` to whoever asks, or all where the client asks for all; `order`
    names them as configured."""
    shown = [
        partition_info(cluster, partition)
        for partition in in_configured_order(cluster, order)
        if show_flags & ShowFlag.ALL or not (partition.hidden or partition.name in closed)
    ]
    return PartitionInfoResponse(len(shown), now_s, shown)


def in_configured_order(cluster: Cluster, order: Iterable[str]) -> list[Partition]:
    """The partitions named in `order` first, those created later behind them by name."""
    place = {name: index for index, name in enumerate(order)}
    return sorted(cluster.partitions.values(), key=lambda p: (place.get(p.name, len(place)), p.name))


def partition_info(cluster: Cluster, partition: Partition) -> PartitionInfo:
    """The record of one partition."""
    nodes = cluster.nodes_in(partition.node_mask)
    cpus = sum(node.cpus for node in nodes)
    memory_mib = sum(node.real_memory_mib for node in nodes)
    default_time = partition.default_time_min
    return PartitionInfo(
        name=partition.name,
        grace_time=partition.grace_time_s,
        max_time=partition.max_time_min,
        default_time=NO_VAL if default_time is None else default_time,
        max_nodes=partition.max_nodes,
        min_nodes=partition.min_nodes,
        total_nodes=len(nodes),
        total_cpus=cpus,
        def_mem_per_cpu=_memory(partition.default_memory_per_cpu_mib, partition.default_memory_per_node_mib),
        max_mem_per_cpu=_memory(partition.max_memory_per_cpu_mib, partition.max_memory_per_node_mib),
        max_cpus_per_node=partition.max_cpus_per_node,
        max_cpus_per_socket=INFINITE,
        flags=_flags(partition),
        max_share=_max_share(partition),
        over_time_limit=_over_time_limit(partition.over_time_limit_min),
        preempt_mode=_preempt_mode(partition.preempt_mode),
        priority_job_factor=partition.priority_job_factor,
        priority_tier=partition.priority_tier,
        state_up=int(partition.state),
        resume_timeout=NO_VAL16,
        suspend_timeout=NO_VAL16,
        suspend_time=NO_VAL,
        allow_accounts=partition.allow_accounts,
        allow_groups=partition.allow_groups,
        allow_alloc_nodes=partition.allow_alloc_nodes,
        allow_qos=partition.allow_qos,
        qos_char=partition.qos,
        alternate=partition.alternate,
        deny_accounts=partition.deny_accounts,
        deny_qos=partition.deny_qos,
        nodes=node_list(cluster, partition.node_mask),
        node_inx=node_bits(cluster, partition.node_mask),
        billing_weights_str=partition.billing_weights,
        tres_fmt_str=tres_text(cpus, memory_mib, len(nodes)) if nodes else None,
    )


def _memory(per_cpu_mib: int | None, per_node_mib: int | None) -> int:
    return MEM_PER_CPU | per_cpu_mib if per_cpu_mib else per_node_mib or 0


def _flags(partition: Partition) -> int:
    flags = 0
    for flag, is_set in (
        (PartitionFlag.DEFAULT, partition.is_default),
        (PartitionFlag.HIDDEN, partition.hidden),
        (PartitionFlag.NO_ROOT, partition.disable_root_jobs),
        (PartitionFlag.ROOT_ONLY, partition.root_only),
        (PartitionFlag.REQ_RESV, partition.requires_reservation),
        (PartitionFlag.LLN, partition.least_loaded),
        (PartitionFlag.EXCLUSIVE_USER, partition.exclusive_user),
    ):
        if is_set:
            flags |= flag
    return int(flags)


def _max_share(partition: Partition) -> int:
    """How many jobs may share a resource: 0 none (whole nodes), with a flag where sharing is forced."""
    match partition.over_subscribe.upper():
        case "EXCLUSIVE":
            return 0
        case "FORCE":
            return SHARED_FORCE | partition.max_share
        case "YES":
            return partition.max_share
    return 1


def _over_time_limit(minutes: int | None) -> int:
    """As it was given: none, so many minutes, or without end."""
    return NO_VAL16 if minutes is None else min(minutes, INFINITE16)


def _preempt_mode(text: str | None) -> int:
    if not text:
        return NO_VAL16
    mode = 0
    for word in text.upper().split(","):
        mode |= PreemptMode[word.strip()]
    return int(mode)
