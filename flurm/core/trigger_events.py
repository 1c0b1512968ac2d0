"""Noting what happens, for triggers: only where there are any, by whoever changes a node or hears of an event."""

from flurm.core.enums import NodeFlag, NodeState
from flurm.core.node_records import Node
from flurm.core.records import Cluster
from flurm.core.trigger_records import TriggerEvents, TriggerKind


def changes_of(before: Node, after: Node) -> int:
    """What a change of a node is to those who wait for it."""
    was, now = _conditions(before), _conditions(after)
    found = now & ~was
    if was & TriggerKind.DOWN and not now & TriggerKind.DOWN:
        found |= TriggerKind.UP
    out_of_service = TriggerKind.DOWN | TriggerKind.DRAINED | TriggerKind.DRAINING | TriggerKind.FAIL
    if was & out_of_service and not now & out_of_service:
        found |= TriggerKind.RESUME
    return int(found)


def _conditions(node: Node) -> TriggerKind:
    """What a node is, of what can be waited for; one that reboots because it was told to is not down."""
    found = TriggerKind(0)
    if node.state is NodeState.DOWN and not node.flags & NodeFlag.REBOOT_ISSUED:
        found |= TriggerKind.DOWN
    if node.flags & NodeFlag.FAIL:
        found |= TriggerKind.FAIL
    if node.flags & NodeFlag.DRAIN:
        found |= TriggerKind.DRAINING if node.jobs else TriggerKind.DRAINED
    return found


def note_node(cluster: Cluster, before: Node, after: Node) -> Cluster:
    """The cluster, where somebody has set triggers, with what this change is to them."""
    if not cluster.triggers or not (found := changes_of(before, after)):
        return cluster
    events = cluster.trigger_events or TriggerEvents()
    nodes = events.nodes.set(after.name, events.nodes.get(after.name, 0) | found)
    return cluster.with_(trigger_events=events.with_(nodes=nodes))


def note(cluster: Cluster, kinds: int) -> Cluster:
    """The same for what concerns no node."""
    if not cluster.triggers or not kinds:
        return cluster
    events = cluster.trigger_events or TriggerEvents()
    return cluster.with_(trigger_events=events.with_(other=events.other | kinds))
