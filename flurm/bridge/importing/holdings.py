"""What a job of a slurmctld holds: nodes, and of each of them cores, CPUs and memory."""

from __future__ import annotations

from collections.abc import Iterable

from flurm.core.job_records import Allocation, NodeShare
from flurm.core.names import BadNodeList, expand
from flurm.core.records import Cluster
from protocol.constants import NO_VAL
from protocol.messages import JobInfo, JobResources

__all__ = ["allocation_of", "names_of", "node_names"]


def node_names(info: JobInfo, allocation: Allocation | None, cluster: Cluster) -> tuple[str, ...]:
    """The batch host first, which reports the end."""
    names = cluster.names_in(allocation.node_mask) if allocation is not None else names_of(info.nodes)
    if info.batch_host in names:
        return (info.batch_host, *(name for name in names if name != info.batch_host))
    return tuple(names)


def names_of(text: str | None) -> list[str]:
    """The nodes that a listing names, in its order; none where it has no list that can be read."""
    try:
        return expand(text) if text and text != "(null)" else []
    except BadNodeList:
        return []


def allocation_of(info: JobInfo, cluster: Cluster) -> Allocation | None:
    """What the job holds or held of nodes that the cluster has, of one that is ending on the nodes where it still is;
    None where there is no such node."""
    held = info.job_resrcs
    left = set(names_of(info.nodes))
    shares = [
        NodeShare(node=cluster.nodes[name].index, cores=cores, cpus=cpus, memory_mib=memory_mib)
        for name, cores, cpus, memory_mib in _held(held, cluster)
        if name in cluster.nodes and name in left
    ]
    known = {share.node for share in shares}
    rest = (cluster.nodes[name].index for name in left if name in cluster.nodes)
    shares += [NodeShare(node=index, cores=0, cpus=0) for index in rest if index not in known]
    if not shares:
        return None
    return Allocation(tuple(sorted(shares, key=lambda share: share.node)), whole_nodes=held.whole_node == 1)


def _held(held: JobResources, cluster: Cluster) -> Iterable[tuple[str, int, int, int]]:
    """Node name, cores as a mask, CPUs and MiB of each node of a job; nothing where no details are told."""
    if held.nhosts == NO_VAL or not held.nodes:
        return
    shapes = zip(held.sockets_per_node, held.cores_per_socket, held.sock_core_rep_count, strict=False)
    sizes = [sockets * cores for sockets, cores, count in shapes for _ in range(count)]
    place = 0
    for number, name in enumerate(names_of(held.nodes)):
        size = sizes[number] if number < len(sizes) else 0
        if held.core_bitmap is not None:
            cores = held.core_bitmap.mask >> place & ((1 << size) - 1)
        else:
            cores = (1 << cluster.nodes[name].cores) - 1 if name in cluster.nodes else 0
        place += size
        cpus = held.cpus[number] if number < len(held.cpus) else 0
        memory_mib = held.memory_allocated[number] if number < len(held.memory_allocated) else 0
        yield name, cores, cpus, memory_mib
