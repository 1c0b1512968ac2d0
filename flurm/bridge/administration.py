"""What administrators do: change nodes and partitions, and steer the controller itself."""

from __future__ import annotations

from typing import Any

from flurm.bridge.calls import PARTITION_MANAGER, Call, Control, Mapped, for_jobs, only_operators
from flurm.bridge.configure import node_of
from flurm.bridge.context import Context
from flurm.bridge.node_features import has_active_features
from flurm.config import ConfigError
from flurm.config.debug_levels import nearest_level
from flurm.config.from_slurm import node_line
from flurm.config.records import NodeConfig
from flurm.core.commands import (
    CreateNodes,
    CreatePartition,
    DeleteNodes,
    DeletePartition,
    RebootNodes,
    UpdateNode,
    UpdatePartition,
)
from flurm.core.effects import Rejected
from flurm.core.enums import NodeFlag, PartitionState, Refusal
from flurm.core.enums import NodeState as CoreNodeState
from flurm.core.node_records import Node, Partition
from flurm.core.outcome import is_operator
from flurm.core.record import UNLIMITED
from protocol import messages as wire
from protocol.constants import (
    INFINITE16,
    MEM_PER_CPU,
    NO_VAL,
    NO_VAL16,
    NO_VAL64,
    SHARED_FORCE,
    NodeState,
    NodeStateFlag,
    PartitionFlag,
    PreemptMode,
    ShutdownOp,
)
from protocol.field_constants import RebootFlag

__all__ = [
    "create_nodes",
    "create_partition",
    "delete_nodes",
    "delete_partition",
    "reboot_nodes",
    "reconfigure",
    "set_dampening_factor",
    "set_debug_flags",
    "set_debug_level",
    "set_schedlog_level",
    "shutdown",
    "take_control",
    "takeover",
    "update_node",
    "update_partition",
]

_NODE_ORDERS = {
    NodeState.DOWN: "down",
    NodeState.IDLE: "idle",
    NodeStateFlag.DRAIN: "drain",
    NodeStateFlag.FAIL: "fail",
    NodeStateFlag.NO_RESPOND: "no_respond",
    NodeStateFlag.REBOOT_CANCEL: "cancel_reboot",
    NodeStateFlag.RESUME: "resume",
    NodeStateFlag.UNDRAIN: "undrain",
}


def update_node(record: wire.NodeUpdate, context: Context) -> Mapped:
    """REQUEST_UPDATE_NODE: scontrol update nodename."""
    refusal = only_operators(context)
    if refusal is not None:
        return refusal
    if not record.node_names:
        return Rejected(Refusal.INVALID_NODE_NAME)
    state: str | None = None
    if record.node_state != NO_VAL:
        state = _NODE_ORDERS.get(record.node_state)  # type: ignore[call-overload]
        if state is None:
            return Rejected(Refusal.INVALID_NODE_STATE)
    if not has_active_features(record, context.cluster):
        return Rejected(Refusal.ACTIVE_FEATURE_NOT_SUBSET)
    command = UpdateNode(
        now_s=context.now_s,
        user_id=context.uid,
        names=record.node_names,
        state=state,
        reason=record.reason,
        changes=_node_changes(record),
    )
    return for_jobs(command)


def reboot_nodes(record: wire.RebootRequest, context: Context) -> Mapped:
    """REQUEST_REBOOT_NODES: scontrol reboot [ASAP] [nextstate=] [reason=] NODES."""
    if not is_operator(context.cluster, context.uid):
        return Rejected(Refusal.PERMISSION)
    return for_jobs(
        RebootNodes(
            now_s=context.now_s,
            user_id=context.uid,
            names=record.node_list or "",
            asap=bool(record.flags & RebootFlag.ASAP),
            next_state=_NEXT_STATES.get(record.next_state),
            reason=record.reason or None,
        )
    )


_NEXT_STATES: dict[int, str] = {int(NodeState.DOWN): "down", int(NodeStateFlag.RESUME): "resume"}


def _node_changes(record: wire.NodeUpdate) -> dict[str, object]:
    changes: dict[str, object] = {}
    for name in ("comment", "extra", "gres"):
        text = getattr(record, name)
        if text is not None:
            changes[name] = text or None
    if record.features is not None:
        changes["features"] = _words(record.features)
        changes["active_features"] = None
    if record.features_act is not None:
        changes["active_features"] = _words(record.features_act)
    if record.weight != NO_VAL:
        changes["weight"] = record.weight
    if record.node_addr:
        changes["address"] = record.node_addr
    if record.node_hostname:
        changes["hostname"] = record.node_hostname
    return changes


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.split(",") if word)


def create_nodes(record: wire.NodeUpdate, context: Context) -> Mapped:
    """REQUEST_CREATE_NODE: scontrol create nodename=; `extra` is the whole line as in slurm.conf."""
    refusal = only_operators(context)
    if refusal is not None:
        return refusal
    line = record.extra or ""
    only = Rejected(
        Refusal.INVALID_NODE_STATE, "Only State=FUTURE and State=CLOUD allowed for nodes created by scontrol"
    )
    try:
        found = node_line(line, context.config.slurmd_port)
    except (ConfigError, ValueError) as error:
        if isinstance(error, ConfigError) and error.key == "State":
            return only
        return Rejected(Refusal.UNSPECIFIED, f"Failed to parse nodeline '{line[:200]}'")
    if any(each.state.upper() not in ("FUTURE", "CLOUD") for each in found):
        return only
    nodes = tuple(_created(each, context.now_s) for each in found)
    return for_jobs(CreateNodes(now_s=context.now_s, user_id=context.uid, nodes=nodes))


def _created(config: NodeConfig, now_s: int) -> Node:
    """A node that waits for its daemon: FUTURE ones are hidden, CLOUD ones are powered down."""
    node = node_of(config, 0, now_s).with_(declared="created")
    if config.state.upper() == "FUTURE":
        return node
    return node.with_(state=CoreNodeState.IDLE, flags=NodeFlag.CLOUD | NodeFlag.POWERED_DOWN, last_busy_s=now_s)


def delete_nodes(record: wire.NodeUpdate, context: Context) -> Mapped:
    """REQUEST_DELETE_NODE: scontrol delete nodename=."""
    refusal = only_operators(context)
    if refusal is not None:
        return refusal
    return for_jobs(DeleteNodes(now_s=context.now_s, user_id=context.uid, names=record.node_names or ""))


def create_partition(record: wire.PartitionUpdate, context: Context) -> Mapped:
    """REQUEST_CREATE_PARTITION: scontrol create partitionname."""
    refusal = only_operators(context)
    if refusal is not None:
        return refusal
    partition = Partition(name=record.name or "").with_(**_partition_changes(record))
    if record.state_up != NO_VAL16:
        partition = partition.with_(state=PartitionState(record.state_up))
    command = CreatePartition(now_s=context.now_s, user_id=context.uid, partition=partition)
    return Call(PARTITION_MANAGER, command)


def update_partition(record: wire.PartitionUpdate, context: Context) -> Mapped:
    """REQUEST_UPDATE_PARTITION: scontrol update partitionname."""
    refusal = only_operators(context)
    if refusal is not None:
        return refusal
    command = UpdatePartition(
        now_s=context.now_s,
        user_id=context.uid,
        name=record.name or "",
        state=None if record.state_up == NO_VAL16 else PartitionState(record.state_up),
        changes=_partition_changes(record),
    )
    return Call(PARTITION_MANAGER, command)


def delete_partition(record: wire.PartitionDelete, context: Context) -> Mapped:
    """REQUEST_DELETE_PARTITION: scontrol delete partitionname."""
    refusal = only_operators(context)
    if refusal is not None:
        return refusal
    command = DeletePartition(now_s=context.now_s, user_id=context.uid, name=record.name or "")
    return Call(PARTITION_MANAGER, command)


_PARTITION_TEXTS = {
    "allow_accounts": "allow_accounts",
    "allow_groups": "allow_groups",
    "allow_qos": "allow_qos",
    "deny_accounts": "deny_accounts",
    "deny_qos": "deny_qos",
    "allow_alloc_nodes": "allow_alloc_nodes",
    "alternate": "alternate",
    "billing_weights_str": "billing_weights",
    "qos_char": "qos",
}

_PARTITION_NUMBERS = {
    "max_time": ("max_time_min", NO_VAL),
    "default_time": ("default_time_min", NO_VAL),
    "min_nodes": ("min_nodes", NO_VAL),
    "max_nodes": ("max_nodes", NO_VAL),
    "grace_time": ("grace_time_s", NO_VAL),
    "max_cpus_per_node": ("max_cpus_per_node", NO_VAL),
    "priority_job_factor": ("priority_job_factor", NO_VAL16),
    "priority_tier": ("priority_tier", NO_VAL16),
}

_PARTITION_FLAGS = {
    "is_default": (PartitionFlag.DEFAULT, PartitionFlag.DEFAULT_CLR),
    "hidden": (PartitionFlag.HIDDEN, PartitionFlag.HIDDEN_CLR),
    "disable_root_jobs": (PartitionFlag.NO_ROOT, PartitionFlag.NO_ROOT_CLR),
    "root_only": (PartitionFlag.ROOT_ONLY, PartitionFlag.ROOT_ONLY_CLR),
    "requires_reservation": (PartitionFlag.REQ_RESV, PartitionFlag.REQ_RESV_CLR),
    "least_loaded": (PartitionFlag.LLN, PartitionFlag.LLN_CLR),
    "exclusive_user": (PartitionFlag.EXCLUSIVE_USER, PartitionFlag.EXC_USER_CLR),
}


def _partition_changes(record: wire.PartitionUpdate) -> dict[str, object]:
    """The Partition fields that the request gives a value for."""
    changes: dict[str, object] = {}
    for name, field in _PARTITION_TEXTS.items():
        text = getattr(record, name)
        if text is not None:
            changes[field] = None if text in ("", "ALL", "(null)") else text
    if record.nodes is not None:
        changes["nodes"] = record.nodes
    for name, (field, unset) in _PARTITION_NUMBERS.items():
        number = getattr(record, name)
        if number != unset:
            changes[field] = number
    for field, (on, off) in _PARTITION_FLAGS.items():
        if record.flags & on:
            changes[field] = True
        elif record.flags & off:
            changes[field] = False
    if record.over_time_limit != NO_VAL16:
        changes["over_time_limit_min"] = UNLIMITED if record.over_time_limit == INFINITE16 else record.over_time_limit
    if record.preempt_mode != NO_VAL16:
        changes["preempt_mode"] = ",".join(_preemption(record.preempt_mode)) or "OFF"
    if record.max_share != NO_VAL16:
        changes |= _sharing(record.max_share)
    changes |= _partition_memory("default", record.def_mem_per_cpu)
    changes |= _partition_memory("max", record.max_mem_per_cpu)
    return changes


def _preemption(value: int) -> list[str]:
    """The words of a preemption mode; bits that mean nothing are left out."""
    return [mode.name for mode in PreemptMode if mode.name and value & mode]


def _sharing(value: int) -> dict[str, object]:
    count = value & ~SHARED_FORCE
    if value & SHARED_FORCE:
        return {"over_subscribe": "FORCE", "max_share": count}
    word = "EXCLUSIVE" if count == 0 else "NO" if count == 1 else "YES"
    return {"over_subscribe": word, "max_share": count}


def _partition_memory(kind: str, value: int) -> dict[str, object]:
    """Memory per CPU has the top bit, memory per node has not; 0 takes the limit away."""
    if value == NO_VAL64:
        return {}
    per_cpu, per_node = f"{kind}_memory_per_cpu_mib", f"{kind}_memory_per_node_mib"
    if value & MEM_PER_CPU:
        return {per_cpu: (value & ~MEM_PER_CPU) or None, per_node: None}
    return {per_node: value or None, per_cpu: None}


def _control(action: str, context: Context, *, refusal: Refusal = Refusal.USER_ID_MISSING, **arguments: Any) -> Mapped:
    if not is_operator(context.cluster, context.uid):
        return Rejected(refusal)
    return Control(action, context.uid, arguments)


def reconfigure(record: None, context: Context) -> Mapped:
    """REQUEST_RECONFIGURE: scontrol reconfigure."""
    return _control("reconfigure", context)


def shutdown(record: wire.ShutdownRequest, context: Context) -> Mapped:
    """REQUEST_SHUTDOWN: argument `nodes` says whether node daemons are to stop too, `abort` asks for a core file."""
    options = record.options
    return _control("shutdown", context, nodes=options == ShutdownOp.ALL, abort=options == ShutdownOp.ABORT)


def take_control(record: None, context: Context) -> Mapped:
    """REQUEST_CONTROL: another controller asks this one to stand back."""
    return _control("relinquish", context)


def takeover(record: None, context: Context) -> Mapped:
    """REQUEST_TAKEOVER: scontrol takeover."""
    return _control("takeover", context)


def set_debug_level(record: wire.SetDebugLevel, context: Context) -> Mapped:
    """REQUEST_SET_DEBUG_LEVEL: scontrol setdebug; argument `number` is Slurm's level, `level` the nearest of ours."""
    number = record.debug_level
    level = nearest_level(number)
    return _control("set_log_level", context, refusal=Refusal.PERMISSION, level=level, number=number)


def set_debug_flags(record: wire.SetDebugFlags, context: Context) -> Mapped:
    """REQUEST_SET_DEBUG_FLAGS: scontrol setdebugflags; arguments `plus` and `minus` are masks."""
    plus, minus = record.debug_flags_plus, record.debug_flags_minus
    return _control("set_debug_flags", context, refusal=Refusal.PERMISSION, plus=plus, minus=minus)


def set_schedlog_level(record: wire.SetDebugLevel, context: Context) -> Mapped:
    """REQUEST_SET_SCHEDLOG_LEVEL: scontrol schedloglevel; argument `level` is 0 or 1."""
    return _control("set_schedlog_level", context, refusal=Refusal.PERMISSION, level=record.debug_level)


def set_dampening_factor(record: wire.SetFsDampeningFactor, context: Context) -> Mapped:
    """REQUEST_SET_FS_DAMPENING_FACTOR: scontrol fsdampeningfactor."""
    text = str(record.dampening_factor)
    return _control("show", context, refusal=Refusal.PERMISSION, key="FairShareDampeningFactor", text=text)
