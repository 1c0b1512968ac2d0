"""Nodes that no configuration names: they join by registering (`slurmd -Z`), or are created, and are deleted.

A dynamic node is what it said when it joined. When it registers with other hardware it becomes that, as soon as what
runs on it fits; until then it keeps its record, has less than that and is drained by the ordinary rule of registration.
Features, weight and GRES are taken anew only where the line that it joins with is another one than before, so that what
an administrator has changed since stays.
"""

from flurm.core.commands import CreateNodes, DeleteNodes
from flurm.core.effects import Rejected, ScheduleSoon
from flurm.core.enums import NodeFlag, NodeState, Refusal
from flurm.core.names import BadNodeList, expand
from flurm.core.node_records import Node
from flurm.core.numbering import is_dynamic, renumbered, with_members
from flurm.core.outcome import Outcome, is_operator, rejected
from flurm.core.records import Cluster

_PLACE = ("hostname", "address", "port")
_HARDWARE = (
    "cpus", "boards", "sockets", "cores_per_socket", "threads_per_core", "real_memory_mib", "tmp_disk_mib",
)  # fmt: skip
_DECLARED = ("declared", "weight", "features", "active_features", "gres")


def has_room(cluster: Cluster, more: int = 1) -> bool:
    """Whether so many more nodes may be (slurm.conf(5), MaxNodeCount)."""
    configured = sum(not is_dynamic(node) for node in cluster.nodes.values())
    return len(cluster.nodes) + more <= max(cluster.settings.max_node_count, configured)


def join(cluster: Cluster, joins: Node, now_s: int) -> Cluster | None:
    """The cluster with a node that registers as a dynamic one; None where no more nodes may be.

    A node that the configuration names stays what the configuration says.
    """
    known = cluster.nodes.get(joins.name)
    if known is None:
        return _added(cluster, (joins,), now_s) if has_room(cluster) else None
    if not is_dynamic(known):
        return cluster
    changed = _adapted(known, joins)
    if changed == known:
        return cluster
    return with_members(cluster.with_(nodes=cluster.nodes.set(known.name, changed)), now_s)


def _adapted(known: Node, joins: Node) -> Node:
    fields = list(_PLACE)
    if _fits(known, joins):
        fields += _HARDWARE
    if known.declared != joins.declared:
        fields += _DECLARED
    changed = known.with_(**{name: getattr(joins, name) for name in fields})
    state = NodeState.UNKNOWN if known.state is NodeState.FUTURE else known.state
    return changed.with_(state=state, flags=known.flags & ~NodeFlag.POWERED_DOWN)


def _fits(known: Node, joins: Node) -> bool:
    """Whether what runs on a node can stay there when the node becomes another one."""
    if not known.jobs:
        return True
    return (
        joins.threads_per_core == known.threads_per_core
        and not known.used_cores >> joins.cores
        and known.used_cpus <= joins.cpus
        and known.used_memory_mib <= joins.real_memory_mib
    )


def _added(cluster: Cluster, nodes: tuple[Node, ...], now_s: int) -> Cluster:
    table, order = cluster.nodes, cluster.node_order
    for node in nodes:
        table = table.set(node.name, node.with_(index=len(order), flags=node.flags | NodeFlag.DYNAMIC_NORM))
        order = (*order, node.name)
    return with_members(cluster.with_(nodes=table, node_order=order), now_s)


def create(cluster: Cluster, command: CreateNodes) -> Outcome:
    """Declare nodes before they register: all of them or none."""
    if not is_operator(cluster, command.user_id):
        return rejected(cluster, Refusal.USER_ID_MISSING)
    names = [node.name for node in command.nodes]
    there = next((name for number, name in enumerate(names) if name in cluster.nodes or name in names[:number]), None)
    if there is not None:
        return rejected(cluster, Refusal.INVALID_NODE_NAME, f"Node '{there}' already exists in the node table")
    if not has_room(cluster, len(names)):
        text = f"Unable to add node '{names[0]}', node table is full"
        return rejected(cluster, Refusal.INVALID_NODE_COUNT, text)
    return Outcome(_added(cluster, command.nodes, command.now_s), effects=(ScheduleSoon(),))


def delete(cluster: Cluster, command: DeleteNodes) -> Outcome:
    """Forget nodes. As in Slurm those that can go do, and the reply names the ones that stay."""
    if not is_operator(cluster, command.user_id):
        return rejected(cluster, Refusal.USER_ID_MISSING)
    try:
        names = list(cluster.node_order) if command.names.upper() == "ALL" else expand(command.names)
    except BadNodeList:
        names = []
    if not names:
        return rejected(cluster, Refusal.INVALID_NODE_NAME)
    stay: dict[str, Refusal] = {}
    for name in dict.fromkeys(names):
        node = cluster.nodes.get(name)
        if node is None:
            stay[name] = Refusal.INVALID_NODE_NAME
        elif node.jobs or node.completing_jobs:
            stay[name] = Refusal.NODES_BUSY
    going = set(names) - set(stay)
    if going:
        cluster = renumbered(cluster, [name for name in cluster.node_order if name not in going])
        cluster = with_members(cluster.with_(jobs_changed_s=command.now_s), command.now_s)
    if not stay:
        return Outcome(cluster, effects=(ScheduleSoon(),))
    reply = Rejected(next(iter(stay.values())), f"failed to delete nodes {','.join(stay)}")
    return Outcome(cluster, reply, (ScheduleSoon(),) if going else ())
