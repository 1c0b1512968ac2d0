"""Features of nodes in `scontrol update nodename=`: those that are active are among those that there are."""

from __future__ import annotations

from flurm.core.demand import features_of
from flurm.core.records import Cluster
from protocol.hostlist import HostlistError, expand
from protocol.messages import NodeUpdate

__all__ = ["has_active_features"]


def has_active_features(record: NodeUpdate, cluster: Cluster) -> bool:
    """Whether on each of the nodes that there are the active features would be among the available ones."""
    if record.features is None and record.features_act is None:
        return True
    try:
        names = expand(record.node_names or "")
    except HostlistError:
        return True
    for node in (cluster.nodes[name] for name in names if name in cluster.nodes):
        available = node.features if record.features is None else _words(record.features)
        active = features_of(node) if record.features_act is None else _words(record.features_act)
        if not set(active) <= set(available):
            return False
    return True


def _words(text: str) -> set[str]:
    return {word for word in text.split(",") if word}
