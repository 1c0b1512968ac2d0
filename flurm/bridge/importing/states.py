"""Node states, and nodes and partitions as administrators changed them while slurmctld ran.

What slurm.conf says holds; what a slurmctld shows otherwise was changed at run time, and comes along as far as the core
has a place for it. Compared is what clients are shown, so that defaults count as what they amount to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from flurm.bridge.show_nodes import node_info
from flurm.bridge.show_partitions import partition_info
from flurm.core.enums import NodeFlag, NodeState, PartitionState
from flurm.core.node_records import Node, NodeFacts, Partition
from flurm.core.record import UNLIMITED
from flurm.core.records import Cluster
from protocol.constants import (
    INFINITE16,
    MEM_PER_CPU,
    NO_VAL,
    NO_VAL16,
    NO_VAL64,
    SHARED_FORCE,
    NodeStateFlag,
    PartitionFlag,
    PreemptMode,
)
from protocol.messages import NodeInfo, PartitionInfo
from protocol.versions import Version

__all__ = ["changed_partition", "is_dynamic", "joined", "node_of", "uncarried_flags"]

_BASE = 0xF
_CARRIED = NodeFlag.DRAIN | NodeFlag.FAIL | NodeFlag.NO_RESPOND | NodeFlag.INVALID_REG | NodeFlag.DYNAMIC_NORM
_PASSING = NodeStateFlag.COMPLETING | NodeStateFlag.PLANNED | NodeStateFlag.CLOUD | NodeStateFlag.RES
"""Flags that come from elsewhere: jobs, plans, the configuration, reservations."""
_RELEASE = re.compile(r"(\d+)\.(\d+)")


def node_of(info: NodeInfo, node: Node) -> Node:
    """The node as it stands; `node` is what is configured. What runs there is not in it yet."""
    base = NodeState(info.node_state & _BASE)
    state = NodeState.IDLE if base in (NodeState.ALLOCATED, NodeState.MIXED) else base
    flags = NodeFlag(info.node_state & _CARRIED) | node.flags & NodeFlag.CLOUD
    changed = node.with_(
        state=state,
        flags=flags,
        reason=info.reason or None,
        reason_s=info.reason_time,
        reason_uid=info.reason_uid if info.reason else 0xFFFFFFFE,
        comment=info.comment or None,
        extra=info.extra or None,
        last_busy_s=info.last_busy,
        facts=_facts(info),
    )
    return changed.with_(**_run_time_changes(info, changed))


def _run_time_changes(info: NodeInfo, node: Node) -> dict[str, object]:
    shown = node_info(node, None)
    changes: dict[str, object] = {}
    if info.weight != shown.weight:
        changes["weight"] = info.weight
    if _words(info.features) != _words(shown.features):
        changes["features"] = _words(info.features)
    if _words(info.features_act) != _words(info.features):
        changes["active_features"] = _words(info.features_act)
    return changes


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(word for word in (text or "").split(",") if word)


def _facts(info: NodeInfo) -> NodeFacts | None:
    """What the node's daemon said of itself when it last registered; None where it never did."""
    if not info.version:
        return None
    return NodeFacts(
        version=info.version,
        protocol_version=protocol_of(info.version),
        arch=info.arch,
        os=info.os,
        cpus=info.cpus,
        boards=info.boards,
        sockets=info.sockets,
        cores_per_socket=info.cores,
        threads_per_core=info.threads,
        real_memory_mib=info.real_memory,
        tmp_disk_mib=info.tmp_disk,
        boot_s=info.boot_time,
        daemon_start_s=info.slurmd_start_time,
    )


def protocol_of(release: str) -> int:
    """The protocol version of a release, as far as this one knows it; 0 where that cannot be told."""
    found = _RELEASE.match(release)
    if found is None:
        return 0
    named = (int(found[1]), int(found[2]))
    fitting = [version for version, of in _releases() if of <= named]
    return fitting[-1] if fitting else 0


def _releases() -> Iterator[tuple[int, tuple[int, int]]]:
    for version in Version:
        year, month = version.name[1:].split("_")
        yield int(version), (int(year), int(month))


def uncarried_flags(info: NodeInfo) -> list[str]:
    """What goes on with the node that FLURM does not take over: power saving, reboots, maintenance."""
    left = info.node_state & ~_BASE & ~int(_CARRIED) & ~int(_PASSING)
    return [str(flag.name) for flag in NodeStateFlag if left & flag]


def is_dynamic(info: NodeInfo) -> bool:
    """Whether the node joined, or was created, at run time."""
    return bool(info.node_state & (NodeStateFlag.DYNAMIC_NORM | NodeStateFlag.DYNAMIC_FUTURE))


def joined(info: NodeInfo, index: int) -> Node:
    """A node that slurm.conf does not name, as it would have joined."""
    name = info.name or ""
    line = (
        f"NodeName={name} CPUs={info.cpus} Boards={info.boards} SocketsPerBoard={info.sockets // max(info.boards, 1)} "
        f"CoresPerSocket={info.cores} ThreadsPerCore={info.threads} RealMemory={info.real_memory}"
    )
    return Node(
        name=name,
        index=index,
        hostname=info.node_hostname or name,
        address=info.node_addr or name,
        port=info.port,
        cpus=info.cpus,
        boards=info.boards,
        sockets=info.sockets,
        cores_per_socket=info.cores,
        threads_per_core=info.threads,
        real_memory_mib=info.real_memory,
        tmp_disk_mib=info.tmp_disk,
        weight=info.weight,
        features=_words(info.features),
        gres=info.gres or None,
        flags=NodeFlag.DYNAMIC_NORM,
        declared=line,
    )


Convert = Callable[[PartitionInfo], object]


def changed_partition(info: PartitionInfo, cluster: Cluster) -> tuple[Partition, list[str]]:
    """The partition as it stands, and the names of what is otherwise than slurm.conf has it; all of it where that
    names no such partition."""
    configured = cluster.partitions.get(info.name or "")
    known = configured or Partition(name=info.name or "", nodes=info.nodes or "")
    shown = partition_info(cluster, known)
    changes: dict[str, object] = {}
    for wire_name, converts in _PARTITION_FIELDS.items():
        ours, theirs = getattr(shown, wire_name), getattr(info, wire_name)
        if configured is None or (theirs or None) != (ours or None):
            changes |= {field: convert(info) for field, convert in converts.items()}
    if configured is None:
        return known.with_(**changes), ["all of it"]
    different = {name: value for name, value in changes.items() if value != getattr(known, name)}
    return known.with_(**different), sorted(different)


def _plain(wire_name: str) -> Convert:
    return lambda info: getattr(info, wire_name)


def _text(wire_name: str) -> Convert:
    return lambda info: None if getattr(info, wire_name) in (None, "", "ALL") else getattr(info, wire_name)


def _unless(wire_name: str, *unset: int) -> Convert:
    return lambda info: None if getattr(info, wire_name) in unset else getattr(info, wire_name)


def _flag(flag: PartitionFlag) -> Convert:
    return lambda info: bool(info.flags & flag)


def _memory(wire_name: str, *, per_cpu: bool) -> Convert:
    def convert(info: PartitionInfo) -> object:
        value = getattr(info, wire_name)
        if value in (0, NO_VAL64) or bool(value & MEM_PER_CPU) is not per_cpu:
            return None
        return value & ~MEM_PER_CPU

    return convert


def _over_subscribe(info: PartitionInfo) -> str:
    if info.max_share & SHARED_FORCE:
        return "FORCE"
    return "EXCLUSIVE" if info.max_share == 0 else "NO" if info.max_share == 1 else "YES"


def _preempt_mode(info: PartitionInfo) -> str | None:
    if info.preempt_mode == NO_VAL16:
        return None
    words = [str(mode.name) for mode in PreemptMode if mode and info.preempt_mode & mode]
    return ",".join(words) or "OFF"


_OVER_TIME = {NO_VAL16: None, INFINITE16: UNLIMITED}

_PARTITION_FIELDS: dict[str, dict[str, Convert]] = {
    "state_up": {"state": lambda info: PartitionState(info.state_up)},
    "nodes": {"nodes": lambda info: info.nodes or ""},
    "max_time": {"max_time_min": _plain("max_time")},
    "default_time": {"default_time_min": _unless("default_time", NO_VAL)},
    "max_nodes": {"max_nodes": _plain("max_nodes")},
    "min_nodes": {"min_nodes": _plain("min_nodes")},
    "grace_time": {"grace_time_s": _plain("grace_time")},
    "max_cpus_per_node": {"max_cpus_per_node": _plain("max_cpus_per_node")},
    "priority_job_factor": {"priority_job_factor": _plain("priority_job_factor")},
    "priority_tier": {"priority_tier": _plain("priority_tier")},
    "over_time_limit": {"over_time_limit_min": lambda info: _OVER_TIME.get(info.over_time_limit, info.over_time_limit)},
    "preempt_mode": {"preempt_mode": _preempt_mode},
    "max_share": {"over_subscribe": _over_subscribe, "max_share": lambda info: max(info.max_share & ~SHARED_FORCE, 1)},
    "def_mem_per_cpu": {
        "default_memory_per_cpu_mib": _memory("def_mem_per_cpu", per_cpu=True),
        "default_memory_per_node_mib": _memory("def_mem_per_cpu", per_cpu=False),
    },
    "max_mem_per_cpu": {
        "max_memory_per_cpu_mib": _memory("max_mem_per_cpu", per_cpu=True),
        "max_memory_per_node_mib": _memory("max_mem_per_cpu", per_cpu=False),
    },
    "flags": {
        "is_default": _flag(PartitionFlag.DEFAULT),
        "hidden": _flag(PartitionFlag.HIDDEN),
        "disable_root_jobs": _flag(PartitionFlag.NO_ROOT),
        "root_only": _flag(PartitionFlag.ROOT_ONLY),
        "requires_reservation": _flag(PartitionFlag.REQ_RESV),
        "least_loaded": _flag(PartitionFlag.LLN),
        "exclusive_user": _flag(PartitionFlag.EXCLUSIVE_USER),
    },
    "allow_accounts": {"allow_accounts": _text("allow_accounts")},
    "allow_groups": {"allow_groups": _text("allow_groups")},
    "allow_alloc_nodes": {"allow_alloc_nodes": _text("allow_alloc_nodes")},
    "allow_qos": {"allow_qos": _text("allow_qos")},
    "deny_accounts": {"deny_accounts": _text("deny_accounts")},
    "deny_qos": {"deny_qos": _text("deny_qos")},
    "qos_char": {"qos": _text("qos_char")},
    "alternate": {"alternate": _text("alternate")},
    "billing_weights_str": {"billing_weights": _text("billing_weights_str")},
}
"""By what of a partition's record tells it: the fields of the core's record, and how each is read."""
