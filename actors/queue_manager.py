"""Queue manager: owns the order of the pending queue.

Calls    QueueOrder(cluster, now_s) -> tuple of job ids, first to be considered first
Effects  none
"""

from __future__ import annotations

from typing import Any

import msgspec

from actors import messages as m
from flurm.core.records import Cluster
from flurm.otp import GenServer, Ok, Reply, Sender
from flurm.sched.queue import queue_order


class State(msgspec.Struct):
    """The last order, and of which state it is: a quiet queue need not be sorted twice."""

    cluster: Cluster | None = None
    now_s: int = 0
    order: tuple[int, ...] = ()


class QueueManager(GenServer):
    """Sorts what may run by partition tier, priority and age; leaves out what is held or not yet due."""

    vsn = 1

    def init(self, args: dict[str, Any]) -> Ok:
        return Ok(State())

    def handle_call(self, request: Any, sender: Sender, state: State) -> Reply:
        match request:
            case m.QueueOrder(cluster, now_s):
                if state.cluster is not cluster or state.now_s != now_s:
                    state = State(cluster, now_s, tuple(queue_order(cluster, now_s)))
                return Reply(state.order, state)
        raise NotImplementedError(repr(request))

    def format_status(self, state: State) -> Any:
        return {"length": len(state.order), "first": state.order[:10]}
