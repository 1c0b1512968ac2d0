"""How long a scheduling pass takes: 10,000 pending jobs on 1,000 nodes. Run: python -m bench.sched_pass

Two clusters: a busy one (every node has running jobs, little fits) and an idle one (hundreds start). Each pass is
cold: a fresh policy object and fresh records. `quiet` is the pass after one that decided nothing.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable
from typing import TypeVar

from immutables import Map

from flurm.core.enums import JobState, NodeState
from flurm.core.job_records import Allocation, Job, JobSpec, NodeShare
from flurm.core.node_records import Node, Partition
from flurm.core.records import Cluster, Settings
from flurm.sched.policies import Backfill, Fifo, Policy
from flurm.sched.queue import queue_order

T = TypeVar("T")

NODES, CPUS, PENDING = 1_000, 16, 10_000


def cluster(busy: bool, seed: int = 1) -> Cluster:
    """A cluster of equal nodes with a queue of mixed requests."""
    rng = random.Random(seed)
    names = tuple(f"n{index + 1}" for index in range(NODES))
    nodes = [
        Node(name, index, cpus=CPUS, cores_per_socket=CPUS, real_memory_mib=64_000, state=NodeState.IDLE)
        for index, name in enumerate(names)
    ]
    jobs: dict[int, Job] = {}
    if busy:
        for index, node in enumerate(nodes):
            nodes[index] = _fill(node, rng, jobs)
    active = Map(dict.fromkeys(jobs, 0))
    first = len(jobs) + 1
    for job_id in range(first, first + PENDING):
        jobs[job_id] = Job(job_id, _request(rng, job_id), priority=4_000_000_000 - job_id, submit_s=job_id)
    everything = (1 << NODES) - 1
    parts = {
        "debug": Partition("debug", node_mask=everything),
        "half": Partition("half", node_mask=everything >> NODES // 2, max_time_min=1440),
    }
    return Cluster(
        settings=Settings(default_memory_per_cpu_mib=1000),
        jobs=Map(jobs),
        nodes=Map({node.name: node for node in nodes}),
        node_order=names,
        partitions=Map(parts),
        pending=Map(dict.fromkeys(range(first, first + PENDING), 0)),
        active=active,
    )


def _request(rng: random.Random, job_id: int) -> JobSpec:
    tasks = rng.choice((1, 1, 1, 1, 2, 4, 8, 16, 64, 256))
    spec = JobSpec(
        name=f"job{job_id}",
        partitions=(rng.choice(("debug", "debug", "half")),),
        num_tasks=tasks,
        min_cpus=tasks,
        time_limit_min=rng.choice((5, 10, 30, 60, 240, 600)),
    )
    return spec.with_(memory_per_cpu_mib=2000) if rng.random() < 0.2 else spec


def _fill(node: Node, rng: random.Random, jobs: dict[int, Job]) -> Node:
    used = 0
    while used < CPUS - 1:
        cores = min(rng.choice((1, 2, 4, 8)), CPUS - used)
        share = NodeShare(node.index, ((1 << cores) - 1) << used, cores, cores * 1000)
        job_id = len(jobs) + 1
        end_s = rng.randrange(60, 36_000)
        spec = JobSpec(partitions=("debug",))
        allocation = Allocation((share,))
        jobs[job_id] = Job(job_id, spec, state=JobState.RUNNING, allocation=allocation, end_s=end_s, priority=1)
        used += cores
    return node.with_(used_cores=(1 << used) - 1, used_cpus=used, used_memory_mib=used * 1000)


def _time(work: Callable[[], T]) -> tuple[float, T]:
    gc.collect()
    start = time.perf_counter()
    result = work()
    return (time.perf_counter() - start) * 1000, result


def measure(state: Cluster, policy: Policy) -> str:
    """Milliseconds of ordering the queue, of a cold pass and of a quiet one."""
    order_ms, _ = _time(lambda: queue_order(state, 0))
    order = queue_order(state, 0)
    cold_ms, decided = _time(lambda: policy.plan(state, order, 0))
    policy._seen = (state.jobs, state.nodes, state.partitions, state.settings)
    quiet_ms, _ = _time(lambda: policy.plan(state, order, 0))
    counts = f"starts {len(decided.starts)} outlooks {len(decided.outlooks)}"
    return f"order {order_ms:6.1f} ms  cold {cold_ms:7.1f} ms  quiet {quiet_ms:6.3f} ms  {counts}"


def main() -> None:
    """Print a line per policy and cluster."""
    for busy in (True, False):
        state = cluster(busy)
        for policy in (Fifo(), Backfill(), Backfill(depth=20)):
            label = f"{'busy' if busy else 'idle'} {policy.name} {getattr(policy, 'depth', 0)}"
            print(f"{label:16} {measure(state, policy)}")


if __name__ == "__main__":
    main()
