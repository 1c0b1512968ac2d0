"""When node daemons are to run a site's programs: prologs at allocation, and health checks.

Pure: the configuration and the cluster in, names of nodes out. HealthCheckNodeState is taken as slurm.conf(5) has it; a
check of many nodes at once stays within one request to each, and CYCLE spreads a round over the interval.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from flurm.config import Config
from flurm.core.enums import NodeFlag, NodeState
from flurm.core.node_records import Node
from flurm.core.records import Cluster

__all__ = ["HealthChecks", "health_checks", "launches_prologs"]

_NOT_AT_ALLOCATION = frozenset({"", "serial"})


def launches_prologs(config: Config) -> bool:
    """Whether the daemons of a job's nodes wait to be told to run its prolog: PrologFlags has any word but Serial."""
    return bool(_words(config.slurm.get("PrologFlags", "")) - _NOT_AT_ALLOCATION)


class HealthChecks(NamedTuple):
    """Which nodes are checked how often. `interval_s` 0: none."""

    interval_s: int
    states: frozenset[str]
    cycles: bool

    @property
    def tick_s(self) -> float:
        """How long to wait from one batch to the next."""
        return 1.0 if self.cycles and self.interval_s else float(self.interval_s)

    def due(self, cluster: Cluster, after: str) -> list[str]:
        """The nodes whose turn it is, `after` being the last of the batch before. One that does not answer, or was
        never heard of, has no turn."""
        names = list(cluster.node_order)
        if not self.cycles:
            return [name for name in names if self._wants(cluster.nodes[name])]
        count = min(len(names), math.ceil(len(names) * self.tick_s / self.interval_s))
        first = names.index(after) + 1 if after in names else 0
        turn = [names[(first + place) % len(names)] for place in range(count)]
        return [name for name in turn if self._wants(cluster.nodes[name])]

    def last(self, cluster: Cluster, after: str) -> str:
        """The last node of the batch that follows on `after`, whether it is checked or not."""
        names = list(cluster.node_order)
        if not names:
            return ""
        count = min(len(names), math.ceil(len(names) * self.tick_s / self.interval_s))
        first = names.index(after) + 1 if after in names else 0
        return names[(first + count - 1) % len(names)]

    def _wants(self, node: Node) -> bool:
        if node.facts is None or node.flags & NodeFlag.NO_RESPOND or node.state is NodeState.FUTURE:
            return False
        return "any" in self.states or bool(self.states & _states_of(node))


def health_checks(config: Config) -> HealthChecks:
    """What the configuration says; no state at all is any state, and START_ONLY leaves it to the daemon's start."""
    slurm = config.slurm
    text = slurm.get("HealthCheckInterval", "0").strip()
    words = _words(slurm.get("HealthCheckNodeState", "")) - {""}
    states = words - {"cycle"} or frozenset({"any"})
    wanted = bool(slurm.get("HealthCheckProgram", "").strip()) and "start_only" not in states
    interval_s = int(text) if wanted and text.isdigit() else 0
    return HealthChecks(interval_s, frozenset(states), "cycle" in words)


def _states_of(node: Node) -> frozenset[str]:
    """What HealthCheckNodeState calls the state that a node is in."""
    match node.shown_state:
        case NodeState.ALLOCATED:
            return frozenset({"alloc"})
        case NodeState.MIXED:
            return frozenset({"mixed"})
        case NodeState.IDLE:
            return frozenset({"idle"} if node.flags & NodeFlag.DRAIN else {"idle", "nondrained_idle"})
    return frozenset()


def _words(text: str) -> frozenset[str]:
    return frozenset(word.strip().lower() for word in text.split(","))
