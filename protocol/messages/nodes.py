"""Nodes: registration, ping, information, updates, reboot, health, and frontends of old releases."""

from __future__ import annotations

import msgspec

from protocol.constants import (
    NO_VAL,
    CertFlag,
    CpuBind,
    DynamicNode,
    LogLevel,
    MessageType,
    NodeState,
    RebootFlag,
    RegistrationFlag,
    SelectPlugin,
    ShowFlag,
)
from protocol.errno import Errno
from protocol.messages.accounting import DbTresNoalloc
from protocol.messages.common import AcctGatherEnergy, StepId
from protocol.schema import (
    Field,
    If,
    Record,
    addr,
    array,
    bits,
    boolean,
    double,
    epoch,
    list_of,
    mem,
    message,
    repeat,
    string,
    u8,
    u16,
    u32,
    u64,
)
from protocol.wire import Address, Bits

__all__ = [
    "AcctGatherEnergyRequest",
    "AcctGatherNodeResponse",
    "ExtSensorsData",
    "FrontEndInfo",
    "FrontEndInfoRequest",
    "FrontEndInfoResponse",
    "FrontEndUpdate",
    "NodeAliasAddrs",
    "NodeAliasAddrsResponse",
    "NodeHealthCheck",
    "NodeInfo",
    "NodeInfoRequest",
    "NodeInfoResponse",
    "NodeInfoSingleRequest",
    "NodeRegistration",
    "NodeRegistrationResponse",
    "NodeUpdate",
    "PingResponse",
    "RebootRequest",
    "RunPowerAction",
    "SelectNodeInfo",
    "SlurmdStatus",
]


@message(MessageType.REQUEST_NODE_INFO)
class NodeInfoRequest(Record):
    """Body of REQUEST_NODE_INFO."""

    last_update: int = 0
    show_flags: int = 0

    WIRE = (
        Field("last_update", epoch),
        Field("show_flags", u16, means=ShowFlag),
    )


@message(MessageType.REQUEST_NODE_INFO_SINGLE)
class NodeInfoSingleRequest(Record):
    """Body of REQUEST_NODE_INFO_SINGLE."""

    node_name: str | None = None
    show_flags: int = 0

    WIRE = (
        Field("node_name", string),
        Field("show_flags", u16, means=ShowFlag),
    )


class SelectNodeInfo(Record):
    """Part of NodeInfo."""

    plugin_id: int = 0
    alloc_cpus: int = 0
    alloc_memory: int = 0
    tres_alloc_fmt_str: str | None = None
    tres_alloc_weighted: float = 0.0

    WIRE = (
        Field("plugin_id", u32, means=SelectPlugin),
        Field("alloc_cpus", u16, unit="CPUs"),
        Field("alloc_memory", u64, unit="MiB"),
        Field("tres_alloc_fmt_str", string),
        Field("tres_alloc_weighted", double),
    )


class ExtSensorsData(Record):
    """Part of NodeInfo."""

    consumed_energy: int = 0
    temperature: int = 0
    energy_update_time: int = 0
    current_watts: int = 0

    WIRE = (
        Field("consumed_energy", u64, unit="J"),
        Field("temperature", u32),
        Field("energy_update_time", epoch),
        Field("current_watts", u32, unit="W"),
    )


class NodeInfo(Record):
    """One node in RESPONSE_NODE_INFO."""

    name: str | None = None
    node_hostname: str | None = None
    node_addr: str | None = None
    bcast_address: str | None = None
    cert_flags: int = 0
    port: int = 0
    next_state: int = 0
    node_state: int = 0
    version: str | None = None
    cpus: int = 0
    boards: int = 0
    sockets: int = 0
    cores: int = 0
    threads: int = 0
    real_memory: int = 0
    tmp_disk: int = 0
    gpu_spec: str | None = None
    mcs_label: str | None = None
    owner: int = 0
    core_spec_cnt: int = 0
    cpu_bind: int = 0
    mem_spec_limit: int = 0
    cpu_spec_list: str | None = None
    cpus_efctv: int = 0
    cpu_load: int = 0
    free_mem: int = 0
    weight: int = 0
    res_cores_per_gpu: int = 0
    reason_uid: int = 0
    suspend_time: int = 0
    boot_time: int = 0
    last_busy: int = 0
    reason_time: int = 0
    resume_after: int = 0
    slurmd_start_time: int = 0
    select_nodeinfo: SelectNodeInfo = msgspec.field(default_factory=SelectNodeInfo)
    cert_last_renewal: int = 0
    alloc_cpus: int = 0
    alloc_memory: int = 0
    alloc_tres_fmt_str: str | None = None
    arch: str | None = None
    features: str | None = None
    features_act: str | None = None
    gres: str | None = None
    gres_drain: str | None = None
    gres_used: str | None = None
    os: str | None = None
    comment: str | None = None
    extra: str | None = None
    instance_id: str | None = None
    instance_type: str | None = None
    parameters: str | None = None
    reason: str | None = None
    energy: AcctGatherEnergy = msgspec.field(default_factory=AcctGatherEnergy)
    ext_sensors: ExtSensorsData = msgspec.field(default_factory=ExtSensorsData)
    power: int = 0
    tres_fmt_str: str | None = None
    resv_name: str | None = None
    topology_str: str | None = None

    WIRE = (
        Field("name", string),
        Field("node_hostname", string),
        Field("node_addr", string),
        Field("bcast_address", string),
        Field("cert_flags", u16, since="25.05", means=CertFlag),
        Field("port", u16),
        Field("next_state", u32, means=NodeState),
        Field("node_state", u32, means=NodeState),
        Field("version", string),
        Field("cpus", u16, unit="CPUs"),
        Field("boards", u16, unit="boards"),
        Field("sockets", u16, unit="sockets"),
        Field("cores", u16, unit="cores"),
        Field("threads", u16, unit="threads"),
        Field("real_memory", u64, unit="MiB"),
        Field("tmp_disk", u32, unit="MiB"),
        Field("gpu_spec", string, since="24.05"),
        Field("mcs_label", string),
        Field("owner", u32),
        Field("core_spec_cnt", u16, unit="cores"),
        Field("cpu_bind", u32, means=CpuBind),
        Field("mem_spec_limit", u64, unit="MiB"),
        Field("cpu_spec_list", string),
        Field("cpus_efctv", u16, unit="CPUs"),
        Field("cpu_load", u32, unit="/100"),
        Field("free_mem", u64, unit="MiB"),
        Field("weight", u32),
        Field("res_cores_per_gpu", u16, since="24.05"),
        Field("reason_uid", u32),
        Field("suspend_time", u32, since="26.05", unit="s"),
        Field("boot_time", epoch),
        Field("last_busy", epoch),
        Field("reason_time", epoch),
        Field("resume_after", epoch, since="23.02"),
        Field("slurmd_start_time", epoch),
        Field("select_nodeinfo", SelectNodeInfo, until="24.11"),
        Field("cert_last_renewal", epoch, since="25.05"),
        Field("alloc_cpus", u16, since="25.05", unit="CPUs"),
        Field("alloc_memory", u64, since="25.05", unit="MiB"),
        Field("alloc_tres_fmt_str", string, since="25.05"),
        Field("arch", string),
        Field("features", string),
        Field("features_act", string),
        Field("gres", string),
        Field("gres_drain", string),
        Field("gres_used", string),
        Field("os", string),
        Field("comment", string),
        Field("extra", string),
        Field("instance_id", string, since="23.11"),
        Field("instance_type", string, since="23.11"),
        Field("parameters", string, since="25.11"),
        Field("reason", string),
        Field("energy", AcctGatherEnergy),
        Field("ext_sensors", ExtSensorsData, until="23.11"),
        Field("power", u32, until="23.11"),
        Field("tres_fmt_str", string),
        Field("resv_name", string, since="23.02"),
        Field("topology_str", string, since="25.05"),
    )


@message(MessageType.RESPONSE_NODE_INFO)
class NodeInfoResponse(Record):
    """Body of RESPONSE_NODE_INFO."""

    record_count: int = 0
    last_update: int = 0
    node_array: list[NodeInfo | None] = []
    hidden_nodes: Bits | None = None

    WIRE = (
        Field("record_count", u32),
        Field("last_update", epoch),
        Field("node_array", repeat(NodeInfo, "record_count"), until="24.05"),
        Field("hidden_nodes", bits, since="24.11"),
        Field(
            "node_array",
            repeat(NodeInfo, "record_count", absent="hidden_nodes"),
            since="24.11",
        ),
    )


@message(MessageType.MESSAGE_NODE_REGISTRATION_STATUS)
class NodeRegistration(Record):
    """Body of MESSAGE_NODE_REGISTRATION_STATUS."""

    timestamp: int = 0
    slurmd_start_time: int = 0
    status: int = 0
    extra: str | None = None
    features_active: str | None = None
    features_avail: str | None = None
    hostname: str | None = None
    instance_id: str | None = None
    instance_type: str | None = None
    node_name: str | None = None
    arch: str | None = None
    cpu_spec_list: str | None = None
    mem_spec_limit: int = 0
    os: str | None = None
    parameters: str | None = None
    cpus: int = 0
    boards: int = 0
    sockets: int = 0
    cores: int = 0
    threads: int = 0
    real_memory: int = 0
    tmp_disk: int = 0
    up_time: int = 0
    hash_val: int = 0
    cpu_load: int = 0
    free_mem: int = 0
    step_id: list[StepId] = []
    flags: int = 0
    gres_info_size: int = 0
    gres_info: bytes = b""
    energy: AcctGatherEnergy = msgspec.field(default_factory=AcctGatherEnergy)
    version: str | None = None
    dynamic_type: int = 0
    dynamic_conf: str | None = None
    dynamic_feature: str | None = None

    WIRE = (
        Field("timestamp", epoch),
        Field("slurmd_start_time", epoch),
        Field("status", u32, means=Errno),
        Field("extra", string, since="23.11"),
        Field("features_active", string),
        Field("features_avail", string),
        Field("hostname", string),
        Field("instance_id", string, since="23.11"),
        Field("instance_type", string, since="23.11"),
        Field("node_name", string),
        Field("arch", string),
        Field("cpu_spec_list", string),
        Field("mem_spec_limit", u64, since="25.05", unit="MiB"),
        Field("os", string),
        Field("parameters", string, since="25.11"),
        Field("cpus", u16, unit="CPUs"),
        Field("boards", u16, unit="boards"),
        Field("sockets", u16, unit="sockets"),
        Field("cores", u16, unit="cores"),
        Field("threads", u16, unit="threads"),
        Field("real_memory", u64, unit="MiB"),
        Field("tmp_disk", u32, unit="MiB"),
        Field("up_time", u32, unit="s"),
        Field("hash_val", u32),
        Field("cpu_load", u32, unit="/100"),
        Field("free_mem", u64, unit="MiB"),
        Field("step_id", array(StepId)),
        Field("flags", u16, means=RegistrationFlag),
        Field("gres_info_size", u32),
        If(
            "gres_info_size",
            (Field("gres_info", mem),),
        ),
        Field("energy", AcctGatherEnergy),
        Field("version", string),
        Field("dynamic_type", u8, means=DynamicNode),
        Field("dynamic_conf", string),
        Field("dynamic_feature", string),
    )


@message(MessageType.RESPONSE_ACCT_GATHER_UPDATE, MessageType.RESPONSE_ACCT_GATHER_ENERGY)
class AcctGatherNodeResponse(Record):
    """Body of RESPONSE_ACCT_GATHER_UPDATE, RESPONSE_ACCT_GATHER_ENERGY."""

    node_name: str | None = None
    e: list[AcctGatherEnergy] = []

    WIRE = (
        Field("node_name", string),
        Field("e", array(AcctGatherEnergy, u16)),
    )


@message(MessageType.RESPONSE_NODE_REGISTRATION)
class NodeRegistrationResponse(Record):
    """Body of RESPONSE_NODE_REGISTRATION."""

    tres_list: list[DbTresNoalloc] | None = None
    node_name: str | None = None

    WIRE = (
        Field("tres_list", list_of(DbTresNoalloc)),
        Field("node_name", string),
    )


@message(MessageType.REQUEST_ACCT_GATHER_ENERGY)
class AcctGatherEnergyRequest(Record):
    """Body of REQUEST_ACCT_GATHER_ENERGY."""

    context_id: int = 0
    delta: int = 0

    WIRE = (
        Field("context_id", u16),
        Field("delta", u16, unit="s"),
    )


@message(MessageType.REQUEST_REBOOT_NODES)
class RebootRequest(Record):
    """Body of REQUEST_REBOOT_NODES."""

    features: str | None = None
    flags: int = 0
    next_state: int = 0
    node_list: str | None = None
    power_action_name: str | None = None
    reason: str | None = None

    WIRE = (
        Field("features", string),
        Field("flags", u16, means=RebootFlag),
        Field("next_state", u32, means=NodeState),
        Field("node_list", string),
        Field("power_action_name", string, since="26.05"),
        Field("reason", string),
    )


@message(MessageType.REQUEST_UPDATE_FRONT_END)
class FrontEndUpdate(Record):
    """Body of REQUEST_UPDATE_FRONT_END."""

    name: str | None = None
    node_state: int = 0
    reason: str | None = None
    reason_uid: int = 0

    WIRE = (
        Field("name", string),
        Field("node_state", u32, means=NodeState),
        Field("reason", string),
        Field("reason_uid", u32, until="22.05"),
    )


@message(MessageType.REQUEST_UPDATE_NODE, MessageType.REQUEST_DELETE_NODE, MessageType.REQUEST_CREATE_NODE)
class NodeUpdate(Record):
    """A change to nodes, or new ones; the defaults mean no change."""

    cert_token: str | None = None
    comment: str | None = None
    cpu_bind: int = 0
    extra: str | None = None
    features: str | None = None
    features_act: str | None = None
    gres: str | None = None
    instance_id: str | None = None
    instance_type: str | None = None
    node_addr: str | None = None
    node_hostname: str | None = None
    node_names: str | None = None
    node_state: int = NO_VAL
    power_action_name: str | None = None
    reason: str | None = None
    reason_uid: int = 0
    resume_after: int = NO_VAL
    topology_str: str | None = None
    weight: int = NO_VAL

    WIRE = (
        Field("cert_token", string, since="24.11"),
        Field("comment", string),
        Field("cpu_bind", u32, means=CpuBind),
        Field("extra", string),
        Field("features", string),
        Field("features_act", string),
        Field("gres", string),
        Field("instance_id", string, since="23.11"),
        Field("instance_type", string, since="23.11"),
        Field("node_addr", string),
        Field("node_hostname", string),
        Field("node_names", string),
        Field("node_state", u32, means=NodeState),
        Field("power_action_name", string, since="26.05"),
        Field("reason", string),
        Field("reason_uid", u32, until="22.05"),
        Field("resume_after", u32, since="23.02", unit="s"),
        Field("topology_str", string, since="25.05"),
        Field("weight", u32),
    )


@message(MessageType.RESPONSE_SLURMD_STATUS)
class SlurmdStatus(Record):
    """Body of RESPONSE_SLURMD_STATUS."""

    booted: int = 0
    last_slurmctld_msg: int = 0
    slurmd_debug: int = 0
    actual_cpus: int = 0
    actual_boards: int = 0
    actual_sockets: int = 0
    actual_cores: int = 0
    actual_threads: int = 0
    actual_real_mem: int = 0
    actual_tmp_disk: int = 0
    pid: int = 0
    hostname: str | None = None
    slurmd_logfile: str | None = None
    step_list: str | None = None
    version: str | None = None

    WIRE = (
        Field("booted", epoch),
        Field("last_slurmctld_msg", epoch),
        Field("slurmd_debug", u16, means=LogLevel),
        Field("actual_cpus", u16, unit="CPUs"),
        Field("actual_boards", u16, unit="boards"),
        Field("actual_sockets", u16, unit="sockets"),
        Field("actual_cores", u16, unit="cores"),
        Field("actual_threads", u16, unit="threads"),
        Field("actual_real_mem", u64, unit="MiB"),
        Field("actual_tmp_disk", u32, unit="MiB"),
        Field("pid", u32),
        Field("hostname", string),
        Field("slurmd_logfile", string),
        Field("step_list", string),
        Field("version", string),
    )


@message(MessageType.REQUEST_FRONT_END_INFO)
class FrontEndInfoRequest(Record):
    """Body of REQUEST_FRONT_END_INFO."""

    last_update: int = 0

    WIRE = (Field("last_update", epoch),)


class FrontEndInfo(Record):
    """Part of FrontEndInfoResponse."""

    allow_groups: str | None = None
    allow_users: str | None = None
    boot_time: int = 0
    deny_groups: str | None = None
    deny_users: str | None = None
    name: str | None = None
    node_state: int = 0
    version: str | None = None
    reason: str | None = None
    reason_time: int = 0
    reason_uid: int = 0
    slurmd_start_time: int = 0

    WIRE = (
        Field("allow_groups", string),
        Field("allow_users", string),
        Field("boot_time", epoch),
        Field("deny_groups", string),
        Field("deny_users", string),
        Field("name", string),
        Field("node_state", u32, means=NodeState),
        Field("version", string),
        Field("reason", string),
        Field("reason_time", epoch),
        Field("reason_uid", u32),
        Field("slurmd_start_time", epoch),
    )


@message(MessageType.RESPONSE_FRONT_END_INFO)
class FrontEndInfoResponse(Record):
    """Body of RESPONSE_FRONT_END_INFO."""

    record_count: int = 0
    last_update: int = 0
    front_end: list[FrontEndInfo] = []

    WIRE = (
        Field("record_count", u32),
        Field("last_update", epoch),
        Field("front_end", repeat(FrontEndInfo, "record_count")),
    )


@message(MessageType.RESPONSE_PING_SLURMD)
class PingResponse(Record):
    """Body of RESPONSE_PING_SLURMD."""

    cpu_load: int = 0
    free_mem: int = 0
    node_name: str | None = None

    WIRE = (
        Field("cpu_load", u32, unit="/100"),
        Field("free_mem", u64, unit="MiB"),
        Field("node_name", string, since="26.05"),
    )


@message(MessageType.REQUEST_NODE_ALIAS_ADDRS)
class NodeAliasAddrs(Record):
    """Body of REQUEST_NODE_ALIAS_ADDRS."""

    node_addrs: list[Address] = []
    node_cnt: int = 0
    node_list: str | None = None

    WIRE = (
        Field("node_addrs", array(addr)),
        Field("node_cnt", u32, unit="nodes"),
        Field("node_list", string),
    )


@message(MessageType.RESPONSE_NODE_ALIAS_ADDRS)
class NodeAliasAddrsResponse(Record):
    """Body of RESPONSE_NODE_ALIAS_ADDRS."""

    net_cred: str | None = None

    WIRE = (Field("net_cred", string),)


@message(MessageType.REQUEST_RUN_POWER_ACTION)
class RunPowerAction(Record):
    """Body of REQUEST_RUN_POWER_ACTION."""

    action_name: str | None = None
    file_content: str | None = None
    file_env_name: str | None = None

    WIRE = (
        Field("action_name", string),
        Field("file_content", string),
        Field("file_env_name", string),
    )


@message(MessageType.REQUEST_NODE_HEALTH_CHECK)
class NodeHealthCheck(Record):
    """Body of REQUEST_NODE_HEALTH_CHECK."""

    healthy: bool = False

    WIRE = (Field("healthy", boolean),)
