"""Resources as clients read them: TRES text, CPU groups, and the `job_resources` part of a job's record.

TRES text lists what is counted, `cpu=2,mem=200M,node=1,billing=2`; memory stands in the largest unit
of which it is whole halves.
"""

from __future__ import annotations

from itertools import groupby

from flurm.core.bits import bits_of
from flurm.core.job_records import Job
from flurm.core.node_records import Node
from flurm.core.records import Cluster
from protocol.constants import NO_VAL16, SelectFlag
from protocol.hostlist import fold
from protocol.messages import JobResources
from protocol.wire import Bits

__all__ = ["Sizes", "cpu_groups", "job_resources", "memory_text", "node_bits", "node_list", "sizes_of", "tres_text"]

Sizes = dict[int, tuple[int, int]]
"""What `sizes_of` has found, by node mask; good for as long as the configured nodes are."""

_UNITS = "MGTPE"


def memory_text(mebibytes: int) -> str:
    """Memory as in `mem=4000M`, `mem=4G` or `mem=62.50G`: the largest unit of which it is whole halves."""
    unit, amount = 0, float(mebibytes)
    while amount >= 1024 and amount % 512 == 0 and unit < len(_UNITS) - 1:
        amount /= 1024
        unit += 1
    return f"{amount:.0f}{_UNITS[unit]}" if amount.is_integer() else f"{amount:.2f}{_UNITS[unit]}"


def tres_text(cpus: int, memory_mib: int, nodes: int | None = None, *, billing: bool = True) -> str:
    """TRES as text; no memory where it is 0, no nodes where they are None."""
    parts = [f"cpu={cpus}"]
    if memory_mib:
        parts.append(f"mem={memory_text(memory_mib)}")
    if nodes is not None:
        parts.append(f"node={nodes}")
    if billing:
        parts.append(f"billing={cpus}")
    return ",".join(parts)


def node_bits(cluster: Cluster, mask: int) -> Bits:
    """A node mask as it travels: as many bits as there are nodes."""
    return Bits(len(cluster.node_order), mask & ((1 << len(cluster.node_order)) - 1))


def node_list(cluster: Cluster, mask: int) -> str | None:
    """The names of a mask's nodes, folded; None where there are none."""
    return fold(cluster.node_order[index] for index in bits_of(mask)) if mask else None


def sizes_of(cluster: Cluster, mask: int, known: Sizes) -> tuple[int, int]:
    """CPUs of the largest and MiB of the smallest node of a mask, 0 and 0 where it is empty."""
    found = known.get(mask)
    if found is None:
        nodes = cluster.nodes_in(mask)
        cpus = max((node.cpus for node in nodes), default=0)
        memory_mib = min((node.real_memory_mib for node in nodes), default=0)
        found = known[mask] = cpus, memory_mib
    return found


def cpu_groups(job: Job) -> tuple[list[int], list[int]]:
    """CPUs per node of an allocation, folded: values, and how many nodes in a row have each."""
    if job.allocation is None:
        return [], []
    groups = [(cpus, len(list(run))) for cpus, run in groupby(share.cpus for share in job.allocation.shares)]
    return [cpus for cpus, _ in groups], [count for _, count in groups]


def job_resources(cluster: Cluster, job: Job, requested_cpus: int) -> JobResources:
    """What a job holds, node by node and core by core; the empty form where it holds nothing."""
    if job.allocation is None:
        return JobResources()
    shares = job.allocation.shares
    nodes = [cluster.node_at(share.node) for share in shares]
    values, reps = cpu_groups(job)
    shapes = [(shape, len(list(run))) for shape, run in groupby(map(_shape, nodes))]
    cores, size = 0, 0
    for share, node in zip(shares, nodes, strict=True):
        cores |= share.cores << size
        size += _cores(node)
    memory_counts = cluster.settings.memory_is_consumed
    whole = job.allocation.whole_nodes
    return JobResources(
        nhosts=len(shares),
        ncpus=requested_cpus if whole else job.allocation.cpus,
        node_req=1,
        nodes=fold(job.node_names),
        whole_node=int(whole),
        threads_per_core=job.spec.threads_per_core or NO_VAL16,
        cr_type=int(SelectFlag.CPU | SelectFlag.MEMORY if memory_counts else SelectFlag.CPU),
        cpu_array_reps=reps,
        cpu_array_value=values,
        cpus=[share.cpus for share in shares],
        cpus_used=[0] * len(shares),
        memory_allocated=[share.memory_mib for share in shares] if memory_counts else [],
        memory_used=[0] * len(shares) if memory_counts else [],
        sockets_per_node=[shape[0] for shape, _ in shapes],
        cores_per_socket=[shape[1] for shape, _ in shapes],
        sock_core_rep_count=[count for _, count in shapes],
        core_bitmap=Bits(size, cores),
        core_bitmap_used=Bits(size, 0),
        node_bitmap=node_bits(cluster, job.allocation.node_mask),
        node_ranks=[share.node for share in shares],
    )


def _shape(node: Node) -> tuple[int, int]:
    return node.sockets, node.cores_per_socket


def _cores(node: Node) -> int:
    return max(node.sockets * node.cores_per_socket, node.cores)
