"""The rules of nodes: registration, silence, draining, and what happens to the jobs on a node that is lost."""

from flurm.core import dynamic_nodes, lifecycle, reboots
from flurm.core.commands import NodesMissing, NodesResponded, RegisterNode, UpdateNode
from flurm.core.effects import AskAgain, Effect, LaunchBatch, PingNodes, ScheduleSoon, TerminateJob
from flurm.core.enums import JobFlag, NodeFlag, NodeState, Reason, Refusal
from flurm.core.job_records import Job
from flurm.core.names import known_nodes
from flurm.core.node_records import Node
from flurm.core.numbering import with_members
from flurm.core.outcome import Outcome, is_operator, rejected
from flurm.core.records import Cluster
from flurm.core.tables import put, put_node, vacate
from flurm.core.trigger_events import note
from flurm.core.trigger_records import TriggerKind

NOT_RESPONDING = "Not responding"
_ASK_AGAIN_S = 60
"""A node is asked again within this time, whatever its clock says."""
_LOST_REASONS = (NOT_RESPONDING, "Node unexpectedly rebooted")


def register(cluster: Cluster, command: RegisterNode) -> Outcome:
    """A node daemon has told who it is: the node is up if it has what was configured.

    A node that was set down and still runs jobs that it lost stays down until it is clean of them: a job that was put
    back in the queue must not meet its former self there.
    """
    joined = dynamic_nodes.join(cluster, command.joins, command.now_s) if command.joins is not None else cluster
    node = joined.nodes.get(command.name) if joined is not None else None
    if joined is None or node is None:
        return rejected(cluster, Refusal.NO_SUCH_NODE)
    before, cluster = cluster.nodes.get(command.name), joined
    node = node.with_(facts=command.facts, flags=node.flags & ~(NodeFlag.NO_RESPOND | NodeFlag.POWERED_DOWN))
    fault = _fault(node, command)
    if fault is not None:
        node = node.with_(
            state=NodeState.IDLE if node.state is NodeState.UNKNOWN else node.state,
            flags=node.flags | NodeFlag.DRAIN | NodeFlag.INVALID_REG,
            reason=fault, reason_s=command.now_s, reason_uid=cluster.settings.slurm_user_id,
        )  # fmt: skip
    elif reboots.is_away(node, command.facts.boot_s):
        pass  # it has not gone down yet
    elif node.flags & NodeFlag.REBOOT_ISSUED:
        node = reboots.come_back(node, command.now_s)
    elif node.state is not NodeState.DOWN or set(command.jobs) <= set(node.jobs):
        node = _revived(cluster, node)
    if command.drain_reason is not None:
        node = lifecycle.drained(node, command.drain_reason, command.now_s)
    if not node.last_busy_s:
        node = node.with_(last_busy_s=command.now_s)
    if node == before and not command.startup and set(node.jobs) == set(command.jobs):
        return Outcome(cluster)
    cluster = put_node(cluster, node).with_(nodes_changed_s=command.now_s)
    cluster, effects = _reconcile(cluster, node, command)
    return Outcome(cluster, effects=(*effects, ScheduleSoon()))


def _fault(node: Node, command: RegisterNode) -> str | None:
    facts = command.facts
    if facts.cpus < node.cpus:
        return f"Low socket*core*thread count, Low CPUs (reported:{facts.cpus} < configured:{node.cpus})"
    if facts.real_memory_mib < node.real_memory_mib:
        share = 100 * facts.real_memory_mib / max(1, node.real_memory_mib)
        return f"Low RealMemory (reported:{facts.real_memory_mib} < {share:.2f}% of configured:{node.real_memory_mib})"
    if facts.tmp_disk_mib < node.tmp_disk_mib:
        return f"Low TmpDisk (reported:{facts.tmp_disk_mib} < configured:{node.tmp_disk_mib})"
    return None


def _revived(cluster: Cluster, node: Node) -> Node:
    if node.flags & NodeFlag.INVALID_REG:
        node = node.with_(flags=node.flags & ~(NodeFlag.INVALID_REG | NodeFlag.DRAIN), reason=None, reason_s=0)
    if node.state is NodeState.UNKNOWN:
        return node.with_(state=NodeState.IDLE)
    if node.state is NodeState.DOWN:
        back = cluster.settings.return_to_service
        if back == 2 or (back == 1 and node.reason in _LOST_REASONS):
            kept = bool(node.flags & NodeFlag.DRAIN)
            return node.with_(
                state=NodeState.IDLE, reason=node.reason if kept else None, reason_s=node.reason_s if kept else 0
            )
    return node


def _reconcile(cluster: Cluster, node: Node, command: RegisterNode) -> tuple[Cluster, tuple[Effect, ...]]:
    """Compare what the daemon knows with what the cluster believes, and act on every difference."""
    effects: list[Effect] = []
    known = set(command.jobs)
    too_soon_s = 0
    for job_id in node.jobs:
        job = cluster.jobs[job_id]
        here = 1 << node.index
        if job.completing & here:
            effects.append(TerminateJob(job_id, (node.name,)))
        elif job.launch == "wanted" and job.batch_host == node.name:
            effects.append(LaunchBatch(job_id))
        elif job.launch == "prolog":
            continue
        elif job_id not in known and job.launch == "sent" and job.batch_host == node.name:
            # Its daemon must know a job whose script it has; one without has nothing on its nodes between two steps.
            if job.start_s < command.since_s:
                outcome = _lose(cluster, job, node, command.now_s)
                cluster = outcome.cluster
                effects.extend(outcome.effects)
            else:
                too_soon_s = max(too_soon_s, job.start_s - command.since_s + 1)
    held = set(node.jobs)
    for job_id in sorted((known | set(node.lost)) - held):
        effects.append(TerminateJob(job_id, (node.name,)))
    if too_soon_s:
        effects.append(AskAgain(node.name, min(too_soon_s, _ASK_AGAIN_S)))
    return cluster, tuple(effects)


def _lose(cluster: Cluster, job: Job, node: Node, now_s: int, *, may_requeue: bool = True) -> Outcome:
    """A job's node is gone, or has forgotten the job: requeue it where it may be, else it has failed."""
    if job.spec.requeue and may_requeue:
        return lifecycle.requeue(cluster, job, now_s, reason=Reason.NONE, delay=False)
    return lifecycle.finish(cluster, job, "lose node", now_s, reason=Reason.NODE_DOWN)


def responded(cluster: Cluster, command: NodesResponded) -> Outcome:
    """These nodes answer again; a node that was set down for its silence must register before it is used."""
    revived = False
    for name in command.names:
        node = cluster.nodes.get(name)
        if node is not None and node.flags & NodeFlag.NO_RESPOND:
            cluster = put_node(cluster, node.with_(flags=node.flags & ~NodeFlag.NO_RESPOND))
            revived = True
    if not revived:
        return Outcome(cluster)
    return Outcome(cluster.with_(nodes_changed_s=command.now_s), effects=(PingNodes(command.names), ScheduleSoon()))


def missing(cluster: Cluster, command: NodesMissing) -> Outcome:
    """These nodes are silent: marked so first, set down with their jobs lost when it lasts."""
    effects: list[Effect] = []
    for name in command.names:
        node = cluster.nodes.get(name)
        if node is None or node.state is NodeState.DOWN:
            continue
        node = node.with_(flags=node.flags | NodeFlag.NO_RESPOND)
        cluster = put_node(cluster, node)
        if command.down:
            cluster, lost = set_down(cluster, node, command.reason, 0, command.now_s)
            effects.extend(lost)
    return Outcome(cluster.with_(nodes_changed_s=command.now_s), effects=(*effects, ScheduleSoon()))


def set_down(
    cluster: Cluster, node: Node, reason: str | None, user_id: int, now_s: int, *, may_requeue: bool = True
) -> tuple[Cluster, tuple[Effect, ...]]:
    """Take a node out of service; its jobs are requeued, where that may be, or fail, and hold nothing of it any
    more."""
    node = node.with_(
        state=NodeState.DOWN, reason=reason or node.reason, reason_s=now_s if reason else node.reason_s,
        reason_uid=user_id if reason else node.reason_uid,
    )  # fmt: skip
    cluster = put_node(cluster, node)
    effects: list[Effect] = []
    for job_id in node.jobs:
        job = cluster.jobs[job_id]
        if not job.completing:
            outcome = _lose(cluster, job, node, now_s, may_requeue=may_requeue)
            cluster = outcome.cluster
            effects.extend(outcome.effects)
            job = cluster.jobs[job_id]
        outcome = _give_up(cluster, job, cluster.nodes[node.name], now_s)
        cluster = outcome.cluster
        effects.extend(outcome.effects)
    return cluster, tuple(effects)


def _give_up(cluster: Cluster, job: Job, node: Node, now_s: int) -> Outcome:
    """Have the job wait no longer for a dead node to be clean of it; the node does, before it is used again."""
    cluster = vacate(cluster, job, node.with_(lost=(*node.lost, job.id)), now_s)
    job = lifecycle.settled(cluster, job.with_(completing=job.completing & ~(1 << node.index)), now_s)
    cluster = put(cluster, job)
    return Outcome(cluster) if job.flags & JobFlag.COMPLETING else lifecycle.retest_dependents(cluster, now_s)


def update(cluster: Cluster, command: UpdateNode) -> Outcome:
    """An administrator changes nodes' states and fields."""
    if not is_operator(cluster, command.user_id):
        return rejected(cluster, Refusal.USER_ID_MISSING)
    names = known_nodes(cluster, command.names)
    if names is None:
        return rejected(cluster, Refusal.INVALID_NODE_NAME)
    effects: list[Effect] = []
    for name in names:
        node = cluster.nodes[name]
        if command.changes:
            node = node.with_(**_converted(command.changes))
        if command.reason is not None:
            node = node.with_(reason=command.reason or None, reason_s=command.now_s, reason_uid=command.user_id)
        cluster = put_node(cluster, node)
        if command.state is not None:
            changed = _set_state(cluster, node, command)
            if isinstance(changed, Refusal):
                return rejected(cluster, changed)
            cluster, more = changed
            effects.extend(more)
    if command.changes:
        cluster = with_members(cluster, command.now_s)
    if command.state is not None:
        cluster = note(cluster, TriggerKind.RECONFIG)
    return Outcome(cluster.with_(nodes_changed_s=command.now_s), effects=(*effects, ScheduleSoon()))


def _converted(changes: dict[str, object]) -> dict[str, object]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in changes.items()}


def _set_state(cluster: Cluster, node: Node, command: UpdateNode) -> tuple[Cluster, tuple[Effect, ...]] | Refusal:
    match command.state:
        case "drain":
            node = node.with_(flags=node.flags | NodeFlag.DRAIN)
        case "undrain":
            node = node.with_(flags=node.flags & ~NodeFlag.DRAIN)
        case "fail":
            node = node.with_(flags=node.flags | NodeFlag.FAIL)
        case "cancel_reboot":
            cancelled = reboots.cancel(node)
            if cancelled is None:
                return Refusal.INVALID_NODE_STATE
            node = cancelled
        case "resume" | "idle":
            if node.state is NodeState.IDLE and not node.flags & (NodeFlag.DRAIN | NodeFlag.FAIL):
                return Refusal.INVALID_NODE_STATE
            node = _resumed(reboots.dropped(node))
        case "no_respond":
            node = node.with_(flags=node.flags | NodeFlag.NO_RESPOND)
        case "down":
            return set_down(cluster, reboots.dropped(node), None, command.user_id, command.now_s)
        case _:
            return Refusal.INVALID_NODE_STATE
    if command.state in ("undrain", "resume", "idle") and command.reason is None:
        node = node.with_(reason=None, reason_s=0, reason_uid=0xFFFFFFFE)
    return put_node(cluster, node), (PingNodes((node.name,)),)


def _resumed(node: Node) -> Node:
    flags = node.flags & ~(NodeFlag.DRAIN | NodeFlag.FAIL)
    if node.state is NodeState.DOWN:
        return node.with_(state=NodeState.IDLE, flags=flags)
    return node.with_(flags=flags)
