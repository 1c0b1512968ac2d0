"""The rules of partitions: who may change them, and what their node lists mean."""

from flurm.core.commands import CreatePartition, DeletePartition, UpdatePartition
from flurm.core.effects import ScheduleSoon
from flurm.core.enums import Refusal
from flurm.core.names import BadNodeList, expand
from flurm.core.node_records import Partition
from flurm.core.numbering import members
from flurm.core.outcome import Outcome, is_operator, rejected
from flurm.core.records import Cluster


def resolve_nodes(cluster: Cluster, text: str) -> int | None:
    """The mask of a node list (`ALL` for every node); None where it is none, or a name is unknown."""
    if text.upper() == "ALL":
        return (1 << len(cluster.node_order)) - 1
    try:
        names = expand(text) if text and text != "(null)" else []
    except BadNodeList:
        return None
    if any(name not in cluster.nodes for name in names):
        return None
    return cluster.mask_of(names)


def create(cluster: Cluster, command: CreatePartition) -> Outcome:
    """Add a partition."""
    if not is_operator(cluster, command.user_id):
        return rejected(cluster, Refusal.USER_ID_MISSING)
    if not command.partition.name or command.partition.name in cluster.partitions:
        return rejected(cluster, Refusal.INVALID_PARTITION_NAME)
    return _stored(cluster, command.partition, command.now_s)


def update(cluster: Cluster, command: UpdatePartition) -> Outcome:
    """Change a partition's state and fields."""
    if not is_operator(cluster, command.user_id):
        return rejected(cluster, Refusal.USER_ID_MISSING)
    partition = cluster.partitions.get(command.name)
    if partition is None:
        return rejected(cluster, Refusal.INVALID_PARTITION_NAME)
    if command.state is not None:
        partition = partition.with_(state=command.state)
    return _stored(cluster, partition.with_(**command.changes), command.now_s)


def delete(cluster: Cluster, command: DeletePartition) -> Outcome:
    """Remove a partition that no job uses."""
    if not is_operator(cluster, command.user_id):
        return rejected(cluster, Refusal.USER_ID_MISSING)
    if command.name not in cluster.partitions:
        return rejected(cluster, Refusal.INVALID_PARTITION_NAME)
    for index in (cluster.pending, cluster.active):
        if any(command.name in cluster.jobs[i].spec.partitions for i in index):
            return rejected(cluster, Refusal.PARTITION_IN_USE)
    left = cluster.partitions.delete(command.name)
    return Outcome(cluster.with_(partitions=left, partitions_changed_s=command.now_s))


def _stored(cluster: Cluster, partition: Partition, now_s: int) -> Outcome:
    mask = resolve_nodes(cluster, partition.nodes)
    if mask is None:
        return rejected(cluster, Refusal.INVALID_NODE_NAME)
    table = cluster.partitions
    if partition.is_default:
        for other in list(table.values()):
            if other.is_default and other.name != partition.name:
                table = table.set(other.name, other.with_(is_default=False))
    table = table.set(partition.name, partition.with_(node_mask=mask | members(cluster, partition)))
    return Outcome(cluster.with_(partitions=table, partitions_changed_s=now_s), effects=(ScheduleSoon(),))
