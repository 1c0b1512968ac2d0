"""Loading nodes: the controller's records, with the state that their use gives them."""

from __future__ import annotations

from flurm.client.connection import Controller
from flurm.client.states import with_use
from protocol.constants import MessageType, ShowFlag
from protocol.messages import NodeInfo, NodeInfoRequest, NodeInfoResponse

__all__ = ["load_nodes"]


def load_nodes(controller: Controller, flags: int = int(ShowFlag.ALL)) -> list[NodeInfo]:
    """Every node that may be shown. Raises Refused."""
    asked = NodeInfoRequest(show_flags=flags | ShowFlag.MIXED)
    found = controller.fetch(NodeInfoResponse, MessageType.REQUEST_NODE_INFO, asked).node_array
    nodes = [node for node in found if node is not None and node.name]
    for node in nodes:
        node.node_state = with_use(node.node_state, node.select_nodeinfo.alloc_cpus, node.cpus_efctv or node.cpus)
    return nodes
