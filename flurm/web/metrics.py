"""The documented metrics, read off the published state at the moment they are asked for."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from actors.net.munge_service import MungeService
from flurm.core.enums import JobState, NodeState
from flurm.core.records import Cluster
from protocol.codec import message_name

OTHERS = "(others)"
COMPLETED = ("COMPLETED",)
FAILED = ("FAILED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE")


class TreeCollector(Collector):
    """Collects from a running system; registered in a registry of its own."""

    def __init__(self, system: Any) -> None:
        self._system = system

    def collect(self) -> Iterator[Metric]:
        """All metrics."""
        terms = self._system.terms
        cluster: Cluster = terms.get("cluster") or Cluster()
        yield from _jobs(cluster, terms)
        yield from _nodes(cluster)
        yield from _scheduler(terms)
        yield from _protocol(self._system.env)
        yield from _munge(self._system.env.get("munge"))
        yield from _consensus(terms)
        yield from _storage(terms)
        yield from _tree(self._system)


def _jobs(cluster: Cluster, terms: dict[str, Any]) -> Iterator[Metric]:
    counters = terms.get("job_counters")
    ended = counters.ended if counters is not None else {}
    running = sum(1 for i in cluster.active if cluster.jobs[i].state is JobState.RUNNING)
    pending = 0
    for job_id in cluster.pending:
        array = cluster.jobs[job_id].array
        pending += array.waiting.bit_count() if array is not None and array.task_id is None else 1
    submitted = counters.submitted if counters is not None else 0
    yield CounterMetricFamily("flurm_jobs", "Total jobs submitted", submitted)
    yield GaugeMetricFamily("flurm_jobs_running", "Currently running jobs", running)
    yield GaugeMetricFamily("flurm_jobs_pending", "Jobs waiting to run", pending)
    completed = sum(ended.get(name, 0) for name in COMPLETED)
    yield CounterMetricFamily("flurm_jobs_completed", "Successfully completed jobs", completed)
    yield CounterMetricFamily("flurm_jobs_failed", "Failed jobs", sum(ended.get(name, 0) for name in FAILED))


def _nodes(cluster: Cluster) -> Iterator[Metric]:
    idle = allocated = down = 0
    for node in cluster.nodes.values():
        if not node.is_up:
            down += 1
        elif node.shown_state in (NodeState.ALLOCATED, NodeState.MIXED):
            allocated += 1
        else:
            idle += 1
    yield GaugeMetricFamily("flurm_nodes_total", "Total compute nodes", len(cluster.nodes))
    yield GaugeMetricFamily("flurm_nodes_idle", "Idle nodes", idle)
    yield GaugeMetricFamily("flurm_nodes_allocated", "Nodes with jobs", allocated)
    yield GaugeMetricFamily("flurm_nodes_down", "Unreachable nodes", down)


def _scheduler(terms: dict[str, Any]) -> Iterator[Metric]:
    statistics = terms.get("scheduler_statistics")
    if statistics is None:
        return
    total, buckets = 0, []
    for bound, count in zip((*statistics.bounds_ms, float("inf")), statistics.buckets, strict=True):
        total += count
        buckets.append(("+Inf" if bound == float("inf") else str(bound), total))
    yield HistogramMetricFamily(
        "flurm_scheduler_cycle_ms", "Scheduling cycle duration", buckets, sum_value=statistics.total_us / 1000
    )


def _protocol(env: dict[str, Any]) -> Iterator[Metric]:
    service = env["service"]
    family = CounterMetricFamily("flurm_protocol_requests", "Protocol requests by type", labels=("type",))
    for msg_type, calls in list(env["counters"].by_type.items()):
        family.add_metric((message_name(msg_type),), calls.count)
    yield family
    refused = CounterMetricFamily("flurm_protocol_refused", "Requests refused by kind", labels=("kind",))
    for kind, count in list(service.refused.items()):
        refused.add_metric((kind,), count)
    yield refused
    listener = env["listener"]
    yield GaugeMetricFamily("flurm_connections_waiting", "Connections without a whole request", listener.waiting())
    dropped = CounterMetricFamily("flurm_connections_dropped", "Connections without a request", labels=("kind",))
    for kind, count in listener.counters.dropped.items():
        dropped.add_metric((kind,), count)
    yield dropped
    memory = listener.memory
    yield GaugeMetricFamily("flurm_request_memory_bytes", "Bytes of requests held over all connections", memory.held)
    yield GaugeMetricFamily("flurm_request_memory_peak_bytes", "The most that were held so far", memory.peak)
    yield GaugeMetricFamily("flurm_request_memory_limit_bytes", "The most that may be held", memory.bound)
    yield GaugeMetricFamily("flurm_requests_inside", "Requests that wait for a manager", len(service.door))
    yield GaugeMetricFamily("flurm_requests_inside_limit", "The most that may wait for managers", service.door.most)


def _munge(service: MungeService | None) -> Iterator[Metric]:
    served = service.socket if service is not None else None
    yield GaugeMetricFamily("flurm_munge_served", "Whether FLURM serves the MUNGE socket", int(served is not None))
    if served is None:
        return
    answers = CounterMetricFamily("flurm_munge_requests", "Answers of the MUNGE socket", labels=("type", "result"))
    for labels, count in list(served.counters.answers.items()):
        answers.add_metric(labels, count)
    yield answers
    dropped = CounterMetricFamily("flurm_munge_dropped", "Connections without an answer", labels=("kind",))
    for kind, count in served.counters.dropped.items():
        dropped.add_metric((kind,), count)
    yield dropped


def _consensus(terms: dict[str, Any]) -> Iterator[Metric]:
    status = terms.get("consensus")
    if status is None:
        return
    yield GaugeMetricFamily("flurm_consensus_term", "Current Raft term", status.term)
    yield CounterMetricFamily("flurm_consensus_commits", "Committed log entries", status.commit_index)
    leads = int(status.role.value == "leader")
    yield GaugeMetricFamily("flurm_consensus_is_leader", "Whether this controller leads", leads)
    silence_s = status.longest_silence_ms / 1000
    what = "Longest time between two messages of the leader that is followed"
    yield GaugeMetricFamily("flurm_consensus_longest_silence_seconds", what, silence_s)


def _storage(terms: dict[str, Any]) -> Iterator[Metric]:
    writer = terms.get("log_writer")
    if writer is not None:
        yield CounterMetricFamily("flurm_storage_syncs", "Writes to the log, each with one sync", writer.counters.syncs)
        yield CounterMetricFamily("flurm_storage_entries", "Entries in them", writer.counters.entries)
    taken, took_s = terms.get("snapshots", (0, math.nan))
    yield CounterMetricFamily("flurm_storage_snapshots", "Snapshots taken since the start", taken)
    yield GaugeMetricFamily("flurm_storage_snapshot_seconds", "How long the newest snapshot took", took_s)


def _tree(system: Any) -> Iterator[Metric]:
    restarts = CounterMetricFamily("flurm_process_restarts", "Restarts by process", labels=("process",))
    mailbox = GaugeMetricFamily("flurm_process_mailbox", "Messages waiting by process", labels=("process",))
    for row in _flat(system.tree()):
        restarts.add_metric((row["id"],), row.get("restarts", 0))
        if row.get("name"):
            mailbox.add_metric((row["name"],), row.get("mailbox", 0))
    yield restarts
    yield mailbox
    yield from _messages(system)


def _messages(system: Any) -> Iterator[Metric]:
    """What the processes handle and what they do not keep up with; nameless ones are added up as `(others)`."""
    handled: Counter[str] = Counter()
    collapsed: Counter[str] = Counter()
    too_long: Counter[str] = Counter()
    for process in system.processes():
        name = process.name or OTHERS
        handled[name] += process.handled
        collapsed[name] += process.collapsed
        too_long[name] += process.mailbox > process.max_mailbox
    overloads = system.env["overloads"].counts
    times = {name: overloads.get(name if name != OTHERS else "", 0) for name in handled}
    for family, counts in (
        (
            CounterMetricFamily("flurm_process_messages", "Messages handled since its start", labels=("process",)),
            handled,
        ),
        (CounterMetricFamily("flurm_process_coalesced", "Messages that became one", labels=("process",)), collapsed),
        (CounterMetricFamily("flurm_process_overloads", "Times its mailbox was too long", labels=("process",)), times),
        (
            GaugeMetricFamily("flurm_process_overloaded", "Whether its mailbox is too long", labels=("process",)),
            too_long,
        ),
    ):
        for name, count in counts.items():
            family.add_metric((name,), count)
        yield family


def _flat(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    seen: dict[str, dict[str, Any]] = {}
    for row in rows:
        known = seen.get(row["id"])
        if known is None:
            seen[row["id"]] = dict(row)
        else:
            known["restarts"] = known.get("restarts", 0) + row.get("restarts", 0)
        for child in _flat(row.get("children", [])):
            seen.setdefault(child["id"], child)
    yield from seen.values()
