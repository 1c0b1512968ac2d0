"""What would become of a request: when and where it would start (`sbatch --test-only`, `squeue --start`).

As slurmctld answers --test-only: as if the request were first in the queue, on the nodes that are up, behind what runs
and behind the places that the queue's blocked jobs were promised. Partition states and time limits do not count there,
and a request that names nodes is answered for these alone, even where it wants more of them.
"""

from __future__ import annotations

from typing import NamedTuple

from flurm.core import features
from flurm.core.enums import Reason, Refusal
from flurm.core.job_records import Job, JobSpec
from flurm.core.names import BadNodeList
from flurm.core.placement import Free, Layout, demand_of, eligible_for, misfit_of
from flurm.core.records import Cluster
from flurm.sched.plan import duration_s
from flurm.sched.queue import partitions_to_try
from flurm.sched.timeline import Timeline


class Forecast(NamedTuple):
    """When, on which nodes (a mask), in which partition and with how many CPUs a request would start."""

    start_s: int
    nodes: int
    partition: str
    cpus: int


def will_run(cluster: Cluster, request: JobSpec | Job, now_s: int) -> Forecast | Refusal:
    """The earliest start of a request over its partitions, or why it has none."""
    job = request if isinstance(request, Job) else Job(0, request, partition=_default(cluster))
    layout = Layout(cluster)
    best: Forecast | None = None
    refusal = Refusal.INVALID_PARTITION_NAME
    for name in partitions_to_try(cluster, job):
        if name not in cluster.partitions:
            continue
        found = _in_partition(cluster, layout, job.spec, name, max(now_s, job.spec.begin_s))
        if isinstance(found, Refusal):
            refusal = found
        elif best is None or found.start_s < best.start_s:
            best = found
    return refusal if best is None else best


def _in_partition(cluster: Cluster, layout: Layout, spec: JobSpec, name: str, now_s: int) -> Forecast | Refusal:
    partition = cluster.partitions[name]
    known = {feature for node, _ in layout.kinds for feature in (*node.features, *(node.active_features or ()))}
    refusal = features.check(spec.features, known)
    if refusal is not None:
        return refusal
    try:
        demand = demand_of(cluster, spec, partition)
    except (KeyError, BadNodeList):
        return Refusal.INVALID_NODE_NAME
    misfit = misfit_of(layout, spec, demand, partition)
    if misfit is not None and misfit.reason is not Reason.PARTITION_TIME_LIMIT:
        return Refusal.REQUESTED_NODE_CONFIG_UNAVAILABLE
    timeline = Timeline(cluster, now_s, Free.of(cluster, layout))
    timeline.keep_planned(cluster)
    eligible = eligible_for(layout, demand, partition)
    if demand.required:
        eligible &= demand.required
    found = timeline.earliest(demand, eligible, duration_s(spec, partition))
    if found is None:
        return Refusal.REQUESTED_NODE_CONFIG_UNAVAILABLE
    start_s, allocation, _ = found
    return Forecast(start_s, allocation.node_mask, name, allocation.cpus)


def _default(cluster: Cluster) -> str:
    return next((partition.name for partition in cluster.partitions.values() if partition.is_default), "")
