"""Partitions: information, updates, deletion."""

from __future__ import annotations

from protocol.constants import (
    NO_VAL,
    NO_VAL16,
    NO_VAL64,
    CpuBind,
    MessageType,
    PartitionFlag,
    PartitionState,
    PreemptMode,
    SelectFlag,
    ShowFlag,
)
from protocol.messages.common import JobDefaults
from protocol.schema import Field, Record, bits, epoch, list_of, message, repeat, string, u16, u32, u64
from protocol.wire import Bits

__all__ = [
    "PartitionDelete",
    "PartitionInfo",
    "PartitionInfoRequest",
    "PartitionInfoResponse",
    "PartitionUpdate",
]


@message(MessageType.REQUEST_PARTITION_INFO)
class PartitionInfoRequest(Record):
    """Body of REQUEST_PARTITION_INFO."""

    last_update: int = 0
    show_flags: int = 0

    WIRE = (
        Field("last_update", epoch),
        Field("show_flags", u16, means=ShowFlag),
    )


class PartitionInfo(Record):
    """One partition in RESPONSE_PARTITION_INFO."""

    name: str | None = None
    cpu_bind: int = 0
    grace_time: int = 0
    max_time: int = 0
    default_time: int = 0
    max_nodes: int = 0
    min_nodes: int = 0
    total_nodes: int = 0
    total_cpus: int = 0
    def_mem_per_cpu: int = 0
    max_cpus_per_node: int = 0
    max_cpus_per_socket: int = 0
    max_mem_per_cpu: int = 0
    flags: int = 0
    max_share: int = 0
    over_time_limit: int = 0
    preempt_mode: int = 0
    priority_job_factor: int = 0
    priority_tier: int = 0
    state_up: int = 0
    cr_type: int = 0
    resume_timeout: int = 0
    suspend_timeout: int = 0
    suspend_time: int = 0
    allow_accounts: str | None = None
    allow_groups: str | None = None
    allow_alloc_nodes: str | None = None
    allow_qos: str | None = None
    qos_char: str | None = None
    alternate: str | None = None
    deny_accounts: str | None = None
    deny_qos: str | None = None
    nodes: str | None = None
    nodesets: str | None = None
    node_inx: Bits | None = None
    billing_weights_str: str | None = None
    topology_name: str | None = None
    tres_fmt_str: str | None = None
    job_defaults_list: list[JobDefaults] | None = None

    WIRE = (
        Field("name", string),
        Field("cpu_bind", u32, means=CpuBind),
        Field("grace_time", u32, unit="s"),
        Field("max_time", u32, unit="min"),
        Field("default_time", u32, unit="min"),
        Field("max_nodes", u32, unit="nodes"),
        Field("min_nodes", u32, unit="nodes"),
        Field("total_nodes", u32, unit="nodes"),
        Field("total_cpus", u32, unit="CPUs"),
        Field("def_mem_per_cpu", u64, unit="MiB"),
        Field("max_cpus_per_node", u32, unit="CPUs"),
        Field("max_cpus_per_socket", u32, since="23.02", unit="CPUs"),
        Field("max_mem_per_cpu", u64, unit="MiB"),
        Field("flags", u16, until="23.11", means=PartitionFlag),
        Field("flags", u32, since="24.05", means=PartitionFlag),
        Field("max_share", u16),
        Field("over_time_limit", u16, unit="min"),
        Field("preempt_mode", u16, means=PreemptMode),
        Field("priority_job_factor", u16),
        Field("priority_tier", u16),
        Field("state_up", u16, means=PartitionState),
        Field("cr_type", u16, means=SelectFlag),
        Field("resume_timeout", u16, unit="s"),
        Field("suspend_timeout", u16, unit="s"),
        Field("suspend_time", u32, unit="s"),
        Field("allow_accounts", string),
        Field("allow_groups", string),
        Field("allow_alloc_nodes", string),
        Field("allow_qos", string),
        Field("qos_char", string),
        Field("alternate", string),
        Field("deny_accounts", string),
        Field("deny_qos", string),
        Field("nodes", string),
        Field("nodesets", string),
        Field("node_inx", bits),
        Field("billing_weights_str", string),
        Field("topology_name", string, since="25.05"),
        Field("tres_fmt_str", string),
        Field("job_defaults_list", list_of(JobDefaults)),
    )


@message(MessageType.RESPONSE_PARTITION_INFO)
class PartitionInfoResponse(Record):
    """Body of RESPONSE_PARTITION_INFO."""

    record_count: int = 0
    last_update: int = 0
    partition_array: list[PartitionInfo] = []

    WIRE = (
        Field("record_count", u32),
        Field("last_update", epoch),
        Field("partition_array", repeat(PartitionInfo, "record_count")),
    )


@message(MessageType.REQUEST_CREATE_PARTITION, MessageType.REQUEST_UPDATE_PARTITION)
class PartitionUpdate(Record):
    """A change to a partition, or a new one; the defaults mean no change or the default."""

    allow_accounts: str | None = None
    allow_alloc_nodes: str | None = None
    allow_groups: str | None = None
    allow_qos: str | None = None
    alternate: str | None = None
    billing_weights_str: str | None = None
    cpu_bind: int = 0
    def_mem_per_cpu: int = NO_VAL64
    default_time: int = NO_VAL
    deny_accounts: str | None = None
    deny_qos: str | None = None
    flags: int = 0
    job_defaults_str: str | None = None
    grace_time: int = NO_VAL
    max_cpus_per_node: int = NO_VAL
    max_cpus_per_socket: int = NO_VAL
    max_mem_per_cpu: int = NO_VAL64
    max_nodes: int = NO_VAL
    max_share: int = NO_VAL16
    max_time: int = NO_VAL
    min_nodes: int = NO_VAL
    name: str | None = None
    nodes: str | None = None
    over_time_limit: int = NO_VAL16
    preempt_mode: int = NO_VAL16
    priority_job_factor: int = NO_VAL16
    priority_tier: int = NO_VAL16
    qos_char: str | None = None
    state_up: int = NO_VAL16
    topology_name: str | None = None

    WIRE = (
        Field("allow_accounts", string),
        Field("allow_alloc_nodes", string),
        Field("allow_groups", string),
        Field("allow_qos", string),
        Field("alternate", string),
        Field("billing_weights_str", string),
        Field("cpu_bind", u32, means=CpuBind),
        Field("def_mem_per_cpu", u64, unit="MiB"),
        Field("default_time", u32, unit="min"),
        Field("deny_accounts", string),
        Field("deny_qos", string),
        Field("flags", u16, until="23.11", means=PartitionFlag),
        Field("flags", u32, since="24.05", means=PartitionFlag),
        Field("job_defaults_str", string),
        Field("grace_time", u32, unit="s"),
        Field("max_cpus_per_node", u32, unit="CPUs"),
        Field("max_cpus_per_socket", u32, since="23.02", unit="CPUs"),
        Field("max_mem_per_cpu", u64, unit="MiB"),
        Field("max_nodes", u32, unit="nodes"),
        Field("max_share", u16),
        Field("max_time", u32, unit="min"),
        Field("min_nodes", u32, unit="nodes"),
        Field("name", string),
        Field("nodes", string),
        Field("over_time_limit", u16, unit="min"),
        Field("preempt_mode", u16, means=PreemptMode),
        Field("priority_job_factor", u16),
        Field("priority_tier", u16),
        Field("qos_char", string),
        Field("state_up", u16, means=PartitionState),
        Field("topology_name", string, since="25.05"),
    )


@message(MessageType.REQUEST_DELETE_PARTITION)
class PartitionDelete(Record):
    """Body of REQUEST_DELETE_PARTITION."""

    name: str | None = None

    WIRE = (Field("name", string),)
