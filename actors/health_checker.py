"""Health checker: knows how the rest of the tree is.

Calls    "health" -> the documented JSON: status, consensus, nodes, jobs
Infos    its own timer; looks at the processes, not only at whether they exist
Effects  publishes the term "health"
"""

from __future__ import annotations

from typing import Any

import structlog

from actors.backlog import overloaded
from flurm.core.enums import JobState
from flurm.core.records import Cluster
from flurm.otp import GenServer, NoReply, Ok, Reply, Sender

EVERY_S = 5.0
NEEDED = (
    "flurm_consensus",
    "flurm_state_manager",
    "flurm_job_manager",
    "flurm_node_manager",
    "flurm_scheduler_engine",
    "flurm_acceptor_pool",
)

log = structlog.get_logger(__name__)


class HealthChecker(GenServer):
    """Healthy: every needed process is there and this controller knows a leader. One that is overloaded is named, and
    no reason to take the controller for ill: it works."""

    vsn = 1

    def init(self, args: dict[str, Any]) -> Ok:
        self.send_after(0.2, "check")
        return Ok({"status": "starting"})

    def handle_call(self, request: Any, sender: Sender, state: dict[str, Any]) -> Reply:
        state = self._check(state)
        return Reply(state, state)

    def handle_info(self, message: Any, state: dict[str, Any]) -> NoReply:
        if message == "check":
            state = self._check(state)
            self.send_after(EVERY_S, "check")
        return NoReply(state)

    def _check(self, before: dict[str, Any]) -> dict[str, Any]:
        missing = [name for name in NEEDED if self.system.whereis(name) is None]
        consensus = self.system.terms.get("consensus")
        role = consensus.role.value if consensus is not None else "unknown"
        healthy = not missing and consensus is not None and consensus.leader is not None
        state: dict[str, Any] = {"status": "healthy" if healthy else "unhealthy", "consensus": role}
        state |= census(self.system.terms.get("cluster"))
        if missing:
            state["missing"] = missing
        if too_long := overloaded(self.system.processes()):
            state["overloaded"] = too_long
        if state["status"] != before.get("status"):
            log.info("health changed", status=state["status"], missing=missing)
        self.system.terms["health"] = state
        return state


def census(cluster: Cluster | None) -> dict[str, Any]:
    """Counts of nodes and jobs as /health shows them."""
    if cluster is None:
        return {"nodes": {"total": 0, "up": 0, "down": 0}, "jobs": {"running": 0, "pending": 0}}
    down = sum(1 for node in cluster.nodes.values() if not node.is_up)
    running = sum(1 for i in cluster.active if cluster.jobs[i].state is JobState.RUNNING)
    pending = 0
    for job_id in cluster.pending:
        array = cluster.jobs[job_id].array
        pending += array.waiting.bit_count() if array is not None and array.task_id is None else 1
    total = len(cluster.nodes)
    return {
        "nodes": {"total": total, "up": total - down, "down": down},
        "jobs": {"running": running, "pending": pending},
    }
