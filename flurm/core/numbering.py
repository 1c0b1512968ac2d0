"""Node numbers: which nodes there are, in which order, and what follows when that changes.

Allocations, masks and partitions name nodes by number. A node that is added gets the next one, so nothing moves; where
one is taken away, those behind it move up and all that names them is rewritten here, in one place.
"""

from immutables import Map

from flurm.core.enums import NodeFlag
from flurm.core.names import BadNodeList, expand
from flurm.core.node_records import Node, Partition
from flurm.core.records import Cluster


def renumbered(cluster: Cluster, names: list[str]) -> Cluster:
    """Have the nodes in this order; those that are not named are gone, allocations and masks follow."""
    order = tuple(names)
    if order[: len(cluster.node_order)] == cluster.node_order:
        return cluster.with_(node_order=order)
    new_index = {name: i for i, name in enumerate(order)}
    moves = {old: new_index[name] for old, name in enumerate(cluster.node_order) if name in new_index}

    def moved(mask: int) -> int:
        return sum(1 << new for old, new in moves.items() if mask >> old & 1)

    jobs = cluster.jobs
    for job_id, job in list(cluster.jobs.items()):
        changes: dict[str, object] = {"planned_nodes": moved(job.planned_nodes), "completing": moved(job.completing)}
        if job.allocation is not None:
            shares = tuple(s.with_(node=moves[s.node]) for s in job.allocation.shares if s.node in moves)
            changes["allocation"] = job.allocation.with_(shares=tuple(sorted(shares, key=lambda s: s.node)))
        jobs = jobs.set(job_id, job.with_(**changes))
    kept = Map({name: node.with_(index=new_index[name]) for name, node in cluster.nodes.items() if name in new_index})
    rebooting = Map({name: value for name, value in cluster.rebooting.items() if name in new_index})
    return cluster.with_(jobs=jobs, nodes=kept, node_order=order, rebooting=rebooting)


def with_members(cluster: Cluster, now_s: int) -> Cluster:
    """Reckon anew which nodes each partition has; called whenever there are other nodes, or they are otherwise."""
    partitions = cluster.partitions
    for partition in list(partitions.values()):
        mask = members(cluster, partition)
        if mask != partition.node_mask:
            partitions = partitions.set(partition.name, partition.with_(node_mask=mask))
    return cluster.with_(
        partitions=partitions,
        shape_version=cluster.shape_version + 1,
        nodes_changed_s=now_s,
        partitions_changed_s=now_s,
    )


def members(cluster: Cluster, partition: Partition) -> int:
    """The nodes of a partition as a mask: those of its list that there are, and dynamic ones by their features."""
    if partition.nodes.upper() == "ALL":
        return (1 << len(cluster.node_order)) - 1
    try:
        names = expand(partition.nodes) if partition.nodes and partition.nodes != "(null)" else []
    except BadNodeList:
        names = []
    mask = cluster.mask_of([name for name in names if name in cluster.nodes])
    if partition.dynamic_features:
        wanted = set(partition.dynamic_features)
        dynamic = (node for node in cluster.nodes.values() if is_dynamic(node))
        mask |= cluster.mask_of([node.name for node in dynamic if wanted & set(node.features)])
    return mask


def is_dynamic(node: Node) -> bool:
    """Whether the node has joined or was created at run time, rather than by the configuration."""
    return bool(node.flags & NodeFlag.DYNAMIC_NORM)
