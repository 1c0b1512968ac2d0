"""Nodes as clients read them.

The state word is Slurm's base state with flag bits above it. A node on which something runs is ALLOCATED; that it is
only partly used, MIXED, is never said: clients work it out from the allocated CPUs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from flurm.bridge.resources import tres_text
from flurm.core.enums import NodeState
from flurm.core.node_records import Node
from flurm.core.record import UNLIMITED
from flurm.core.records import Cluster
from protocol.constants import NO_VAL, NO_VAL64, SELECT_CONS_TRES, NodeStateFlag, ShowFlag
from protocol.messages import ExtSensorsData, NodeInfo, NodeInfoResponse, SelectNodeInfo
from protocol.versions import Version
from protocol.wire import Bits

__all__ = ["Load", "hidden_nodes", "node_info", "nodes_response", "one_node_response", "state_word"]


class Load(NamedTuple):
    """What a node last said about its load: hundredths of the load average, and free memory."""

    cpu_load: int
    free_memory_mib: int


Loads = Callable[[str], Load | None]

_NEXT_STATES: dict[str | None, int] = {"down": int(NodeState.DOWN), "resume": int(NodeStateFlag.RESUME)}
_NO_SENSORS = ExtSensorsData(consumed_energy=NO_VAL64, temperature=NO_VAL)
_UNKNOWN_LOAD = Load(NO_VAL, NO_VAL64)


def nodes_response(cluster: Cluster, version: int, show_flags: int, now_s: int, loads: Loads) -> NodeInfoResponse:
    """All nodes in index order; those that only hidden partitions have are left out unless all are asked for."""
    hidden = hidden_nodes(cluster, show_flags)
    unknown = _unknown_load(version)
    count = len(cluster.node_order)
    infos: list[NodeInfo | None] = []
    for node in cluster.nodes_in((1 << count) - 1):
        if node.state is NodeState.FUTURE and not show_flags & ShowFlag.FUTURE:
            infos.append(_nameless(node))
        elif not hidden >> node.index & 1:
            infos.append(node_info(node, loads(node.name) or unknown, show_flags))
        elif version >= Version.V24_11:
            infos.append(None)
    return NodeInfoResponse(len(infos), now_s, infos, Bits(count, hidden))


def _unknown_load(version: int) -> Load:
    """The load of a node that has not told it: "N/A" to older clients, none to newer ones."""
    return Load(0, NO_VAL64) if version >= Version.V24_11 else _UNKNOWN_LOAD


def _nameless(node: Node) -> NodeInfo:
    """What stands in the place of a node that clients are not to show: partitions name nodes by their place."""
    return NodeInfo(
        node_state=state_word(node),
        next_state=NO_VAL,
        ext_sensors=_NO_SENSORS,
        select_nodeinfo=SelectNodeInfo(SELECT_CONS_TRES, 0, 0, None, 0.0),
    )


def one_node_response(
    cluster: Cluster, name: str | None, version: int, now_s: int, loads: Loads, show_flags: int = 0
) -> NodeInfoResponse:
    """The node of this name (or host name); none at all where there is no such node."""
    node = cluster.nodes.get(name or "")
    if node is None:
        node = next((other for other in cluster.nodes.values() if name and other.hostname == name), None)
    if node is None:
        return NodeInfoResponse(0, now_s, [], None)
    load = loads(node.name) or _unknown_load(version)
    return NodeInfoResponse(1, now_s, [node_info(node, load, show_flags)], None)


def hidden_nodes(cluster: Cluster, show_flags: int) -> int:
    """Mask of the nodes that belong to partitions, all of them hidden."""
    if show_flags & ShowFlag.ALL:
        return 0
    hidden = visible = 0
    for partition in cluster.partitions.values():
        if partition.hidden:
            hidden |= partition.node_mask
        else:
            visible |= partition.node_mask
    return hidden & ~visible


def state_word(node: Node) -> int:
    """Base state and flags as one number."""
    base = node.shown_state
    if base is NodeState.MIXED:
        base = NodeState.ALLOCATED
    return int(base) | int(node.flags)


def node_info(node: Node, load: Load | None, show_flags: int = 0) -> NodeInfo:
    """The record of one node."""
    facts = node.facts
    load = load or _UNKNOWN_LOAD
    features = ",".join(node.features) or None
    active = features if node.active_features is None else ",".join(node.active_features) or None
    used_tres = tres_text(node.used_cpus, node.used_memory_mib, billing=False) if node.used_cpus else None
    return NodeInfo(
        name=node.name,
        node_hostname=node.hostname or node.name,
        node_addr=node.address or node.name,
        port=node.port,
        next_state=_NEXT_STATES.get(node.reboot.next_state, NO_VAL) if node.reboot is not None else NO_VAL,
        node_state=state_word(node),
        version=(facts.version or None) if facts else None,
        cpus=node.cpus,
        boards=node.boards,
        sockets=node.sockets,
        cores=node.cores_per_socket,
        threads=node.threads_per_core,
        real_memory=node.real_memory_mib,
        tmp_disk=node.tmp_disk_mib,
        owner=NO_VAL,
        cpus_efctv=node.cpus,
        cpu_load=load.cpu_load,
        free_mem=load.free_memory_mib,
        weight=node.weight,
        reason=node.reason,
        reason_uid=node.reason_uid,
        reason_time=node.reason_s,
        suspend_time=UNLIMITED,
        boot_time=facts.boot_s if facts else 0,
        last_busy=node.last_busy_s,
        slurmd_start_time=facts.daemon_start_s if facts else 0,
        select_nodeinfo=SelectNodeInfo(
            SELECT_CONS_TRES, node.used_cpus, node.used_memory_mib, used_tres, float(node.used_cpus)
        ),
        alloc_cpus=node.used_cpus,
        alloc_memory=node.used_memory_mib,
        alloc_tres_fmt_str=used_tres,
        arch=facts.arch if facts else None,
        os=facts.os if facts else None,
        features=features,
        features_act=active,
        gres=node.gres,
        gres_drain="N/A" if show_flags & ShowFlag.DETAIL else None,
        comment=node.comment,
        extra=node.extra,
        ext_sensors=_NO_SENSORS,
        power=NO_VAL,
        tres_fmt_str=tres_text(node.cpus, node.real_memory_mib),
    )
