"""What must hold of every pass over every cluster."""

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from flurm.core.placement import Free, check_still_free, demand_of, eligible_nodes, place
from flurm.sched.plan import Plan, plan
from flurm.sched.queue import queue_order
from tests.sched.builders import TestCluster, cluster_of

NODES, CPUS, MEMORY_MIB = 4, 4, 1000

running = st.lists(
    st.tuples(st.integers(1, NODES), st.integers(1, CPUS), st.integers(1, 60), st.integers(0, 300)), max_size=6
)
requests = st.lists(
    st.fixed_dictionaries(
        {"minutes": st.integers(1, 90)},
        optional={
            "tasks": st.integers(1, 12),
            "nodes": st.integers(1, NODES),
            "cpus_per_task": st.integers(1, CPUS),
            "memory_per_node_mib": st.integers(0, MEMORY_MIB),
            "exclusive": st.just(0),
            "contiguous": st.just(True),
            "required_nodes": st.sampled_from(["n1", "n[2-3]"]),
            "ntasks_per_node": st.integers(1, 2),
        },
    ),
    min_size=1,
    max_size=8,
)


def cluster_with(busy: list[tuple[int, int, int, int]], queue: list[dict[str, Any]]) -> TestCluster:
    cluster = cluster_of(NODES, CPUS, MEMORY_MIB, default_memory_per_cpu_mib=50)
    for node, cores, minutes, memory_mib in busy:
        record = cluster.state.nodes[f"n{node}"]
        if cores <= CPUS - record.used_cpus and memory_mib <= MEMORY_MIB - record.used_memory_mib:
            cluster.run(record.name, cores, minutes, memory_mib)
    for request in queue:
        cluster.submit(**request)
    return cluster


def carried_out(cluster: TestCluster, decided: Plan, now_s: int) -> None:
    for start in decided.starts:
        assert check_still_free(cluster.state, start.allocation)
        cluster.start(start, now_s)


def end_what_is_over(cluster: TestCluster, now_s: int) -> None:
    for job_id in list(cluster.state.active):
        if cluster.job(job_id).end_s <= now_s:
            cluster.finish(job_id)


@given(running, requests, st.sampled_from([0, 1, 3, 20]))
@settings(max_examples=150, deadline=None)
def test_nothing_is_given_out_twice(busy, queue, depth):
    cluster = cluster_with(busy, queue)
    carried_out(cluster, plan(cluster.state, queue_order(cluster.state, 0), 0, depth=depth), 0)
    for node in cluster.state.nodes.values():
        assert node.used_cpus == node.used_cores.bit_count() <= CPUS
        assert node.used_memory_mib <= MEMORY_MIB


@given(running, requests)
@settings(max_examples=150, deadline=None)
def test_an_allocation_is_what_was_asked_for(busy, queue):
    cluster = cluster_with(busy, queue)
    for start in plan(cluster.state, queue_order(cluster.state, 0), 0).starts:
        spec, shares = cluster.job(start.job_id).spec, start.allocation.shares
        assert start.allocation.cpus >= spec.min_cpus
        assert spec.min_nodes <= len(shares) <= (spec.max_nodes or NODES)
        assert [share.node for share in shares] == sorted({share.node for share in shares})
        if spec.exclusive == 0:
            assert all(share.cpus == CPUS for share in shares)
        if spec.contiguous:
            assert shares[-1].node - shares[0].node == len(shares) - 1


@given(running, requests)
@settings(max_examples=150, deadline=None)
def test_easy_backfill_never_delays_the_first_blocked_job(busy, queue):
    cluster = cluster_with(busy, queue)
    decided = plan(cluster.state, queue_order(cluster.state, 0), 0, depth=1)
    promised = next((outlook for outlook in decided.outlooks if outlook.start_s), None)
    carried_out(cluster, decided, 0)
    if promised is None:
        return
    end_what_is_over(cluster, promised.start_s)
    request, partition = cluster.job(promised.job_id).spec, cluster.state.partitions["debug"]
    free, eligible = Free.of(cluster.state), eligible_nodes(cluster.state, request, partition)
    assert place(demand_of(cluster.state, request, partition), free, eligible) is not None


@given(running, requests)
@settings(max_examples=150, deadline=None)
def test_fifo_never_starts_a_job_ahead_of_one_that_could_have_started(busy, queue):
    cluster = cluster_with(busy, queue)
    decided = plan(cluster.state, queue_order(cluster.state, 0), 0, depth=0)
    blocked = [outlook.job_id for outlook in decided.outlooks if outlook.reason in ("Resources", "Priority")]
    assert not blocked or all(start.job_id < min(blocked) for start in decided.starts)
    carried_out(cluster, decided, 0)
    if blocked:
        request, partition = cluster.job(min(blocked)).spec, cluster.state.partitions["debug"]
        free, eligible = Free.of(cluster.state), eligible_nodes(cluster.state, request, partition)
        assert place(demand_of(cluster.state, request, partition), free, eligible) is None


@given(running, requests, st.sampled_from([0, 1, 20]))
@settings(max_examples=60, deadline=None)
@example([], [{"minutes": 1, "tasks": 5, "exclusive": 0, "ntasks_per_node": 1}], 0)
def test_every_job_that_can_run_at_all_runs_in_the_end(busy, queue, depth):
    cluster = cluster_with(busy, queue)
    now_s = 0
    for _ in range(3 * len(queue) + len(busy) + 3):
        decided = plan(cluster.state, queue_order(cluster.state, now_s), now_s, depth=depth)
        carried_out(cluster, decided, now_s)
        if not cluster.state.active:
            break
        now_s = min(cluster.job(job_id).end_s for job_id in cluster.state.active)
        end_what_is_over(cluster, now_s)
    decided = plan(cluster.state, queue_order(cluster.state, now_s), now_s, depth=depth)
    left = {outlook.reason for outlook in decided.outlooks}
    assert left <= {"PartitionConfig", "PartitionNodeLimit", "BadConstraints"}
