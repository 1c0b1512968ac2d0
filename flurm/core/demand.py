"""What a job needs of nodes, worked out once from its spec and a partition, and which nodes could ever serve it.

A `Demand` is the common ground of submission (could this ever run?), of placement (where does it run now?) and of the
planner, which treats jobs of equal demand alike. CPUs are counted in whole cores: a node with two threads per core
gives two CPUs per core, even where the job uses one thread of each.
"""

import msgspec

from flurm.core import features, names
from flurm.core.free import Layout
from flurm.core.job_records import JobSpec
from flurm.core.node_records import Node, Partition
from flurm.core.record import UNLIMITED
from flurm.core.records import Cluster


class Demand(msgspec.Struct, frozen=True):
    """What one job needs in one partition. Equal demands can be placed in the same places."""

    cpus: int = 1
    """CPUs in all, as tasks count them."""
    floor: int = 1
    """CPUs that every node of the allocation must give at least."""
    unit: int = 1
    """CPUs of a task: a node gives multiples of it."""
    ceiling: int = UNLIMITED
    """CPUs that a node may give at most."""
    min_nodes: int = 1
    max_nodes: int = UNLIMITED
    target_nodes: int = 1
    """Nodes to take where there are so many."""
    memory_per_cpu_mib: int = 0
    memory_per_node_mib: int = 0
    all_memory: bool = False
    whole_nodes: bool = False
    contiguous: bool = False
    threads: int = UNLIMITED
    """Threads of a core that tasks may use."""
    tasks_per_socket: int = 0
    tmp_disk_mib: int = 0
    sockets: int = 0
    cores_per_socket: int = 0
    threads_per_core: int = 0
    features: str | None = None
    required: int = 0
    excluded: int = 0
    most_switches: int = 0
    """Leaf switches that the nodes may be spread over; 0: any number."""

    @property
    def is_plain(self) -> bool:
        """Whether free cores and memory alone decide what a node gives, and any nodes will do."""
        return not (
            self.whole_nodes or self.all_memory or self.tasks_per_socket or self.required or self.contiguous
        ) and (
            self.floor % self.unit == 0
            and self.floor <= self.ceiling
            and (not self.features or _is_simple(self.features))
        )


def _is_simple(text: str) -> bool:
    """Whether a feature expression has one variant and no counts, so that eligibility says all."""
    ways = features.variants(text)
    return len(ways) == 1 and not ways[0].counts


def demand_of(cluster: Cluster, spec: JobSpec, partition: Partition) -> Demand:
    """The demand of a request in a partition. Raises KeyError or BadNodeList for node lists that name no node."""
    unit = max(1, spec.cpus_per_task or 1)
    tasks = None if spec.overcommit else spec.num_tasks
    floor = max(1, spec.min_cpus_per_node or 1, unit)
    ceiling = UNLIMITED
    if spec.ntasks_per_node and not spec.overcommit:
        floor = ceiling = max(floor, spec.ntasks_per_node * unit)
    min_nodes = max(1, spec.min_nodes, partition.min_nodes)
    max_nodes = min(spec.max_nodes or UNLIMITED, partition.max_nodes)
    target = max(min_nodes, spec.max_nodes or 0)
    if tasks and target > min_nodes:
        target = max(min_nodes, min(target, tasks))
    required = names.node_mask(cluster, spec.required_nodes) if spec.required_nodes else 0
    per_cpu, per_node, all_memory = _memory(cluster, spec, partition)
    threads = min(spec.threads_per_core or UNLIMITED, UNLIMITED)
    if spec.ntasks_per_core and spec.ntasks_per_core < 0xFFFF and not spec.overcommit:
        threads = min(threads, max(1, spec.ntasks_per_core) * unit)
    return Demand(
        cpus=max(spec.min_cpus, (tasks or 1) * unit, min_nodes * floor, 1),
        floor=floor,
        unit=unit,
        ceiling=min(ceiling, partition.max_cpus_per_node),
        min_nodes=min_nodes,
        max_nodes=max_nodes,
        target_nodes=target,
        memory_per_cpu_mib=per_cpu,
        memory_per_node_mib=per_node,
        all_memory=all_memory,
        whole_nodes=spec.exclusive == 0 or partition.over_subscribe.upper() == "EXCLUSIVE",
        contiguous=spec.contiguous,
        threads=threads,
        tasks_per_socket=0 if spec.overcommit else (spec.ntasks_per_socket or 0) * unit,
        tmp_disk_mib=spec.tmp_disk_mib,
        sockets=spec.sockets_per_node or 0,
        cores_per_socket=spec.cores_per_socket or 0,
        threads_per_core=spec.threads_per_core or 0,
        features=spec.features or None,
        required=_lowest(required, spec.max_nodes or UNLIMITED),
        excluded=names.node_mask(cluster, spec.excluded_nodes) if spec.excluded_nodes else 0,
    )


def _lowest(mask: int, count: int) -> int:
    """The first nodes of a mask: more required nodes than the job may have are as good as not named."""
    for _ in range(mask.bit_count() - count):
        mask ^= 1 << mask.bit_length() - 1
    return mask


def eligible_nodes(cluster: Cluster, spec: JobSpec, partition: Partition) -> int:
    """The nodes of the partition, as a mask, any of which could serve the job once it is idle and up."""
    return eligible_for(Layout(cluster), demand_of(cluster, spec, partition), partition)


def eligible_for(layout: Layout, demand: Demand, partition: Partition) -> int:
    """`eligible_nodes` for a demand. Features: those nodes that match in any variant."""
    mask = 0
    wanted = features.variants(demand.features)
    for node, alike in layout.kinds:
        if is_big_enough(demand, node) and (
            not demand.features or any(features.matches(variant.every, features_of(node)) for variant in wanted)
        ):
            mask |= alike
    return mask & partition.node_mask & ~demand.excluded


def features_of(node: Node) -> tuple[str, ...]:
    """The features that count for placement: the active ones where they are known."""
    return node.features if node.active_features is None else node.active_features


def is_big_enough(demand: Demand, node: Node) -> bool:
    """Whether the node, when idle, gives the floor of CPUs with their memory, and has the shape asked for."""
    return (
        node.tmp_disk_mib >= demand.tmp_disk_mib
        and node.sockets * node.boards >= demand.sockets
        and node.cores_per_socket >= demand.cores_per_socket
        and node.threads_per_core >= demand.threads_per_core
        and most_cpus(demand, node) >= demand.floor
    )


def most_cpus(demand: Demand, node: Node) -> int:
    """CPUs that an idle node of this kind can give to the tasks of a job."""
    threads = node.threads_per_core
    cores = node.cores
    memory = node.real_memory_mib
    if demand.memory_per_node_mib > memory:
        return 0
    if demand.tasks_per_socket:
        per_core = min(demand.threads, threads)
        per_socket = -(-demand.tasks_per_socket // per_core)
        cores = min(cores, node.sockets * min(per_socket, max(1, node.cores // node.sockets)))
    if demand.memory_per_cpu_mib:
        if demand.whole_nodes:
            if demand.memory_per_cpu_mib * node.cpus > memory:
                return 0
        else:
            cores = min(cores, memory // (demand.memory_per_cpu_mib * threads))
    cpus = min(cores * min(demand.threads, threads), demand.ceiling)
    return cpus - cpus % demand.unit


def _memory(cluster: Cluster, spec: JobSpec, partition: Partition) -> tuple[int, int, bool]:
    """MiB per CPU, MiB per node, and whether all memory of each node is meant (--mem=0)."""
    settings = cluster.settings
    if not settings.memory_is_consumed:
        return 0, 0, False
    for per_cpu, per_node in (
        (spec.memory_per_cpu_mib, spec.memory_per_node_mib),
        (partition.default_memory_per_cpu_mib, partition.default_memory_per_node_mib),
        (settings.default_memory_per_cpu_mib, settings.default_memory_per_node_mib),
    ):
        if per_cpu:
            return per_cpu, 0, False
        if per_node is not None:
            return 0, per_node, per_node == 0
    return 0, 0, False
