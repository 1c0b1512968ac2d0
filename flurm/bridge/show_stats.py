"""What sdiag prints: counters that the processes of the tree fill, and their form on the wire.

`Counters` is a plain record with numbers only; whoever counts writes into it, whoever is asked reads it as it is at
that moment. Times of requests and scheduling passes are microseconds, as sdiag prints them.
"""

from __future__ import annotations

import msgspec

from flurm.core.enums import JobState
from flurm.core.records import Cluster
from protocol.messages import StatsResponse

__all__ = ["Backfill", "Calls", "Counters", "Passes", "stats_response"]

_EXIT_REASONS = 6
_BACKFILL_EXIT_REASONS = 6


class Calls(msgspec.Struct):
    """How often something was asked for, and how long the answers took together."""

    count: int = 0
    total_us: int = 0

    def add(self, duration_us: int) -> None:
        """Count one more."""
        self.count += 1
        self.total_us += duration_us


class Passes(msgspec.Struct):
    """Passes of the main scheduler."""

    count: int = 0
    last_us: int = 0
    longest_us: int = 0
    total_us: int = 0
    total_depth: int = 0
    queue_length: int = 0
    exits: list[int] = msgspec.field(default_factory=lambda: [0] * _EXIT_REASONS)
    """End of queue, default queue depth, max job start, licenses, RPC count, time."""

    def add(self, duration_us: int, depth: int, queue_length: int) -> None:
        """Count one more pass that looked at `depth` of `queue_length` jobs and came to its end."""
        self.count += 1
        self.last_us = duration_us
        self.longest_us = max(self.longest_us, duration_us)
        self.total_us += duration_us
        self.total_depth += depth
        self.queue_length = queue_length
        self.exits[0] += 1


class Backfill(msgspec.Struct):
    """Passes of the backfill scheduler."""

    count: int = 0
    is_active: bool = False
    last_us: int = 0
    longest_us: int = 0
    total_us: int = 0
    last_s: int = 0
    """When the last pass began."""
    last_depth: int = 0
    last_depth_tried: int = 0
    total_depth: int = 0
    total_depth_tried: int = 0
    queue_length: int = 0
    total_queue_length: int = 0
    table_size: int = 0
    total_table_size: int = 0
    started_jobs: int = 0
    """Jobs started by backfill since the controller began."""
    started_jobs_since_reset: int = 0
    exits: list[int] = msgspec.field(default_factory=lambda: [0] * _BACKFILL_EXIT_REASONS)
    """End of queue, max job start, max job test, system state change, node space size, time."""

    def add(self, duration_us: int, depth: int, tried: int, queue_length: int, table_size: int, now_s: int) -> None:
        """Count one more pass that came to its end."""
        self.count += 1
        self.last_us, self.last_s = duration_us, now_s
        self.longest_us = max(self.longest_us, duration_us)
        self.total_us += duration_us
        self.last_depth, self.last_depth_tried = depth, tried
        self.total_depth += depth
        self.total_depth_tried += tried
        self.queue_length = queue_length
        self.total_queue_length += queue_length
        self.table_size = table_size
        self.total_table_size += table_size
        self.exits[0] += 1


class Counters(msgspec.Struct):
    """Everything that sdiag shows and the cluster's state does not tell."""

    since_s: int = 0
    jobs_submitted: int = 0
    jobs_started: int = 0
    jobs_completed: int = 0
    jobs_cancelled: int = 0
    jobs_failed: int = 0
    open_requests: int = 0
    agents: int = 0
    agent_threads: int = 0
    agent_queue: int = 0
    accounting_queue: int = 0
    scheduler: Passes = msgspec.field(default_factory=Passes)
    backfill: Backfill = msgspec.field(default_factory=Backfill)
    by_type: dict[int, Calls] = {}
    """Requests by message number."""
    by_user: dict[int, Calls] = {}
    """Requests by uid."""

    def count_request(self, msg_type: int, uid: int, duration_us: int) -> None:
        """Count one served request."""
        self.by_type.setdefault(int(msg_type), Calls()).add(duration_us)
        self.by_user.setdefault(uid, Calls()).add(duration_us)

    def reset(self, now_s: int) -> None:
        """Begin again (sdiag --reset): everything but what backfill has started since the controller began."""
        started = self.backfill.started_jobs
        fresh = Counters(since_s=now_s)
        for name in self.__struct_fields__:
            setattr(self, name, getattr(fresh, name))
        self.backfill.started_jobs = started


def stats_response(counters: Counters, cluster: Cluster, now_s: int) -> StatsResponse:
    """The answer to sdiag."""
    main, backfill = counters.scheduler, counters.backfill
    by_type, by_user = list(counters.by_type.items()), list(counters.by_user.items())
    running = sum(1 for job_id in cluster.active if cluster.jobs[job_id].state is JobState.RUNNING)
    return StatsResponse(
        parts_packed=1,
        req_time=now_s,
        req_time_start=counters.since_s,
        server_thread_count=max(1, counters.open_requests),
        agent_queue_size=counters.agent_queue,
        agent_count=counters.agents,
        agent_thread_count=counters.agent_threads,
        dbd_agent_queue_size=counters.accounting_queue,
        jobs_submitted=counters.jobs_submitted,
        jobs_started=counters.jobs_started,
        jobs_completed=counters.jobs_completed,
        jobs_canceled=counters.jobs_cancelled,
        jobs_failed=counters.jobs_failed,
        jobs_pending=len(cluster.pending),
        jobs_running=running,
        job_states_ts=now_s,
        schedule_cycle_max=main.longest_us,
        schedule_cycle_last=main.last_us,
        schedule_cycle_sum=main.total_us,
        schedule_cycle_counter=main.count,
        schedule_cycle_depth=main.total_depth,
        schedule_exit=list(main.exits),
        schedule_queue_len=main.queue_length,
        bf_backfilled_jobs=backfill.started_jobs,
        bf_last_backfilled_jobs=backfill.started_jobs_since_reset,
        bf_cycle_counter=backfill.count,
        bf_cycle_sum=backfill.total_us,
        bf_cycle_last=backfill.last_us,
        bf_cycle_max=backfill.longest_us,
        bf_last_depth=backfill.last_depth,
        bf_last_depth_try=backfill.last_depth_tried,
        bf_depth_sum=backfill.total_depth,
        bf_depth_try_sum=backfill.total_depth_tried,
        bf_queue_len=backfill.queue_length,
        bf_queue_len_sum=backfill.total_queue_length,
        bf_table_size=backfill.table_size,
        bf_table_size_sum=backfill.total_table_size,
        bf_when_last_cycle=backfill.last_s,
        bf_active=int(backfill.is_active),
        bf_exit=list(backfill.exits),
        rpc_type_size=len(by_type),
        rpc_type_id=[number for number, _ in by_type],
        rpc_type_cnt=[calls.count for _, calls in by_type],
        rpc_type_time=[calls.total_us for _, calls in by_type],
        rpc_user_size=len(by_user),
        rpc_user_id=[uid for uid, _ in by_user],
        rpc_user_cnt=[calls.count for _, calls in by_user],
        rpc_user_time=[calls.total_us for _, calls in by_user],
    )
