"""Applying the configuration: nodes and partitions appear, change and go; what administrators changed stays, and so do
nodes that joined without being configured.

Jobs whose partition or node is gone fail (NODE_FAIL, reason NodeDown), waiting ones too that ask for nothing else, and
none is requeued: so slurmctld 22.05 and 24.11 have it.
"""

from immutables import Map

from flurm.core import lifecycle
from flurm.core import nodes as node_rules
from flurm.core.commands import Configure
from flurm.core.effects import Effect, PingNodes, ScheduleSoon
from flurm.core.enums import JobState, NodeFlag, Reason
from flurm.core.job_records import Job
from flurm.core.names import expand
from flurm.core.node_records import Node, Partition
from flurm.core.numbering import is_dynamic, members, renumbered
from flurm.core.outcome import Outcome
from flurm.core.records import Cluster
from flurm.core.tables import put
from flurm.core.trigger_events import note
from flurm.core.trigger_records import TriggerKind

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
    cluster, failed = _fail_displaced(cluster, command.now_s)
    cluster = cluster.with_(
        nodes_changed_s=command.now_s, partitions_changed_s=command.now_s, jobs_changed_s=command.now_s
    )
    cluster = note(cluster, TriggerKind.RECONFIG)
    pings = PingNodes(tuple(node.name for node in command.nodes))
    return Outcome(cluster, effects=(*effects, *failed, pings, ScheduleSoon()))


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
        cluster, lost = node_rules.set_down(
            cluster, node, "removed from the configuration", 0, command.now_s, may_requeue=False
        )
        effects.extend(lost)
    configured = [node.name for node in command.nodes]
    joined = [name for name in cluster.node_order if name not in wanted and is_dynamic(cluster.nodes[name])]
    return renumbered(cluster, configured + joined), tuple(effects)


def _fail_displaced(cluster: Cluster, now_s: int) -> tuple[Cluster, tuple[Effect, ...]]:
    """End jobs that are in a partition that is gone, and those that wait for what is gone."""
    effects: list[Effect] = []
    for job_id in (*cluster.active, *cluster.pending):
        job = cluster.jobs[job_id]
        if job.state is JobState.PENDING:
            left = _without_lost_partitions(cluster, job)
            cluster = cluster if left is job else put(cluster, left)
            outcome = _failed_while_waiting(cluster, left, now_s)
        elif job.state.is_finished or job.partition in cluster.partitions:
            continue
        else:
            outcome = lifecycle.finish(cluster, job, "lose node", now_s, reason=Reason.NODE_DOWN)
        cluster = outcome.cluster
        effects.extend(outcome.effects)
    return cluster, tuple(effects)


def _without_lost_partitions(cluster: Cluster, job: Job) -> Job:
    """A waiting job that names several partitions goes on with those that are left."""
    left = tuple(name for name in job.spec.partitions if name in cluster.partitions)
    if not left or left == job.spec.partitions:
        return job
    partition = job.partition if job.partition in left else left[0]
    return job.with_(spec=job.spec.with_(partitions=left), partition=partition)


def _failed_while_waiting(cluster: Cluster, job: Job, now_s: int) -> Outcome:
    wanted = expand(job.spec.required_nodes) if job.spec.required_nodes else []
    if job.partition in cluster.partitions and all(name in cluster.nodes for name in wanted):
        return Outcome(cluster)
    failed = job.with_(reason=Reason.NODE_DOWN, reason_text=None)
    return lifecycle.cancel_pending(put(cluster, failed), failed, now_s, event="lose node")


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
