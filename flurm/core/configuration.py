"""Applying the configuration: nodes and partitions appear, change and go; what administrators changed stays, and so do
nodes that joined without being configured."""

from immutables import Map

from flurm.core import nodes as node_rules
from flurm.core.commands import Configure
from flurm.core.effects import Effect, PingNodes, ScheduleSoon
from flurm.core.enums import NodeFlag
from flurm.core.numbering import is_dynamic, members, renumbered
from flurm.core.outcome import Outcome
from flurm.core.records import Cluster, Node, Partition

_CONFIGURED = (
    "hostname", "address", "port", "cpus", "boards", "sockets", "cores_per_socket", "threads_per_core",
    "real_memory_mib", "tmp_disk_mib", "weight", "features", "gres",
)  # fmt: skip


def configure(cluster: Cluster, command: Configure) -> Outcome:
    """Make the cluster what the configuration says, keeping jobs, node states and run-time changes."""
    fresh = not cluster.nodes and not cluster.jobs
    changed = _of_cluster(command.fingerprint) != _of_cluster(cluster.fingerprint) or not command.keep_changes
    cluster, effects = _drop_nodes(cluster, command)
    cluster = cluster.with_(
        settings=command.settings,
        fingerprint=command.fingerprint,
        shape_version=cluster.shape_version + 1,
        configured_s=command.now_s,
    )
    if fresh:
        cluster = cluster.with_(next_job_id=max(cluster.next_job_id, command.settings.first_job_id))
    for node in command.nodes:
        cluster = _put_configured(cluster, node, changed)
    if changed:
        cluster = cluster.with_(partitions=Map())
    for partition in command.partitions:
        cluster = _put_partition(cluster, partition)
    cluster = cluster.with_(
        nodes_changed_s=command.now_s, partitions_changed_s=command.now_s, jobs_changed_s=command.now_s
    )
    pings = PingNodes(tuple(node.name for node in command.nodes))
    return Outcome(cluster, effects=(*effects, pings, ScheduleSoon()))


def _of_cluster(fingerprint: str) -> str:
    """The part of a fingerprint that speaks of settings, nodes and partitions."""
    return fingerprint.partition("/")[0]


def _drop_nodes(cluster: Cluster, command: Configure) -> tuple[Cluster, tuple[Effect, ...]]:
    """Nodes that are gone lose their jobs; indexes of those that stay must not move while jobs run."""
    wanted = {node.name for node in command.nodes}
    effects: list[Effect] = []
    for name in cluster.node_order:
        node = cluster.nodes[name]
        if name in wanted or is_dynamic(node):
            continue
        cluster, lost = node_rules.set_down(cluster, node, "removed from the configuration", 0, command.now_s)
        effects.extend(lost)
    configured = [node.name for node in command.nodes]
    joined = [name for name in cluster.node_order if name not in wanted and is_dynamic(cluster.nodes[name])]
    return renumbered(cluster, configured + joined), tuple(effects)


def _put_configured(cluster: Cluster, node: Node, changed: bool) -> Cluster:
    index = cluster.node_order.index(node.name)
    known = cluster.nodes.get(node.name)
    if known is None:
        return cluster.with_(nodes=cluster.nodes.set(node.name, node.with_(index=index)))
    known = known.with_(index=index)
    if is_dynamic(known):  # the configuration names it now
        known, changed = known.with_(flags=known.flags & ~NodeFlag.DYNAMIC_NORM, declared=None), True
    if changed:
        known = known.with_(**{name: getattr(node, name) for name in _CONFIGURED})
    return cluster.with_(nodes=cluster.nodes.set(node.name, known))


def _put_partition(cluster: Cluster, partition: Partition) -> Cluster:
    known = cluster.partitions.get(partition.name)
    if known is not None:
        partition = known
    stored = partition.with_(node_mask=members(cluster, partition))
    return cluster.with_(partitions=cluster.partitions.set(partition.name, stored))
