"""Partition manager: owns the rules of partitions.

Calls    Request(CreatePartition | UpdatePartition | DeletePartition) -> Reply | Unavailable
Effects  none of its own: commands go to consensus; the state manager answers the caller when they are committed
Errors   a refusal is a value; an exception is a bug and crashes the process
"""

from __future__ import annotations

from typing import Any

from actors import messages as m
from flurm.core import commands as c
from flurm.core import partitions
from flurm.core.effects import Rejected
from flurm.core.enums import Refusal
from flurm.core.outcome import is_operator
from flurm.otp import GenServer, NoReply, Ok, Reply, Sender

CONSENSUS = "flurm_consensus"


class PartitionManager(GenServer):
    """Turns down what cannot be, and proposes the rest."""

    vsn = 1

    def init(self, args: dict[str, Any]) -> Ok:
        return Ok({"changes": 0})

    def handle_call(self, request: Any, sender: Sender, state: Any) -> Reply | NoReply:
        match request:
            case m.Request(c.CreatePartition() | c.UpdatePartition() | c.DeletePartition() as command):
                cluster = self.system.terms["cluster"]
                if not is_operator(cluster, command.user_id):
                    return Reply(Rejected(Refusal.USER_ID_MISSING), state)
                nodes = _node_list(command)
                if nodes is not None and partitions.resolve_nodes(cluster, nodes) is None:
                    return Reply(Rejected(Refusal.INVALID_NODE_NAME), state)
                state["changes"] += 1
                self.cast(CONSENSUS, m.propose(command, sender))
                return NoReply(state)
        raise NotImplementedError(repr(request))


def _node_list(command: c.AnyCommand) -> str | None:
    match command:
        case c.CreatePartition(partition=partition):
            return partition.nodes
        case c.UpdatePartition(changes=changes):
            nodes = changes.get("nodes")
            return nodes if isinstance(nodes, str) else None
    return None
