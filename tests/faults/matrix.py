"""Who may talk to whom: the documented component interaction matrix, and the rest of the documented tree beside it.

The architecture document ("Component Interaction Matrix") names five components. Here they stand for these processes:
Protocol for the acceptor pool with its connection handlers, decoder and encoder; State for the state manager and the
consensus under it, by which state is written. "sync" is a request that is answered; nobody waits for the answer in a
mailbox, so on the wire between actors it is a call, or a cast that carries whom to answer. "async" is never a call.
"""

from __future__ import annotations

PROTOCOL, JOBS, NODES, SCHEDULER, STATE = "Protocol", "JobManager", "NodeManager", "SchedulerEngine", "StateManager"

COMPONENT = {
    "connection handler": PROTOCOL,
    "flurm_acceptor_pool": PROTOCOL,
    "flurm_protocol_decoder": PROTOCOL,
    "flurm_protocol_encoder": PROTOCOL,
    "flurm_job_manager": JOBS,
    "flurm_node_manager": NODES,
    "flurm_scheduler_engine": SCHEDULER,
    "flurm_state_manager": STATE,
    "flurm_consensus": STATE,
}

SYNC, ASYNC = frozenset({"call", "cast", "info"}), frozenset({"cast", "info"})

MATRIX = {
    (PROTOCOL, JOBS): SYNC,
    (JOBS, PROTOCOL): SYNC,
    (JOBS, NODES): ASYNC,
    (JOBS, SCHEDULER): ASYNC,
    (JOBS, STATE): SYNC,
    (NODES, JOBS): ASYNC,
    (NODES, SCHEDULER): ASYNC,
    (NODES, STATE): SYNC,
    (SCHEDULER, JOBS): ASYNC,
    (SCHEDULER, NODES): ASYNC,
    (SCHEDULER, STATE): SYNC,
    (STATE, JOBS): SYNC,
    (STATE, NODES): SYNC,
    (STATE, SCHEDULER): SYNC,
}
"""The matrix itself, sender first; what it marks "-" is not here."""

BESIDE = {
    # "Partition manager", "Queue manager" (component descriptions): the engine asks for the order of the queue;
    # requests about partitions go to their manager, which writes state as the other managers do.
    (PROTOCOL, "flurm_partition_manager"): SYNC,
    ("flurm_partition_manager", STATE): SYNC,
    (SCHEDULER, "flurm_queue_manager"): SYNC,
    # "Scheduler plugins" (scheduling document): the engine asks one for a plan, and starts those that are not there.
    (SCHEDULER, "flurm_sched_fifo"): SYNC,
    (SCHEDULER, "flurm_sched_backfill"): SYNC,
    (SCHEDULER, "flurm_sched_fairshare"): SYNC,
    (SCHEDULER, "flurm_sched_plugin_sup"): SYNC,
    # "Metrics" (the tree): whoever did something that took time tells the tracer.
    (PROTOCOL, "flurm_tracer"): ASYNC,
    (SCHEDULER, "flurm_tracer"): ASYNC,
    (NODES, "flurm_tracer"): ASYNC,
}
"""What the tree documents and the matrix has no row for."""

OUTSIDE = {
    # Threads that are no processes: timers, the log writer, the node agents, the HTTP server, the application.
    ("timer or thread", STATE): ASYNC,
    ("timer or thread", JOBS): SYNC,
    ("timer or thread", NODES): ASYNC,
    ("timer or thread", SCHEDULER): ASYNC,
    ("timer or thread", PROTOCOL): SYNC,
    ("timer or thread", "flurm_health_checker"): SYNC,
    ("timer or thread", "flurm_tracer"): SYNC,
}


def component(process: str) -> str:
    """The component that a process, by the name that `System.tap` gives it, belongs to."""
    if not process:
        return "timer or thread"
    if process.startswith("<"):
        process = "connection handler"  # the only processes without names
    return COMPONENT.get(process, process)


def is_allowed(sender: str, receiver: str, kind: str) -> bool:
    """Whether a message of this kind may go from one process to another."""
    pair = component(sender), component(receiver)
    return pair[0] == pair[1] or kind in {**MATRIX, **BESIDE, **OUTSIDE}.get(pair, ())
