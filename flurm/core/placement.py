"""Where a job may go: could it ever run, is what was planned for it still free, and where does it go now?

The front of three parts: `demand` (what a job needs), `free` (what there is at one moment), `packing` (`place`, which
brings the two together). Whoever submits asks `could_ever_run` or, to tell refusals from reasons to wait, `misfit`;
whoever carries a plan out asks `check_still_free`.
"""

from typing import NamedTuple

from flurm.core import features, names
from flurm.core.demand import Demand, demand_of, eligible_for, eligible_nodes
from flurm.core.enums import Reason, Refusal
from flurm.core.free import Free, Layout
from flurm.core.job_records import Allocation, JobSpec
from flurm.core.node_records import Node, Partition
from flurm.core.packing import fits_when_idle, place
from flurm.core.record import UNLIMITED
from flurm.core.records import Cluster

__all__ = [
    "NODES_UNAVAILABLE",
    "Demand",
    "Free",
    "Layout",
    "Misfit",
    "check_still_free",
    "could_ever_run",
    "demand_of",
    "eligible_for",
    "eligible_nodes",
    "fits_when_idle",
    "misfit",
    "misfit_of",
    "place",
]

NODES_UNAVAILABLE = "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions"
"""What clients print for a job whose nodes exist but are out of service or spoken for."""


class Misfit(NamedTuple):
    """Why a request cannot run in a partition as it is configured, however idle it is.

    Either it is refused when it is submitted (`refusal`, with what sbatch prints before it in `text`), or it is taken
    and waits with `reason` for the partition to change.
    """

    refusal: Refusal | None = None
    reason: Reason | None = None
    text: str | None = None


def could_ever_run(cluster: Cluster, spec: JobSpec, partition: Partition) -> Refusal | None:
    """The refusal of a submission that the partition can never serve; None where it is taken, if only to wait."""
    found = misfit(cluster, spec, partition)
    return found.refusal if found is not None else None


def misfit(cluster: Cluster, spec: JobSpec, partition: Partition, layout: Layout | None = None) -> Misfit | None:
    """Whether the job could run in the partition if all its configured nodes were up and idle; None: it could.

    As slurmctld 22.05 with EnforcePartLimits=NO decides. Taken, and pending: more CPUs than the whole partition has
    (PartitionConfig), more nodes than it has or than its MaxNodes (PartitionNodeLimit), a time limit above MaxTime
    (PartitionTimeLimit). Refused at submission with "Requested node configuration is not available": whatever no set
    of its nodes can give (CPUs, memory or disk of one node, features, required nodes outside the partition, all nodes
    excluded, too few nodes for the tasks). Unknown names of nodes and features are refused with their own errors.
    """
    refusal = features.check(spec.features, _known_features(cluster)) if spec.features else None
    if refusal is not None:
        return Misfit(refusal)
    try:
        demand = demand_of(cluster, spec, partition)
    except (KeyError, names.BadNodeList):
        return Misfit(Refusal.INVALID_NODE_NAME)
    return misfit_of(layout or Layout(cluster), spec, demand, partition)


def misfit_of(layout: Layout, spec: JobSpec, demand: Demand, partition: Partition) -> Misfit | None:
    """`misfit` for a demand that is at hand."""
    within = partition.node_mask
    if demand.cpus > sum((alike & within).bit_count() * node.cpus for node, alike in layout.kinds):
        return Misfit(reason=Reason.PARTITION_CONFIG)
    if spec.min_nodes > min(within.bit_count(), partition.max_nodes):
        return Misfit(reason=Reason.PARTITION_NODE_LIMIT)
    if spec.time_limit_min is not None and spec.time_limit_min > partition.max_time_min:
        return Misfit(reason=Reason.PARTITION_TIME_LIMIT)
    if spec.max_nodes is not None and partition.max_nodes < spec.max_nodes < UNLIMITED:
        return Misfit(reason=Reason.PARTITION_NODE_LIMIT)
    if demand.required & demand.excluded:
        return Misfit(Refusal.INVALID_NODE_NAME)
    if demand.required & ~within:
        return Misfit(Refusal.REQUESTED_NODE_CONFIG_UNAVAILABLE)
    eligible = eligible_for(layout, demand, partition)
    if not fits_when_idle(demand, layout, eligible):
        kinds = [node for node, alike in layout.kinds if alike & within]
        return Misfit(Refusal.REQUESTED_NODE_CONFIG_UNAVAILABLE, text=_what_no_node_has(demand, kinds))
    return None


def _what_no_node_has(demand: Demand, nodes: list[Node]) -> str | None:
    """The sentence that sbatch prints first, where one property alone rules out every node."""
    most_memory = max((node.real_memory_mib for node in nodes), default=0)
    if demand.sockets or demand.cores_per_socket or demand.threads_per_core:
        shape = (demand.sockets, demand.cores_per_socket, demand.threads_per_core)
        if not any(
            node.sockets >= shape[0] and node.cores_per_socket >= shape[1] and node.threads_per_core >= shape[2]
            for node in nodes
        ):
            return "Socket, core and/or thread specification can not be satisfied"
    if demand.floor > max((node.cpus for node in nodes), default=0):
        return "CPU count per node can not be satisfied"
    if max(demand.memory_per_node_mib, demand.memory_per_cpu_mib) > most_memory:
        return "Memory specification can not be satisfied"
    if demand.tmp_disk_mib > max((node.tmp_disk_mib for node in nodes), default=0):
        return "Temporary disk specification can not be satisfied"
    return None


def check_still_free(cluster: Cluster, allocation: Allocation) -> bool:
    """Whether an allocation planned earlier can still be handed out: its nodes up, its cores and memory free."""
    for share in allocation.shares:
        if share.node >= len(cluster.node_order):
            return False
        node = cluster.node_at(share.node)
        if not node.is_schedulable or node.exclusive_job or node.used_cores & share.cores:
            return False
        if share.cores >> node.cores or share.memory_mib > node.real_memory_mib - node.used_memory_mib:
            return False
        if allocation.whole_nodes and node.used_cores:
            return False
    return True


def _known_features(cluster: Cluster) -> set[str]:
    return {feature for node in cluster.nodes.values() for feature in (*node.features, *(node.active_features or ()))}
