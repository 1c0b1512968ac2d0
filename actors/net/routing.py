"""Which requests a controller answers that is not in charge, and which it gives to the one that is."""

from __future__ import annotations

from flurm.bridge import queries
from flurm.core.records import Cluster
from flurm.raft.effects import RejectReason
from protocol.constants import MessageType

OF_THIS_CONTROLLER = frozenset(
    {
        MessageType.REQUEST_PING,
        MessageType.REQUEST_CONTROL_STATUS,
        MessageType.REQUEST_SHUTDOWN,
        MessageType.REQUEST_CONTROL,
        MessageType.REQUEST_TAKEOVER,
        MessageType.REQUEST_SET_DEBUG_LEVEL,
        MessageType.REQUEST_SET_DEBUG_FLAGS,
        MessageType.REQUEST_SET_SCHEDLOG_LEVEL,
        MessageType.REQUEST_AUTH_TOKEN,
    }
)
"""What is asked of the controller itself, in charge or not."""
KNOWN_IN_CHARGE = frozenset(
    {
        MessageType.REQUEST_NODE_INFO,
        MessageType.REQUEST_NODE_INFO_SINGLE,
        MessageType.REQUEST_STATS_INFO,
        MessageType.REQUEST_JOB_WILL_RUN,
        MessageType.REQUEST_CONFIG,
    }
)
"""Reads whose answer is not in the log alone: nodes tell their load to the controller in charge, which also plans, and
whose files are the cluster's. They are current: it answers only once it is sure that no other one leads by now."""
LEADERSHIP = frozenset({RejectReason.NOT_LEADER, RejectReason.LEADERSHIP_LOST, RejectReason.TRANSFERRING})
"""Another controller has to be asked: nothing was done, or it knows by the request's id what was."""


def is_known_here(msg_type: int, cluster: Cluster) -> bool:
    """Whether a controller that is not in charge answers this itself: what it may say a moment late, from its own
    copy of the state, once it has one."""
    if msg_type in OF_THIS_CONTROLLER:
        return True
    return cluster.version > 0 and queries.is_query(msg_type) and msg_type not in KNOWN_IN_CHARGE
